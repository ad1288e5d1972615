/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker process: its start, its requests one after the other, and what happens when it dies. */
#include "connectors/imap/pool_internal.h"

#include <string.h>
#include <unistd.h>

#include "connectors/imap/worker.pb-c.h"
#include "lib/core/arena.h"
#include "lib/core/log.h"
#include "lib/ipc/trace.h"

enum {
	BACKOFF_FIRST_MS = 100, BACKOFF_MOST_MS = 30000  /* after a worker that died without having served anything */
};

/* --- it comes and goes ------------------------------------------------------------------------------------------ */

static void may_start_again(struct timer *timer)
{
	pool_hand_out_soon(container_of(timer, struct slot, timer)->pool);
}

static struct death death_of(const struct slot *slot, enum death_cause cause)
{
	const struct request *request = slot->request;
	const struct board *board = slot->process.board;
	struct death death = {.pid = slot->process.pid, .cause = cause, .phase = BOARD_IDLE};

	if (request == NULL)
		return death;
	death.user = request->account->user;
	death.collection = request->collection;
	death.phase = (enum board_phase)atomic_load(&board->phase);
	death.item = atomic_load(&board->item);
	death.validity = atomic_load(&board->validity);
	return death;
}

void pool_slot_end(struct slot *slot, enum death_cause cause, int64_t grace_ms)
{
	struct pool *pool = slot->pool;
	struct death death = death_of(slot, cause);

	undertaker_take(pool->undertaker, &death, grace_ms);
	slot->request = NULL;
	link_close(&slot->link);
	pool->ways->release(&slot->process);
	timer_stop(pool->loop, &slot->timer);
	slot->is_paused = false;
	if (slot->has_served) {
		slot->backoff_ms = 0;
	} else {
		slot->backoff_ms = slot->backoff_ms == 0 ? BACKOFF_FIRST_MS
			: slot->backoff_ms < BACKOFF_MOST_MS / 2 ? slot->backoff_ms * 2 : BACKOFF_MOST_MS;
		timer_start(pool->loop, &slot->timer, slot->backoff_ms, may_start_again);
	}
	pool_hand_out_soon(pool);
}

/* The worker has answered, or is lost: did it stop in the middle of a move? */
static void note_unsettled(struct slot *slot)
{
	const struct request *request = slot->request;
	uint64_t next = atomic_load(&slot->process.board->unsettled);

	if (next == 0)
		return;
	log_warning(LOG_CONNECTOR, "user=%s collection=%s worker=%d was lost in the middle of a move to %s",
		log_quote(request->account->user), log_quote(request->collection), (int)slot->process.pid,
		*request->target == '\0' ? "the trash" : log_quote(request->target));
	unsettled_add(slot->pool->unsettled, request->account->user, request->collection, request->target, next,
		loop_now_ms(slot->pool->loop));
}

void pool_slot_hung(struct slot *slot)
{
	log_warning(LOG_CONNECTOR, "worker=%d user=%s killed: no answer for %d s", (int)slot->process.pid,
		log_quote(slot->request->account->user), slot->pool->settings->timeout_s);
	note_unsettled(slot);
	slot->has_served = true; /* the backend's fault rather than its own */
	pool_slot_end(slot, DEATH_HUNG, 0);
}

static void worker_failed(struct slot *slot, enum death_cause cause, const char *why)
{
	struct request *request = slot->request;

	if (request != NULL) {
		log_warning(LOG_CONNECTOR, "worker=%d user=%s lost: %s", (int)slot->process.pid, log_quote(request->account->user), why);
		note_unsettled(slot);
	}
	pool_slot_end(slot, cause, 0);
	if (request != NULL)
		pool_request_answer(request, STATUS(UNAVAILABLE), "a worker died");
}

static void worker_lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	worker_failed(owner, DEATH_LOST, why);
}

static void idle_for_long(struct timer *timer)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	pool_slot_end(slot, DEATH_LET_GO, POOL_GRACE_MS);
}

static void worker_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner);

static const struct link_events worker_events = {.received = worker_received, .lost = worker_lost};

void pool_slot_trace(const Belfry__Role__Trace *trace, void *data)
{
	struct slot *slot = data;
	Belfry__Worker__WorkerRequest message = BELFRY__WORKER__WORKER_REQUEST__INIT;

	message.trace = (Belfry__Role__Trace *)(uintptr_t)trace;
	link_send(slot->link, &message.base, -1);
}

int pool_slot_start(struct slot *slot)
{
	struct error error;

	if (slot->pool->ways->start(slot->pool->loop, &slot->process, &error) < 0) {
		log_error(LOG_CONNECTOR, "%s", error.text);
		slot->backoff_ms = BACKOFF_MOST_MS / 10;
		timer_start(slot->pool->loop, &slot->timer, slot->backoff_ms, may_start_again);
		return -1;
	}
	slot->has_served = false;
	slot->link = link_create(slot->process.stream, &worker_events, slot);
	link_carry_secrets(slot->link);
	trace_each(pool_slot_trace, slot);
	log_trace(LOG_CONNECTOR, NULL, NULL, "worker=%d started", (int)slot->process.pid);
	return 0;
}

/* --- its request ------------------------------------------------------------------------------------------------ */

static void tell_unsettled(const struct request *request, Belfry__Worker__WorkerRequest *message)
{
	const struct pool *pool = request->pool;
	int64_t now_ms = loop_now_ms(pool->loop), since_ms = 0;
	int64_t until_ms;

	message->unsettled = unsettled_find(pool->unsettled, request->account->user, request->collection, request->target, now_ms,
		&since_ms);
	until_ms = since_ms + (int64_t)pool->settings->timeout_s * 1000 / 3;
	if (message->unsettled != 0 && until_ms > now_ms)
		message->settle_ms = (uint32_t)(until_ms - now_ms);
}

static void send_request(struct slot *slot, struct request *request)
{
	struct pool *pool = slot->pool;
	struct arena *arena = arena_create(0);
	Belfry__Worker__WorkerRequest message = BELFRY__WORKER__WORKER_REQUEST__INIT;
	const struct account *account = request->account;
	uint64_t *items = arena_alloc(arena, QUARANTINE_MAX * sizeof *items);

	message.id = ++pool->last_id;
	message.session_key = (ProtobufCBinaryData){sizeof account->handle, (uint8_t *)account->handle};
	message.user = account->login;
	message.canonical = account->user;
	message.password.data = (uint8_t *)secret_text(account->password);
	message.password.len = strlen(secret_text(account->password));
	message.timeout_s = (uint32_t)((pool_request_left_ms(request) + 999) / 1000);
	message.request = belfry__connector__request__unpack(arena_protobuf(arena), request->length, request->packed);
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_FETCH || request->kind == BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART) {
		message.quarantined = items;
		message.n_quarantined = quarantine_items(pool->quarantine, account->user, request->collection, request->validity, items,
			QUARANTINE_MAX);
		message.careful = request->is_careful = quarantine_is_careful(pool->quarantine, account->user, request->collection);
	}
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY)
		tell_unsettled(request, &message);
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_LIST)
		message.n_doubted = doubts_of(pool->doubts, account->user, &message.doubted);
	if (request->message_id != NULL)
		message.submitted = sends_state(pool->sends, account->user, request->message_id) == SEND_SUBMITTED_UNDER_WAY;
	link_send(slot->link, &message.base, request->fd);
	request->fd = -1;
	arena_free(&arena);
}

void pool_slot_run(struct slot *slot, struct request *request)
{
	pool_take_out(slot->pool, request);
	timer_stop(slot->pool->loop, &slot->timer);
	slot->request = request;
	request->slot = slot;
	board_wipe(slot->process.board);
	if (request->message_id != NULL)
		sends_begin(slot->pool->sends, request->account->user, request->message_id);
	atomic_store(&slot->process.board->unsettled, 0);
	pool_request_watch(request);
	send_request(slot, request);
}

/* --- what comes back -------------------------------------------------------------------------------------------- */

void pool_slot_go_on(struct slot *slot)
{
	if (slot->is_paused)
		link_resume(slot->link);
	slot->is_paused = false;
}

static void finish(struct slot *slot)
{
	struct request *request = slot->request;

	note_unsettled(slot);
	slot->request = NULL;
	slot->has_served = true;
	slot->backoff_ms = 0;
	pool_slot_go_on(slot);
	timer_start(slot->pool->loop, &slot->timer, (int64_t)slot->pool->settings->worker_idle_s * 1000, idle_for_long);
	pool_request_free(request);
	pool_hand_out_soon(slot->pool);
}

/* A client that reads slowly must not fill the daemon's memory: its worker waits, the others do not. */
static void pass(struct slot *slot, const ProtobufCBinaryData *response, int fd)
{
	struct request *request = slot->request;

	if (request->client == NULL || request->id == 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	service_pass(request->client, response->data, response->len, fd);
	if (service_is_clogged(request->client)) {
		slot->is_paused = true;
		link_pause(slot->link);
	}
}

static void login_refused(struct slot *slot, int fd)
{
	struct pool *pool = slot->pool;
	struct request *request = slot->request;
	struct account *account = account_hold(request->account);

	if (fd >= 0)
		close(fd);
	if (request->client != NULL)
		service_answer_status(request->client, request->id, STATUS(LOGIN_NEEDED), "the backend refused the login");
	finish(slot);
	pool->events->refused(account, pool->owner);
	account_release(&account);
}

/* The one answer that is looked into: a mail was handed in, whatever becomes of this worker. */
static void note_sent(struct slot *slot, const ProtobufCBinaryData *packed)
{
	const struct request *request = slot->request;
	struct arena *arena = arena_create(0);
	const Belfry__Connector__Response *response = belfry__connector__response__unpack(arena_protobuf(arena), packed->len,
		packed->data);

	if (response != NULL && response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_SENT && response->sent->submitted)
		sends_submitted(slot->pool->sends, request->account->user, request->message_id);
	arena_free(&arena);
}

/* What a Sync asks for: the device's next FolderSync is to say whether it is there. */
static void note_not_found(const struct request *request)
{
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SURVEY || request->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY)
		doubts_add(request->pool->doubts, request->account->user, request->collection);
}

static void answered(struct slot *slot, const Belfry__Worker__WorkerResponse *answer, int fd)
{
	if (answer->login == BELFRY__WORKER__OUTCOME__REFUSED) {
		login_refused(slot, fd);
		return;
	}
	if (slot->request->message_id != NULL)
		note_sent(slot, &answer->response);
	if (answer->not_found)
		note_not_found(slot->request);
	pass(slot, &answer->response, fd);
	pool_request_restart(slot->request);
	if (!answer->last)
		return;
	if (slot->request->is_careful)
		quarantine_relax(slot->pool->quarantine, slot->request->account->user, slot->request->collection);
	finish(slot);
}

static void worker_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct slot *slot = owner;
	struct arena *arena = arena_create(length);
	const Belfry__Worker__WorkerResponse *answer = belfry__worker__worker_response__unpack(arena_protobuf(arena), length, body);

	(void)link;
	if (answer == NULL || slot->request == NULL) {
		if (fd >= 0)
			close(fd);
		worker_failed(slot, DEATH_SENSELESS, "it answered what was not asked");
	} else {
		answered(slot, answer, fd);
	}
	arena_free(&arena);
}

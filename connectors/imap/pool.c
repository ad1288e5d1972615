/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Worker processes: who gets which request, what comes back, and what happens when one dies. */
#include "connectors/imap/pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/imap/quarantine.h"
#include "connectors/imap/sends.h"
#include "connectors/imap/undertaker.h"
#include "connectors/imap/unsettled.h"
#include "connectors/imap/worker.pb-c.h"
#include "lib/core/arena.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/link.h"
#include "lib/ipc/trace.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

enum {
	BACKOFF_FIRST_MS = 100, BACKOFF_MOST_MS = 30000  /* after a worker that died without having served anything */
};

struct request {
	struct request *next;
	struct service_client *client;    /* NULL: gone */
	struct account *account;
	uint64_t id, validity;
	int64_t until_ms;                 /* then it is over, whether it waits or runs: its client gives up soon after */
	Belfry__Connector__Request__BodyCase kind;
	char *collection;                 /* "" where there is none */
	char *message_id;                 /* of a Send; NULL: none */
	int fd;                           /* for the worker; -1: none, or the worker has it */
	char *target;                     /* of an Apply that moves: where to; "": the trash, or it does not */
	uint8_t *packed;                  /* the Request, without the handle */
	size_t length;
	struct timer deadline;
	struct pool *pool;
	struct slot *slot;                /* NULL: waits */
	bool is_careful;                  /* it was given to the worker so */
};

struct slot {
	struct pool *pool;
	struct process process;
	struct link *link;                /* NULL: empty */
	struct request *request;          /* NULL: idle */
	struct timer timer;               /* idle: to end; empty: until it may be started again */
	unsigned backoff_ms;
	bool has_served, is_paused;
};

struct pool {
	struct loop *loop;
	const struct imap_settings *settings;
	const struct process_ways *ways;
	const struct pool_events *events;
	void *owner;
	struct quarantine *quarantine;
	struct unsettled *unsettled;
	struct sends *sends;
	struct slot *slots;
	struct request *first, **last;
	unsigned waiting;
	uint64_t last_id;
	struct undertaker *undertaker;
	struct deferred hand_out;
};

static void hand_out(struct deferred *deferred);

static void hand_out_soon(struct pool *pool)
{
	loop_defer(pool->loop, &pool->hand_out, hand_out);
}

/* --- requests -------------------------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
	if (request->message_id != NULL && request->slot != NULL)
		sends_end(request->pool->sends, request->account->user, request->message_id);
	if (request->fd >= 0)
		close(request->fd);
	timer_stop(request->pool->loop, &request->deadline);
	account_release(&request->account);
	free(request->collection);
	free(request->message_id);
	free(request->target);
	free(request->packed);
	free(request);
}

static void request_answer(struct request *request, Belfry__Connector__Status status, const char *reason)
{
	if (request->client != NULL)
		service_answer_status(request->client, request->id, status, reason);
	request_free(request);
}

static void take_out(struct pool *pool, struct request *request)
{
	struct request **link = &pool->first;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	if (request->next == NULL)
		pool->last = link;
	pool->waiting--;
}

/* --- workers come and go --------------------------------------------------------------------------------------- */

static void may_start_again(struct timer *timer)
{
	hand_out_soon(container_of(timer, struct slot, timer)->pool);
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

/* The one way out of a worker; its request, if any, is the caller's from then on. */
static void slot_end(struct slot *slot, enum death_cause cause, int64_t grace_ms)
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
	hand_out_soon(pool);
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

static void worker_failed(struct slot *slot, enum death_cause cause, const char *why)
{
	struct request *request = slot->request;

	if (request != NULL) {
		log_warning(LOG_CONNECTOR, "worker=%d user=%s lost: %s", (int)slot->process.pid, log_quote(request->account->user), why);
		note_unsettled(slot);
	}
	slot_end(slot, cause, 0);
	if (request != NULL)
		request_answer(request, STATUS(UNAVAILABLE), "a worker died");
}

static void worker_lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	worker_failed(owner, DEATH_LOST, why);
}

static void idle_for_long(struct timer *timer)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	slot_end(slot, DEATH_LET_GO, POOL_GRACE_MS);
}

static void worker_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner);

static const struct link_events worker_events = {.received = worker_received, .lost = worker_lost};

static void tell_trace(const Belfry__Role__Trace *trace, void *data)
{
	struct slot *slot = data;
	Belfry__Worker__WorkerRequest message = BELFRY__WORKER__WORKER_REQUEST__INIT;

	message.trace = (Belfry__Role__Trace *)(uintptr_t)trace;
	link_send(slot->link, &message.base, -1);
}

static int slot_start(struct slot *slot)
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
	trace_each(tell_trace, slot);
	log_trace(LOG_CONNECTOR, NULL, NULL, "worker=%d started", (int)slot->process.pid);
	return 0;
}

/* --- handing out ----------------------------------------------------------------------------------------------- */

static void timed_out(struct timer *timer)
{
	struct request *request = container_of(timer, struct request, deadline);
	struct slot *slot = request->slot;

	if (slot == NULL) {
		take_out(request->pool, request);
		request_answer(request, request->message_id != NULL ? STATUS(DEFERRED) : STATUS(UNAVAILABLE),
			"all workers are busy");
		return;
	}
	if (slot->is_paused) { /* the client does not read: that is no fault of the worker */
		timer_start(request->pool->loop, &request->deadline, POOL_GRACE_MS, timed_out);
		return;
	}
	log_warning(LOG_CONNECTOR, "worker=%d user=%s killed: no answer for %d s", (int)slot->process.pid,
		log_quote(request->account->user), request->pool->settings->timeout_s);
	note_unsettled(slot);
	slot->has_served = true; /* the backend's fault rather than its own */
	slot_end(slot, DEATH_HUNG, 0);
	request_answer(request, STATUS(UNAVAILABLE), "the backend took too long");
}

static int64_t left_ms(const struct request *request)
{
	return request->until_ms - loop_now_ms(request->pool->loop);
}

/* From now on: for a request that comes in, and with each item of an answer. */
static void restart_deadline(struct request *request)
{
	request->until_ms = loop_now_ms(request->pool->loop) + (int64_t)request->pool->settings->timeout_s * 1000;
	timer_start(request->pool->loop, &request->deadline, left_ms(request) + (request->slot != NULL ? POOL_GRACE_MS : 0),
		timed_out);
}

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
	message.timeout_s = (uint32_t)((left_ms(request) + 999) / 1000);
	message.request = belfry__connector__request__unpack(arena_protobuf(arena), request->length, request->packed);
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_FETCH || request->kind == BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART) {
		message.quarantined = items;
		message.n_quarantined = quarantine_items(pool->quarantine, account->user, request->collection, request->validity, items,
			QUARANTINE_MAX);
		message.careful = request->is_careful = quarantine_is_careful(pool->quarantine, account->user, request->collection);
	}
	if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY)
		tell_unsettled(request, &message);
	if (request->message_id != NULL)
		message.submitted = sends_state(pool->sends, account->user, request->message_id) == SEND_SUBMITTED_UNDER_WAY;
	link_send(slot->link, &message.base, request->fd);
	request->fd = -1;
	arena_free(&arena);
}

static void run(struct slot *slot, struct request *request)
{
	take_out(slot->pool, request);
	timer_stop(slot->pool->loop, &slot->timer);
	slot->request = request;
	request->slot = slot;
	board_wipe(slot->process.board);
	if (request->message_id != NULL)
		sends_begin(slot->pool->sends, request->account->user, request->message_id);
	atomic_store(&slot->process.board->unsettled, 0);
	timer_start(slot->pool->loop, &request->deadline, left_ms(request) + POOL_GRACE_MS, timed_out);
	send_request(slot, request);
}

static struct slot *home_of(struct pool *pool, const struct request *request)
{
	unsigned hash;

	HASH_VALUE(request->account->user, strlen(request->account->user), hash);
	return &pool->slots[hash % (unsigned)pool->settings->workers];
}

static bool is_idle(const struct slot *slot)
{
	return slot->link != NULL && slot->request == NULL;
}

static bool can_be_started(const struct slot *slot)
{
	return slot->link == NULL && !timer_is_started(&slot->timer);
}

/* A worker for the request: its home, else one that has nothing to do, else a new one. */
static struct slot *find_slot(struct pool *pool, const struct request *request)
{
	struct slot *home = home_of(pool, request), *startable = NULL;

	if (is_idle(home))
		return home;
	if (can_be_started(home))
		startable = home;
	for (int i = 0; i < pool->settings->workers && startable != home; i++) {
		if (is_idle(&pool->slots[i]))
			return &pool->slots[i];
		if (startable == NULL && can_be_started(&pool->slots[i]))
			startable = &pool->slots[i];
	}
	return startable != NULL && slot_start(startable) == 0 ? startable : NULL;
}

static unsigned running_of(const struct pool *pool, const struct request *like)
{
	unsigned count = 0;

	for (int i = 0; i < pool->settings->workers; i++)
		count += pool->slots[i].request != NULL && strcmp(pool->slots[i].request->account->user, like->account->user) == 0;
	return count;
}

static bool is_set_oof_beside(const struct request *one, const struct request *other)
{
	return one->kind == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF && other->kind == one->kind
		&& strcmp(one->account->user, other->account->user) == 0;
}

static bool is_apply_beside(const struct request *one, const struct request *other)
{
	return one->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY && other->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY
		&& strcmp(one->account->user, other->account->user) == 0 && strcmp(one->collection, other->collection) == 0;
}

static bool is_in_turn_with(const struct request *one, const struct request *other)
{
	return is_apply_beside(one, other) || is_set_oof_beside(one, other);
}

/* An Apply waits for those before it in its collection: of two MOVEs of one mail at once some servers make two mails.
 * One whose client is gone goes on, and counts. A SetOof reads before it writes. */
static bool has_to_wait_its_turn(const struct pool *pool, const struct request *request)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].request != NULL && is_in_turn_with(pool->slots[i].request, request))
			return true;
	for (const struct request *before = pool->first; before != request; before = before->next)
		if (is_in_turn_with(before, request))
			return true;
	return false;
}

/* A search may read whole mailboxes, another server than the IMAP server may be slow, or away. */
static bool is_slow(const struct request *request)
{
	return request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SEARCH || request->message_id != NULL
		|| request->kind == BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF
		|| request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
}

/* Half of the workers do what is slow: the others stay free for those who read. A user has one search at a time. */
static bool are_enough_slow(const struct pool *pool, const struct request *request)
{
	int count = 0;

	for (int i = 0; is_slow(request) && i < pool->settings->workers; i++) {
		const struct request *other = pool->slots[i].request;
		if (other == NULL || !is_slow(other))
			continue;
		if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SEARCH && other->kind == request->kind &&
		    strcmp(other->account->user, request->account->user) == 0)
			return true;
		count++;
	}
	return is_slow(request) && count >= (pool->settings->workers + 1) / 2;
}

/* The same mail, asked for twice: the second waits for what becomes of the first. */
static bool is_being_sent(const struct pool *pool, const struct request *request)
{
	return request->message_id != NULL &&
		send_is_under_way(sends_state(pool->sends, request->account->user, request->message_id));
}

static void hand_out(struct deferred *deferred)
{
	struct pool *pool = container_of(deferred, struct pool, hand_out);

	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (running_of(pool, request) >= POOL_USER_RUNNING_MAX || service_is_clogged(request->client)
			|| has_to_wait_its_turn(pool, request) || are_enough_slow(pool, request) || is_being_sent(pool, request))
			continue;
		struct slot *slot = find_slot(pool, request);
		if (slot == NULL)
			return;
		run(slot, request);
	}
}

/* --- what comes back ------------------------------------------------------------------------------------------- */

static void go_on(struct slot *slot)
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
	go_on(slot);
	timer_start(slot->pool->loop, &slot->timer, (int64_t)slot->pool->settings->worker_idle_s * 1000, idle_for_long);
	request_free(request);
	hand_out_soon(slot->pool);
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

static void answered(struct slot *slot, const Belfry__Worker__WorkerResponse *answer, int fd)
{
	if (answer->login == BELFRY__WORKER__OUTCOME__REFUSED) {
		login_refused(slot, fd);
		return;
	}
	if (slot->request->message_id != NULL)
		note_sent(slot, &answer->response);
	pass(slot, &answer->response, fd);
	restart_deadline(slot->request);
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

/* --- from the daemon ------------------------------------------------------------------------------------------- */

static void note_collection(struct request *request, const Belfry__Connector__Request *asked)
{
	const char *collection = "", *target = "";

	if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_FETCH) {
		collection = asked->fetch->collection;
		request->validity = asked->fetch->validity;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART) {
		collection = asked->fetch_part->collection;
		request->validity = asked->fetch_part->validity;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SURVEY) {
		collection = asked->survey->collection;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_APPLY) {
		collection = asked->apply->collection;
		target = asked->apply->n_operations == 0 ? "" : asked->apply->operations[0]->move_to;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SEND) {
		collection = asked->send->collection;
		request->message_id = mem_strdup(asked->send->message_id);
	}
	request->collection = mem_strdup(collection);
	request->target = mem_strdup(target);
}

static void pack_without_handle(struct request *request, const Belfry__Connector__Request *asked)
{
	Belfry__Connector__Request copy = *asked;

	copy.handle = (ProtobufCBinaryData){0, NULL};
	request->length = belfry__connector__request__get_packed_size(&copy);
	request->packed = mem_alloc(request->length + 1);
	belfry__connector__request__pack(&copy, request->packed);
}

static unsigned waiting_of(const struct pool *pool, const struct account *account)
{
	unsigned count = 0;

	for (const struct request *request = pool->first; request != NULL; request = request->next)
		count += strcmp(request->account->user, account->user) == 0;
	return count;
}

/* False: it was answered that there is none. */
static bool has_room(const struct pool *pool, struct service_client *client, const Belfry__Connector__Request *asked,
	const struct account *account)
{
	if (pool->waiting >= POOL_WAITING_MAX)
		service_answer_status(client, asked->id, STATUS(UNAVAILABLE), "too many requests wait for a worker");
	else if (waiting_of(pool, account) >= POOL_USER_WAITING_MAX)
		service_answer_status(client, asked->id, STATUS(LIMIT), "too many requests of this user");
	else
		return true;
	return false;
}

void pool_ask(struct pool *pool, struct service_client *client, const Belfry__Connector__Request *asked, int fd,
	struct account *account)
{
	struct request *request;

	if (!has_room(pool, client, asked, account)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	request = mem_alloc(sizeof *request);
	request->pool = pool;
	request->client = client;
	request->fd = fd;
	request->account = account_hold(account);
	request->id = asked->id;
	request->kind = asked->body_case;
	note_collection(request, asked);
	pack_without_handle(request, asked);
	*pool->last = request;
	pool->last = &request->next;
	pool->waiting++;
	restart_deadline(request);
	hand_out_soon(pool);
}

void pool_forget_client(struct pool *pool, const struct service_client *client)
{
	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (request->client != client)
			continue;
		take_out(pool, request);
		request_free(request);
	}
	for (int i = 0; i < pool->settings->workers; i++) {
		struct slot *slot = &pool->slots[i];
		if (slot->request == NULL || slot->request->client != client)
			continue;
		slot->request->client = NULL;
		go_on(slot);
	}
}

void pool_client_drained(struct pool *pool, const struct service_client *client)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].request != NULL && pool->slots[i].request->client == client)
			go_on(&pool->slots[i]);
	if (pool->first != NULL)
		hand_out_soon(pool);
}

void pool_forget_account(struct pool *pool, const struct account *account)
{
	Belfry__Worker__WorkerRequest message = BELFRY__WORKER__WORKER_REQUEST__INIT;

	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (request->account != account)
			continue;
		take_out(pool, request);
		request_answer(request, STATUS(LOGIN_NEEDED), "the backend refused the login");
	}
	message.forget = (ProtobufCBinaryData){sizeof account->handle, (uint8_t *)account->handle};
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].link != NULL)
			link_send(pool->slots[i].link, &message.base, -1);
}

void pool_trace(struct pool *pool, const Belfry__Role__Trace *trace)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].link != NULL)
			tell_trace(trace, &pool->slots[i]);
}

struct pool *pool_create(struct loop *loop, const struct imap_settings *settings, const struct process_ways *ways,
	const struct pool_events *events, void *owner)
{
	struct pool *pool = mem_alloc(sizeof *pool);

	*pool = (struct pool){.loop = loop, .settings = settings, .ways = ways, .events = events, .owner = owner,
		.quarantine = quarantine_create(), .unsettled = unsettled_create(), .sends = sends_create(),
		.slots = mem_alloc_array((size_t)settings->workers, sizeof *pool->slots)};
	pool->last = &pool->first;
	pool->undertaker = undertaker_create(loop, ways, pool->quarantine);
	for (int i = 0; i < settings->workers; i++)
		pool->slots[i].pool = pool;
	return pool;
}

void pool_free(struct pool **owner)
{
	struct pool *pool = *owner;

	*owner = NULL;
	if (pool == NULL)
		return;
	for (int i = 0; i < pool->settings->workers; i++) {
		struct slot *slot = &pool->slots[i];
		if (slot->request != NULL)
			request_free(slot->request);
		slot->request = NULL;
		if (slot->link != NULL)
			slot_end(slot, DEATH_LET_GO, 0);
		timer_stop(pool->loop, &slot->timer);
	}
	while (pool->first != NULL) {
		struct request *request = pool->first;
		take_out(pool, request);
		request_free(request);
	}
	undertaker_free(&pool->undertaker);
	loop_undefer(pool->loop, &pool->hand_out);
	quarantine_free(&pool->quarantine);
	unsettled_free(&pool->unsettled);
	sends_free(&pool->sends);
	free(pool->slots);
	free(pool);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Begin, Commit and Release of fronts: locks, then the store. A transaction is its Begin, kept until its locks go.
 *
 *   Begin ─ claim locks ─ read ─ (a new device: count the user's devices) ─ answer ┐
 *   Commit ─ (a new device: lock the user's count, count) ─ write ─ answer         ├─ all end with the front
 *   Release ───────────────────────────────────────────────────────────────────────┘
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

#define DEVICE_KEY "device"       /* the record that makes a device one (ARCHITECTURE.md, "State of a device") */
#define POSITION_PREFIX "position/"
#define COUNT_LOCK "devices"      /* of the user: new devices are counted and made one at a time */

struct hub_question {
	struct hub_question *next, **link;
	UT_hash_handle hh;            /* a transaction: in front->transactions, by token */
	struct hub_front *front;
	Belfry__Role__ToHub *message; /* a Begin or a Commit */
	uint64_t token;               /* a Begin's locks; 0: none */
	uint64_t count_token;         /* a Commit of a new device: the user's count */
	struct store_call *call;      /* under way */
	bool is_answered;             /* a transaction: the Begin was answered, the locks are held */
	/* A Begin for a device that is not there yet: its records wait for the count. */
	Belfry__Role__Begun begun;
};

static struct hub_question *question_create(struct hub_front *front, Belfry__Role__ToHub *message)
{
	struct hub_question *question = mem_alloc(sizeof *question);

	*question = (struct hub_question){.front = front, .message = message, .begun = BELFRY__ROLE__BEGUN__INIT};
	question->next = front->questions;
	question->link = &front->questions;
	if (question->next != NULL)
		question->next->link = &question->next;
	front->questions = question;
	return question;
}

static void records_free(Belfry__Role__Begun *begun)
{
	for (size_t i = 0; i < begun->n_records; i++) {
		free(begun->records[i]->key);
		free(begun->records[i]->value.data);
		free(begun->records[i]);
	}
	free(begun->records);
	begun->records = NULL;
	begun->n_records = 0;
}

/* Without its locks: they go by their own rules. */
static void question_free(struct hub_question *question)
{
	store_forget(&question->call);
	if (question->is_answered)
		HASH_DEL(question->front->transactions, question);
	*question->link = question->next;
	if (question->next != NULL)
		question->next->link = question->link;
	records_free(&question->begun);
	belfry__role__to_hub__free_unpacked(question->message, NULL);
	free(question);
}

static void count_answer(struct hub *hub, Belfry__Role__Status status)
{
	hub->counters.conflicts += status == BELFRY__ROLE__STATUS__CONFLICT;
	hub->counters.limits += status == BELFRY__ROLE__STATUS__LIMIT;
	hub->counters.unavailable += status == BELFRY__ROLE__STATUS__UNAVAILABLE;
	hub->counters.too_often += status == BELFRY__ROLE__STATUS__TOO_OFTEN;
}

/* LIMIT says that a user has enough devices, and nothing else: a front tells its phone so. */
static Belfry__Role__Status status_of(const struct hub_question *question, enum store_status status)
{
	const Belfry__Role__ToHub *message = question->message;
	const Belfry__Role__Principal *principal = message->body_case == BELFRY__ROLE__TO_HUB__BODY_BEGIN
		? message->begin->principal : message->commit->principal;

	if (status != STORE_LIMIT)
		return (Belfry__Role__Status)status;
	log_error(LOG_HUB, "user=%s device=%s has more state than the store keeps of one device: it cannot be served",
		log_quote(principal->user), log_quote(principal->device));
	return BELFRY__ROLE__STATUS__UNAVAILABLE;
}

/* --- Begin ------------------------------------------------------------------------------------------------------- */

static void begun(struct hub_question *question, Belfry__Role__Status status)
{
	Belfry__Role__FromHub answer = BELFRY__ROLE__FROM_HUB__INIT;
	struct hub_front *front = question->front;
	bool is_ok = status == BELFRY__ROLE__STATUS__OK;

	if (!is_ok)
		records_free(&question->begun);
	question->begun.status = status;
	question->begun.transaction = is_ok ? question->token : 0;
	answer.body_case = BELFRY__ROLE__FROM_HUB__BODY_BEGUN;
	answer.begun = &question->begun;
	count_answer(front->hub, status);
	hub_front_answer(front, question->message->id, &answer);
	if (is_ok && question->token != 0) {
		records_free(&question->begun);
		question->is_answered = true;
		HASH_ADD(hh, front->transactions, token, sizeof question->token, question);
		return;
	}
	if (question->token != 0)
		locks_release(front->hub->locks, front->serial, question->token);
	question_free(question);
}

static void begin_counted(enum store_status status, const struct store_entry *entries, size_t count, bool more, void *data)
{
	struct hub_question *question = data;
	struct hub *hub = question->front->hub;

	(void)entries;
	(void)more;
	question->call = NULL;
	if (status == STORE_OK && count >= hub->settings.max_devices)
		status = STORE_LIMIT;
	begun(question, (Belfry__Role__Status)status);
}

static void records_copy(Belfry__Role__Begun *to, const struct store_record *records, size_t count)
{
	to->records = mem_alloc_array(count, sizeof(Belfry__Role__Record *));
	to->n_records = count;
	for (size_t i = 0; i < count; i++) {
		Belfry__Role__Record *record = mem_alloc(sizeof *record);
		belfry__role__record__init(record);
		record->key = mem_strdup(records[i].key);
		record->revision = records[i].revision;
		record->value = (ProtobufCBinaryData){records[i].length, mem_dup(records[i].value, records[i].length)};
		to->records[i] = record;
	}
}

/* The record "device" was asked for and is not there. */
static bool is_new_device(const Belfry__Role__Begin *begin, const struct store_record *records, size_t count)
{
	if (*begin->principal->device == '\0')
		return false;
	for (size_t i = 0; i < begin->n_keys && i < count; i++)
		if (strcmp(records[i].key, DEVICE_KEY) == 0)
			return records[i].revision == 0;
	return false;
}

static void begin_read(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct hub_question *question = data;
	const Belfry__Role__Begin *begin = question->message->begin;
	struct hub *hub = question->front->hub;

	question->call = NULL;
	if (status == STORE_OK)
		records_copy(&question->begun, records, count);
	if (status == STORE_OK && is_new_device(begin, records, count))
		question->call = store_page(hub->store, begin->principal->user, DEVICE_KEY, NULL,
			(size_t)hub->settings.max_devices + 1, begin_counted, question);
	else
		begun(question, status_of(question, status));
}

static void read_records(struct hub_question *question)
{
	const Belfry__Role__Begin *begin = question->message->begin;
	struct principal principal = hub_principal(begin->principal);

	question->call = store_read(question->front->hub->store, &principal, (const char *const *)begin->keys, begin->n_keys,
		(const char *const *)begin->prefixes, begin->n_prefixes, begin_read, question);
}

static void begin_locked(uint64_t token, void *data)
{
	(void)token;
	read_records(data);
}

void hub_records_begin(struct hub_front *front, Belfry__Role__ToHub *message)
{
	const Belfry__Role__Begin *begin = message->begin;
	struct hub_question *question = question_create(front, message);
	struct principal principal = hub_principal(begin->principal);

	front->hub->counters.begins++;
	if (begin->is_request)
		question->begun.retry_after_s = pace_take(front->hub->pace, &principal);
	if (question->begun.retry_after_s != 0) {
		begun(question, BELFRY__ROLE__STATUS__TOO_OFTEN);
		return;
	}
	if (begin->n_locks == 0) {
		read_records(question);
		return;
	}
	question->token = locks_claim(front->hub->locks, front->serial, &principal, (const char *const *)begin->locks,
		begin->n_locks, begin_locked, question);
	if (question->token == 0)
		begun(question, BELFRY__ROLE__STATUS__UNAVAILABLE);
}

/* --- Commit ------------------------------------------------------------------------------------------------------ */

static struct hub_question *transaction_find(struct hub_front *front, uint64_t token)
{
	struct hub_question *question;

	HASH_FIND(hh, front->transactions, &token, sizeof token, question);
	return question;
}

static void transaction_end(struct hub_front *front, uint64_t token)
{
	struct hub_question *transaction = token == 0 ? NULL : transaction_find(front, token);

	if (transaction == NULL)
		return;
	locks_release(front->hub->locks, front->serial, token);
	question_free(transaction);
}

static void committed(struct hub_question *question, Belfry__Role__Status status, const uint64_t revisions[], size_t count)
{
	Belfry__Role__FromHub answer = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Committed body = BELFRY__ROLE__COMMITTED__INIT;
	struct hub_front *front = question->front;

	body.status = status;
	body.revisions = (uint64_t *)(uintptr_t)revisions; /* packing does not write there */
	body.n_revisions = count;
	answer.body_case = BELFRY__ROLE__FROM_HUB__BODY_COMMITTED;
	answer.committed = &body;
	count_answer(front->hub, status);
	hub_front_answer(front, question->message->id, &answer);
	if (question->count_token != 0)
		locks_release(front->hub->locks, front->serial, question->count_token);
	question_free(question);
}

static void commit_done(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct hub_question *question = data;
	const Belfry__Role__Commit *commit = question->message->commit;
	struct principal principal = hub_principal(commit->principal);

	question->call = NULL;
	if (status == STORE_OK && commit->gets_further)
		pace_give_back(question->front->hub->pace, &principal);
	committed(question, status_of(question, status), revisions, count);
}

/* The locks may go with the asking: whoever has them next reads after this write, and is answered after it is durable. */
static void write_records(struct hub_question *question)
{
	const Belfry__Role__Commit *commit = question->message->commit;
	struct hub *hub = question->front->hub;
	struct principal principal = hub_principal(commit->principal);
	struct store_write *writes = mem_alloc_array(commit->n_writes + 1, sizeof *writes);
	bool is_position = false;

	for (size_t i = 0; i < commit->n_writes; i++) {
		const Belfry__Role__Write *write = commit->writes[i];
		writes[i] = (struct store_write){
			.key = write->key, .revision = write->revision, .value = write->value.data,
			.length = write->value.len, .remove = write->remove,
		};
		is_position = is_position || strncmp(write->key, POSITION_PREFIX, strlen(POSITION_PREFIX)) == 0;
	}
	question->call = store_commit(hub->store, &principal, writes, commit->n_writes, commit_done, question);
	free(writes);
	if (is_position)
		hub_route_committed(hub, commit->principal->user);
	if (!commit->keep)
		transaction_end(question->front, commit->transaction);
}

static void commit_counted(enum store_status status, const struct store_entry *entries, size_t count, bool more, void *data)
{
	struct hub_question *question = data;
	const Belfry__Role__Commit *commit = question->message->commit;
	struct hub *hub = question->front->hub;

	(void)entries;
	(void)more;
	question->call = NULL;
	if (status == STORE_OK && count < hub->settings.max_devices) {
		write_records(question);
		return;
	}
	if (status == STORE_OK) {
		log_warning(LOG_HUB, "user=%s device=%s refused: %zu devices are the most of a user (max_devices); "
			"belfryctl forget removes old ones", log_quote(commit->principal->user), log_quote(commit->principal->device), count);
		status = STORE_LIMIT;
	}
	if (!commit->keep)
		transaction_end(question->front, commit->transaction);
	committed(question, (Belfry__Role__Status)status, NULL, 0);
}

static void count_locked(uint64_t token, void *data)
{
	struct hub_question *question = data;
	struct hub *hub = question->front->hub;

	(void)token;
	question->call = store_page(hub->store, question->message->commit->principal->user, DEVICE_KEY, NULL,
		(size_t)hub->settings.max_devices + 1, commit_counted, question);
}

static bool makes_a_device(const Belfry__Role__Commit *commit)
{
	if (*commit->principal->device == '\0')
		return false;
	for (size_t i = 0; i < commit->n_writes; i++)
		if (commit->writes[i]->revision == 0 && !commit->writes[i]->remove &&
		    strcmp(commit->writes[i]->key, DEVICE_KEY) == 0)
			return true;
	return false;
}

/* A transaction must be this front's, hold its locks, and be of somebody who may change what is written. */
static bool is_permitted(struct hub_front *front, const Belfry__Role__Commit *commit)
{
	const struct hub_question *transaction;

	if (commit->transaction == 0)
		return true;
	transaction = transaction_find(front, commit->transaction);
	if (transaction == NULL)
		return false;
	struct principal principal = hub_principal(transaction->message->begin->principal);
	return principal_may(&principal, ACTION_CHANGE,
		&(struct object){.user = commit->principal->user, .device = commit->principal->device});
}

void hub_records_commit(struct hub_front *front, Belfry__Role__ToHub *message)
{
	const Belfry__Role__Commit *commit = message->commit;
	struct hub_question *question = question_create(front, message);
	static const char *const names[] = {COUNT_LOCK};
	struct principal user = {commit->principal->user, ""};

	front->hub->counters.commits++;
	if (!is_permitted(front, commit)) {
		committed(question, BELFRY__ROLE__STATUS__CONFLICT, NULL, 0);
		return;
	}
	if (!makes_a_device(commit)) {
		write_records(question);
		return;
	}
	question->count_token = locks_claim(front->hub->locks, front->serial, &user, names, 1, count_locked, question);
	if (question->count_token == 0)
		committed(question, BELFRY__ROLE__STATUS__UNAVAILABLE, NULL, 0);
}

void hub_records_release(struct hub_front *front, uint64_t token)
{
	transaction_end(front, token);
}

/* Locks that wait or are held go first, so that none is taken for a question that is gone. */
void hub_records_front_gone(struct hub_front *front)
{
	locks_release_all(front->hub->locks, front->serial);
	while (front->questions != NULL)
		question_free(front->questions);
}

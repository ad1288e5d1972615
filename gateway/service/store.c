/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The near side of every store: limits, copies of what is asked, and answers to whoever still wants them. */
#include "gateway/service/store_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

/* --- lists of calls -------------------------------------------------------------------------------------------- */

void store_calls_init(struct store_calls *calls)
{
	calls->first = NULL;
	calls->last = &calls->first;
}

void store_calls_add(struct store_calls *calls, struct store_call *call)
{
	call->next = NULL;
	*calls->last = call;
	calls->last = &call->next;
}

struct store_call *store_calls_take(struct store_calls *calls)
{
	struct store_call *call = calls->first;

	if (call == NULL)
		return NULL;
	calls->first = call->next;
	if (calls->first == NULL)
		calls->last = &calls->first;
	return call;
}

static void call_free(struct store_call *call)
{
	struct arena *arena = call->arena; /* the call lives in it */

	arena_free(&arena);
}

void store_calls_free(struct store_calls *calls)
{
	struct store_call *call;

	while ((call = store_calls_take(calls)) != NULL)
		call_free(call);
}

/* --- the life of a store and of a call ------------------------------------------------------------------------- */

void store_init(struct store *store, const struct store_driver *driver, struct loop *loop)
{
	store->driver = driver;
	store->loop = loop;
	store_calls_init(&store->refused);
}

void store_close(struct store **owner)
{
	struct store *store = *owner;

	if (store == NULL)
		return;
	store->driver->close(store);
	loop_undefer(store->loop, &store->answer_refused);
	store_calls_free(&store->refused);
	free(store);
	*owner = NULL;
}

static struct store_call *call_create(struct store *store, enum store_kind kind, void *data)
{
	struct arena *arena = arena_create(sizeof(struct store_call) + 512); /* most calls fit their first block */
	struct store_call *call = arena_alloc(arena, sizeof *call);

	call->arena = arena;
	call->store = store;
	call->kind = kind;
	call->began_us = loop_clock_us(store->loop);
	call->data = data;
	return call;
}

static void call_up(struct store_call *call)
{
	bool ok = call->status == STORE_OK;

	switch (call->kind) {
	case STORE_READ:
		call->done.read(call->status, ok ? call->read.records : NULL, ok ? call->read.count : 0, call->data);
		break;
	case STORE_COMMIT:
		call->done.commit(call->status, ok ? call->commit.revisions : NULL, ok ? call->commit.count : 0, call->data);
		break;
	case STORE_PAGE:
		call->done.page(call->status, ok ? call->page.entries : NULL, ok ? call->page.count : 0,
			ok && call->page.more, call->data);
		break;
	case STORE_BACKUP:
		call->done.backup(call->status, call->data);
		break;
	}
}

const struct histogram *store_commit_times(const struct store *store)
{
	return &store->commit_times;
}

void store_answer(struct store_call *call)
{
	if (call->kind == STORE_COMMIT && call->status == STORE_OK)
		histogram_add(&call->store->commit_times, loop_clock_us(call->store->loop) - call->began_us);
	call->store->calls--;
	call->store->bytes -= call->bytes;
	if (!call->forgotten)
		call_up(call);
	call_free(call);
}

void store_forget(struct store_call **owner)
{
	if (*owner != NULL)
		(*owner)->forgotten = true;
	*owner = NULL;
}

/* What is refused meanwhile is answered in the next turn, so that who asks again and again cannot hold the loop. */
static void answer_refused(struct deferred *deferred)
{
	struct store *store = container_of(deferred, struct store, answer_refused);
	size_t count = 0;

	for (struct store_call *call = store->refused.first; call != NULL; call = call->next)
		count++;
	while (count-- > 0)
		store_answer(store_calls_take(&store->refused));
	if (store->refused.first != NULL)
		loop_defer(store->loop, &store->answer_refused, answer_refused);
}

/* The call goes to the driver, which keeps the order; one that is over a limit too, to be answered with this status. */
static struct store_call *call_submit(struct store_call *call, enum store_status status)
{
	struct store *store = call->store;
	bool is_too_much = store->calls >= STORE_CALLS_MAX || store->bytes + arena_used(call->arena) > STORE_PENDING_MAX;

	call->bytes = arena_used(call->arena);
	call->status = is_too_much ? STORE_UNAVAILABLE : status;
	store->calls++;
	store->bytes += call->bytes;
	if (is_too_much) {
		store_calls_add(&store->refused, call);
		loop_defer(store->loop, &store->answer_refused, answer_refused);
	} else {
		store->driver->submit(store, call);
	}
	return call;
}

/* --- what can be asked ----------------------------------------------------------------------------------------- */

static bool principal_fits(const struct principal *principal)
{
	return (principal->user == NULL || strlen(principal->user) <= PRINCIPAL_USER_MAX) &&
		strlen(principal->device) <= PRINCIPAL_DEVICE_MAX;
}

static struct principal principal_copy(struct arena *arena, const struct principal *principal)
{
	return (struct principal){
		.user = principal->user == NULL ? NULL : arena_strdup(arena, principal->user),
		.device = arena_strdup(arena, principal->device),
	};
}

static bool keys_fit(const char *const keys[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(keys[i]) > STORE_KEY_MAX)
			return false;
	return true;
}

static const char **keys_copy(struct arena *arena, const char *const keys[], size_t count)
{
	const char **copy = arena_alloc(arena, count * sizeof *copy);

	for (size_t i = 0; i < count; i++)
		copy[i] = arena_strdup(arena, keys[i]);
	return copy;
}

struct store_call *store_read(struct store *store, const struct principal *principal, const char *const keys[],
	size_t key_count, const char *const prefixes[], size_t prefix_count, store_read_done *done, void *data)
{
	struct store_call *call = call_create(store, STORE_READ, data);

	assert(principal->user != NULL);
	call->done.read = done;
	if (!principal_fits(principal) || key_count > STORE_KEYS_MAX || prefix_count > STORE_KEYS_MAX - key_count ||
		!keys_fit(keys, key_count) || !keys_fit(prefixes, prefix_count))
		return call_submit(call, STORE_LIMIT);
	call->principal = principal_copy(call->arena, principal);
	call->read.keys = keys_copy(call->arena, keys, key_count);
	call->read.key_count = key_count;
	call->read.prefixes = keys_copy(call->arena, prefixes, prefix_count);
	call->read.prefix_count = prefix_count;
	return call_submit(call, STORE_OK);
}

struct store_call *store_get(struct store *store, const struct principal *principal, const char *key,
	store_read_done *done, void *data)
{
	return store_read(store, principal, &key, 1, NULL, 0, done, data);
}

struct store_call *store_scan(struct store *store, const struct principal *principal, const char *prefix,
	store_read_done *done, void *data)
{
	return store_read(store, principal, NULL, 0, &prefix, 1, done, data);
}

static bool writes_fit(const struct store_write *writes, size_t count)
{
	size_t bytes = 0;

	if (count > STORE_WRITES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t key_length = strlen(writes[i].key);
		if (key_length > STORE_KEY_MAX || writes[i].length > STORE_VALUE_MAX)
			return false;
		bytes += key_length + writes[i].length;
	}
	return bytes <= STORE_TRANSACTION_MAX;
}

static int compare_keys(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Nobody can know the revision that a record gets from the first of two writes. */
static bool has_key_twice(const struct store_write *writes, size_t count)
{
	const char *keys[STORE_WRITES_MAX];
	bool twice = false;

	for (size_t i = 0; i < count; i++)
		keys[i] = writes[i].key;
	if (count > 1)
		qsort(keys, count, sizeof *keys, compare_keys);
	for (size_t i = 1; i < count && !twice; i++)
		twice = strcmp(keys[i - 1], keys[i]) == 0;
	return twice;
}

static struct store_write *writes_copy(struct arena *arena, const struct store_write *writes, size_t count)
{
	struct store_write *copy = arena_alloc(arena, count * sizeof *copy);

	for (size_t i = 0; i < count; i++) {
		copy[i] = writes[i];
		copy[i].key = arena_strdup(arena, writes[i].key);
		if (writes[i].length != 0)
			copy[i].value = memcpy(arena_alloc(arena, writes[i].length), writes[i].value, writes[i].length);
	}
	return copy;
}

struct store_call *store_commit(struct store *store, const struct principal *principal,
	const struct store_write *writes, size_t count, store_write_done *done, void *data)
{
	struct store_call *call = call_create(store, STORE_COMMIT, data);

	assert(principal->user != NULL);
	call->done.commit = done;
	if (!principal_fits(principal) || !writes_fit(writes, count))
		return call_submit(call, STORE_LIMIT);
	if (has_key_twice(writes, count))
		return call_submit(call, STORE_CONFLICT);
	call->principal = principal_copy(call->arena, principal);
	call->commit.writes = writes_copy(call->arena, writes, count);
	call->commit.revisions = arena_alloc(call->arena, count * sizeof *call->commit.revisions);
	call->commit.count = count;
	return call_submit(call, STORE_OK);
}

struct store_call *store_put_if(struct store *store, const struct principal *principal, const char *key,
	uint64_t revision, const void *value, size_t length, store_write_done *done, void *data)
{
	struct store_write write = {.key = key, .revision = revision, .value = value, .length = length};

	return store_commit(store, principal, &write, 1, done, data);
}

struct store_call *store_delete_if(struct store *store, const struct principal *principal, const char *key,
	uint64_t revision, store_write_done *done, void *data)
{
	struct store_write write = {.key = key, .revision = revision, .remove = true};

	return store_commit(store, principal, &write, 1, done, data);
}

struct store_call *store_page(struct store *store, const char *user, const char *key, const struct principal *after,
	size_t max, store_page_done *done, void *data)
{
	struct store_call *call = call_create(store, STORE_PAGE, data);
	struct principal whose = {.user = user, .device = ""};

	call->done.page = done;
	if (!principal_fits(&whose) || (after != NULL && !principal_fits(after)) || !keys_fit(&key, 1))
		return call_submit(call, STORE_LIMIT);
	call->principal = principal_copy(call->arena, &whose);
	call->page.key = arena_strdup(call->arena, key);
	call->page.has_after = after != NULL;
	if (after != NULL)
		call->page.after = principal_copy(call->arena, after);
	call->page.max = max < STORE_PAGE_MAX ? max : STORE_PAGE_MAX;
	return call_submit(call, STORE_OK);
}

struct store_call *store_backup(struct store *store, const char *folder, store_backup_done *done, void *data)
{
	struct store_call *call = call_create(store, STORE_BACKUP, data);

	call->done.backup = done;
	call->backup.folder = arena_strdup(call->arena, folder);
	return call_submit(call, STORE_OK);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store in memory: a sorted array of rows, and calls that are carried out some turns after they were asked. */
#include "gateway/service/store_memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/service/store_table.h"
#include "lib/core/mem.h"

struct memory_row {
	struct store_key *key;
	uint64_t revision;
	void *value;
	size_t length;
};

/* The rows and the revision given last. */
struct store_snapshot {
	struct memory_row *rows;
	size_t count, room;
	uint64_t revision;
};

struct store_memory {
	struct store store;
	struct store_table table;
	struct store_snapshot all;
	size_t at;                    /* the row found last */
	struct store_calls waiting;
	struct deferred turn;
	unsigned turns, turns_left;   /* of each call; of the first one waiting */
	unsigned commits;
	unsigned refuse_at, crash_at; /* in commits; UINT_MAX: never */
	bool dead;
	void (*crashed)(void *data);
	void *crashed_data;
	struct deferred crash;
};

/* --- rows ------------------------------------------------------------------------------------------------------ */

static int compare(const struct store_key *left, const struct store_key *right)
{
	size_t shorter = left->length < right->length ? left->length : right->length;
	int order = memcmp(left->bytes, right->bytes, shorter);

	return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/* The place of the first row whose key is not less. */
static size_t place_of(const struct store_snapshot *all, const struct store_key *key)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(all->rows[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool row_at_is(const struct store_snapshot *all, size_t place, const struct store_key *key)
{
	return place < all->count && compare(all->rows[place].key, key) == 0;
}

static struct memory_row row_copy(const struct store_key *key, uint64_t revision, const void *value, size_t length)
{
	return (struct memory_row){
		.key = mem_dup(key, offsetof(struct store_key, bytes) + key->length),
		.revision = revision,
		.value = mem_dup(value, length),
		.length = length,
	};
}

static void row_release(struct memory_row *row)
{
	free(row->key);
	free(row->value);
}

static void rows_release(struct store_snapshot *all)
{
	for (size_t i = 0; i < all->count; i++)
		row_release(&all->rows[i]);
	free(all->rows);
}

static void rows_copy(struct store_snapshot *to, const struct store_snapshot *from)
{
	*to = *from;
	to->room = from->count;
	to->rows = mem_alloc_array(from->count, sizeof *to->rows);
	for (size_t i = 0; i < from->count; i++) {
		const struct memory_row *row = &from->rows[i];
		to->rows[i] = row_copy(row->key, row->revision, row->value, row->length);
	}
}

/* --- the table ------------------------------------------------------------------------------------------------- */

static struct store_memory *table_owner(struct store_table *table)
{
	return container_of(table, struct store_memory, table);
}

static int table_revision(struct store_table *table, const struct store_key *key, uint64_t *revision_r)
{
	struct store_snapshot *all = &table_owner(table)->all;
	size_t place = place_of(all, key);

	if (!row_at_is(all, place, key))
		return 0;
	*revision_r = all->rows[place].revision;
	return 1;
}

static int table_row_at(struct store_memory *memory, size_t place, struct store_row *row_r)
{
	memory->at = place;
	if (place >= memory->all.count)
		return 0;
	const struct memory_row *row = &memory->all.rows[place];
	*row_r = (struct store_row){row->key->bytes, row->key->length, row->revision, row->value, row->length};
	return 1;
}

static int table_seek(struct store_table *table, const struct store_key *key, struct store_row *row_r)
{
	struct store_memory *memory = table_owner(table);

	return table_row_at(memory, place_of(&memory->all, key), row_r);
}

static int table_next(struct store_table *table, struct store_row *row_r)
{
	struct store_memory *memory = table_owner(table);

	return table_row_at(memory, memory->at + 1, row_r);
}

static int table_nothing(struct store_table *table)
{
	(void)table;
	return 0;
}

static int table_put(struct store_table *table, const struct store_key *key, const void *value, size_t length,
	uint64_t *revision_r)
{
	struct store_snapshot *all = &table_owner(table)->all;
	size_t place = place_of(all, key);
	struct memory_row row = row_copy(key, ++all->revision, value, length);

	*revision_r = row.revision;
	if (row_at_is(all, place, key)) {
		row_release(&all->rows[place]);
		all->rows[place] = row;
		return 0;
	}
	if (all->count == all->room) {
		all->room = all->room == 0 ? 64 : all->room * 2;
		all->rows = mem_realloc(all->rows, all->room * sizeof *all->rows);
	}
	memmove(all->rows + place + 1, all->rows + place, (all->count - place) * sizeof row);
	all->rows[place] = row;
	all->count++;
	return 0;
}

static int table_remove(struct store_table *table, const struct store_key *key)
{
	struct store_snapshot *all = &table_owner(table)->all;
	size_t place = place_of(all, key);

	row_release(&all->rows[place]);
	all->count--;
	memmove(all->rows + place, all->rows + place + 1, (all->count - place) * sizeof *all->rows);
	return 0;
}

static const struct store_table memory_table = {
	.revision = table_revision,
	.seek = table_seek,
	.next = table_next,
	.begin = table_nothing,
	.end = table_nothing,
	.put = table_put,
	.remove = table_remove,
};

/* --- calls ----------------------------------------------------------------------------------------------------- */

static void crash_seen(struct deferred *deferred)
{
	struct store_memory *memory = container_of(deferred, struct store_memory, crash);

	if (memory->crashed != NULL)
		memory->crashed(memory->crashed_data);
}

static void die(struct store_memory *memory)
{
	memory->dead = true;
	loop_undefer(memory->store.loop, &memory->turn);
	loop_defer(memory->store.loop, &memory->crash, crash_seen);
}

static void carry_out(struct store_memory *memory, struct store_call *call)
{
	if (call->kind == STORE_BACKUP)
		call->status = STORE_LIMIT;
	else if (memory->commits >= memory->refuse_at)
		call->status = STORE_UNAVAILABLE;
	else
		store_table_run(&memory->table, call);
	if (call->kind == STORE_COMMIT && call->status == STORE_OK && call->commit.count != 0)
		memory->commits++;
}

static void turn_came(struct deferred *deferred);

static void await_turn(struct store_memory *memory)
{
	memory->turns_left = memory->turns;
	loop_defer(memory->store.loop, &memory->turn, turn_came);
}

static void turn_came(struct deferred *deferred)
{
	struct store_memory *memory = container_of(deferred, struct store_memory, turn);

	if (--memory->turns_left > 0) {
		loop_defer(memory->store.loop, &memory->turn, turn_came);
		return;
	}
	if (memory->commits < memory->crash_at)
		carry_out(memory, memory->waiting.first);
	if (memory->commits >= memory->crash_at) {
		die(memory);
		return;
	}
	struct store_call *call = store_calls_take(&memory->waiting);
	if (memory->waiting.first != NULL)
		await_turn(memory);
	store_answer(call);
}

static void submit(struct store *store, struct store_call *call)
{
	struct store_memory *memory = container_of(store, struct store_memory, store);
	bool first = memory->waiting.first == NULL;

	store_calls_add(&memory->waiting, call);
	if (first && !memory->dead)
		await_turn(memory);
}

static void close_memory(struct store *store)
{
	struct store_memory *memory = container_of(store, struct store_memory, store);

	loop_undefer(store->loop, &memory->turn);
	loop_undefer(store->loop, &memory->crash);
	store_calls_free(&memory->waiting);
	rows_release(&memory->all);
}

/* --- what tests can do ----------------------------------------------------------------------------------------- */

struct store *store_memory_create(struct loop *loop)
{
	static const struct store_driver driver = {submit, close_memory};
	struct store_memory *memory = mem_alloc(sizeof *memory);

	store_init(&memory->store, &driver, loop);
	memory->table = memory_table;
	store_calls_init(&memory->waiting);
	memory->turns = 1;
	memory->refuse_at = memory->crash_at = UINT_MAX;
	return &memory->store;
}

static struct store_memory *memory_of(struct store *store)
{
	return container_of(store, struct store_memory, store);
}

void store_memory_postpone(struct store *store, unsigned turns)
{
	memory_of(store)->turns = turns == 0 ? 1 : turns;
}

unsigned store_memory_commits(const struct store *store)
{
	return container_of(store, const struct store_memory, store)->commits;
}

static unsigned commits_after(const struct store_memory *memory, unsigned commits)
{
	return commits > UINT_MAX - memory->commits ? UINT_MAX : memory->commits + commits;
}

void store_memory_crash(struct store *store, unsigned commits, void (*crashed)(void *data), void *data)
{
	struct store_memory *memory = memory_of(store);

	memory->crash_at = commits_after(memory, commits);
	memory->crashed = crashed;
	memory->crashed_data = data;
}

void store_memory_refuse(struct store *store, unsigned commits)
{
	memory_of(store)->refuse_at = commits_after(memory_of(store), commits);
}

struct store_snapshot *store_memory_snapshot(const struct store *store)
{
	struct store_snapshot *snapshot = mem_alloc(sizeof *snapshot);

	rows_copy(snapshot, &container_of(store, const struct store_memory, store)->all);
	return snapshot;
}

struct store *store_memory_restore(struct loop *loop, const struct store_snapshot *snapshot)
{
	struct store *store = store_memory_create(loop);

	rows_copy(&memory_of(store)->all, snapshot);
	return store;
}

/* A row's key ends with the record's, after a NUL. */
static bool is_of(const struct memory_row *row, const char *key)
{
	size_t length = strlen(key) + 1;

	return row->key->length > length && row->key->bytes[row->key->length - length] == '\0' &&
		memcmp(row->key->bytes + row->key->length - length + 1, key, length - 1) == 0;
}

static bool is_same(const struct memory_row *one, const struct memory_row *other)
{
	return compare(one->key, other->key) == 0 && one->length == other->length &&
		(one->length == 0 || memcmp(one->value, other->value, one->length) == 0);
}

bool store_memory_is(const struct store *store, const struct store_snapshot *snapshot, const char *except)
{
	const struct store_snapshot *all = &container_of(store, const struct store_memory, store)->all;
	size_t here = 0, there = 0;

	for (;; here++, there++) {
		while (here < all->count && is_of(&all->rows[here], except))
			here++;
		while (there < snapshot->count && is_of(&snapshot->rows[there], except))
			there++;
		if (here == all->count || there == snapshot->count)
			return here == all->count && there == snapshot->count;
		if (!is_same(&all->rows[here], &snapshot->rows[there]))
			return false;
	}
}

void store_snapshot_free(struct store_snapshot **owner)
{
	if (*owner == NULL)
		return;
	rows_release(*owner);
	free(*owner);
	*owner = NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests can do with the store in memory: postpone, refuse, crash, and go on from a snapshot; on a manual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/service/store_memory.h"
#include "lib/core/mem.h"

static const struct principal alice = {"alice@example.org", "PHONE1"};

struct world {
	struct loop *loop;
	struct store *store;
	int answers, crashes;
	enum store_status status;
	uint64_t revision;
};

static int make_world(void **state)
{
	struct world *world = mem_alloc(sizeof *world);

	world->loop = loop_create_manual(0);
	world->store = store_memory_create(world->loop);
	*state = world;
	return 0;
}

static int end_world(void **state)
{
	struct world *world = *state;

	store_close(&world->store);
	loop_free(&world->loop);
	free(world);
	return 0;
}

static void wrote(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct world *world = data;

	world->answers++;
	world->status = status;
	world->revision = count == 0 ? 0 : revisions[0];
}

static void has_read(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct world *world = data;

	world->answers++;
	world->status = status;
	world->revision = count == 0 ? 0 : records[0].revision;
}

static void put(struct world *world, const char *key, uint64_t revision)
{
	store_put_if(world->store, &alice, key, revision, "value", 5, wrote, world);
}

static uint64_t revision_of(struct world *world, const char *key)
{
	store_get(world->store, &alice, key, has_read, world);
	loop_settle(world->loop);
	assert_int_equal(world->status, STORE_OK);
	return world->revision;
}

struct turns {
	struct deferred deferred;
	struct world *world;
	int count;
};

/* Counts the turns of the loop until the answer. */
static void turn(struct deferred *deferred)
{
	struct turns *turns = container_of(deferred, struct turns, deferred);

	if (turns->world->answers != 0)
		return;
	turns->count++;
	loop_defer(turns->world->loop, &turns->deferred, turn);
}

static int turns_until_answer(struct world *world)
{
	struct turns turns = {.world = world};

	world->answers = 0;
	put(world, "a", revision_of(world, "a"));
	world->answers = 0;
	loop_defer(world->loop, &turns.deferred, turn);
	loop_settle(world->loop);
	assert_int_equal(world->answers, 1);
	return turns.count;
}

static void answers_come_as_many_turns_later_as_asked_for(void **state)
{
	struct world *world = *state;
	int before = turns_until_answer(world);

	store_memory_postpone(world->store, 7);
	assert_int_equal(turns_until_answer(world), before + 6);
}

static void refusing_begins_after_so_many_commits_and_ends_when_told(void **state)
{
	struct world *world = *state;

	store_memory_refuse(world->store, 2);
	put(world, "a", 0);
	put(world, "a", 0); /* a conflict is no commit */
	put(world, "b", 0);
	put(world, "c", 0);
	loop_settle(world->loop);
	assert_int_equal(world->answers, 4);
	assert_int_equal(world->status, STORE_UNAVAILABLE);
	assert_int_equal(store_memory_commits(world->store), 2);
	store_get(world->store, &alice, "a", has_read, world);
	loop_settle(world->loop);
	assert_int_equal(world->status, STORE_UNAVAILABLE);
	store_memory_refuse(world->store, UINT_MAX);
	assert_true(revision_of(world, "b") != 0);
	assert_true(revision_of(world, "c") == 0);
}

static void crashed(void *data)
{
	((struct world *)data)->crashes++;
}

static void a_crash_keeps_the_commit_and_answers_nothing_any_more(void **state)
{
	struct world *world = *state;

	store_memory_crash(world->store, 2, crashed, world);
	put(world, "a", 0);
	put(world, "b", 0);
	put(world, "c", 0);
	loop_settle(world->loop);
	put(world, "d", 0);
	loop_settle(world->loop);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->crashes, 1);
	assert_int_equal(store_memory_commits(world->store), 2);

	struct store_snapshot *snapshot = store_memory_snapshot(world->store);
	store_close(&world->store);
	world->store = store_memory_restore(world->loop, snapshot);
	store_snapshot_free(&snapshot);
	assert_true(revision_of(world, "a") != 0);
	assert_true(revision_of(world, "b") != 0);
	assert_true(revision_of(world, "c") == 0);
	assert_true(revision_of(world, "d") == 0);
}

static void a_crash_after_no_commit_leaves_what_was_there(void **state)
{
	struct world *world = *state;

	put(world, "a", 0);
	loop_settle(world->loop);
	store_memory_crash(world->store, 0, NULL, NULL);
	put(world, "b", 0);
	loop_settle(world->loop);
	assert_int_equal(world->answers, 1);
	assert_int_equal(store_memory_commits(world->store), 1);
}

static void several_stores_go_on_from_one_snapshot(void **state)
{
	struct world *world = *state;
	struct world other = {.loop = world->loop};

	put(world, "a", 0);
	put(world, "b", 0);
	loop_settle(world->loop);
	uint64_t b = world->revision;
	struct store_snapshot *snapshot = store_memory_snapshot(world->store);
	put(world, "c", 0);
	loop_settle(world->loop);
	for (int i = 0; i < 2; i++) {
		other.store = store_memory_restore(other.loop, snapshot);
		assert_true(revision_of(&other, "c") == 0);
		put(&other, "a", revision_of(&other, "a"));
		loop_settle(other.loop);
		assert_int_equal(other.status, STORE_OK);
		assert_true(other.revision > b);
		store_close(&other.store);
	}
	store_snapshot_free(&snapshot);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
		CASE(answers_come_as_many_turns_later_as_asked_for),
		CASE(refusing_begins_after_so_many_commits_and_ends_when_told),
		CASE(a_crash_keeps_the_commit_and_answers_nothing_any_more),
		CASE(a_crash_after_no_commit_leaves_what_was_there),
		CASE(several_stores_go_on_from_one_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Named locks: first come, first served; all or none; and nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/service/lock.h"
#include "lib/core/mem.h"

static const struct principal alice = {"alice@example.org", "PHONE1"};

struct world {
	struct loop *loop;
	struct locks *locks;
	uint64_t taken[64]; /* tokens in the order of their taking */
	size_t count;
};

static int make_world(void **state)
{
	struct world *world = mem_alloc(sizeof *world);

	world->loop = loop_create_manual(0);
	world->locks = locks_create(world->loop);
	*state = world;
	return 0;
}

static int end_world(void **state)
{
	struct world *world = *state;

	locks_free(&world->locks);
	loop_free(&world->loop);
	free(world);
	return 0;
}

static void taken(uint64_t token, void *data)
{
	struct world *world = data;

	assert_true(world->count < 64);
	world->taken[world->count++] = token;
}

/* Names: one letter each. */
static uint64_t claim(struct world *world, uint64_t owner, const char *letters)
{
	char names[16][2];
	const char *list[16];
	size_t count = strlen(letters);

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "%c", letters[i]);
		list[i] = names[i];
	}
	return locks_claim(world->locks, owner, &alice, list, count, taken, world);
}

/* What was taken since the last look, exactly these in this order (0 ends). */
static void taken_now(struct world *world, uint64_t first, uint64_t second)
{
	size_t expected = (first != 0) + (second != 0);

	loop_settle(world->loop);
	assert_int_equal(world->count, expected);
	if (expected > 0)
		assert_true(world->taken[0] == first);
	if (expected > 1)
		assert_true(world->taken[1] == second);
	world->count = 0;
}

static void a_free_lock_is_taken_but_not_from_within_the_call(void **state)
{
	struct world *world = *state;
	uint64_t token = claim(world, 1, "a");

	assert_true(token != 0);
	assert_int_equal(world->count, 0);
	taken_now(world, token, 0);
	assert_true(locks_are_held(world->locks, 1, token));
	assert_false(locks_are_held(world->locks, 2, token));
	assert_true(locks_release(world->locks, 1, token));
	assert_false(locks_are_held(world->locks, 1, token));
	assert_false(locks_release(world->locks, 1, token));
}

static void those_who_wait_are_served_in_their_order(void **state)
{
	struct world *world = *state;
	uint64_t first = claim(world, 1, "a"), second = claim(world, 2, "a"), third = claim(world, 1, "a");

	taken_now(world, first, 0);
	assert_false(locks_are_held(world->locks, 2, second));
	locks_release(world->locks, 1, first);
	taken_now(world, second, 0);
	locks_release(world->locks, 2, second);
	taken_now(world, third, 0);
	locks_release(world->locks, 1, third);
	assert_int_equal(locks_count(world->locks), 0);
}

static void several_locks_are_taken_together_or_not_at_all(void **state)
{
	struct world *world = *state;
	uint64_t a = claim(world, 1, "a"), ab = claim(world, 2, "ab"), b = claim(world, 3, "b"), c = claim(world, 4, "c");

	taken_now(world, a, c);
	/* b is nobody's yet, but who asked for a and b came before. */
	assert_false(locks_are_held(world->locks, 3, b));
	locks_release(world->locks, 1, a);
	taken_now(world, ab, 0);
	locks_release(world->locks, 2, ab);
	taken_now(world, b, 0);
}

static void opposite_orders_of_names_do_not_block_each_other(void **state)
{
	struct world *world = *state;
	uint64_t first = claim(world, 1, "ab"), second = claim(world, 2, "ba");

	taken_now(world, first, 0);
	locks_release(world->locks, 1, first);
	taken_now(world, second, 0);
}

static void one_who_waits_can_give_up(void **state)
{
	struct world *world = *state;
	uint64_t first = claim(world, 1, "a"), second = claim(world, 2, "ab"), third = claim(world, 3, "b");

	taken_now(world, first, 0);
	assert_true(locks_release(world->locks, 2, second));
	taken_now(world, third, 0);
	locks_release(world->locks, 1, first);
	taken_now(world, 0, 0);
}

static void a_claim_given_up_before_it_was_announced_is_never_announced(void **state)
{
	struct world *world = *state;
	uint64_t first = claim(world, 1, "a"), second = claim(world, 2, "a");

	assert_true(locks_release(world->locks, 1, first));
	taken_now(world, second, 0);
}

static void the_same_name_twice_counts_once(void **state)
{
	struct world *world = *state;
	uint64_t first = claim(world, 1, "aba"), second = claim(world, 1, "bb");

	taken_now(world, first, 0);
	locks_release(world->locks, 1, first);
	taken_now(world, second, 0);
}

static void no_names_are_taken_at_once(void **state)
{
	struct world *world = *state;
	uint64_t token = claim(world, 1, "");

	taken_now(world, token, 0);
	assert_true(locks_release(world->locks, 1, token));
}

static void locks_of_other_principals_are_other_locks(void **state)
{
	static const struct principal others[] = {
		{"alice@example.org", "PHONE2"}, {"alice@example.or", "gPHONE1"}, {"", "a"}, {"a", ""}, {"", ""}};
	struct world *world = *state;
	const char *names[] = {"a"};

	claim(world, 1, "a");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		locks_claim(world->locks, 1, &others[i], names, 1, taken, world);
	loop_settle(world->loop);
	assert_int_equal(world->count, 6);
}

static void a_dead_owner_leaves_nothing_and_the_others_go_on(void **state)
{
	struct world *world = *state;
	uint64_t held = claim(world, 1, "a"), waits = claim(world, 2, "ab"), lives = claim(world, 3, "a");

	claim(world, 1, "b");
	claim(world, 1, "a");
	taken_now(world, held, 0);
	assert_int_equal(locks_release_all(world->locks, 1), 3);
	taken_now(world, waits, 0);
	assert_int_equal(locks_release_all(world->locks, 1), 0);
	assert_int_equal(locks_release_all(world->locks, 2), 1);
	taken_now(world, lives, 0);
	assert_int_equal(locks_count(world->locks), 1);
}

static void what_is_over_a_limit_claims_nothing(void **state)
{
	struct world *world = *state;
	char long_name[LOCK_NAME_MAX + 2], long_user[PRINCIPAL_USER_MAX + 2];
	const char *names[] = {long_name}, *many[LOCK_NAMES_MAX + 1], *b[] = {"b"};
	struct principal stranger = {long_user, ""};

	memset(long_name, 'n', sizeof long_name);
	memset(long_user, 'u', sizeof long_user);
	long_name[LOCK_NAME_MAX + 1] = long_user[PRINCIPAL_USER_MAX + 1] = '\0';
	for (size_t i = 0; i <= LOCK_NAMES_MAX; i++)
		many[i] = "x";
	assert_true(locks_claim(world->locks, 1, &alice, names, 1, taken, world) == 0);
	assert_true(locks_claim(world->locks, 1, &alice, many, LOCK_NAMES_MAX + 1, taken, world) == 0);
	assert_true(locks_claim(world->locks, 1, &stranger, b, 1, taken, world) == 0);
	assert_true(claim(world, 1, "a") != 0);
	for (int i = 0; i < LOCK_WAITERS_MAX; i++)
		assert_true(claim(world, 2, "a") != 0);
	assert_true(claim(world, 2, "a") == 0);
	assert_true(claim(world, 2, "ba") == 0);
	uint64_t free_b = claim(world, 2, "b");
	assert_true(free_b != 0);
	loop_settle(world->loop);
	assert_true(locks_are_held(world->locks, 2, free_b));
	assert_int_equal(locks_count(world->locks), 2 + LOCK_WAITERS_MAX);
}

static void one_owner_cannot_claim_without_end(void **state)
{
	struct world *world = *state;
	char name[16];
	const char *names[] = {name};

	for (int i = 0; i <= LOCK_CLAIMS_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		uint64_t token = locks_claim(world->locks, 1, &alice, names, 1, taken, world);
		assert_true((token != 0) == (i < LOCK_CLAIMS_MAX));
	}
	assert_true(locks_claim(world->locks, 2, &alice, names, 1, taken, world) != 0);
	assert_int_equal(locks_release_all(world->locks, 1), LOCK_CLAIMS_MAX);
	world->count = 0;
	loop_settle(world->loop);
	assert_int_equal(world->count, 1);
}

struct releaser {
	struct world *world;
	uint64_t token;
};

static void release_at_once(uint64_t token, void *data)
{
	struct releaser *releaser = data;

	releaser->world->count++;
	assert_true(locks_release(releaser->world->locks, 1, token));
}

static void a_callback_may_release_and_claim(void **state)
{
	struct world *world = *state;
	struct releaser releaser = {.world = world};
	const char *names[] = {"a", "b"};

	for (int i = 0; i < 10; i++)
		assert_true(locks_claim(world->locks, 1, &alice, names, 2, release_at_once, &releaser) != 0);
	loop_settle(world->loop);
	assert_int_equal(world->count, 10);
	assert_int_equal(locks_count(world->locks), 0);
}

/* A model that knows only: a claim is held when no older claim shares a name with it. */
static void random_claims_are_held_exactly_when_no_older_one_shares_a_name(void **state)
{
	enum { STEPS = 20000, LIVE = 24 };
	struct world *world = *state;
	struct { uint64_t token, owner; unsigned names; } live[LIVE]; /* oldest first */
	size_t count = 0;

	srand(11);
	for (int step = 0; step < STEPS; step++) {
		if (count < LIVE && rand() % 2 == 0) {
			char letters[7] = "";
			unsigned names = (unsigned)rand() % 64;
			for (int i = 0, at = 0; i < 6; i++)
				if (names & 1u << i)
					letters[at++] = (char)('a' + i);
			uint64_t owner = 1 + (uint64_t)rand() % 3, token = claim(world, owner, letters);
			if (token != 0) {
				live[count].token = token;
				live[count].owner = owner;
				live[count++].names = names;
			}
		} else if (count > 0) {
			size_t gone = (size_t)rand() % count;
			assert_true(locks_release(world->locks, live[gone].owner, live[gone].token));
			memmove(live + gone, live + gone + 1, (--count - gone) * sizeof *live);
		}
		world->count = 0;
		loop_settle(world->loop);
		for (size_t i = 0; i < count; i++) {
			bool held = true;
			for (size_t j = 0; j < i; j++)
				held = held && (live[i].names & live[j].names) == 0;
			assert_true(held == locks_are_held(world->locks, live[i].owner, live[i].token));
		}
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
		CASE(a_free_lock_is_taken_but_not_from_within_the_call),
		CASE(those_who_wait_are_served_in_their_order),
		CASE(several_locks_are_taken_together_or_not_at_all),
		CASE(opposite_orders_of_names_do_not_block_each_other),
		CASE(one_who_waits_can_give_up),
		CASE(a_claim_given_up_before_it_was_announced_is_never_announced),
		CASE(the_same_name_twice_counts_once),
		CASE(no_names_are_taken_at_once),
		CASE(locks_of_other_principals_are_other_locks),
		CASE(a_dead_owner_leaves_nothing_and_the_others_go_on),
		CASE(what_is_over_a_limit_claims_nothing),
		CASE(one_owner_cannot_claim_without_end),
		CASE(a_callback_may_release_and_claim),
		CASE(random_claims_are_held_exactly_when_no_older_one_shares_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Doubted mailboxes: each once, of their user, and not too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "connectors/imap/doubts.h"

static void each_is_there_once_and_for_its_user(void **state)
{
	struct doubts *doubts = doubts_create();
	char **names;

	(void)state;
	assert_int_equal(doubts_of(doubts, "alice", &names), 0);
	doubts_add(doubts, "alice", "a");
	doubts_add(doubts, "alice", "b");
	doubts_add(doubts, "alice", "a");
	assert_int_equal(doubts_of(doubts, "alice", &names), 2);
	assert_string_equal(names[0], "b");
	assert_string_equal(names[1], "a");
	assert_int_equal(doubts_of(doubts, "bob", &names), 0);
	doubts_free(&doubts);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
	struct doubts *doubts = doubts_create();
	char **names, name[32];

	(void)state;
	for (unsigned i = 0; i <= DOUBTS_OF_USER_MAX; i++) {
		snprintf(name, sizeof name, "box%u", i);
		doubts_add(doubts, "alice", name);
	}
	assert_int_equal(doubts_of(doubts, "alice", &names), DOUBTS_OF_USER_MAX);
	assert_string_equal(names[0], "box1");
	assert_string_equal(names[DOUBTS_OF_USER_MAX - 1], name);
	doubts_free(&doubts);
}

static void the_user_who_had_none_for_the_longest_goes(void **state)
{
	struct doubts *doubts = doubts_create();
	char **names, name[32];

	(void)state;
	doubts_add(doubts, "alice", "a");
	doubts_add(doubts, "bob", "a");
	for (unsigned i = 2; i < DOUBTS_USERS_MAX; i++) {
		snprintf(name, sizeof name, "user%u", i);
		doubts_add(doubts, name, "a");
	}
	doubts_add(doubts, "alice", "b");
	doubts_add(doubts, "carol", "a");
	assert_int_equal(doubts_of(doubts, "alice", &names), 2);
	assert_int_equal(doubts_of(doubts, "bob", &names), 0);
	assert_int_equal(doubts_of(doubts, "carol", &names), 1);
	doubts_free(&doubts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_there_once_and_for_its_user),
		cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
		cmocka_unit_test(the_user_who_had_none_for_the_longest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

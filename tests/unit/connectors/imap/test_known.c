/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known devices: where they are known, and that one user's do not push out another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "connectors/imap/known.h"

static void add_many(struct known *known, const char *user, unsigned count)
{
	char device[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(device, sizeof device, "device%u", i);
		known_add(known, user, device, "192.0.2.1");
	}
}

static void a_device_is_known_for_its_user_and_its_network(void **state)
{
	struct known *known = known_create();

	(void)state;
	known_add(known, "alice", "phone", "192.0.2.1");
	known_add(known, "alice", "phone", "192.0.2.1");
	assert_int_equal(known_count(known), 1);
	assert_true(known_has(known, "alice", "phone", "192.0.2.1"));
	assert_false(known_has(known, "alice", "phone", "192.0.2.2"));
	assert_false(known_has(known, "alice", "laptop", "192.0.2.1"));
	assert_false(known_has(known, "bob", "phone", "192.0.2.1"));
	known_free(&known);
}

static void a_user_has_only_so_many_and_the_longest_unused_goes(void **state)
{
	struct known *known = known_create();

	(void)state;
	known_add(known, "bob", "phone", "192.0.2.1");
	add_many(known, "alice", KNOWN_OF_USER_MAX);
	known_add(known, "alice", "device0", "192.0.2.1");
	known_add(known, "alice", "new", "192.0.2.1");
	assert_int_equal(known_count(known), KNOWN_OF_USER_MAX + 1);
	assert_true(known_has(known, "alice", "device0", "192.0.2.1"));
	assert_false(known_has(known, "alice", "device1", "192.0.2.1"));
	assert_true(known_has(known, "alice", "new", "192.0.2.1"));
	add_many(known, "alice", 100000);
	assert_true(known_has(known, "bob", "phone", "192.0.2.1"));
	known_free(&known);
}

static void the_table_is_bounded_by_who_has_been_away_the_longest(void **state)
{
	struct known *known = known_create();
	char user[32];

	(void)state;
	known_add(known, "alice", "phone", "192.0.2.1");
	known_add(known, "bob", "phone", "192.0.2.1");
	known_add(known, "alice", "phone", "192.0.2.1");
	for (unsigned i = 0; i < KNOWN_MAX - 1; i++) {
		snprintf(user, sizeof user, "user%u", i);
		known_add(known, user, "phone", "192.0.2.1");
	}
	assert_int_equal(known_count(known), KNOWN_MAX);
	assert_true(known_has(known, "alice", "phone", "192.0.2.1"));
	assert_false(known_has(known, "bob", "phone", "192.0.2.1"));
	known_free(&known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_known_for_its_user_and_its_network),
		cmocka_unit_test(a_user_has_only_so_many_and_the_longest_unused_goes),
		cmocka_unit_test(the_table_is_bounded_by_who_has_been_away_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

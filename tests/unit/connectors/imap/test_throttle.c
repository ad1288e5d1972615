/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Guessing gets slow; the victim's own devices do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "connectors/imap/throttle.h"

static struct throttle_try from(const char *address, const char *device, uint64_t digest)
{
	return (struct throttle_try){"alice@example.org", address, device, digest};
}

static void guess(struct throttle *throttle, const char *address, const char *device, unsigned times, int64_t now_ms)
{
	for (unsigned i = 0; i < times; i++) {
		struct throttle_try try = from(address, device, 1000 + i);
		throttle_refused(throttle, &try, now_ms);
	}
}

static void waits_double_after_the_free_guesses(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try try = from("192.0.2.1", "new", 1);

	(void)state;
	guess(throttle, "192.0.2.1", "new", THROTTLE_FREE - 1, 0);
	assert_int_equal(throttle_wait_s(throttle, &try, 0), 0);
	throttle_refused(throttle, &try, 0);
	assert_int_equal(throttle_wait_s(throttle, &try, 0), 1);
	assert_int_equal(throttle_wait_s(throttle, &try, 999), 1);
	assert_int_equal(throttle_wait_s(throttle, &try, 1000), 0);
	try.digest = 2;
	throttle_refused(throttle, &try, 1000);
	assert_int_equal(throttle_wait_s(throttle, &try, 1000), 2);
	for (try.digest = 3; try.digest < 100; try.digest++)
		throttle_refused(throttle, &try, 1000);
	assert_int_equal(throttle_wait_s(throttle, &try, 1000), THROTTLE_WAIT_MAX_S);
	assert_int_equal(throttle_wait_s(throttle, &try, 1000 + THROTTLE_FORGET_S * 1000), 0);
	throttle_free(&throttle);
}

static void the_victims_known_device_and_other_addresses_stay_served(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try mine = from("192.0.2.1", "phone", 7), elsewhere = from("198.51.100.1", "new", 7);
	struct throttle_try beside = from("192.0.2.1", "new", 7);

	(void)state;
	throttle_accepted(throttle, &mine);
	guess(throttle, "192.0.2.1", "evil", 200, 0); /* behind the same address */
	assert_int_equal(throttle_wait_s(throttle, &mine, 0), 0);
	assert_int_equal(throttle_wait_s(throttle, &elsewhere, 0), 0);
	assert_true(throttle_wait_s(throttle, &beside, 0) > 0);
	throttle_free(&throttle);
}

static void who_knows_the_device_id_cannot_guess_for_ever(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try mine = from("192.0.2.1", "phone", 7);

	(void)state;
	throttle_accepted(throttle, &mine);
	guess(throttle, "192.0.2.1", "phone", 20, 0);
	assert_true(throttle_wait_s(throttle, &mine, 0) > 0);
	throttle_accepted(throttle, &mine); /* it works on, and so do they */
	assert_true(throttle_wait_s(throttle, &mine, 0) > 0);
	throttle_pardon(throttle, &mine);
	assert_int_equal(throttle_wait_s(throttle, &mine, 0), 0);
	throttle_free(&throttle);
}

static void who_knows_the_device_id_locks_nobody_out_from_elsewhere(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try mine = from("192.0.2.1", "phone", 7), moved = from("198.51.100.1", "phone", 7);
	struct throttle_try theirs = from("203.0.113.9", "phone", 7);

	(void)state;
	throttle_accepted(throttle, &mine);
	guess(throttle, "203.0.113.9", "phone", 200, 0);
	assert_int_equal(throttle_wait_s(throttle, &mine, 0), 0);
	assert_int_equal(throttle_wait_s(throttle, &moved, 0), 0);
	assert_true(throttle_wait_s(throttle, &theirs, 0) > 0);
	throttle_free(&throttle);
}

static void the_same_wrong_password_counts_once_and_is_not_asked_again(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try try = from("192.0.2.1", "phone", 7);

	(void)state;
	assert_false(throttle_is_refused(throttle, &try, 0));
	for (int i = 0; i < 100; i++)
		throttle_refused(throttle, &try, i);
	assert_int_equal(throttle_wait_s(throttle, &try, 100), 0);
	assert_true(throttle_is_refused(throttle, &try, 100));
	assert_false(throttle_is_refused(throttle, &try, 100 + THROTTLE_SAME_S * 1000));
	try.digest = 8;
	assert_false(throttle_is_refused(throttle, &try, 100));
	throttle_free(&throttle);
}

static void one_network_guessing_for_many_users_is_slowed_as_a_whole(void **state)
{
	struct throttle *throttle = throttle_create();
	char user[32], address[64];
	struct throttle_try other = {"zoe@example.org", "[2001:db8:0:1:9::ffff]", "new", 1};

	(void)state;
	for (unsigned i = 0; i < THROTTLE_ADDRESS_FREE; i++) {
		struct throttle_try try = {user, address, "", i};
		snprintf(user, sizeof user, "user%u@example.org", i);
		snprintf(address, sizeof address, "[2001:db8:0:1::%x]", i);
		throttle_refused(throttle, &try, 0);
	}
	assert_true(throttle_wait_s(throttle, &other, 0) > 0);
	other.address = "[2001:db8::ffff]";
	assert_int_equal(throttle_wait_s(throttle, &other, 0), 0);
	throttle_free(&throttle);
}

static void what_is_under_way_counts_as_wrong_until_it_has_ended(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try try = from("192.0.2.1", "phone", 1), elsewhere = from("198.51.100.1", "phone", 1);
	struct throttle_claim claims[THROTTLE_FREE], claim;

	(void)state;
	throttle_refused(throttle, &try, 0);
	for (int i = 1; i < THROTTLE_FREE; i++)
		assert_true(throttle_begin(throttle, &try, 0, &claims[i]));
	assert_false(throttle_begin(throttle, &try, 0, &claim));
	assert_true(throttle_begin(throttle, &elsewhere, 0, &claims[0]));
	throttle_end(throttle, &claims[1]);
	assert_true(throttle_begin(throttle, &try, 0, &claims[1]));
	for (int i = 0; i < THROTTLE_FREE; i++)
		throttle_end(throttle, &claims[i]);
	guess(throttle, "192.0.2.1", "phone", THROTTLE_FREE, 0);
	assert_true(throttle_begin(throttle, &try, 0, &claims[0])); /* whoever has waited: one at a time */
	assert_false(throttle_begin(throttle, &try, 0, &claim));
	throttle_free(&throttle);
}

static void one_network_has_only_so_many_under_way(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_claim claim;
	char user[32];
	struct throttle_try try = {user, "192.0.2.1", "", 1}, elsewhere = {user, "192.0.2.2", "", 1};

	(void)state;
	for (unsigned i = 0; i < THROTTLE_ADDRESS_PENDING_MAX; i++) {
		snprintf(user, sizeof user, "user%u", i);
		assert_true(throttle_begin(throttle, &try, 0, &claim));
	}
	snprintf(user, sizeof user, "another");
	assert_false(throttle_begin(throttle, &try, 0, &claim));
	assert_true(throttle_begin(throttle, &elsewhere, 0, &claim));
	throttle_free(&throttle);
}

static void the_table_is_bounded(void **state)
{
	struct throttle *throttle = throttle_create();
	struct throttle_try first = {"first", "192.0.2.1", "", 1};
	char user[32];

	(void)state;
	for (uint64_t i = 0; i < THROTTLE_FREE; i++) {
		first.digest = i;
		throttle_refused(throttle, &first, 0);
	}
	assert_true(throttle_wait_s(throttle, &first, 0) > 0);
	for (unsigned i = 0; i < THROTTLE_ENTRIES_MAX; i++) {
		struct throttle_try try = {user, "", "", 1};
		snprintf(user, sizeof user, "user%u", i);
		throttle_refused(throttle, &try, 0);
	}
	assert_int_equal(throttle_wait_s(throttle, &first, 0), 0);
	throttle_free(&throttle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_after_the_free_guesses),
		cmocka_unit_test(the_victims_known_device_and_other_addresses_stay_served),
		cmocka_unit_test(who_knows_the_device_id_cannot_guess_for_ever),
		cmocka_unit_test(who_knows_the_device_id_locks_nobody_out_from_elsewhere),
		cmocka_unit_test(the_same_wrong_password_counts_once_and_is_not_asked_again),
		cmocka_unit_test(one_network_guessing_for_many_users_is_slowed_as_a_whole),
		cmocka_unit_test(what_is_under_way_counts_as_wrong_until_it_has_ended),
		cmocka_unit_test(one_network_has_only_so_many_under_way),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

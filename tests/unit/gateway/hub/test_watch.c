/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the hub tells and asks connectors in its own time, and how it judges the hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/gateway/hub/try_hub.h"

#define ALICE "alice@example.org"
#define INBOX "INBOX"

static struct try_hub try;
static struct try_front front;

static void begin_with(enum hub_hook hook, unsigned recheck_s)
{
	try_hub_prepare(&try);
	try.instance.hook = hook;
	try.instance.recheck_s = recheck_s;
	try_hub_begin(&try);
	try_front_connect(&try, &front);
}

static int begin(void **state)
{
	(void)state;
	begin_with(HUB_HOOK_YES, 300);
	return 0;
}

static int begin_without_recheck(void **state)
{
	(void)state;
	begin_with(HUB_HOOK_YES, 1000000);
	return 0;
}

static int begin_auto(void **state)
{
	(void)state;
	begin_with(HUB_HOOK_AUTO, 300);
	return 0;
}

static int begin_unhooked(void **state)
{
	(void)state;
	begin_with(HUB_HOOK_NO, 300);
	return 0;
}

static int end(void **state)
{
	(void)state;
	try_front_close(&try, &front);
	try_hub_stop(&try);
	return 0;
}

static struct hub_counters counted(void)
{
	struct hub_counters counters;

	hub_count(try.hub, &counters);
	return counters;
}

static const char *user(unsigned number)
{
	static char name[32];

	snprintf(name, sizeof name, "u%u@example.org", number);
	return name;
}

static void park_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_false(try_park(&try, &front, user(i), "D1", i, 1));
}

/* --- Watch and Unwatch ------------------------------------------------------------------------------------------------ */

static void a_park_is_watched_with_its_handle_and_collections(void **state)
{
	(void)state;
	assert_int_equal(try.connector.hellos, 1);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	assert_int_equal(try.connector.watches, 1);
	const Belfry__Connector__Watch *watch = try.connector.last_watch->watch;
	assert_string_equal(watch->user, ALICE);
	assert_int_equal(watch->n_collections, 1);
	assert_string_equal(watch->collections[0], INBOX);
	assert_memory_equal(watch->handle.data, "0123456789abcdef", 16);
	assert_true(watch->hooked);
	assert_string_equal(try.connector.last_check->check->user, ALICE);
	assert_int_equal(try.connector.last_check->check->handle.len, 16);
}

static void the_same_collections_are_not_watched_twice_but_new_ones_are_added(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	assert_false(try_park(&try, &front, ALICE, "D2", 1, 1));
	assert_int_equal(try.connector.watches, 1);
	assert_false(try_park_at(&try, &front, ALICE, "D3", 2, 1, "Work", 7, 1, 1));
	assert_int_equal(try.connector.watches, 2);
	assert_int_equal(try.connector.last_watch->watch->n_collections, 2);
}

static void a_phone_that_comes_again_within_a_minute_stays_watched(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	for (uint64_t i = 1; i < 10; i++) {
		try_stand(&try, ALICE, INBOX, i + 1);
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, i);
		assert_non_null(try_woken(&front, 0));
		loop_advance(try.loop, HUB_LINGER_MS - 1);
		assert_false(try_park(&try, &front, ALICE, "D1", 0, i + 1));
	}
	assert_int_equal(try.connector.watches, 1);
	assert_int_equal(try.connector.unwatches, 0);
	try_unpark(&try, &front, 0, 1);
	loop_advance(try.loop, HUB_LINGER_MS - 1);
	assert_int_equal(try.connector.unwatches, 0);
	loop_advance(try.loop, 1);
	assert_int_equal(try.connector.unwatches, 1);
	assert_int_equal(counted().users, 0);
}

static void a_collection_that_nobody_waits_for_leaves_the_watch_in_time(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	assert_false(try_park_at(&try, &front, ALICE, "D2", 1, 1, "Work", 7, 1, 1));
	try_unpark(&try, &front, 1, 1);
	unsigned watches = try.connector.watches;
	for (int i = 0; i < 3; i++) {
		loop_advance(try.loop, 300 * 1000);
		assert_false(try_park(&try, &front, ALICE, "D1", 0, 1)); /* else it would expire */
	}
	assert_int_equal(try.connector.watches, watches + 1);
	assert_int_equal(try.connector.last_watch->watch->n_collections, 1);
}

/* --- restarts --------------------------------------------------------------------------------------------------------- */

static void after_a_lost_connector_all_is_watched_and_asked_anew_at_a_bounded_rate(void **state)
{
	unsigned users = HUB_CHECKS_BURST + HUB_CHECKS_PER_S * 2;

	(void)state;
	for (unsigned i = 0; i < users; i++) {
		assert_false(try_park(&try, &front, user(i), "D1", i, 1));
		loop_advance(try.loop, 10);
	}
	assert_int_equal(try.connector.checks, users);
	assert_int_equal(try.connector.watches, users);
	try_connector_lose(&try);
	assert_true(try_warning(&try, "connector/main lost"));
	try_hint(&try, user(1), INBOX, HINT_MESSAGE_NEW, 7, 1); /* a proof needs no connector */
	assert_non_null(try_woken(&front, 1));
	loop_advance(try.loop, 5000);
	try.connector.checks = try.connector.watches = 0;
	for (unsigned i = 0; i < users; i++)
		try_stand(&try, user(i), INBOX, 1 + (i == 7)); /* news for one meanwhile */
	try.connector.listener = NULL;
	try_connector_return(&try);
	assert_in_range(try.connector.checks, HUB_CHECKS_BURST, HUB_CHECKS_BURST + HUB_CHECKS_PER_S * 2);
	loop_advance(try.loop, 3000);
	assert_int_equal(try.connector.checks, users - 1);
	assert_int_equal(try.connector.watches, users - 1);
	assert_non_null(try_woken(&front, 7));
	assert_null(try_woken(&front, 7));
	assert_int_equal(counted().parked, users - 2);
}

static void without_a_connector_phones_park_and_are_served_when_it_comes(void **state)
{
	(void)state;
	try_connector_lose(&try);
	assert_true(try_warning(&try, "connector/main lost"));
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	loop_advance(try.loop, 100000);
	assert_int_equal(counted().parked, 1);
	try_stand(&try, ALICE, INBOX, 2);
	try_connector_return(&try);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->source, "hook");
}

static void a_check_under_way_when_the_connector_dies_is_asked_again(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try.connector.is_holding = true;
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	assert_int_equal(try.connector.held_count, 1);
	try_connector_lose(&try);
	assert_true(try_warning(&try, "connector/main lost"));
	try.connector.is_holding = false;
	try_stand(&try, ALICE, INBOX, 2);
	try_connector_return(&try);
	assert_non_null(try_woken(&front, 0));
}

static void a_connector_that_never_answers_is_asked_again(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try.connector.is_holding = true;
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	unsigned checks = try.connector.checks;
	loop_advance(try.loop, HUB_CHECK_TIMEOUT_MS + 1000);
	assert_int_equal(try.connector.checks, checks + 1);
	try.connector.is_holding = false;
	try_stand(&try, ALICE, INBOX, 2);
	try_connector_answer(&try); /* the first comes too late, the second wakes */
	assert_non_null(try_woken(&front, 0));
	assert_null(try_woken(&front, 0));
}

/* --- recheck ------------------------------------------------------------------------------------------------------------ */

static void every_parked_user_is_rechecked_in_recheck_s_evenly(void **state)
{
	unsigned least = UINT32_MAX, most = 0;

	(void)state;
	park_many(300);
	loop_advance(try.loop, 3000);
	unsigned checks = try.connector.checks;
	for (int i = 0; i < 300; i++) {
		unsigned before = try.connector.checks;
		loop_advance(try.loop, 1000);
		unsigned in_second = try.connector.checks - before;
		least = in_second < least ? in_second : least;
		most = in_second > most ? in_second : most;
	}
	assert_in_range(least, 1, 1);
	assert_in_range(most, 1, 1);
	assert_int_equal(try.connector.checks, checks + 300);
}

static void a_recheck_finds_what_no_hint_told_and_counts_it(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try_stand(&try, ALICE, INBOX, 2);
	loop_advance(try.loop, 300 * 1000);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->source, "check");
	assert_int_equal(counted().missed, 1);
}

static void flags_that_no_hint_told_are_not_held_against_the_hooks(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try_stand_at(&try, ALICE, INBOX, 7, 1, 99);
	loop_advance(try.loop, 300 * 1000);
	assert_non_null(try_woken(&front, 0));
	assert_int_equal(counted().missed, 0);
}

/* --- health of hooks ----------------------------------------------------------------------------------------------------- */

static const struct router_health *health_of(const char *source)
{
	return &try.hub->instances[0].health.sources[hub_source_number(try.hub, source)];
}

/* The phone comes again at once, else the user would be forgotten. */
static void wait_for_recheck(uint32_t slot)
{
	for (int s = 0; try_woken(&front, slot) == NULL; s++) {
		assert_true(s < 310);
		loop_advance(try.loop, 1000);
	}
}

static void deliver_missed(uint64_t *next)
{
	try_stand(&try, ALICE, INBOX, ++*next);
	wait_for_recheck(0);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, *next));
}

/* Watched: the backend tells half a second later; the hook came before. */
static void deliver_announced(uint64_t *next)
{
	try_stand(&try, ALICE, INBOX, ++*next);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	assert_non_null(try_woken(&front, 0));
	assert_false(try_park(&try, &front, ALICE, "D1", 0, *next));
	loop_advance(try.loop, 500);
	if (!try.connector.last_watch->watch->hooked)
		try_tell(&try, ALICE, INBOX, "idle");
	loop_advance(try.loop, 20000);
	assert_null(try_woken(&front, 0));
}

static void broken_hooks_are_told_to_the_admin_and_idle_takes_over_until_they_are_back(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	assert_true(try.connector.last_watch->watch->hooked);
	deliver_announced(&next);
	for (int i = 0; i < HEALTH_MISSED_MAX; i++)
		deliver_missed(&next);
	assert_true(try.connector.last_watch->watch->hooked);
	deliver_missed(&next);
	assert_true(try_warning(&try, "source=hook hooks are broken"));
	assert_false(try.connector.last_watch->watch->hooked);
	for (int i = 0; i < 2 * HEALTH_ANNOUNCED_MIN - 1; i++)
		deliver_announced(&next);
	assert_false(try.connector.last_watch->watch->hooked);
	deliver_announced(&next);
	assert_true(try.connector.last_watch->watch->hooked);
}

static void automatic_hooks_are_trusted_once_they_announce_what_idle_finds(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	assert_false(try.connector.last_watch->watch->hooked);
	for (int i = 0; i < HEALTH_ANNOUNCED_MIN - 1; i++)
		deliver_announced(&next);
	try_stand(&try, ALICE, INBOX, ++next); /* one without a hook: all over again */
	try_tell(&try, ALICE, INBOX, "idle");
	assert_non_null(try_woken(&front, 0));
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	loop_advance(try.loop, 20000);
	for (int i = 0; i < HEALTH_ANNOUNCED_MIN - 1; i++)
		deliver_announced(&next);
	assert_false(try.connector.last_watch->watch->hooked);
	deliver_announced(&next);
	assert_true(try.connector.last_watch->watch->hooked);
}

static void a_hook_a_little_slower_than_idle_has_announced_too(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	for (int i = 0; i < 3 * HEALTH_WINDOW; i++) {
		try_stand(&try, ALICE, INBOX, ++next);
		try_tell(&try, ALICE, INBOX, "idle");
		assert_non_null(try_woken(&front, 0));
		loop_advance(try.loop, 30);
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, next - 1);
		assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
		loop_advance(try.loop, 20000);
		assert_int_equal(health_of("hook")->missed, 0);
	}
}

static void proofs_announce_too(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	for (int i = 0; i < HEALTH_ANNOUNCED_MIN; i++) {
		try_stand(&try, ALICE, INBOX, ++next);
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, next - 1);
		assert_non_null(try_woken(&front, 0));
		assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
		loop_advance(try.loop, 20000);
	}
	assert_true(try.connector.last_watch->watch->hooked);
}

#define BOB "bob@example.org"

/* A mail for this user, of which its host tells, or does not: then the recheck finds it. */
static void deliver_at(const char *name, uint32_t slot, uint64_t next, const char *source)
{
	try_stand(&try, name, INBOX, next);
	if (source != NULL)
		try_hint_from(&try, source, name, INBOX, HINT_MESSAGE_NEW, 7, next - 1);
	wait_for_recheck(slot);
	assert_false(try_park(&try, &front, name, "D1", slot, next));
	loop_advance(try.loop, 11000); /* no request expires meanwhile */
}

/* bob's host is silent from now on, alice's big one goes on. */
static void one_host_dies(const char *bobs, uint64_t alice, uint64_t bob)
{
	for (int i = 0; i <= HEALTH_MISSED_MAX; i++) {
		assert_true(hub_user_is_hooked(&try.hub->instances[0], park_user_find(&try.hub->instances[0].table, BOB)));
		deliver_at(BOB, 1, ++bob, NULL);
		for (int k = 0; k < HEALTH_WINDOW; k++)
			deliver_at(ALICE, 0, ++alice, "udp:mx1");
	}
	assert_true(try_warning(&try, bobs));
	loop_advance(try.loop, 1000);
	assert_false(hub_user_is_hooked(&try.hub->instances[0], park_user_find(&try.hub->instances[0].table, BOB)));
	assert_true(hub_user_is_hooked(&try.hub->instances[0], park_user_find(&try.hub->instances[0].table, ALICE)));
	assert_string_equal(try.connector.last_watch->watch->user, BOB);
	assert_false(try.connector.last_watch->watch->hooked);
	assert_int_equal(hub_instance_trust(&try.hub->instances[0]), TRUST_SOME);
}

static void a_small_host_whose_hook_dies_is_named_and_its_users_alone_are_watched(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	assert_false(try_park(&try, &front, BOB, "D1", 1, 1));
	deliver_at(BOB, 1, 2, "udp:mx2");
	one_host_dies("source=udp:mx2 hooks are broken", 1, 2);
	assert_int_equal(hub_source(try.hub, "udp:mx2")->missed, HEALTH_MISSED_MAX + 1);
	assert_int_equal(hub_source(try.hub, "udp:mx1")->missed, 0);
}

static void a_small_host_that_never_told_anything_is_noticed(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	assert_false(try_park(&try, &front, BOB, "D1", 1, 1));
	one_host_dies("source=none hooks are broken", 1, 1);
	assert_int_equal(hub_source(try.hub, "none")->missed, HEALTH_MISSED_MAX + 1);
}

static void first_words_speak_for_those_of_whom_nobody_has_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HEALTH_ANNOUNCED_MIN; i++) {
		assert_false(try_park(&try, &front, user(i), "D1", i, 1));
		assert_false(try.connector.last_watch->watch->hooked);
		deliver_at(user(i), i, 2, "lua");
	}
	assert_false(try_park(&try, &front, ALICE, "D1", HEALTH_ANNOUNCED_MIN, 1));
	assert_true(try.connector.last_watch->watch->hooked);
	assert_int_equal(hub_instance_trust(&try.hub->instances[0]), TRUST_ALL);
}

/* Whoever may speak for himself only could otherwise have everybody else unwatched. */
static void who_speaks_for_himself_does_not_vouch_for_the_hooks(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	for (int i = 0; i < 3 * HEALTH_ANNOUNCED_MIN; i++) {
		try_stand(&try, ALICE, INBOX, ++next);
		try_hint_from(&try, HUB_SOURCE_OWN, ALICE, INBOX, HINT_MESSAGE_NEW, i % 2 == 0 ? 7 : 0, next - 1);
		assert_non_null(try_woken(&front, 0));
		assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
		loop_advance(try.loop, 20000);
	}
	assert_false(try.connector.last_watch->watch->hooked);
	assert_int_equal(counted().missed, 0);
}

static void news_that_do_not_come_do_not_vouch_for_the_hooks(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 1);
	for (unsigned i = 0; i < 3 * HEALTH_ANNOUNCED_MIN; i++) {
		assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 100 + i);
		assert_non_null(try_woken(&front, 0));
		assert_true(try_park(&try, &front, ALICE, "D1", 0, 1)); /* on the strength of the hint, once */
		loop_advance(try.loop, 20000);
	}
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	loop_advance(try.loop, 20000);
	assert_false(try.connector.last_watch->watch->hooked);
}

static void without_hooks_nothing_is_judged(void **state)
{
	uint64_t next = 1;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	for (int i = 0; i < 10; i++)
		deliver_announced(&next);
	assert_false(try.connector.last_watch->watch->hooked);
	deliver_missed(&next);
	assert_int_equal(counted().missed, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_park_is_watched_with_its_handle_and_collections),
		CASE(the_same_collections_are_not_watched_twice_but_new_ones_are_added),
		CASE(a_phone_that_comes_again_within_a_minute_stays_watched),
		CASE(a_collection_that_nobody_waits_for_leaves_the_watch_in_time),
		cmocka_unit_test_setup_teardown(after_a_lost_connector_all_is_watched_and_asked_anew_at_a_bounded_rate,
			begin_without_recheck, end),
		CASE(without_a_connector_phones_park_and_are_served_when_it_comes),
		CASE(a_check_under_way_when_the_connector_dies_is_asked_again),
		CASE(a_connector_that_never_answers_is_asked_again),
		CASE(every_parked_user_is_rechecked_in_recheck_s_evenly),
		CASE(a_recheck_finds_what_no_hint_told_and_counts_it),
		CASE(flags_that_no_hint_told_are_not_held_against_the_hooks),
		CASE(broken_hooks_are_told_to_the_admin_and_idle_takes_over_until_they_are_back),
		cmocka_unit_test_setup_teardown(automatic_hooks_are_trusted_once_they_announce_what_idle_finds, begin_auto, end),
		cmocka_unit_test_setup_teardown(a_hook_a_little_slower_than_idle_has_announced_too, begin_auto, end),
		cmocka_unit_test_setup_teardown(proofs_announce_too, begin_auto, end),
		CASE(a_small_host_whose_hook_dies_is_named_and_its_users_alone_are_watched),
		CASE(a_small_host_that_never_told_anything_is_noticed),
		cmocka_unit_test_setup_teardown(first_words_speak_for_those_of_whom_nobody_has_told, begin_auto, end),
		cmocka_unit_test_setup_teardown(who_speaks_for_himself_does_not_vouch_for_the_hooks, begin_auto, end),
		cmocka_unit_test_setup_teardown(news_that_do_not_come_do_not_vouch_for_the_hooks, begin_auto, end),
		cmocka_unit_test_setup_teardown(without_hooks_nothing_is_judged, begin_unhooked, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

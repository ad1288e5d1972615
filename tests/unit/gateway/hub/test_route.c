/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From hints and positions to wakes: each rule of the park table by name. */
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
static struct try_front front, other;

static int begin(void **state)
{
	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	try_front_connect(&try, &other);
	return 0;
}

static int end(void **state)
{
	(void)state;
	try_front_close(&try, &front);
	try_front_close(&try, &other);
	try_hub_stop(&try);
	return 0;
}

static struct hub_counters counted(void)
{
	struct hub_counters counters;

	hub_count(try.hub, &counters);
	return counters;
}

/* --- hints ---------------------------------------------------------------------------------------------------------- */

static void a_hint_that_proves_news_wakes_at_once_and_asks_nobody(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 5, 17));
	unsigned checks = try.connector.checks;
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	const Belfry__Role__Wake *wake = try_woken(&front, 5);
	assert_non_null(wake);
	assert_int_equal(wake->reason, BELFRY__ROLE__WAKE_REASON__CHANGED);
	assert_int_equal(wake->generation, 1);
	assert_int_equal(wake->n_changed, 1);
	assert_int_equal(wake->changed[0], 0);
	assert_string_equal(wake->change_id, "change-1");
	assert_string_equal(wake->source, "hook");
	assert_int_not_equal(wake->happened_us, 0);
	assert_int_equal(try.connector.checks, checks);
	assert_int_equal(counted().parked, 0);
}

static void a_hint_without_proof_asks_and_wakes_what_differs(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_stand(&try, ALICE, INBOX, 18);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->change_id, "change-1");
	assert_string_equal(wake->source, "hook");
	assert_int_equal(try.connector.last_check->check->n_collections, 1);
}

static void a_hint_of_another_validity_or_an_older_item_proves_nothing(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	unsigned checks = try.connector.checks;
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 8, 17);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 16);
	try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 17);
	assert_null(try_woken(&front, 0));
	assert_int_equal(try.connector.checks, checks + 3);
	assert_int_equal(counted().parked, 1);
}

static void same_is_asked_again_after_50_500_and_5000_ms_and_then_not(void **state)
{
	static const int delays_ms[] = {50, 500, 5000};

	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	unsigned checks = try.connector.checks;
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	assert_int_equal(try.connector.checks, ++checks);
	for (int i = 0; i < 3; i++) {
		loop_advance(try.loop, delays_ms[i] - 1);
		assert_int_equal(try.connector.checks, checks);
		loop_advance(try.loop, 1);
		assert_int_equal(try.connector.checks, ++checks);
	}
	loop_advance(try.loop, 60000);
	assert_int_equal(try.connector.checks, checks);
	assert_null(try_woken(&front, 0));
	assert_null(park_user_find(&try.hub->instances[0].table, ALICE)->busy); /* nothing is kept of it */
}

static void a_hook_that_runs_before_the_store_wakes_when_the_mail_is_there(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	loop_advance(try.loop, 100);
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 449);
	assert_null(try_woken(&front, 0));
	loop_advance(try.loop, 1);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->change_id, "change-1");
}

static void a_hint_without_a_mailbox_asks_about_all_that_wait(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	try_stand(&try, ALICE, "Work", 3);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park_at(&try, &front, ALICE, "D2", 1, 1, "Work", 7, 3, 3));
	try_stand(&try, ALICE, "Work", 4);
	try_hint(&try, ALICE, "", HINT_MESSAGE_NEW, 0, 0);
	assert_int_equal(try.connector.last_check->check->n_collections, 2);
	assert_non_null(try_woken(&front, 1));
	assert_null(try_woken(&front, 0));
}

static void inbox_is_the_same_in_any_case(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, "Inbox", HINT_MESSAGE_NEW, 7, 17);
	assert_non_null(try_woken(&front, 0));
}

static void checks_of_one_user_do_not_pile_up(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	unsigned checks = try.connector.checks;
	try.connector.is_holding = true;
	for (int i = 0; i < 1000; i++)
		try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 3);
	assert_int_equal(try.connector.checks, checks + 1);  /* one under way */
	try_connector_answer(&try);
	assert_int_equal(try.connector.checks, checks + 2);  /* one pending */
	try_connector_answer(&try);
	assert_int_equal(try.connector.checks, checks + 2);
	try.connector.is_holding = false;
	loop_advance(try.loop, 10000);
	assert_int_equal(try.connector.checks, checks + 5);
	assert_null(try_woken(&front, 0));
}

static void hints_for_people_nobody_waits_for_cost_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		try_hint(&try, "bob@example.org", INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_int_equal(try.connector.checks, 0);
	assert_int_equal(counted().users, 0);
	assert_int_equal(counted().sources[0].told, 1000);
	assert_int_equal(counted().sources[0].unwanted, 1000);
}

static void hints_before_during_and_between_parks_are_never_lost_and_never_early(void **state)
{
	uint64_t next = 17;

	(void)state;
	try_stand(&try, ALICE, INBOX, next);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, next));
	for (unsigned round = 0; round < 1000; round++) {
		unsigned proves = round % 2, between = round % 5 == 0, early = round % 7 == 0;
		uint64_t before = next++;
		if (between) { /* the phone is away: woken, or its request was lost */
			try_unpark(&try, &front, 0, 1);
			try_stand(&try, ALICE, INBOX, next);
			try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, proves ? 7 : 0, proves ? before : 0);
			if (!try_park(&try, &front, ALICE, "D1", 0, before))
				assert_non_null(try_woken(&front, 0));
		} else if (early) { /* the hook runs before the store */
			try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
			loop_advance(try.loop, 20);
			assert_null(try_woken(&front, 0));
			try_stand(&try, ALICE, INBOX, next);
			loop_advance(try.loop, 30);
			assert_non_null(try_woken(&front, 0));
		} else {
			try_stand(&try, ALICE, INBOX, next);
			try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, proves ? 7 : 0, proves ? before : 0);
			assert_non_null(try_woken(&front, 0));
		}
		/* The phone has synchronised; the same delivery is told again by others. */
		bool at_once = try_park(&try, &front, ALICE, "D1", 0, next);
		assert_false(at_once);
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, before);
		try_tell(&try, ALICE, INBOX, "idle");
		assert_null(try_woken(&front, 0));
		if (round % 11 == 0) {
			loop_advance(try.loop, 60000);
			assert_null(try_woken(&front, 0));
		}
	}
	assert_int_equal(counted().parked, 1);
}

/* --- parking -------------------------------------------------------------------------------------------------------- */

static void a_park_behind_what_is_known_is_answered_at_once(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_stand(&try, ALICE, INBOX, 18);
	try_tell(&try, ALICE, INBOX, "idle");
	assert_non_null(try_woken(&front, 0));
	assert_true(try_park(&try, &front, ALICE, "D1", 0, 17)); /* the phone did not hear it */
	assert_int_equal(counted().parked, 0);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 18));
}

static void a_proof_that_comes_true_late_is_neither_lost_nor_rung_for_ever(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_non_null(try_woken(&front, 0));
	assert_true(try_park(&try, &front, ALICE, "D1", 0, 17));  /* its Sync found nothing yet */
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17)); /* … and nothing again: the proof is spent */
	loop_advance(try.loop, 1000);
	assert_null(try_woken(&front, 0));
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 5000);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->change_id, "change-1");
}

static void a_park_in_an_unknown_position_is_answered_at_once(void **state)
{
	(void)state;
	assert_true(try_park_at(&try, &front, ALICE, "D1", 0, 1, INBOX, 0, 0, 0));
}

static void each_new_park_is_asked_about_once(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 18);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17)); /* nothing is known yet */
	assert_int_equal(try.connector.checks, 1);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->source, "check");
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 18));
	assert_int_equal(try.connector.checks, 2);
	loop_advance(try.loop, 100000);
	assert_int_equal(try.connector.checks, 2);
}

static void a_second_park_replaces_the_first_on_whichever_front(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 3, 17));
	assert_false(try_park(&try, &other, ALICE, "D1", 4, 17));
	const Belfry__Role__Wake *wake = try_woken(&front, 3);
	assert_non_null(wake);
	assert_int_equal(wake->reason, BELFRY__ROLE__WAKE_REASON__REPLACED);
	assert_false(try_park(&try, &front, ALICE, "D1", 3, 17));
	wake = try_woken(&other, 4);
	assert_non_null(wake);
	assert_int_equal(wake->reason, BELFRY__ROLE__WAKE_REASON__REPLACED);
	assert_false(try_park(&try, &other, ALICE, "D2", 6, 17)); /* another device stands beside it */
	assert_null(try_woken(&front, 3));
	assert_int_equal(counted().parked, 2);
	assert_int_equal(counted().woken_replaced, 2);
}

static void a_slot_that_is_used_again_forgets_the_park_before(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, INBOX, 7, 17, 17));
	assert_false(try_park_at(&try, &front, "bob@example.org", "D1", 0, 2, INBOX, 7, 1, 1));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_null(try_woken(&front, 0));
	assert_int_equal(counted().parked, 1);
}

static void an_unpark_of_an_older_generation_does_nothing(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 2, INBOX, 7, 17, 17));
	try_unpark(&try, &front, 0, 1);
	try_unpark(&try, &front, 4000, 1);
	assert_int_equal(counted().parked, 1);
	try_unpark(&try, &front, 0, 2);
	assert_int_equal(counted().parked, 0);
}

static void parks_of_a_dead_front_go(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park(&try, &other, ALICE, "D2", 0, 17));
	try_front_close(&try, &front);
	assert_int_equal(counted().parked, 1);
	assert_int_equal(counted().orphaned, 1);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_non_null(try_woken(&other, 0));
}

static void a_park_that_no_front_takes_back_expires_a_minute_after_its_deadline(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17)); /* for 600 s */
	loop_advance(try.loop, (600 + HUB_PARK_EXTRA_S) * 1000);
	assert_int_equal(counted().parked, 1);
	loop_advance(try.loop, 70 * 1000);
	assert_int_equal(counted().parked, 0);
	assert_int_equal(counted().expired, 1);
}

static void a_front_that_parks_nonsense_is_cut_off(void **state)
{
	static char endless[PARK_NAME_MAX + 2];
	static const struct { const char *kind, *instance, *collection; uint32_t slot; } cases[] = {
		{"pigeon", "main", INBOX, 0}, {"ping", "attic", INBOX, 0}, {"ping", "main", endless, 0}, {"ping", "main", INBOX, 1u << 31},
	};

	(void)state;
	memset(endless, 'x', sizeof endless - 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
		Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
		Belfry__Role__Watched watched = BELFRY__ROLE__WATCHED__INIT, *list[] = {&watched};
		Belfry__Role__Park park = BELFRY__ROLE__PARK__INIT;
		principal.user = (char *)(uintptr_t)ALICE;
		watched.collection = (char *)(uintptr_t)cases[i].collection;
		park.principal = &principal;
		park.slot = cases[i].slot;
		park.kind = (char *)(uintptr_t)cases[i].kind;
		park.instance = (char *)(uintptr_t)cases[i].instance;
		park.watched = list;
		park.n_watched = 1;
		message.body_case = BELFRY__ROLE__TO_HUB__BODY_PARK;
		message.park = &park;
		try_front_close(&try, &front);
		try_front_connect(&try, &front);
		try_front_send(&try, &front, &message);
		assert_true(front.is_lost);
		assert_true(try_warning(&try, "sent a Park with"));
	}
}

/* --- the hierarchy ------------------------------------------------------------------------------------------------------- */

static void a_hint_of_a_mailbox_makes_the_hub_look_at_the_hierarchy(void **state)
{
	static const enum hint_event events[] = {HINT_MAILBOX_CREATE, HINT_MAILBOX_DELETE, HINT_MAILBOX_RENAME};

	(void)state;
	for (uint64_t i = 0; i < sizeof events / sizeof *events; i++) {
		try_stand_at(&try, ALICE, HUB_HIERARCHY, 1, 1, 100 + i);
		assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, HUB_HIERARCHY, 1, 1, 100 + i));
		loop_advance(try.loop, 1000);
		try_hint(&try, ALICE, "Work", events[i], 0, 0);
		assert_null(try_woken(&front, 0)); /* a hint alone never pushes */
		loop_advance(try.loop, 10000);
		assert_null(try_woken(&front, 0));
		try_stand_at(&try, ALICE, HUB_HIERARCHY, 1, 1, 101 + i);
		try_hint(&try, ALICE, "Work", HINT_MESSAGE_NEW, 0, 0);
		assert_null(try_woken(&front, 0)); /* nothing of the hierarchy */
		try_hint(&try, ALICE, "Work", events[i], 0, 0);
		assert_non_null(try_woken(&front, 0));
	}
}

static void a_device_that_has_the_hierarchy_is_neither_rung_nor_asked_about_again(void **state)
{
	(void)state;
	try_stand_at(&try, ALICE, HUB_HIERARCHY, 1, 1, 100);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, HUB_HIERARCHY, 1, 1, 100));
	loop_advance(try.loop, 1000);
	unsigned checks = try.connector.checks;
	assert_int_equal(checks, 1);
	for (uint32_t i = 2; i < 10; i++) {
		try_unpark(&try, &front, 0, i - 1);
		assert_false(try_park_at(&try, &front, ALICE, "D1", 0, i, HUB_HIERARCHY, 1, 1, 100));
		loop_advance(try.loop, 1000);
	}
	assert_int_equal(try.connector.checks, checks);
}

/* What the hub has learned may be old without anybody's saying so: the connector decides. */
static void of_the_hierarchy_only_the_connector_says_that_it_differs(void **state)
{
	(void)state;
	try_stand_at(&try, ALICE, HUB_HIERARCHY, 1, 1, 101);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, HUB_HIERARCHY, 1, 1, 100));
	loop_advance(try.loop, 1000);
	assert_non_null(try_woken(&front, 0));
	try_stand_at(&try, ALICE, HUB_HIERARCHY, 1, 1, 100);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 2, HUB_HIERARCHY, 1, 1, 100));
	loop_advance(try.loop, 1000);
	assert_null(try_woken(&front, 0));
	assert_int_equal(counted().parked, 1);
}

/* --- what a device did itself ----------------------------------------------------------------------------------------- */

static void commit_position(const char *user, const char *device)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Commit commit = BELFRY__ROLE__COMMIT__INIT;
	Belfry__Role__Write write = BELFRY__ROLE__WRITE__INIT, *writes[] = {&write};

	principal.user = (char *)(uintptr_t)user;
	principal.device = (char *)(uintptr_t)device;
	write.key = (char *)(uintptr_t)"position/1";
	write.remove = true;
	commit.principal = &principal;
	commit.writes = writes;
	commit.n_writes = 1;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_COMMIT;
	message.commit = &commit;
	try_front_send(&try, &front, &message);
	assert_int_equal(try_front_next(&front)->body_case, BELFRY__ROLE__FROM_HUB__BODY_COMMITTED);
}

static void a_devices_own_change_does_not_wake_it(void **state)
{
	(void)state;
	try_stand_at(&try, ALICE, INBOX, 7, 17, 100);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, INBOX, 7, 17, 100));
	/* It sets a flag; the hook says so while its Sync is under way, the watch half a second after it parked again. */
	try_unpark(&try, &front, 0, 1);
	try_stand_at(&try, ALICE, INBOX, 7, 17, 101);
	try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 3);
	commit_position(ALICE, "D1");
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 2, INBOX, 7, 17, 101));
	loop_advance(try.loop, 500);
	try_tell(&try, ALICE, INBOX, "idle");
	try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 3);
	loop_advance(try.loop, 60000);
	assert_null(try_woken(&front, 0));
	assert_int_equal(counted().parked, 1);
}

static void an_older_known_position_does_not_wake_a_device_that_is_ahead(void **state)
{
	(void)state;
	try_stand_at(&try, ALICE, INBOX, 7, 17, 100);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, INBOX, 7, 17, 100));
	try_unpark(&try, &front, 0, 1);
	try_stand_at(&try, ALICE, INBOX, 7, 17, 101); /* changed by the device, and nobody has told the hub */
	commit_position(ALICE, "D1");
	unsigned checks = try.connector.checks;
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 2, INBOX, 7, 17, 101));
	assert_true(try.connector.checks > checks);
	assert_null(try_woken(&front, 0));
	assert_int_equal(counted().parked, 1);
}

static void an_answer_from_before_the_devices_own_change_is_asked_again(void **state)
{
	(void)state;
	try_stand_at(&try, ALICE, INBOX, 7, 17, 100);
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 1, INBOX, 7, 17, 100));
	try.connector.is_holding = true;
	try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 3);
	try_unpark(&try, &front, 0, 1);
	commit_position(ALICE, "D1");
	assert_false(try_park_at(&try, &front, ALICE, "D1", 0, 2, INBOX, 7, 17, 101));
	try_connector_answer(&try); /* read before: 100 */
	assert_null(try_woken(&front, 0));
	try_stand_at(&try, ALICE, INBOX, 7, 17, 101);
	try_connector_answer(&try);
	assert_null(try_woken(&front, 0));
	assert_int_equal(counted().parked, 1);
}

/* --- what connectors tell -------------------------------------------------------------------------------------------- */

static void positions_told_unasked_wake_what_differs(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park(&try, &front, ALICE, "D2", 1, 17));
	try_tell(&try, ALICE, INBOX, "idle");
	assert_int_equal(counted().parked, 2);
	try_stand_at(&try, ALICE, INBOX, 7, 17, 18);
	try_tell(&try, ALICE, INBOX, "idle");
	const Belfry__Role__Wake *wake = try_woken(&front, 1);
	assert_non_null(wake);
	assert_string_equal(wake->source, "idle");
	assert_int_not_equal(strlen(wake->change_id), 0);
	assert_non_null(try_woken(&front, 0));
}

static void a_collection_that_is_gone_wakes_those_who_wait_for_it(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_stand_status(&try, ALICE, INBOX, BELFRY__CONNECTOR__STATUS__NOT_FOUND);
	try_hint(&try, ALICE, INBOX, HINT_MAILBOX_DELETE, 0, 0);
	assert_non_null(try_woken(&front, 0));
}

static void a_backend_that_cannot_answer_is_asked_with_back_off_and_nobody_is_woken(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	unsigned checks = try.connector.checks;
	try.connector.status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	try_stand(&try, ALICE, INBOX, 18);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	for (int i = 0; i < 100; i++)
		try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	assert_int_equal(try.connector.checks, checks + 1);
	loop_advance(try.loop, 1000 + 2000 + 4000);
	assert_int_equal(try.connector.checks, checks + 4);
	assert_null(try_woken(&front, 0));
	try.connector.status = BELFRY__CONNECTOR__STATUS__OK;
	loop_advance(try.loop, 8000);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->source, "hook");
}

static void one_collection_that_cannot_be_read_does_not_hide_another(void **state)
{
	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	try_stand(&try, ALICE, "Work", 3);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park_at(&try, &front, ALICE, "D2", 1, 1, "Work", 7, 3, 3));
	try_stand_status(&try, ALICE, INBOX, BELFRY__CONNECTOR__STATUS__UNAVAILABLE);
	try_stand(&try, ALICE, "Work", 4);
	try_hint(&try, ALICE, "", HINT_MESSAGE_NEW, 0, 0);
	assert_non_null(try_woken(&front, 1));
	assert_null(try_woken(&front, 0));
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 1000);
	assert_non_null(try_woken(&front, 0));
}

static void where_only_hooks_can_a_hint_wakes(void **state)
{
	(void)state;
	try.connector.status = BELFRY__CONNECTOR__STATUS__UNSUPPORTED;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	loop_advance(try.loop, 1000);
	assert_null(try_woken(&front, 0));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0);
	assert_non_null(try_woken(&front, 0));
}

static void when_the_password_is_needed_phones_come_again_spread_and_not_too_often(void **state)
{
	char user[32];
	uint32_t woken = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		snprintf(user, sizeof user, "u%u@example.org", i);
		assert_false(try_park(&try, &front, user, "D1", i, 1));
	}
	for (uint32_t i = 0; i < 50; i++) {
		snprintf(user, sizeof user, "u%u@example.org", i);
		try_tell_status(&try, user, BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED);
	}
	assert_true(counted().woken_nothing <= 1);
	loop_advance(try.loop, HUB_COME_AGAIN_SPREAD_MS / 2);
	assert_in_range(counted().woken_nothing, 10, 40);
	loop_advance(try.loop, HUB_COME_AGAIN_SPREAD_MS / 2);
	assert_int_equal(counted().woken_nothing, 50);
	const Belfry__Role__FromHub *message;
	while ((message = try_front_next(&front)) != NULL) {
		assert_int_equal(message->body_case, BELFRY__ROLE__FROM_HUB__BODY_WAKE);
		assert_int_equal(message->wake->reason, BELFRY__ROLE__WAKE_REASON__NOTHING);
		woken++;
	}
	assert_int_equal(woken, 50);
	/* They bring it, and it is as if they had not: none is told again within a minute. */
	try.connector.status = BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED;
	assert_false(try_park(&try, &front, "u1@example.org", "D1", 1, 1));
	loop_advance(try.loop, 40000);
	assert_int_equal(counted().woken_nothing, 50);
	loop_advance(try.loop, 40000);
	assert_int_equal(counted().woken_nothing, 51);
}

static void a_park_that_brings_the_password_is_watched_with_it(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 1));
	try_tell_status(&try, ALICE, BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED);
	unsigned watches = try.connector.watches;
	assert_false(try_park(&try, &front, ALICE, "D1", 1, 1));
	assert_int_equal(try.connector.watches, watches + 1);
	assert_int_equal(try.connector.last_watch->watch->handle.len, 16);
	loop_advance(try.loop, 60000);
	assert_int_equal(counted().woken_nothing, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_hint_that_proves_news_wakes_at_once_and_asks_nobody),
		CASE(a_hint_without_proof_asks_and_wakes_what_differs),
		CASE(a_hint_of_another_validity_or_an_older_item_proves_nothing),
		CASE(same_is_asked_again_after_50_500_and_5000_ms_and_then_not),
		CASE(a_hook_that_runs_before_the_store_wakes_when_the_mail_is_there),
		CASE(a_hint_without_a_mailbox_asks_about_all_that_wait),
		CASE(inbox_is_the_same_in_any_case),
		CASE(checks_of_one_user_do_not_pile_up),
		CASE(hints_for_people_nobody_waits_for_cost_nothing),
		CASE(hints_before_during_and_between_parks_are_never_lost_and_never_early),
		CASE(a_park_behind_what_is_known_is_answered_at_once),
		CASE(a_proof_that_comes_true_late_is_neither_lost_nor_rung_for_ever),
		CASE(a_park_in_an_unknown_position_is_answered_at_once),
		CASE(each_new_park_is_asked_about_once),
		CASE(a_second_park_replaces_the_first_on_whichever_front),
		CASE(a_slot_that_is_used_again_forgets_the_park_before),
		CASE(an_unpark_of_an_older_generation_does_nothing),
		CASE(parks_of_a_dead_front_go),
		CASE(a_park_that_no_front_takes_back_expires_a_minute_after_its_deadline),
		CASE(a_front_that_parks_nonsense_is_cut_off),
		CASE(a_hint_of_a_mailbox_makes_the_hub_look_at_the_hierarchy),
		CASE(a_device_that_has_the_hierarchy_is_neither_rung_nor_asked_about_again),
		CASE(of_the_hierarchy_only_the_connector_says_that_it_differs),
		CASE(a_devices_own_change_does_not_wake_it),
		CASE(an_older_known_position_does_not_wake_a_device_that_is_ahead),
		CASE(an_answer_from_before_the_devices_own_change_is_asked_again),
		CASE(positions_told_unasked_wake_what_differs),
		CASE(a_collection_that_is_gone_wakes_those_who_wait_for_it),
		CASE(a_backend_that_cannot_answer_is_asked_with_back_off_and_nobody_is_woken),
		CASE(one_collection_that_cannot_be_read_does_not_hide_another),
		CASE(where_only_hooks_can_a_hint_wakes),
		CASE(when_the_password_is_needed_phones_come_again_spread_and_not_too_often),
		CASE(a_park_that_brings_the_password_is_watched_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

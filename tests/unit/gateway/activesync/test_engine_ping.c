/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ping (MS-ASCMD 2.2.1.13): every status, and what becomes of a held one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

#define PING "Ping{HeartbeatInterval=600 Folders{Folder{Id=1 Class=Email} Folder{Id=2 Class=Email}}}"

/* Two folders, synchronised to their end: INBOX is 1, Work is 2. */
static void begin_with(struct try_engine *try, uint64_t hierarchy, Belfry__Connector__Status check)
{
	try_begin(try, NULL);
	try->hierarchy = hierarchy;
	try->refuse[BELFRY__CONNECTOR__REQUEST__BODY_CHECK] = check;
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_mailbox(try, "Work1", BELFRY__CONNECTOR__ROLE__NONE);
	try_deliver(try, &try->mailboxes[0], 0);
	try_folders(try);
	try_sync_all(try, 1);
	try_sync_all(try, 2);
}

static void begin(struct try_engine *try)
{
	begin_with(try, 0, BELFRY__CONNECTOR__STATUS__OK);
}

static unsigned ping(struct try_engine *try, const char *body)
{
	return try_ask(try, &(struct try_request){.command = "Ping", .body = body});
}

static void a_ping_is_held_with_what_the_device_has(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	assert_int_equal(ping(&try, PING), 0);
	assert_int_equal(try.parks, 1);
	assert_int_equal(try.park.deadline_s, 600);
	assert_int_equal(try.park.watched_count, 2);
	assert_string_equal(try.park.names[0], "INBOX");
	assert_int_equal(try.park.positions[0].validity, 7);
	assert_int_equal(try.park.positions[0].next, 2);
	assert_int_equal(try.park.positions[0].token, try.mailboxes[0].token);
	assert_string_equal(try.park.names[1], "Work1");
	assert_int_equal(try.park.handle_length, 16);
	assert_false(try.park.again);
	try_end(&try);
	assert_int_equal(try.unparks, 1);
}

static void a_ping_waits_for_the_hierarchy_too(void **state)
{
	static const uint32_t changed[] = {0, 2};
	struct try_engine try;

	(void)state;
	begin_with(&try, 77, BELFRY__CONNECTOR__STATUS__OK);
	assert_int_equal(ping(&try, PING), 0);
	assert_int_equal(try.park.watched_count, 3);
	assert_string_equal(try.park.names[2], "");
	assert_int_equal(try.park.positions[2].token, 77);
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, changed, 2);
	assert_int_equal(try_settle(&try), 200);
	assert_string_equal(buffer_string(&try.xml), "<Ping xmlns=\"Ping\"><Status>7</Status></Ping>");
	try_end(&try);
}

/* The login is good, the watch half has no way in: the device is served. */
static void a_hierarchy_that_cannot_be_watched_is_synchronised_all_the_same(void **state)
{
	struct try_engine try;

	(void)state;
	begin_with(&try, 77, BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED);
	assert_int_equal(ping(&try, PING), 0);
	assert_int_equal(try.park.watched_count, 2);
	try_end(&try);
}

static void the_heartbeats_end_says_nothing_new(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	assert_int_equal(try_advance(&try, 599 * 1000), 0);
	assert_int_equal(try_advance(&try, 1000), 200);
	assert_string_equal(buffer_string(&try.xml), "<Ping xmlns=\"Ping\"><Status>1</Status></Ping>");
	assert_int_equal(try.unparks, 1);
	assert_string_equal(try.outcome, "Ping status=1 changed=0");
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1); /* too late: nobody's */
	try_settle(&try);
	try_end(&try);
}

static void a_wake_tells_the_folders_that_changed(void **state)
{
	static const struct {
		Belfry__Role__WakeReason reason;
		uint32_t changed[3];
		size_t count;
		const char *answer;
	} cases[] = {
		{BELFRY__ROLE__WAKE_REASON__CHANGED, {1}, 1,
			"<Ping xmlns=\"Ping\"><Status>2</Status><Folders><Folder>2</Folder></Folders></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__CHANGED, {0, 1}, 2,
			"<Ping xmlns=\"Ping\"><Status>2</Status><Folders><Folder>1</Folder><Folder>2</Folder></Folders></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__CHANGED, {0, 900}, 2,
			"<Ping xmlns=\"Ping\"><Status>2</Status><Folders><Folder>1</Folder></Folders></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__CHANGED, {900}, 1, "<Ping xmlns=\"Ping\"><Status>1</Status></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__REPLACED, {0}, 0, "<Ping xmlns=\"Ping\"><Status>1</Status></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__KICKED, {0}, 1, "<Ping xmlns=\"Ping\"><Status>1</Status></Ping>"},
		{BELFRY__ROLE__WAKE_REASON__NOTHING, {0}, 0, "<Ping xmlns=\"Ping\"><Status>1</Status></Ping>"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		ping(&try, PING);
		try_wake(&try, cases[i].reason, cases[i].changed, cases[i].count);
		assert_int_equal(try_settle(&try), 200);
		assert_string_equal(buffer_string(&try.xml), cases[i].answer);
		try_end(&try);
		assert_int_equal(try.unparks, 0); /* the hub knows */
	}
}

static void an_outcome_tells_how_long_it_took(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	try_advance(&try, 12345);
	try.wake_happened_us = loop_clock_us(try.loop);
	try_advance(&try, 5);
	try.wake_sent_us = loop_clock_us(try.loop);
	try_advance(&try, 2);
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(&try), 200);
	assert_int_equal(try.outcome_ms, 12352);
	assert_int_equal(try.outcome_change_us, 7000);
	assert_non_null(strstr(try_logged(), " took_ms=12352 hub_us=5000 front_us=2000"));
	ping(&try, PING);
	try.wake_happened_us = try.wake_sent_us + 1; /* of a clock that is not ours */
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(&try), 200);
	assert_int_equal(try.outcome_ms, 0);
	assert_int_equal(try.outcome_change_us, 0);
	ping(&try, PING);
	try_advance(&try, 600 * 1000);
	assert_int_equal(try.outcome_ms, 600 * 1000);
	try_end(&try);
}

static void a_wake_of_another_generation_or_slot_is_dropped(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	try.park.generation++;
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(&try), 0);
	try.park.generation--;
	try.park.slot += 5000;
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(&try), 0);
	try_end(&try);
}

static void what_a_ping_leaves_out_is_as_it_was_before(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, NULL);
	assert_string_equal(try_text(&try, "Status", 0), "3");
	ping(&try, "Ping{HeartbeatInterval=600}");
	assert_string_equal(try_text(&try, "Status", 0), "3");
	assert_int_equal(ping(&try, PING), 0);
	unsigned commits = try.commits;
	assert_int_equal(ping(&try, NULL), 0);
	assert_int_equal(try.parks, 2);
	assert_int_equal(try.park.watched_count, 2);
	assert_int_equal(try.park.deadline_s, 600);
	assert_int_equal(try.commits, commits); /* nothing new to keep */
	assert_int_equal(ping(&try, "Ping{HeartbeatInterval=900}"), 0);
	assert_int_equal(try.park.deadline_s, 900);
	assert_int_equal(try.park.watched_count, 2);
	assert_int_equal(ping(&try, "Ping{Folders{Folder{Id=2 Class=Email}}}"), 0);
	assert_int_equal(try.park.deadline_s, 900);
	assert_int_equal(try.park.watched_count, 1);
	assert_string_equal(try.park.names[0], "Work1");
	assert_int_equal(ping(&try, NULL), 0);
	assert_int_equal(try.park.deadline_s, 900);
	assert_int_equal(try.park.watched_count, 1);
	try_end(&try);
}

static void a_ping_that_cannot_be_held_is_refused_at_once(void **state)
{
	static const struct {
		const char *body, *status, *element, *bound;
	} cases[] = {
		{"Ping{HeartbeatInterval=59 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "60"},
		{"Ping{HeartbeatInterval=3541 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "3540"},
		{"Ping{HeartbeatInterval=4294967295 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "3540"},
		{"Ping{HeartbeatInterval=4294967296 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "3540"},
		{"Ping{HeartbeatInterval=-100 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "60"},
		{"Ping{HeartbeatInterval=0 Folders{Folder{Id=1 Class=Email}}}", "5", "HeartbeatInterval", "60"},
		{"Ping", "4", "HeartbeatInterval", ""},
		{"Ping{HeartbeatInterval=soon Folders{Folder{Id=1 Class=Email}}}", "4", "HeartbeatInterval", ""},
		{"Ping{HeartbeatInterval Folders{Folder{Id=1 Class=Email}}}", "4", "HeartbeatInterval", ""},
		{"Ping{HeartbeatInterval=600 Folders}", "4", "MaxFolders", ""},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Class=Email}}}", "4", "MaxFolders", ""},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Id Class=Email}}}", "4", "MaxFolders", ""},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Id=1} Folder{Id=2} Folder{Id=1}}}", "4", "MaxFolders", ""},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Id=1} Folder{Id=1} Folder{Id=1} Folder{Id=1} Folder{Id=1} "
			"Folder{Id=1}}}", "6", "MaxFolders", "5"},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Id=1 Class=Email} Folder{Id=77 Class=Email}}}", "7", "MaxFolders", ""},
		{"Ping{HeartbeatInterval=600 Folders{Folder{Id=INBOX Class=Email}}}", "7", "MaxFolders", ""},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		assert_int_equal(ping(&try, cases[i].body), 200);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		assert_string_equal(try_text(&try, cases[i].element, 0), cases[i].bound);
		ping(&try, NULL);
		assert_string_equal(try_text(&try, "Status", 0), "3"); /* nothing of it was kept */
		assert_int_equal(try.parks, 0);
		try_end(&try);
	}
}

static void a_folder_that_was_never_synchronised_has_something_to_tell(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_mailbox(&try, "Work1", BELFRY__CONNECTOR__ROLE__NONE);
	try_folders(&try);
	try_sync_all(&try, 1);
	assert_int_equal(ping(&try, PING), 200);
	assert_string_equal(buffer_string(&try.xml),
		"<Ping xmlns=\"Ping\"><Status>2</Status><Folders><Folder>2</Folder></Folders></Ping>");
	assert_int_equal(try.parks, 0);
	try_end(&try);
}

static void a_folder_that_is_gone_from_the_hierarchy_asks_for_it(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try.mailboxes[1].is_away = true;
	char body[64];
	try_folders(&try);
	snprintf(body, sizeof body, "FolderSync{SyncKey=%s}", try_text(&try, "SyncKey", 0));
	try_command(&try, "FolderSync", body);
	assert_int_equal(ping(&try, PING), 200);
	assert_string_equal(try_text(&try, "Status", 0), "7");
	try_end(&try);
}

static void a_phone_that_hangs_up_is_no_longer_parked(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	stream_close(&try.phone);
	try_settle(&try);
	assert_int_equal(try.unparks, 1);
	assert_string_equal(try.outcome, "Ping hung up");
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	try_settle(&try);
	try_end(&try);
}

static void a_slot_is_used_again_under_another_generation(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	struct try_park before = try.park;
	ping(&try, PING); /* on a new connection: the old one was closed */
	assert_int_equal(try.park.slot, before.slot);
	assert_true(try.park.generation != before.generation);
	try_end(&try);
}

static void a_hub_that_returns_gets_the_parks_again(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	struct try_park before = try.park;
	try_advance(&try, 100 * 1000);
	try_hub_ends(&try);
	assert_int_equal(try_advance(&try, 5000), 0);
	assert_int_equal(try.parks, 2);
	assert_true(try.park.again);
	assert_int_equal(try.park.handle_length, 0); /* not kept: the connector still watches with it */
	assert_int_equal(try.park.slot, before.slot);
	assert_int_equal(try.park.generation, before.generation);
	assert_int_equal(try.park.watched_count, 2);
	assert_memory_equal(&try.park.positions[0].token, &before.positions[0].token, sizeof before.positions[0].token);
	assert_in_range(try.park.deadline_s, 490, 501);
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(&try), 200);
	assert_string_equal(try_text(&try, "Status", 0), "2");
	try_end(&try);
}

static void a_hub_that_returns_and_cannot_read_makes_the_phone_come_again(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	try_hub_ends(&try);
	try.begin_status = BELFRY__ROLE__STATUS__UNAVAILABLE;
	assert_int_equal(try_advance(&try, 5000), 200);
	assert_string_equal(try_text(&try, "Status", 0), "1");
	try_end(&try);
}

static void a_front_may_end_while_it_parks_anew(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	try_hub_ends(&try);
	try.hub_is_silent = true;
	try_advance(&try, 5000);
	try_end(&try);
}

static void a_phone_may_hang_up_while_it_is_parked_anew(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	try_hub_ends(&try);
	try.hub_is_silent = true;
	try_advance(&try, 5000);
	stream_close(&try.phone);
	try_advance(&try, 200 * 1000);
	assert_int_equal(try.parks, 1);
	try_end(&try);
}

static void a_drain_says_nothing_new_to_all(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	ping(&try, PING);
	front_drain(try.front, 10);
	assert_int_equal(try_advance(&try, 10 * 1000), 200);
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_int_equal(try.unparks, 1);
	assert_string_equal(try_header(&try, "Connection"), "close");
	try_end(&try);
}

static void a_handle_too_long_to_keep_is_left_out(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try.handle_bytes = 100;
	ping(&try, PING);
	assert_int_equal(try.park.handle_length, 0);
	try_end(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ping_is_held_with_what_the_device_has),
		cmocka_unit_test(a_ping_waits_for_the_hierarchy_too),
		cmocka_unit_test(a_hierarchy_that_cannot_be_watched_is_synchronised_all_the_same),
		cmocka_unit_test(the_heartbeats_end_says_nothing_new),
		cmocka_unit_test(a_wake_tells_the_folders_that_changed),
		cmocka_unit_test(an_outcome_tells_how_long_it_took),
		cmocka_unit_test(a_wake_of_another_generation_or_slot_is_dropped),
		cmocka_unit_test(what_a_ping_leaves_out_is_as_it_was_before),
		cmocka_unit_test(a_ping_that_cannot_be_held_is_refused_at_once),
		cmocka_unit_test(a_folder_that_was_never_synchronised_has_something_to_tell),
		cmocka_unit_test(a_folder_that_is_gone_from_the_hierarchy_asks_for_it),
		cmocka_unit_test(a_phone_that_hangs_up_is_no_longer_parked),
		cmocka_unit_test(a_slot_is_used_again_under_another_generation),
		cmocka_unit_test(a_hub_that_returns_gets_the_parks_again),
		cmocka_unit_test(a_hub_that_returns_and_cannot_read_makes_the_phone_come_again),
		cmocka_unit_test(a_front_may_end_while_it_parks_anew),
		cmocka_unit_test(a_phone_may_hang_up_while_it_is_parked_anew),
		cmocka_unit_test(a_drain_says_nothing_new_to_all),
		cmocka_unit_test(a_handle_too_long_to_keep_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A Sync that waits for news (MS-ASCMD 2.2.3.198, 2.2.3.88.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

static char keys[2][64];

/* INBOX is 1, Work1 is 2, both synchronised. */
static void begin(struct try_engine *try)
{
	try_begin(try, NULL);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_mailbox(try, "Work1", BELFRY__CONNECTOR__ROLE__NONE);
	try_deliver(try, &try->mailboxes[0], 0);
	try_folders(try);
	strcpy(keys[0], try_sync_all(try, 1));
	strcpy(keys[1], try_sync_all(try, 2));
}

static unsigned sync_both(struct try_engine *try, const char *first, const char *second, const char *rest)
{
	char body[512];

	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 %s} Collection{SyncKey=%s "
		"CollectionId=2 %s}} %s}", keys[0], first, keys[1], second, rest);
	return try_ask(try, &(struct try_request){.command = "Sync", .body = body});
}

static void news_end_the_wait(void **state)
{
	static const char *const waits[] = {"Wait=10", "HeartbeatInterval=600"};
	struct try_engine try;
	char expected[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&try);
		assert_int_equal(sync_both(&try, "", "", waits[i]), 0);
		assert_int_equal(try.park.deadline_s, 600);
		assert_int_equal(try.park.watched_count, 2);
		assert_string_equal(try.park.names[1], "Work1");
		assert_int_equal(try.park.positions[0].next, 2);
		try_deliver(&try, &try.mailboxes[1], 0);
		try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){1}, 1);
		assert_int_equal(try_settle(&try), 200);
		snprintf(expected, sizeof expected, "<Sync xmlns=\"AirSync\"><Collections><Collection><SyncKey>%s</SyncKey>"
			"<CollectionId>2</CollectionId><Status>1</Status><MoreAvailable/></Collection></Collections></Sync>", keys[1]);
		assert_string_equal(buffer_string(&try.xml), expected);
		assert_string_equal(try.outcome, "Sync status=1 changed=1");
		assert_int_equal(sync_both(&try, "", "", waits[i]), 200);
		assert_int_equal(try_count(&try, "<Add>"), 1);
		try_end(&try);
	}
}

static void the_end_of_the_wait_says_nothing(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	sync_both(&try, "", "", "Wait=1");
	assert_int_equal(try_advance(&try, 59 * 1000), 0);
	assert_int_equal(try_advance(&try, 1000), 200);
	assert_string_equal(buffer_string(&try.xml), "");
	assert_int_equal(try.unparks, 1);
	assert_int_equal(sync_both(&try, "", "", "Wait=1"), 0);
	try_end(&try);
}

static void whoever_has_something_to_say_or_hear_does_not_wait(void **state)
{
	static const char *const firsts[] = {
		"Commands{Change{ServerId=1:1 ApplicationData{Read=1}}}", "Commands{Fetch{ServerId=1:1}}", "GetChanges=0",
		"Options{FilterType=5}", "WindowSize=x", "Commands{Delete{ServerId=1:99}}",
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
		begin(&try);
		assert_int_equal(sync_both(&try, firsts[i], "", "Wait=5"), 200);
		assert_int_equal(try.parks, 0);
		try_end(&try);
	}
	begin(&try);
	strcpy(keys[1], "0");
	assert_int_equal(sync_both(&try, "", "", "Wait=5"), 200);
	try_deliver(&try, &try.mailboxes[0], 0);
	strcpy(keys[1], try_text(&try, "SyncKey", 1));
	assert_int_equal(sync_both(&try, "", "", "Wait=5"), 200);
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(sync_both(&try, "", "", "Wait=5"), 200); /* with the key before: the answer again */
	assert_int_equal(try_count(&try, "<Add>"), 1);
	try_end(&try);
}

static void a_hub_that_returns_gets_it_again(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	sync_both(&try, "", "", "Wait=5");
	try_hub_ends(&try);
	assert_int_equal(try_advance(&try, 5000), 0);
	assert_int_equal(try.parks, 2);
	assert_true(try.park.again);
	assert_int_equal(try.park.watched_count, 2);
	assert_string_equal(try.park.names[0], "INBOX");
	try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0, 1}, 2);
	assert_int_equal(try_settle(&try), 200);
	assert_int_equal(try_count(&try, "<MoreAvailable/>"), 2);
	try_end(&try);
}

static void a_device_that_was_forgotten_is_to_come_again(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	sync_both(&try, "", "", "Wait=5");
	try_hub_ends(&try);
	while (try.record_count > 0) {
		buffer_release(&try.records[--try.record_count].value);
		try.records[try.record_count] = (struct try_record){0};
	}
	assert_int_equal(try_advance(&try, 5000), 200);
	assert_int_equal(try_count(&try, "<MoreAvailable/>"), 0);
	assert_int_equal(try.parks, 1);
	assert_int_equal(sync_both(&try, "", "", "Wait=5"), 200);
	assert_string_equal(try_text(&try, "Status", 0), "3");
	try_end(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(news_end_the_wait),
		cmocka_unit_test(the_end_of_the_wait_says_nothing),
		cmocka_unit_test(whoever_has_something_to_say_or_hear_does_not_wait),
		cmocka_unit_test(a_hub_that_returns_gets_it_again),
		cmocka_unit_test(a_device_that_was_forgotten_is_to_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

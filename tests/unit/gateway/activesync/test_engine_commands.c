/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sync (MS-ASCMD 2.2.1.21): what the device does, and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"
#include "tests/unit/gateway/activesync/try_engine.h"

enum { SEEN = BELFRY__CONNECTOR__FLAG__SEEN, FLAGGED = BELFRY__CONNECTOR__FLAG__FLAGGED };
enum { APPLY = BELFRY__CONNECTOR__REQUEST__BODY_APPLY, SURVEY = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY };

static char key[64];

/* INBOX, which is 1, with items 1 to 5 on the device. */
static void begin(struct try_engine *try)
{
	try_begin(try, NULL);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	for (int i = 0; i < 5; i++)
		try_deliver(try, &try->mailboxes[0], 0);
	try_folders(try);
	snprintf(key, sizeof key, "%s", try_sync_all(try, 1));
}

static const char *sync_with(struct try_engine *try, const char *with, const char *commands)
{
	char body[4096];

	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 Commands{%s}}}}", with, commands);
	return try_command(try, "Sync", body);
}

static void changes_and_deletes_are_carried_out(void **state)
{
	struct try_engine try;
	char expected[512];

	(void)state;
	begin(&try);
	const char *xml = sync_with(&try, key, "Change{ServerId=1:1 ApplicationData{Read=1}} "
		"Change{ServerId=1:2 ApplicationData{Flag{Status=2 FlagType=x}}} "
		"Change{ServerId=1:3 ApplicationData{Read=1 Flag{Status=2}}} Change{ServerId=1:3 ApplicationData{Read=0 Flag}} "
		"Delete{ServerId=1:4}");
	snprintf(expected, sizeof expected, "<Sync xmlns=\"AirSync\"><Collections><Collection><SyncKey>%s</SyncKey>"
		"<CollectionId>1</CollectionId><Status>1</Status></Collection></Collections></Sync>", try_text(&try, "SyncKey", 0));
	assert_string_equal(xml, expected); /* a success is not mentioned */
	assert_string_not_equal(try_text(&try, "SyncKey", 0), key);
	assert_int_equal(try_item(&try.mailboxes[0], 1)->flags, SEEN);
	assert_int_equal(try_item(&try.mailboxes[0], 2)->flags, FLAGGED);
	assert_int_equal(try_item(&try.mailboxes[0], 3)->flags, 0);
	assert_null(try_item(&try.mailboxes[0], 4));
	assert_int_equal(try.asked[APPLY], 1);
	try_end(&try);
}

static void a_deletion_goes_to_the_trash_unless_it_says_otherwise(void **state)
{
	static const struct {
		const char *how;
		bool to_trash;
	} cases[] = {{"", true}, {"DeletesAsMoves", true}, {"DeletesAsMoves=1", true}, {"DeletesAsMoves=0", false}};
	struct try_engine try;
	char body[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 %s Commands{Delete{ServerId=1:1}}}}}",
			key, cases[i].how);
		try_command(&try, "Sync", body);
		assert_int_equal(try.last_apply_to_trash, cases[i].to_trash);
		try_end(&try);
	}
}

static void a_repeated_request_does_nothing_twice(void **state)
{
	struct try_engine try;
	char first[1024];

	(void)state;
	begin(&try);
	const char *commands = "Change{ServerId=1:1 ApplicationData{Read=1}} Delete{ServerId=1:2} Delete{ServerId=1:77} "
		"Add{ClientId=c1 ApplicationData{Read=1}}";
	snprintf(first, sizeof first, "%s", sync_with(&try, key, commands));
	assert_int_equal(try.asked[APPLY], 1);
	try_flag(&try.mailboxes[0], 1, 0); /* somebody else reads it as unread again: not to be undone */
	assert_string_equal(sync_with(&try, key, commands), first);
	assert_int_equal(try.asked[APPLY], 1);
	assert_int_equal(try_item(&try.mailboxes[0], 1)->flags, 0);
	try_end(&try);
}

static void what_is_new_in_a_repeated_request_is_done_once(void **state)
{
	struct try_engine try;
	char next[64];

	(void)state;
	begin(&try);
	sync_with(&try, key, "Delete{ServerId=1:2}");
	snprintf(next, sizeof next, "%s", try_text(&try, "SyncKey", 0));
	for (int i = 0; i < 3; i++) { /* the answer was lost, and the user has gone on reading */
		sync_with(&try, key, "Delete{ServerId=1:2} Delete{ServerId=1:3}");
		assert_string_equal(try_text(&try, "SyncKey", 0), next);
		assert_int_equal(try_count(&try, "<Responses>"), 0);
		assert_int_equal(try.asked[APPLY], 2);
	}
	sync_with(&try, next, "");
	assert_int_equal(try_count(&try, "<Delete>"), 0);
	try_end(&try);
}

static void what_cannot_be_done_is_told(void **state)
{
	static const struct {
		const char *command, *response;
	} cases[] = {
		{"Change{ServerId=1:9 ApplicationData{Read=1}}", "<Change><ServerId>1:9</ServerId><Status>8</Status></Change>"},
		{"Delete{ServerId=1:9}", "<Delete><ServerId>1:9</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=2:1}", "<Delete><ServerId>2:1</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=1:01}", "<Delete><ServerId>1:01</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=1:-1}", "<Delete><ServerId>1:-1</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=1:1x}", "<Delete><ServerId>1:1x</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=1}", "<Delete><ServerId>1</ServerId><Status>8</Status></Delete>"},
		{"Delete{ServerId=1:99999999999999999999999999}",
			"<Delete><ServerId>1:99999999999999999999999999</ServerId><Status>8</Status></Delete>"},
		{"Change{ServerId=1:1}", "<Change><ServerId>1:1</ServerId><Status>6</Status></Change>"},
		{"Change{ServerId=1:1 ApplicationData{Read=2}}", "<Change><ServerId>1:1</ServerId><Status>6</Status></Change>"},
		{"Change{ServerId=1:1 ApplicationData{Flag{Status=3}}}", "<Change><ServerId>1:1</ServerId><Status>6</Status></Change>"},
		{"Add{ClientId=c1 ApplicationData{Subject=s}}", "<Add><ClientId>c1</ClientId><Status>6</Status></Add>"},
		{"Fetch{ServerId=1:9}", "<Fetch><ServerId>1:9</ServerId><Status>8</Status></Fetch>"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		const char *xml = sync_with(&try, key, cases[i].command), *responses = strstr(xml, "<Responses>");
		assert_string_equal(try_text(&try, "Status", 0), "1");
		if (responses == NULL || strncmp(responses + 11, cases[i].response, strlen(cases[i].response)) != 0)
			fail_msg("case %zu: %s", i, xml);
		assert_int_equal(try.asked[APPLY], 0);
		for (uint64_t uid = 1; uid <= 5; uid++)
			assert_int_equal(try_item(&try.mailboxes[0], uid)->flags, 0);
		try_end(&try);
	}
}

static void ids_that_are_too_long_are_no_ids(void **state)
{
	static const char *const commands[] = {"Delete{ServerId=%s}", "Fetch{ServerId=%s}", "Change{ServerId=%s ApplicationData{Read=1}}",
		"Add{ClientId=%s ApplicationData{Subject=s}}"};
	struct try_engine try;
	char id[66], command[200];

	(void)state;
	memset(id, '1', sizeof id);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		for (int length = 64; length <= 65; length++) {
			begin(&try);
			id[length] = '\0';
			snprintf(command, sizeof command, commands[i], id);
			id[length] = '1';
			sync_with(&try, key, command);
			assert_string_equal(try_text(&try, "Status", 0), length == 64 ? "1" : "4");
			assert_int_equal(try_count(&try, "1111111111") != 0, length == 64); /* it is not sent back */
			try_end(&try);
		}
}

static void one_failure_does_not_spoil_the_others(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_expunge(&try.mailboxes[0], 2);
	try_expunge(&try.mailboxes[0], 3);
	sync_with(&try, key, "Change{ServerId=1:1 ApplicationData{Read=1}} Change{ServerId=1:2 ApplicationData{Read=1}} "
		"Delete{ServerId=1:3} Delete{ServerId=1:9} Delete{ServerId=1:4}");
	assert_int_equal(try_item(&try.mailboxes[0], 1)->flags, SEEN);
	assert_null(try_item(&try.mailboxes[0], 4));
	const char *responses = strstr(buffer_string(&try.xml), "<Responses>");
	assert_non_null(responses);
	assert_string_equal(responses, "<Responses><Change><ServerId>1:2</ServerId><Status>8</Status></Change>"
		"<Delete><ServerId>1:9</ServerId><Status>8</Status></Delete></Responses></Collection></Collections></Sync>");
	assert_int_equal(try_count(&try, "<Commands><Delete><ServerId>1:2</ServerId></Delete></Commands>"), 1);
	try_end(&try);
}

static void a_fetched_item_comes_whole(void **state)
{
	struct try_engine try;
	char body[512];

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0)->body_bytes = 200000;
	try_item(&try.mailboxes[0], 2)->is_bad = true;
	try_item(&try.mailboxes[0], 3)->is_gone = true;
	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 Options{BodyPreference{Type=1 "
		"TruncationSize=100 AllOrNone=1}}}}}", key);
	try_command(&try, "Sync", body);
	assert_int_equal(try.last_fetch_truncation, 100);
	snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
	sync_with(&try, key, "Fetch{ServerId=1:6} Fetch{ServerId=1:1} Fetch{ServerId=1:2} Fetch{ServerId=1:3}");
	assert_int_equal(try.last_fetch_truncation, UINT64_MAX);
	assert_int_equal(try_count(&try, "<Fetch>"), 4);
	assert_string_equal(try_text(&try, "Status", 1), "1");
	assert_string_equal(try_text(&try, "ServerId", 0), "1:6");
	assert_int_equal(try_count(&try, "A line of sixty-four characters"), 200000 / 64);
	assert_int_equal(try_count(&try, "<Fetch><ServerId>1:2</ServerId><Status>6</Status></Fetch>"), 1);
	assert_int_equal(try_count(&try, "<Fetch><ServerId>1:3</ServerId><Status>8</Status></Fetch>"), 1);
	assert_string_equal(try_text(&try, "SyncKey", 0), key); /* nothing has changed by it */
	try_end(&try);
}

static void fetches_are_bounded_and_can_go_on(void **state)
{
	struct try_engine try;
	char *commands = NULL, *body;
	unsigned good;

	(void)state;
	try_begin(&try, NULL);
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	for (int i = 0; i < 300; i++) {
		try_deliver(&try, &try.mailboxes[0], 0)->body_bytes = 60000;
		char *longer = mem_printf("%s Fetch{ServerId=1:%d}", commands == NULL ? "" : commands, i + 1);
		free(commands);
		commands = longer;
	}
	try_folders(&try);
	snprintf(key, sizeof key, "%s", try_sync_all(&try, 1));
	body = mem_printf("Sync{Collections{Collection{SyncKey=%s CollectionId=1 Commands{%s}}}}", key, commands);
	try_command(&try, "Sync", body);
	good = try_count(&try, "<Data>");
	assert_true(good > 0 && good < 300);
	assert_int_equal(try_count(&try, "<Fetch>"), 300);
	assert_int_equal(try_count(&try, "<Status>16</Status>"), 300 - good);
	free(commands);
	free(body);
	try_end(&try);
}

static void get_changes_0_applies_and_tells_nothing(void **state)
{
	struct try_engine try;
	char body[256];

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	unsigned surveys = try.asked[SURVEY];
	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 GetChanges=0 Commands{Change{"
		"ServerId=1:1 ApplicationData{Read=1}}}}}}", key);
	try_command(&try, "Sync", body);
	assert_int_equal(try.asked[SURVEY], surveys + 2); /* for a conflict; for the position, if there is nothing to tell */
	assert_int_equal(try_count(&try, "<Commands>"), 0);
	assert_int_equal(try_item(&try.mailboxes[0], 1)->flags, SEEN);
	snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
	sync_with(&try, key, "");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try_count(&try, "<Change>"), 0); /* its own */
	try_end(&try);
}

static void an_apply_that_fails_as_a_whole_is_done_with_the_next(void **state)
{
	static const struct {
		Belfry__Connector__Status status;
		const char *text;
	} cases[] = {
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, "16"}, {BELFRY__CONNECTOR__STATUS__STALE, "3"},
		{BELFRY__CONNECTOR__STATUS__NOT_FOUND, "12"}, {BELFRY__CONNECTOR__STATUS__UNSUPPORTED, "16"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		try.refuse[APPLY] = cases[i].status;
		sync_with(&try, key, "Delete{ServerId=1:1}");
		assert_string_equal(try_text(&try, "Status", 0), cases[i].text);
		assert_string_equal(try_text(&try, "SyncKey", 0), strcmp(cases[i].text, "3") == 0 ? "0" : key);
		try.refuse[APPLY] = BELFRY__CONNECTOR__STATUS__OK;
		sync_with(&try, key, "Delete{ServerId=1:1}");
		assert_string_equal(try_text(&try, "Status", 0), "1");
		assert_null(try_item(&try.mailboxes[0], 1));
		assert_int_equal(try_count(&try, "<Delete>"), 0);
		try_end(&try);
	}
}

static void an_operation_that_nobody_knows_the_end_of_is_a_retry(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	unsigned commits = try.commits;
	try.refuse_operation = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	sync_with(&try, key, "Delete{ServerId=1:99} Delete{ServerId=1:1}");
	assert_string_equal(try_text(&try, "Status", 0), "16");
	assert_string_equal(try_text(&try, "SyncKey", 0), key);
	assert_int_equal(try.commits, commits);
	try_end(&try);
}

static void a_deletion_that_is_refused_gives_the_mail_back(void **state)
{
	struct try_engine try;
	char first[4096];

	(void)state;
	begin(&try);
	try.refuse_operation = BELFRY__CONNECTOR__STATUS__UNSUPPORTED;
	snprintf(first, sizeof first, "%s", sync_with(&try, key, "Delete{ServerId=1:2}"));
	assert_int_equal(try_count(&try, "<Delete><ServerId>1:2</ServerId><Status>5</Status></Delete>"), 1);
	assert_int_equal(try_count(&try, "<Add><ServerId>1:2</ServerId>"), 1);
	assert_string_equal(sync_with(&try, key, "Delete{ServerId=1:2}"), first);
	sync_with(&try, key, ""); /* it has forgotten to have deleted it */
	assert_int_equal(try_count(&try, "<Commands><Delete><ServerId>1:2</ServerId></Delete><Add><ServerId>1:2</ServerId>"), 1);
	snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
	try.refuse_operation = BELFRY__CONNECTOR__STATUS__OK;
	sync_with(&try, key, "Delete{ServerId=1:2}");
	assert_int_equal(try_count(&try, "ServerId"), 0);
	assert_null(try_item(&try.mailboxes[0], 2));
	try_end(&try);
}

static void a_change_that_is_refused_is_taken_back(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try.refuse_operation = BELFRY__CONNECTOR__STATUS__LIMIT;
	sync_with(&try, key, "Change{ServerId=1:2 ApplicationData{Read=1}}");
	assert_int_equal(try_count(&try, "<Change><ServerId>1:2</ServerId><Status>9</Status></Change>"), 1);
	assert_int_equal(try_count(&try, "<Commands><Change><ServerId>1:2</ServerId><ApplicationData><Read xmlns=\"Email\">0</Read>"), 1);
	snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
	sync_with(&try, key, "");
	assert_int_equal(try_count(&try, "<Change>"), 0);
	try_end(&try);
}

static void what_is_refused_is_told_by_the_next_when_this_one_wants_no_changes(void **state)
{
	static const struct { const char *command, *told; } cases[] = {
		{"Delete{ServerId=1:2}", "<Commands><Add><ServerId>1:2</ServerId>"},
		{"Change{ServerId=1:2 ApplicationData{Read=1}}", "<Commands><Change><ServerId>1:2</ServerId>"},
	};
	struct try_engine try;
	char body[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		try.refuse_operation = BELFRY__CONNECTOR__STATUS__UNSUPPORTED;
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 GetChanges=0 Commands{%s}}}}", key,
			cases[i].command);
		try_command(&try, "Sync", body);
		assert_int_equal(try_count(&try, "<Commands>"), 0);
		snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
		try_command(&try, "Ping", "Ping{HeartbeatInterval=600 Folders{Folder{Id=1 Class=Email}}}");
		assert_int_equal(try.park.positions[0].next, 0); /* the hub takes that for news */
		try_wake(&try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
		sync_with(&try, key, "");
		assert_int_equal(try_count(&try, cases[i].told), 1);
		try_end(&try);
	}
}

/* --- requests that are wrong ----------------------------------------------------------------------------------- */

#define ONE(rest) "Sync{Collections{Collection{" rest "}}}"

/* With the current key instead of KEY. */
static char *with_key(const char *text)
{
	const char *at = strstr(text, "KEY ");

	return at == NULL ? mem_strdup(text) : mem_printf("%.*s%s%s", (int)(at - text), text, key, at + 3);
}

static void a_wrong_request_is_refused_as_a_whole(void **state)
{
	static const struct {
		const char *body, *status, *limit;
	} cases[] = {
		{"Sync", "4", ""},
		{"Sync{Partial}", "4", ""},
		{"Sync{Partial Collections}", "4", ""},
		{"Sync{Collections}", "4", ""},
		{"Sync{WindowSize=5}", "4", ""},
		{ONE(""), "4", ""},
		{ONE("SyncKey=0"), "4", ""},
		{ONE("CollectionId=1"), "4", ""},
		{ONE("SyncKey CollectionId=1"), "4", ""},
		{ONE("SyncKey=0 CollectionId"), "4", ""},
		{ONE("SyncKey=0 CollectionId=11111111111111111111111111111111111111111111111111111111111111111"), "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1} Collection{SyncKey=0 CollectionId=1}}}", "4", ""},
		{ONE("SyncKey=0 CollectionId=1 GetChanges"), "4", ""},
		{ONE("SyncKey=0 CollectionId=1 GetChanges=1"), "4", ""},
		{ONE("SyncKey=0 CollectionId=1 Commands{Delete{ServerId=1:1}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 GetChanges=2"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 DeletesAsMoves=x"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 WindowSize=x"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{FilterType=9}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{FilterType=x}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{MIMESupport=3}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference{Type=0}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference{Type=5}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference{Type=1 TruncationSize=-1}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference{Type=1 AllOrNone=2}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{BodyPreference{Type=1 Preview=256}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Commands{Delete}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Commands{Add{ServerId=1:1}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Commands{SoftDelete{ServerId=1:1}}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Commands{Status=1}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{FilterType=8}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Conflict=2}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Conflict=x}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options Options"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Class=Email} Options"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Class=SMS} Options{Class=SMS}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Class=Calendar}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options{Class=Email} Options{Class=Tasks}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 Options Options{Class=SMS} Options{Class=SMS}"), "4", ""},
		{ONE("SyncKey=KEY CollectionId=1 ConversationMode=2"), "4", ""},
		{ONE("SyncKey=0 CollectionId=RI Commands{Add{ClientId=1 ApplicationData}}"), "4", ""},
		{ONE("SyncKey=1 CollectionId=RI Commands{Add{ClientId=1 ApplicationData}}"), "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} WindowSize=x}", "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait=5 HeartbeatInterval=60}", "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait=x}", "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait}", "4", ""},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait=0}", "14", "1"},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait=60}", "14", "59"},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} Wait=4294967295}", "14", "59"},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} HeartbeatInterval=59}", "14", "60"},
		{"Sync{Collections{Collection{SyncKey=0 CollectionId=1}} HeartbeatInterval=3541}", "14", "3540"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		char *body = with_key(cases[i].body);
		try_command(&try, "Sync", body);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0 || strcmp(try_text(&try, "Limit", 0), cases[i].limit) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		assert_int_equal(try_count(&try, "<Collection>"), 0);
		assert_int_equal(try.mailboxes[0].item_count, 5);
		free(body);
		sync_with(&try, key, "Fetch{ServerId=1:1}"); /* and no harm is done */
		assert_string_equal(try_text(&try, "Status", 0), "1");
		try_end(&try);
	}
}

static void a_wrong_collection_is_refused_alone(void **state)
{
	static const struct {
		const char *collection, *status;
	} cases[] = {
		{"SyncKey=1 CollectionId=1", "3"},
		{"SyncKey=1-1 CollectionId=1", "3"},
		{"SyncKey=rubbish CollectionId=1", "3"},
		{"SyncKey=0 CollectionId=7", "12"},
		{"SyncKey=0 CollectionId=01", "12"},
		{"SyncKey=0 CollectionId=INBOX", "12"},
		{"SyncKey=0 CollectionId=4294967297", "12"},
		{"SyncKey=KEY CollectionId=7", "3"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		char *collection = with_key(cases[i].collection);
		char *body = mem_printf("Sync{Collections{Collection{%s} Collection{SyncKey=0 CollectionId=9}}}", collection);
		try_command(&try, "Sync", body);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		assert_string_equal(try_text(&try, "SyncKey", 0), "0");
		assert_string_equal(try_text(&try, "Status", 1), "12");
		assert_int_equal(try.mailboxes[0].item_count, 5);
		free(body);
		free(collection);
		sync_with(&try, key, "Fetch{ServerId=1:1}"); /* and no harm is done */
		assert_string_equal(try_text(&try, "Status", 0), "1");
		try_end(&try);
	}
}

static void what_repeats_needs_something_to_repeat(void **state)
{
	static const char *const bodies[] = {NULL, "Sync{Partial Collections{Collection{SyncKey=0 CollectionId=1}}}", "Sync{Partial Wait=5}"};
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_folders(&try);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
			assert_string_equal(try_command(&try, "Sync", bodies[i]), "<Sync xmlns=\"AirSync\"><Status>13</Status></Sync>");
		try_command(&try, "Sync", ONE("SyncKey=0 CollectionId=1")); /* begins; there is nothing to go on with yet */
		assert_string_equal(try_text(&try, "Status", 0), "1");
	}
	try_end(&try);
}

/* As of two fronts: what is kept of the last is one record, and no reason to do anything again. */
static void two_syncs_at_once_keep_their_states(void **state)
{
	struct try_engine try;
	char body[256];

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	snprintf(body, sizeof body, ONE("SyncKey=%s CollectionId=1 WindowSize=7 Commands{Delete{ServerId=1:1}}"), key);
	try.conflicts = 1;
	try_command(&try, "Sync", body);
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try.asked[APPLY], 1);
	snprintf(key, sizeof key, "%s", try_text(&try, "SyncKey", 0));
	try.conflicts = 1;
	sync_with(&try, key, ""); /* nothing new; but not kept, and so told in full */
	assert_string_equal(try_text(&try, "SyncKey", 0), key);
	assert_string_equal(sync_with(&try, key, ""), "");
	try_end(&try);
}

/* --- too much -------------------------------------------------------------------------------------------------- */

static char *repeat(const char *head, const char *format, unsigned count, const char *tail)
{
	struct buffer text = BUFFER_EMPTY;

	buffer_append_string(&text, head);
	for (unsigned i = 1; i <= count; i++)
		buffer_printf(&text, format, i, i); /* the formats here use one or two numbers */
	buffer_append_string(&text, tail);
	char *copy = mem_strdup(buffer_string(&text));
	buffer_release(&text);
	return copy;
}

static void three_hundred_collections_are_taken_and_one_more_is_not(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	char *body = repeat("Sync{Collections{", "Collection{SyncKey=0 CollectionId=%u Commands} ", 300, "}}");
	try_command(&try, "Sync", body);
	assert_int_equal(try_count(&try, "<Collection>"), 300);
	assert_int_equal(try_count(&try, "<Status>12</Status>"), 299);
	free(body);
	body = repeat("Sync{Collections{", "Collection{SyncKey=0 CollectionId=%u} ", 301, "}}");
	assert_string_equal(try_command(&try, "Sync", body),
		"<Sync xmlns=\"AirSync\"><Status>15</Status><Limit>300</Limit></Sync>");
	free(body);
	try_end(&try);
}

static void a_thousand_commands_are_taken_and_one_more_is_not(void **state)
{
	struct try_engine try;
	char head[256];

	(void)state;
	begin(&try);
	snprintf(head, sizeof head, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 Commands{", key);
	char *body = repeat(head, "Delete{ServerId=1:%u} ", 1000, "}}}}");
	for (int i = 0; i < 2; i++) {
		try_command(&try, "Sync", body);
		assert_string_equal(try_text(&try, "Status", 0), "1");
		assert_int_equal(try_count(&try, "<Status>8</Status>"), 995);
		assert_int_equal(try.mailboxes[0].item_count, 0);
		assert_int_equal(try.asked[APPLY], 1);
	}
	snprintf(head, sizeof head, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 Commands{", try_text(&try, "SyncKey", 0));
	free(body);
	body = repeat(head, "Delete{ServerId=1:%u} ", 1001, "}}}}");
	try_command(&try, "Sync", body);
	assert_string_equal(try_text(&try, "Status", 0), "4");
	free(body);
	try_end(&try);
}

static void a_state_stays_small_however_often_a_request_is_repeated_with_others(void **state)
{
	struct try_engine try;
	char head[256];
	size_t largest = 0;

	(void)state;
	begin(&try);
	snprintf(head, sizeof head, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 Commands{", key);
	for (unsigned turn = 0; turn < 8; turn++) {
		char format[64];
		snprintf(format, sizeof format, "Delete{ServerId=1:%u%%05u} ", turn + 1);
		char *body = repeat(head, format, 900, "}}}}");
		try_command(&try, "Sync", body);
		assert_string_equal(try_text(&try, "Status", 0), "1");
		free(body);
	}
	for (size_t i = 0; i < try.record_count; i++)
		if (try.records[i].value.length > largest)
			largest = try.records[i].value.length;
	assert_true(largest < 32 * 1024);
	try_end(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_and_deletes_are_carried_out),
		cmocka_unit_test(a_deletion_goes_to_the_trash_unless_it_says_otherwise),
		cmocka_unit_test(a_repeated_request_does_nothing_twice),
		cmocka_unit_test(what_is_new_in_a_repeated_request_is_done_once),
		cmocka_unit_test(what_cannot_be_done_is_told),
		cmocka_unit_test(ids_that_are_too_long_are_no_ids),
		cmocka_unit_test(one_failure_does_not_spoil_the_others),
		cmocka_unit_test(a_fetched_item_comes_whole),
		cmocka_unit_test(fetches_are_bounded_and_can_go_on),
		cmocka_unit_test(get_changes_0_applies_and_tells_nothing),
		cmocka_unit_test(an_apply_that_fails_as_a_whole_is_done_with_the_next),
		cmocka_unit_test(an_operation_that_nobody_knows_the_end_of_is_a_retry),
		cmocka_unit_test(a_deletion_that_is_refused_gives_the_mail_back),
		cmocka_unit_test(a_change_that_is_refused_is_taken_back),
		cmocka_unit_test(what_is_refused_is_told_by_the_next_when_this_one_wants_no_changes),
		cmocka_unit_test(a_wrong_request_is_refused_as_a_whole),
		cmocka_unit_test(a_wrong_collection_is_refused_alone),
		cmocka_unit_test(what_repeats_needs_something_to_repeat),
		cmocka_unit_test(two_syncs_at_once_keep_their_states),
		cmocka_unit_test(three_hundred_collections_are_taken_and_one_more_is_not),
		cmocka_unit_test(a_thousand_commands_are_taken_and_one_more_is_not),
		cmocka_unit_test(a_state_stays_small_however_often_a_request_is_repeated_with_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sync (MS-ASCMD 2.2.1.21): what the server has to tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

enum { SEEN = BELFRY__CONNECTOR__FLAG__SEEN, FLAGGED = BELFRY__CONNECTOR__FLAG__FLAGGED };

static char key[64], key_before[64];

/* INBOX is 1, Work1 is 2. */
static void begin(struct try_engine *try)
{
	try_begin(try, NULL);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_mailbox(try, "Work1", BELFRY__CONNECTOR__ROLE__NONE);
	try_folders(try);
	strcpy(key, "0");
}

/* One Sync of INBOX with this key and what else belongs into Collection; keeps the key of the answer. */
static const char *sync_with(struct try_engine *try, const char *with, const char *rest)
{
	char body[2048];

	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1 %s}}}", with, rest);
	const char *xml = try_command(try, "Sync", body);
	const char *next = try_text(try, "SyncKey", 0);
	if (*next != '\0' && strcmp(next, key) != 0) { /* an answer without one changes nothing */
		strcpy(key_before, key);
		snprintf(key, sizeof key, "%s", try_text(try, "SyncKey", 0));
	}
	return xml;
}

static const char *sync_more(struct try_engine *try, const char *rest)
{
	return sync_with(try, key, rest);
}

static void the_first_sync_gives_a_key_only(void **state)
{
	struct try_engine try;
	char expected[512];

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	const char *xml = sync_with(&try, "0", "");
	snprintf(expected, sizeof expected, "<Sync xmlns=\"AirSync\"><Collections><Collection><SyncKey>%s</SyncKey>"
		"<CollectionId>1</CollectionId><Status>1</Status></Collection></Collections></Sync>", key);
	assert_string_equal(xml, expected);
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY], 0);
	try_end(&try);
}

static void a_mail_is_told_as_its_version_knows_it(void **state)
{
	struct try_engine try;
	char expected[4096];

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(&try);
		try_deliver(&try, &try.mailboxes[0], FLAGGED);
		sync_with(&try, "0", "");
		snprintf(expected, sizeof expected, "Sync{Collections{Collection{SyncKey=%s CollectionId=1}}}", key);
		struct try_request ask = {.command = "Sync", .body = expected, .version = i == 0 ? "12.1" : "14.1"};
		assert_int_equal(try_ask(&try, &ask), 200);
		snprintf(expected, sizeof expected, "<Sync xmlns=\"AirSync\"><Collections><Collection><SyncKey>%s</SyncKey>"
			"<CollectionId>1</CollectionId><Status>1</Status><Commands><Add><ServerId>1:1</ServerId><ApplicationData>"
			"<To xmlns=\"Email\">alice@example.org</To><From xmlns=\"Email\">\"Bob\" &lt;bob@example.org&gt;</From>"
			"<Subject xmlns=\"Email\">mail 1</Subject><DateReceived xmlns=\"Email\">2023-11-14T22:13:20.000Z</DateReceived>"
			"<DisplayTo xmlns=\"Email\">alice</DisplayTo><ThreadTopic xmlns=\"Email\">mail 1</ThreadTopic>"
			"<Importance xmlns=\"Email\">1</Importance><Read xmlns=\"Email\">0</Read>"
			"<Body xmlns=\"AirSyncBase\"><Type>1</Type><EstimatedDataSize>10</EstimatedDataSize><Data>xxxxxxxxxx</Data>%s</Body>"
			"<MessageClass xmlns=\"Email\">IPM.Note</MessageClass><InternetCPID xmlns=\"Email\">65001</InternetCPID>"
			"<Flag xmlns=\"Email\"><Status>2</Status><FlagType>Flag for follow up</FlagType></Flag>"
			"<ContentClass xmlns=\"Email\">urn:content-classes:message</ContentClass>%s"
			"<NativeBodyType xmlns=\"AirSyncBase\">1</NativeBodyType>%s"
			"</ApplicationData></Add></Commands></Collection></Collections></Sync>", try_text(&try, "SyncKey", 0),
			i == 0 ? "" : "<Preview>preview</Preview>", i == 0 ? "" : "<Categories xmlns=\"Email\"/>",
			i == 0 ? "" : "<ConversationId xmlns=\"Email2\">YSBjb252ZXJzYXRpb24AAA==</ConversationId>"
				"<ConversationIndex xmlns=\"Email2\">YSBjb24=</ConversationIndex>");
		assert_string_equal(buffer_string(&try.xml), expected);
		try_end(&try);
	}
}

static void new_mail_comes_newest_first_in_windows(void **state)
{
	static const char *const ids[][2] = {{"1:5", "1:4"}, {"1:3", "1:2"}, {"1:1", ""}};
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 5; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	for (size_t i = 0; i < 3; i++) {
		sync_more(&try, "WindowSize=2");
		assert_string_equal(try_text(&try, "ServerId", 0), ids[i][0]);
		assert_string_equal(try_text(&try, "ServerId", 1), ids[i][1]);
		assert_string_equal(try_text(&try, "ServerId", 2), "");
		assert_int_equal(try_count(&try, "<MoreAvailable/>"), i < 2);
		if (i == 0)
			try_deliver(&try, &try.mailboxes[1], 0);
	}
	char before[64];
	strcpy(before, key);
	assert_string_equal(sync_more(&try, "WindowSize=2"), ""); /* nothing new; from now on it is the last one */
	unsigned commits = try.commits;
	sync_more(&try, "WindowSize=2");
	assert_string_equal(key, before); /* the same key, and nothing written */
	assert_int_equal(try.commits, commits);
	assert_int_equal(try_count(&try, "<Commands>"), 0);
	try_end(&try);
}

static void the_window_of_a_collection_is_not_kept(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 120; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "WindowSize=1");
	sync_more(&try, "WindowSize=1");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Add>"), 100); /* MS-ASCMD 2.2.3.199.2 */
	assert_int_equal(try_count(&try, "<MoreAvailable/>"), 1);
	sync_more(&try, "WindowSize=0");
	assert_int_equal(try_count(&try, "<Add>"), 19);
	try_end(&try);
}

static void a_window_of_the_request_is_shared(void **state)
{
	static const unsigned adds[] = {4, 2, 0}, more[] = {1, 0, 0};
	struct try_engine try;
	char keys[2][64], body[512];

	(void)state;
	begin(&try);
	for (int i = 0; i < 6; i++)
		try_deliver(&try, &try.mailboxes[i % 2], 0);
	try_command(&try, "Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1} Collection{SyncKey=0 CollectionId=2}}}");
	strcpy(keys[0], try_text(&try, "SyncKey", 0));
	strcpy(keys[1], try_text(&try, "SyncKey", 1));
	for (int i = 0; i < 3; i++) {
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1} Collection{SyncKey=%s "
			"CollectionId=2 WindowSize=5}} WindowSize=4}", keys[0], keys[1]);
		try_command(&try, "Sync", body);
		strcpy(keys[0], try_text(&try, "SyncKey", 0));
		strcpy(keys[1], try_text(&try, "SyncKey", 1));
		assert_int_equal(try_count(&try, "<Add>"), adds[i]);
		assert_int_equal(try_count(&try, "<MoreAvailable/>"), more[i]);
	}
	try_end(&try);
}

static void flags_that_changed_elsewhere_are_told(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 4; i++)
		try_deliver(&try, &try.mailboxes[0], SEEN);
	strcpy(key, try_sync_all(&try, 1));
	try_flag(&try.mailboxes[0], 1, 0);
	try_flag(&try.mailboxes[0], 2, SEEN | FLAGGED);
	try_flag(&try.mailboxes[0], 3, SEEN | BELFRY__CONNECTOR__FLAG__ANSWERED);
	try_flag(&try.mailboxes[0], 4, SEEN | BELFRY__CONNECTOR__FLAG__DRAFT); /* nothing that is told */
	const char *xml = sync_more(&try, "");
	assert_non_null(strstr(xml, "<Commands>"
		"<Change><ServerId>1:1</ServerId><ApplicationData><Read xmlns=\"Email\">0</Read><Flag xmlns=\"Email\"/>"
		"<Categories xmlns=\"Email\"/></ApplicationData></Change>"
		"<Change><ServerId>1:2</ServerId><ApplicationData><Read xmlns=\"Email\">1</Read><Flag xmlns=\"Email\">"
		"<Status>2</Status><FlagType>Flag for follow up</FlagType></Flag><Categories xmlns=\"Email\"/></ApplicationData>"
		"</Change><Change><ServerId>1:3</ServerId><ApplicationData><Read xmlns=\"Email\">1</Read><Flag xmlns=\"Email\"/>"
		"<Categories xmlns=\"Email\"/><LastVerbExecuted xmlns=\"Email2\">1</LastVerbExecuted>"
		"<LastVerbExecutionTime xmlns=\"Email2\">2023-11-14T22:13:20.000Z</LastVerbExecutionTime>"
		"</ApplicationData></Change></Commands>"));
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Commands>"), 0);
	try_end(&try);
}

static void what_is_gone_is_deleted_and_what_is_older_is_soft_deleted(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 4; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "Options{FilterType=1}");
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Add>"), 4);
	try_item(&try.mailboxes[0], 2)->received_s -= 30 * 86400;
	try_item(&try.mailboxes[0], 4)->received_s -= 30 * 86400;
	try_expunge(&try.mailboxes[0], 1);
	try_expunge(&try.mailboxes[0], 4);
	const char *xml = sync_more(&try, "");
	assert_non_null(strstr(xml, "<Commands><Delete><ServerId>1:1</ServerId></Delete><Delete><ServerId>1:4</ServerId></Delete>"
		"<SoftDelete><ServerId>1:2</ServerId></SoftDelete></Commands>"));
	sync_more(&try, "Options{FilterType=0}"); /* and all of it comes back */
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_string_equal(try_text(&try, "ServerId", 0), "1:2");
	try_end(&try);
}

static void each_filter_shows_its_days(void **state)
{
	static const unsigned days[] = {100000, 1, 3, 7, 14, 31, 92, 183};
	struct try_engine try;
	char options[64];

	(void)state;
	for (unsigned filter = 0; filter < 8; filter++) {
		begin(&try);
		try_deliver(&try, &try.mailboxes[0], 0)->received_s -= (days[filter] - 1) * 86400ull;
		try_deliver(&try, &try.mailboxes[0], 0)->received_s -= (days[filter] + 1) * 86400ull;
		snprintf(options, sizeof options, "Options{FilterType=%u}", filter);
		sync_with(&try, "0", options);
		sync_more(&try, "");
		assert_int_equal(try_count(&try, "<Add>"), filter == 0 ? 2 : 1);
		try_end(&try);
	}
}

static void the_same_key_gets_the_same_answer(void **state)
{
	struct try_engine try;
	char answer[8192];

	(void)state;
	begin(&try);
	for (int i = 0; i < 4; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	sync_more(&try, "WindowSize=3");
	sync_more(&try, "WindowSize=3");
	try_expunge(&try.mailboxes[0], 4);
	try_flag(&try.mailboxes[0], 3, SEEN);
	try_deliver(&try, &try.mailboxes[0], 0);
	snprintf(answer, sizeof answer, "%s", sync_more(&try, "WindowSize=3"));
	assert_int_equal(try_count(&try, "<Delete>") + try_count(&try, "<Change>") + try_count(&try, "<Add>"), 3);
	try_deliver(&try, &try.mailboxes[0], 0); /* must wait */
	char now[64];
	strcpy(now, key);
	assert_string_equal(sync_with(&try, key_before, "WindowSize=3"), answer);
	assert_string_equal(sync_with(&try, key_before, "WindowSize=3"), answer);
	sync_with(&try, now, "");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_string_equal(try_text(&try, "ServerId", 0), "1:6");
	char old[64];
	snprintf(old, sizeof old, "%.*s1", (int)(strchr(now, '-') + 1 - now), now);
	sync_with(&try, old, "");
	assert_string_equal(try_text(&try, "Status", 0), "3");
	assert_string_equal(try_text(&try, "SyncKey", 0), "0");
	try_end(&try);
}

static void flags_that_change_while_an_answer_is_lost_are_right_in_the_end(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	sync_more(&try, "");
	assert_string_equal(try_text(&try, "Read", 0), "0");
	try_flag(&try.mailboxes[0], 1, SEEN);
	char now[64];
	strcpy(now, key);
	sync_with(&try, key_before, ""); /* the device has not had the answer: it sees the mail as read */
	assert_string_equal(try_text(&try, "Read", 0), "1");
	try_flag(&try.mailboxes[0], 1, 0);
	sync_with(&try, now, "");
	assert_int_equal(try_count(&try, "<Change>"), 1);
	assert_string_equal(try_text(&try, "Read", 0), "0");
	try_end(&try);
}

static void an_item_that_cannot_be_read_stops_nothing(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 4; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	try_item(&try.mailboxes[0], 2)->is_bad = true;
	try_item(&try.mailboxes[0], 3)->is_gone = true;
	sync_with(&try, "0", "");
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Add>"), 3);
	assert_int_equal(try_count(&try, "(unreadable message)"), 1);
	try_expunge(&try.mailboxes[0], 3);
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Commands>"), 0); /* the device never had 3 */
	try_end(&try);
}

static void an_item_that_could_not_be_read_comes_anew_when_it_can(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 3; i++)
		try_deliver(&try, &try.mailboxes[0], 0)->is_bad = i != 0;
	sync_with(&try, "0", "");
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "(unreadable message)"), 2);
	try_item(&try.mailboxes[0], 3)->is_bad = false;
	unsigned asked = try.asked[BELFRY__CONNECTOR__REQUEST__BODY_FETCH];
	sync_more(&try, "");
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_FETCH], asked); /* a phone that comes for nothing */
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Delete>"), 1); /* 2 is as bad as it was */
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try_count(&try, "<MoreAvailable"), 1);
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try_count(&try, "(unreadable message)"), 0);
	assert_string_equal(try_text(&try, "ServerId", 0), "1:3");
	asked = try.asked[BELFRY__CONNECTOR__REQUEST__BODY_FETCH];
	try_expunge(&try.mailboxes[0], 2);
	sync_more(&try, "");
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "");
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_FETCH], asked + 2); /* its last, and the new one's */
	try_end(&try);
}

static void a_large_body_comes_out_of_its_file(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 3; i++)
		try_deliver(&try, &try.mailboxes[0], 0)->body_bytes = i == 1 ? 300000 : 10;
	sync_with(&try, "0", "");
	sync_more(&try, "");
	assert_int_equal(try_count(&try, "<Add>"), 3);
	assert_int_equal(try_count(&try, "A line of sixty-four characters"), 300000 / 64 + 1);
	assert_int_equal(try_count(&try, "<Data>xxxxxxxxxx</Data>"), 2);
	try_end(&try);
}

static void a_full_answer_is_cut_and_goes_on(void **state)
{
	static const struct {
		size_t bytes;
		unsigned count;
	} cases[] = {{64000, 200}, {70000, 60}};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		unsigned adds = 0, answers = 0;
		begin(&try);
		for (unsigned k = 0; k < cases[i].count; k++)
			try_deliver(&try, &try.mailboxes[0], 0)->body_bytes = cases[i].bytes;
		sync_with(&try, "0", "");
		do {
			sync_more(&try, "WindowSize=512");
			assert_true(try.body.length < 8 * 1024 * 1024);
			adds += try_count(&try, "<Add>");
			answers++;
			if (adds < cases[i].count) {
				assert_int_equal(try_count(&try, "<MoreAvailable/>"), 1);
				char now[64];
				unsigned told = try_count(&try, "<Add>");
				strcpy(now, key);
				sync_with(&try, key_before, "WindowSize=512"); /* lost: the same again, neither more nor less */
				assert_int_equal(try_count(&try, "<Add>"), told);
				assert_int_equal(try_count(&try, "<MoreAvailable/>"), 1);
				strcpy(key, now);
			}
		} while (adds < cases[i].count);
		assert_int_equal(try_count(&try, "<MoreAvailable/>"), 0);
		assert_int_equal(adds, cases[i].count);
		assert_true(answers > 1);
		try_end(&try);
	}
}

static void options_are_kept_until_others_come(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	strcpy(key, try_sync_all(&try, 1));
	sync_more(&try, "Options{BodyPreference{Type=1 TruncationSize=777}}"); /* in an empty folder, nothing to tell */
	assert_int_equal(try_count(&try, "<Commands>"), 0);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "");
	assert_int_equal(try.last_fetch_truncation, 777);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "Options{BodyPreference{Type=2} BodyPreference{Type=1 TruncationSize=5}}");
	assert_int_equal(try.last_fetch_wishes, 2);
	assert_int_equal(try.last_fetch_truncation, UINT64_MAX);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "Options{Class=SMS BodyPreference{Type=1 TruncationSize=9}} Options{Class=Email BodyPreference{Type=1 "
		"TruncationSize=8}}");
	assert_int_equal(try.last_fetch_truncation, 8);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "Options");
	assert_int_equal(try.last_fetch_wishes, 0);
	try_end(&try);
}

static void mime_truncation_bounds_mime_and_nothing_else(void **state)
{
	static const struct { const char *options; uint64_t truncation; } cases[] = {
		{"MIMETruncation=0 BodyPreference{Type=4}", 0}, {"MIMETruncation=1 BodyPreference{Type=4}", 4096},
		{"MIMETruncation=2 BodyPreference{Type=4}", 5120}, {"MIMETruncation=3 BodyPreference{Type=4}", 7168},
		{"MIMETruncation=4 BodyPreference{Type=4}", 10240}, {"MIMETruncation=5 BodyPreference{Type=4}", 20480},
		{"MIMETruncation=6 BodyPreference{Type=4}", 51200}, {"MIMETruncation=7 BodyPreference{Type=4}", 102400},
		{"MIMETruncation=8 BodyPreference{Type=4}", UINT64_MAX},
		{"MIMETruncation=8 BodyPreference{Type=4 TruncationSize=7}", 7},
		{"MIMETruncation=1 BodyPreference{Type=4 TruncationSize=7}", 7},
		{"MIMETruncation=1 BodyPreference{Type=4 TruncationSize=9999}", 4096},
		{"BodyPreference{Type=4 TruncationSize=0} MIMETruncation=7", 0},
		{"MIMETruncation=1 BodyPreference{Type=1} BodyPreference{Type=4}", UINT64_MAX},
	};
	struct try_engine try;

	(void)state;
	begin(&try);
	strcpy(key, try_sync_all(&try, 1));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char options[200];
		try_deliver(&try, &try.mailboxes[0], 0);
		snprintf(options, sizeof options, "Options{MIMESupport=2 %s}", cases[i].options);
		sync_more(&try, options);
		assert_int_equal(try.last_fetch_truncation, cases[i].truncation);
	}
	char before[64];
	strcpy(before, key);
	sync_more(&try, "Options{MIMETruncation=9}");
	assert_string_equal(try_text(&try, "Status", 0), "4");
	strcpy(key, before);
	sync_more(&try, "Options{MIMESupport=3}");
	assert_string_equal(try_text(&try, "Status", 0), "4");
	try_end(&try);
}

static void who_sends_for_another_is_told_from_14_0_on(void **state)
{
	static const char *const versions[] = {"12.1", "14.0", "14.1"};

	(void)state;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		struct try_engine try;
		begin(&try);
		sync_with(&try, "0", "");
		try_deliver(&try, &try.mailboxes[0], 0);
		try_deliver(&try, &try.mailboxes[0], 0);
		try_item(&try.mailboxes[0], 2)->sender = "team@example.org";
		char body[200];
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1}}}", key);
		try_ask(&try, &(struct try_request){.command = "Sync", .body = body, .version = versions[i]});
		assert_int_equal(try_count(&try, "<Add>"), 2);
		assert_int_equal(try_count(&try, "<Sender"), i > 0);
		assert_int_equal(try_count(&try, "team@example.org"), i > 0);
		try_end(&try);
	}
}

static void without_get_changes_nothing_is_told(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "GetChanges=0");
	unsigned surveys = try.asked[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY];
	sync_more(&try, "GetChanges=0");
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY], surveys + 1); /* for the position only */
	assert_int_equal(try_count(&try, "<Commands>"), 0);
	sync_more(&try, "GetChanges");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	try_end(&try);
}

static void what_the_connector_cannot_is_one_collections_trouble(void **state)
{
	static const struct {
		Belfry__Connector__Status status;
		const char *text;
	} cases[] = {
		{BELFRY__CONNECTOR__STATUS__STALE, "3"}, {BELFRY__CONNECTOR__STATUS__NOT_FOUND, "12"},
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, "16"}, {BELFRY__CONNECTOR__STATUS__LIMIT, "16"},
	};
	struct try_engine try;
	char keys[2][64], body[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		try_deliver(&try, &try.mailboxes[1], 0);
		try_command(&try, "Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1} Collection{SyncKey=0 CollectionId=2}}}");
		strcpy(keys[0], try_text(&try, "SyncKey", 0));
		strcpy(keys[1], try_text(&try, "SyncKey", 1));
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1} Collection{SyncKey=%s "
			"CollectionId=2}}}", keys[0], keys[1]);
		if (cases[i].status == BELFRY__CONNECTOR__STATUS__NOT_FOUND)
			try.mailboxes[0].is_away = true;
		else if (cases[i].status != BELFRY__CONNECTOR__STATUS__STALE)
			try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY] = cases[i].status;
		else {
			try_deliver(&try, &try.mailboxes[0], 0);
			try_command(&try, "Sync", body); /* until then any validity is right */
			try.mailboxes[0].validity = 8;
			strcpy(keys[0], try_text(&try, "SyncKey", 0));
			strcpy(keys[1], try_text(&try, "SyncKey", 1));
			snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1} Collection{SyncKey=%s "
				"CollectionId=2}}}", keys[0], keys[1]);
			try_deliver(&try, &try.mailboxes[1], 0);
		}
		try_command(&try, "Sync", body);
		assert_string_equal(try_text(&try, "Status", 0), cases[i].text);
		bool is_all = try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY] != BELFRY__CONNECTOR__STATUS__OK;
		assert_string_equal(try_text(&try, "Status", 1), is_all ? cases[i].text : "1");
		assert_int_equal(try_count(&try, "<Add>"), is_all ? 0 : 1);
		try_end(&try);
	}
}

static void a_mailbox_made_anew_is_no_trouble_for_who_has_nothing_of_it(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	sync_more(&try, "");
	try_expunge(&try.mailboxes[0], 1);
	sync_more(&try, "");
	try.mailboxes[0].validity = 8;
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "");
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try.last_survey_since, 0); /* tokens of the old one mean nothing */
	try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY] = BELFRY__CONNECTOR__STATUS__STALE;
	sync_more(&try, "");
	assert_string_equal(try_text(&try, "Status", 0), "3");
	sync_with(&try, "0", "");
	sync_more(&try, ""); /* nobody knows which it is, and there is nothing to start anew */
	assert_string_equal(try_text(&try, "Status", 0), "16");
	try_end(&try);
}

static void a_sync_that_takes_too_long_leaves_the_rest_for_the_next(void **state)
{
	struct try_engine try;
	char body[256];

	(void)state;
	begin(&try);
	try_command(&try, "Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1} Collection{SyncKey=0 CollectionId=2}}}");
	strcpy(key, try_text(&try, "SyncKey", 0));
	snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=1} Collection{SyncKey=%s "
		"CollectionId=2}}}", key, try_text(&try, "SyncKey", 1));
	try.connector_is_silent = true;
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "Sync", .body = body}), 0);
	assert_int_equal(try_advance(&try, 70 * 1000), 200);
	assert_int_equal(try_count(&try, "<Status>16</Status>"), 2);
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_SURVEY], 1);
	try_end(&try);
}

static void a_fetch_that_fails_as_a_whole_is_no_answer(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	char now[64];
	strcpy(now, key);
	try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_FETCH] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	sync_with(&try, now, "");
	assert_string_equal(buffer_string(&try.xml), "<Sync xmlns=\"AirSync\"><Status>16</Status></Sync>");
	try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_FETCH] = BELFRY__CONNECTOR__STATUS__OK;
	sync_with(&try, now, "");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	try_end(&try);
}

/* Else a first Sync of 100,000 mails would ask 1,000 times for 100,000 flags. */
static void flags_are_surveyed_once_however_many_windows_follow(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 10; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	for (int i = 0; i < 5; i++) {
		sync_more(&try, "WindowSize=2");
		assert_int_equal(try_count(&try, "<Add>"), 2);
		assert_int_equal(try.last_survey_since, i == 0 ? 0 : try.mailboxes[0].token);
	}
	for (uint64_t uid = 1; uid <= 4; uid++)
		try_flag(&try.mailboxes[0], uid, SEEN);
	uint64_t before = try.last_survey_since;
	for (int i = 0; i < 2; i++) { /* as long as flags are owed they are surveyed again */
		sync_more(&try, "WindowSize=2");
		assert_int_equal(try_count(&try, "<Change>"), 2);
		assert_int_equal(try.last_survey_since, before);
	}
	try_deliver(&try, &try.mailboxes[0], 0);
	sync_more(&try, "WindowSize=2");
	assert_int_equal(try_count(&try, "<Add>"), 1);
	assert_int_equal(try.last_survey_since, try.mailboxes[0].token - 1);
	try_end(&try);
}

static void a_position_is_kept_when_all_is_told(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	for (int i = 0; i < 3; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	sync_with(&try, "0", "");
	sync_more(&try, "WindowSize=2");
	const char *ping = "Ping{HeartbeatInterval=60 Folders{Folder{Id=1}}}";
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "Ping", .body = ping}), 200);
	assert_string_equal(try_text(&try, "Status", 0), "2"); /* there is more */
	sync_more(&try, "WindowSize=2");
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "Ping", .body = ping}), 0);
	assert_int_equal(try.park.positions[0].next, 4);
	assert_int_equal(try.park.positions[0].token, try.mailboxes[0].token);
	try_end(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_sync_gives_a_key_only),
		cmocka_unit_test(a_mail_is_told_as_its_version_knows_it),
		cmocka_unit_test(new_mail_comes_newest_first_in_windows),
		cmocka_unit_test(the_window_of_a_collection_is_not_kept),
		cmocka_unit_test(a_window_of_the_request_is_shared),
		cmocka_unit_test(flags_that_changed_elsewhere_are_told),
		cmocka_unit_test(what_is_gone_is_deleted_and_what_is_older_is_soft_deleted),
		cmocka_unit_test(each_filter_shows_its_days),
		cmocka_unit_test(the_same_key_gets_the_same_answer),
		cmocka_unit_test(flags_that_change_while_an_answer_is_lost_are_right_in_the_end),
		cmocka_unit_test(an_item_that_cannot_be_read_stops_nothing),
		cmocka_unit_test(an_item_that_could_not_be_read_comes_anew_when_it_can),
		cmocka_unit_test(a_large_body_comes_out_of_its_file),
		cmocka_unit_test(a_full_answer_is_cut_and_goes_on),
		cmocka_unit_test(options_are_kept_until_others_come),
		cmocka_unit_test(mime_truncation_bounds_mime_and_nothing_else),
		cmocka_unit_test(who_sends_for_another_is_told_from_14_0_on),
		cmocka_unit_test(without_get_changes_nothing_is_told),
		cmocka_unit_test(what_the_connector_cannot_is_one_collections_trouble),
		cmocka_unit_test(a_mailbox_made_anew_is_no_trouble_for_who_has_nothing_of_it),
		cmocka_unit_test(a_sync_that_takes_too_long_leaves_the_rest_for_the_next),
		cmocka_unit_test(a_fetch_that_fails_as_a_whole_is_no_answer),
		cmocka_unit_test(flags_are_surveyed_once_however_many_windows_follow),
		cmocka_unit_test(a_position_is_kept_when_all_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

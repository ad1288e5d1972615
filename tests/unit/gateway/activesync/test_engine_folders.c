/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FolderSync (MS-ASCMD 2.2.1.5) through the engine: its answers, its keys, its statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/state.pb-c.h"
#include "tests/unit/gateway/activesync/try_engine.h"

static char key[64];

/* FolderSync with this key; keeps the key of the answer. */
static const char *folder_sync(struct try_engine *try, const char *with)
{
	char body[128];

	snprintf(body, sizeof body, "FolderSync{SyncKey=%s}", with);
	const char *xml = try_command(try, "FolderSync", body);
	snprintf(key, sizeof key, "%s", try_text(try, "SyncKey", 0));
	return xml;
}

static void begin(struct try_engine *try)
{
	try_begin(try, NULL);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	try_mailbox(try, "Sent", BELFRY__CONNECTOR__ROLE__SENT);
	try_mailbox(try, "Sent/2026", BELFRY__CONNECTOR__ROLE__NONE)->parent = "Sent";
}

static void from_0_everything_is_added(void **state)
{
	struct try_engine try;
	char expected[1024];

	(void)state;
	begin(&try);
	const char *xml = folder_sync(&try, "0");
	snprintf(expected, sizeof expected, "<FolderSync xmlns=\"FolderHierarchy\"><Status>1</Status><SyncKey>%s</SyncKey>"
		"<Changes><Count>3</Count>"
		"<Add><ServerId>1</ServerId><ParentId>0</ParentId><DisplayName>Sent</DisplayName><Type>5</Type></Add>"
		"<Add><ServerId>2</ServerId><ParentId>0</ParentId><DisplayName>INBOX</DisplayName><Type>2</Type></Add>"
		"<Add><ServerId>3</ServerId><ParentId>1</ParentId><DisplayName>Sent/2026</DisplayName><Type>12</Type></Add>"
		"</Changes></FolderSync>", key);
	assert_string_equal(xml, expected);
	try_end(&try);
}

static void later_only_what_changed_is_told(void **state)
{
	struct try_engine try;
	char expected[1024], first[64];

	(void)state;
	begin(&try);
	folder_sync(&try, "0");
	snprintf(first, sizeof first, "%s", key);
	const char *xml = folder_sync(&try, first);
	snprintf(expected, sizeof expected, "<FolderSync xmlns=\"FolderHierarchy\"><Status>1</Status><SyncKey>%s</SyncKey>"
		"<Changes><Count>0</Count></Changes></FolderSync>", first);
	assert_string_equal(xml, expected);
	unsigned commits = try.commits;
	folder_sync(&try, first);
	assert_int_equal(try.commits, commits);

	try.mailboxes[1].is_away = true; /* Sent goes, its child stays, a new one comes */
	try_mailbox(&try, "New", BELFRY__CONNECTOR__ROLE__NONE);
	xml = folder_sync(&try, first);
	assert_string_not_equal(key, first);
	snprintf(expected, sizeof expected, "<FolderSync xmlns=\"FolderHierarchy\"><Status>1</Status><SyncKey>%s</SyncKey>"
		"<Changes><Count>3</Count>"
		"<Update><ServerId>3</ServerId><ParentId>0</ParentId><DisplayName>Sent/2026</DisplayName><Type>12</Type></Update>"
		"<Delete><ServerId>1</ServerId></Delete>"
		"<Add><ServerId>4</ServerId><ParentId>0</ParentId><DisplayName>New</DisplayName><Type>12</Type></Add>"
		"</Changes></FolderSync>", key);
	assert_string_equal(xml, expected);
	try_end(&try);
}

static void the_key_before_gets_the_same_answer_again(void **state)
{
	struct try_engine try;
	char first[64], second[64], answer[2048];

	(void)state;
	begin(&try);
	folder_sync(&try, "0");
	snprintf(first, sizeof first, "%s", key);
	try.mailboxes[1].is_away = true;
	snprintf(answer, sizeof answer, "%s", folder_sync(&try, first));
	snprintf(second, sizeof second, "%s", key);
	try_mailbox(&try, "New", BELFRY__CONNECTOR__ROLE__NONE); /* must wait */
	assert_string_equal(folder_sync(&try, first), answer);
	assert_string_equal(folder_sync(&try, first), answer);
	folder_sync(&try, second);
	assert_string_equal(try_text(&try, "Count", 0), "1");
	assert_string_equal(try_text(&try, "DisplayName", 0), "New");
	folder_sync(&try, first); /* two answers back */
	assert_string_equal(try_text(&try, "Status", 0), "9");
	try_end(&try);
}

static void the_state_of_a_folder_goes_when_its_end_is_acknowledged(void **state)
{
	struct try_engine try;
	char sync[256];

	(void)state;
	for (int starts_anew = 0; starts_anew < 2; starts_anew++) {
		begin(&try);
		folder_sync(&try, "0");
		try_command(&try, "Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1} Collection{SyncKey=0 CollectionId=2}}}");
		snprintf(sync, sizeof sync, "Sync{Collections{Collection{SyncKey=%s CollectionId=1}}}", try_text(&try, "SyncKey", 0));
		assert_true(try_has_record(&try, "sync/1") && try_has_record(&try, "position/1"));
		try.mailboxes[1].is_away = true;
		folder_sync(&try, key); /* told, not acknowledged */
		assert_true(try_has_record(&try, "sync/1") && try_has_record(&try, "position/1"));
		folder_sync(&try, starts_anew ? "0" : key);
		assert_string_equal(try_text(&try, "Status", 0), "1");
		assert_int_equal(try_count(&try, "<Delete>"), 0);
		assert_false(try_has_record(&try, "sync/1") || try_has_record(&try, "position/1"));
		assert_true(try_has_record(&try, "sync/2") && try_has_record(&try, "position/2"));
		unsigned commits = try.commits;
		folder_sync(&try, key);
		assert_int_equal(try.commits, commits);
		try_command(&try, "Sync", sync);
		assert_string_equal(try_text(&try, "Status", 0), "3");
		try_end(&try);
	}
}

static void put_record(struct try_engine *try, const char *name, const void *value, size_t length)
{
	struct try_record *record = try->records;

	while (record < try->records + try->record_count && strcmp(record->key, name) != 0)
		record++;
	if (record == try->records + try->record_count) {
		assert_true(++try->record_count <= TRY_RECORDS_MAX);
		snprintf(record->key, sizeof record->key, "%s", name);
	}
	record->revision = ++try->last_transaction;
	buffer_truncate(&record->value, 0);
	buffer_append(&record->value, value, length);
}

/* As if the device had been told of the end of so many folders. */
static void remove_many(struct try_engine *try, unsigned count)
{
	const struct try_record *record = try->records;
	Belfry__Activesync__Folder *all = calloc(count, sizeof *all), **list = calloc(count + 3, sizeof *list);
	char name[40];

	while (strcmp(record->key, "folders") != 0)
		record++;
	Belfry__Activesync__Folders *folders = belfry__activesync__folders__unpack(NULL, record->value.length,
		(const uint8_t *)record->value.data);
	Belfry__Activesync__Folders more = *folders;
	memcpy(list, folders->folders, folders->n_folders * sizeof *list);
	more.folders = list;
	for (unsigned i = 0; i < count; i++) {
		belfry__activesync__folder__init(&all[i]);
		all[i].id = 1000 + i;
		all[i].removed = folders->key;
		list[more.n_folders++] = &all[i];
		snprintf(name, sizeof name, "sync/%u", all[i].id);
		put_record(try, name, "x", 1);
		snprintf(name, sizeof name, "position/%u", all[i].id);
		put_record(try, name, "x", 1);
	}
	size_t length = belfry__activesync__folders__get_packed_size(&more);
	uint8_t *packed = malloc(length);
	belfry__activesync__folders__pack(&more, packed);
	put_record(try, "folders", packed, length);
	free(packed);
	belfry__activesync__folders__free_unpacked(folders, NULL);
	free(list);
	free(all);
}

static void the_state_of_many_folders_goes_as_that_of_one(void **state)
{
	enum { MANY = 600 };
	struct try_engine try;

	(void)state;
	begin(&try);
	folder_sync(&try, "0");
	size_t before = try.record_count;
	remove_many(&try, MANY);
	folder_sync(&try, key);
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_int_equal(try.record_count, before);
	unsigned commits = try.commits;
	folder_sync(&try, key);
	assert_int_equal(try.commits, commits);
	try_end(&try);
}

static void a_device_that_starts_anew_is_not_told_of_what_went(void **state)
{
	struct try_engine try;
	char first[64];

	(void)state;
	begin(&try);
	folder_sync(&try, "0");
	snprintf(first, sizeof first, "%s", key);
	try.mailboxes[1].is_away = true;
	folder_sync(&try, "0");
	assert_string_equal(try_text(&try, "Count", 0), "2");
	assert_int_equal(try_count(&try, "<Add>"), 2);
	assert_int_equal(try_count(&try, "<Delete>"), 0);
	folder_sync(&try, first); /* of the life before */
	assert_string_equal(try_text(&try, "Status", 0), "9");
	try_end(&try);
}

static void a_wrong_key_is_told_so(void **state)
{
	static const struct {
		const char *body, *status;
	} cases[] = {
		{"FolderSync", "10"}, {"FolderSync{SyncKey}", "9"}, {"FolderSync{Count=1}", "10"},
		{"FolderSync{SyncKey=1}", "9"}, {"FolderSync{SyncKey=00}", "9"}, {"FolderSync{SyncKey=1-1}", "9"},
		{"FolderSync{SyncKey=-1--1}", "9"}, {"FolderSync{SyncKey=99999999999-99999999999}", "9"},
		{"FolderSync{SyncKey=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "9"},
	};
	struct try_engine try;

	(void)state;
	begin(&try);
	try_folders(&try);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_command(&try, "FolderSync", cases[i].body);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		assert_string_equal(try_text(&try, "SyncKey", 0), "");
	}
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LIST], 1);
	try_end(&try);
}

static void a_connector_that_cannot_list_makes_the_device_come_again(void **state)
{
	static const struct {
		Belfry__Connector__Status status;
		unsigned http;
		const char *text;
	} cases[] = {
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, 200, "6"}, {BELFRY__CONNECTOR__STATUS__LIMIT, 200, "6"},
		{BELFRY__CONNECTOR__STATUS__UNSUPPORTED, 200, "6"}, {BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED, 503, ""},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_LIST] = cases[i].status;
		struct try_request ask = {.command = "FolderSync", .body = "FolderSync{SyncKey=0}"};
		assert_int_equal(try_ask(&try, &ask), cases[i].http);
		assert_string_equal(try_text(&try, "Status", 0), cases[i].text);
		assert_int_equal(try.record_count, 0);
		try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_LIST] = BELFRY__CONNECTOR__STATUS__OK;
		try_folders(&try);
		try_end(&try);
	}
}

static void a_state_that_another_request_changed_is_not_overwritten(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try.commit_status = BELFRY__ROLE__STATUS__CONFLICT;
	folder_sync(&try, "0");
	assert_string_equal(try_text(&try, "Status", 0), "6");
	assert_int_equal(try.record_count, 0);
	try_end(&try);
}

static void a_damaged_record_makes_the_device_start_anew(void **state)
{
	struct try_engine try;
	char first[64];

	(void)state;
	begin(&try);
	folder_sync(&try, "0");
	snprintf(first, sizeof first, "%s", key);
	for (size_t i = 0; i < try.record_count; i++)
		if (strcmp(try.records[i].key, "folders") == 0)
			memset(try.records[i].value.data, 0xff, try.records[i].value.length);
	folder_sync(&try, first);
	assert_string_equal(try_text(&try, "Status", 0), "9");
	folder_sync(&try, "0");
	assert_string_equal(try_text(&try, "Count", 0), "3");
	try_end(&try);
}

static void what_the_device_says_of_itself_is_kept(void **state)
{
	struct try_engine try;
	Belfry__Role__DeviceRecord *device;

	(void)state;
	begin(&try);
	try_folders(&try);
	const struct try_record *record = NULL;
	for (size_t i = 0; i < try.record_count; i++)
		if (strcmp(try.records[i].key, "device") == 0)
			record = &try.records[i];
	assert_non_null(record);
	device = belfry__role__device_record__unpack(NULL, record->value.length, (const uint8_t *)record->value.data);
	assert_string_equal(device->type, "phone");
	assert_string_equal(device->agent, "Try/1");
	assert_string_equal(device->protocol, "14.1");
	assert_int_equal(device->first_seen_s, 1700000000);
	belfry__role__device_record__free_unpacked(device, NULL);
	try_end(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_0_everything_is_added),
		cmocka_unit_test(later_only_what_changed_is_told),
		cmocka_unit_test(the_key_before_gets_the_same_answer_again),
		cmocka_unit_test(the_state_of_a_folder_goes_when_its_end_is_acknowledged),
		cmocka_unit_test(the_state_of_many_folders_goes_as_that_of_one),
		cmocka_unit_test(a_device_that_starts_anew_is_not_told_of_what_went),
		cmocka_unit_test(a_wrong_key_is_told_so),
		cmocka_unit_test(a_connector_that_cannot_list_makes_the_device_come_again),
		cmocka_unit_test(a_state_that_another_request_changed_is_not_overwritten),
		cmocka_unit_test(a_damaged_record_makes_the_device_start_anew),
		cmocka_unit_test(what_the_device_says_of_itself_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store's contract, case by case, against every store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"
#include "tests/unit/gateway/service/try_store.h"

#define ALICE "alice@example.org"
#define PHONE "PHONE1"

static void record_is(const struct store_record *record, const char *key, const char *value)
{
	assert_string_equal(record->key, key);
	assert_int_equal(record->length, strlen(value));
	assert_true(record->revision != 0);
	assert_memory_equal(record->value, value, record->length);
}

/* Puts a new record and returns its revision. */
static uint64_t put_new(struct try *try, const char *user, const char *device, const char *key, const char *value)
{
	assert_int_equal(try_put(try, user, device, key, 0, value), STORE_OK);
	assert_int_equal(try->count, 1);
	return try->revisions[0];
}

static void an_absent_record_has_revision_0(struct try *try)
{
	assert_int_equal(try_get(try, ALICE, PHONE, "device"), STORE_OK);
	assert_int_equal(try->count, 1);
	assert_string_equal(try->records[0].key, "device");
	assert_true(try->records[0].revision == 0);
}

static void a_record_is_read_as_it_was_written(struct try *try)
{
	uint64_t revision = put_new(try, ALICE, PHONE, "device", "model 1");

	assert_true(revision != 0);
	assert_int_equal(try_get(try, ALICE, PHONE, "device"), STORE_OK);
	record_is(&try->records[0], "device", "model 1");
	assert_true(try->records[0].revision == revision);
}

static void an_empty_value_is_a_record(struct try *try)
{
	put_new(try, ALICE, PHONE, "device", "");
	assert_int_equal(try_get(try, ALICE, PHONE, "device"), STORE_OK);
	record_is(&try->records[0], "device", "");
	assert_non_null(try->records[0].value);
}

static void a_write_needs_the_revision_that_is_there(struct try *try)
{
	uint64_t first = put_new(try, ALICE, PHONE, "ping", "one");

	assert_int_equal(try_put(try, ALICE, PHONE, "ping", 0, "again"), STORE_CONFLICT);
	assert_int_equal(try_put(try, ALICE, PHONE, "ping", first + 1, "guess"), STORE_CONFLICT);
	assert_int_equal(try_put(try, ALICE, PHONE, "ping", first, "two"), STORE_OK);
	assert_true(try->revisions[0] > first);
	assert_int_equal(try_put(try, ALICE, PHONE, "ping", first, "late"), STORE_CONFLICT);
	assert_int_equal(try_delete(try, ALICE, PHONE, "ping", first), STORE_CONFLICT);
	assert_int_equal(try_get(try, ALICE, PHONE, "ping"), STORE_OK);
	record_is(&try->records[0], "ping", "two");
}

static void a_removed_record_is_gone(struct try *try)
{
	uint64_t revision = put_new(try, ALICE, PHONE, "ping", "one");

	assert_int_equal(try_delete(try, ALICE, PHONE, "ping", revision), STORE_OK);
	assert_true(try->revisions[0] == 0);
	assert_int_equal(try_get(try, ALICE, PHONE, "ping"), STORE_OK);
	assert_true(try->records[0].revision == 0);
	assert_int_equal(try_delete(try, ALICE, PHONE, "ping", revision), STORE_CONFLICT);
}

static void a_removal_with_revision_0_asserts_that_there_is_none(struct try *try)
{
	assert_int_equal(try_delete(try, ALICE, PHONE, "ping", 0), STORE_OK);
	put_new(try, ALICE, PHONE, "ping", "one");
	assert_int_equal(try_delete(try, ALICE, PHONE, "ping", 0), STORE_CONFLICT);
}

static void a_record_made_again_never_has_an_old_revision(struct try *try)
{
	uint64_t highest = 0;

	for (int i = 0; i < 20; i++) {
		uint64_t revision = put_new(try, ALICE, PHONE, "ping", "same");
		assert_true(revision > highest);
		highest = revision;
		assert_int_equal(try_delete(try, ALICE, PHONE, "ping", revision), STORE_OK);
		if (i % 5 == 4)
			try_reopen(try);
		assert_int_equal(try_put(try, ALICE, PHONE, "ping", revision, "ABA"), STORE_CONFLICT);
	}
}

static void a_transaction_writes_all_or_nothing(struct try *try)
{
	uint64_t revision = put_new(try, ALICE, PHONE, "sync/1", "old");
	struct store_write writes[] = {
		{.key = "sync/2", .value = "new", .length = 3},
		{.key = "sync/1", .revision = revision, .remove = true},
		{.key = "position/1", .revision = 17, .value = "p", .length = 1},
	};

	assert_int_equal(try_commit(try, ALICE, PHONE, writes, 3), STORE_CONFLICT);
	assert_int_equal(try_scan(try, ALICE, PHONE, ""), STORE_OK);
	assert_int_equal(try->count, 1);
	record_is(&try->records[0], "sync/1", "old");
	writes[2].revision = 0;
	assert_int_equal(try_commit(try, ALICE, PHONE, writes, 3), STORE_OK);
	assert_int_equal(try->count, 3);
	assert_true(try->revisions[0] > revision && try->revisions[1] == 0 && try->revisions[2] > revision);
	uint64_t given[3] = {try->revisions[0], 0, try->revisions[2]};
	assert_int_equal(try_scan(try, ALICE, PHONE, ""), STORE_OK);
	assert_int_equal(try->count, 2);
	record_is(&try->records[0], "position/1", "p");
	record_is(&try->records[1], "sync/2", "new");
	assert_true(try->records[0].revision == given[2] && try->records[1].revision == given[0]);
}

static void a_key_twice_in_a_transaction_is_a_conflict(struct try *try)
{
	struct store_write writes[] = {
		{.key = "a", .value = "1", .length = 1},
		{.key = "b", .value = "2", .length = 1},
		{.key = "a", .value = "3", .length = 1},
	};

	assert_int_equal(try_commit(try, ALICE, PHONE, writes, 3), STORE_CONFLICT);
	assert_int_equal(try_scan(try, ALICE, PHONE, ""), STORE_OK);
	assert_int_equal(try->count, 0);
}

static void a_transaction_without_writes_is_fine(struct try *try)
{
	assert_int_equal(try_commit(try, ALICE, PHONE, NULL, 0), STORE_OK);
	assert_int_equal(try->count, 0);
}

static void a_scan_finds_the_prefix_in_order_and_nothing_else(struct try *try)
{
	const char *const keys[] = {"sync/10", "sync/1", "sync", "sync/", "sync0", "syn", "position/1", "sync/\xff", "t"};
	const char *const found[] = {"sync/", "sync/1", "sync/10", "sync/\xff"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		put_new(try, ALICE, PHONE, keys[i], keys[i]);
	assert_int_equal(try_scan(try, ALICE, PHONE, "sync/"), STORE_OK);
	assert_int_equal(try->count, 4);
	for (size_t i = 0; i < 4; i++)
		record_is(&try->records[i], found[i], found[i]);
	assert_int_equal(try_scan(try, ALICE, PHONE, ""), STORE_OK);
	assert_int_equal(try->count, 9);
	assert_int_equal(try_scan(try, ALICE, PHONE, "sync/2"), STORE_OK);
	assert_int_equal(try->count, 0);
}

/* Names that would run into each other if they were only put one after the other. */
static const struct principal neighbours[] = {
	{"", ""}, {"", "a"}, {"a", ""}, {"a", "a"}, {"a", "b"}, {"ab", ""}, {"a\x01", ""}, {"a\x01", "a"}, {"a", "\x01"},
	{"a", "a\x01"}, {"\xff", "\xff"}, {"\xff\xff", ""}, {"a/b", "c"}, {"a", "b/c"}, {"a b", "c"}, {"a", "b c"}, {"\n", "\n"},
};
enum { NEIGHBOURS = sizeof neighbours / sizeof *neighbours };

static void principals_never_see_each_other(struct try *try)
{
	char value[NEIGHBOURS][8];

	for (int i = 0; i < NEIGHBOURS; i++) {
		snprintf(value[i], sizeof value[i], "%d", i);
		put_new(try, neighbours[i].user, neighbours[i].device, "device", value[i]);
		put_new(try, neighbours[i].user, neighbours[i].device, "", value[i]);
	}
	for (int i = 0; i < NEIGHBOURS; i++) {
		assert_int_equal(try_scan(try, neighbours[i].user, neighbours[i].device, ""), STORE_OK);
		assert_int_equal(try->count, 2);
		record_is(&try->records[0], "", value[i]);
		record_is(&try->records[1], "device", value[i]);
	}
}

static int compare_principals(const struct principal *left, const struct principal *right)
{
	int users = strcmp(left->user, right->user);

	return users != 0 ? users : strcmp(left->device, right->device);
}

/* Walks all pages of the given size; returns how many entries, each greater than the one before. */
static size_t walk(struct try *try, const char *user, size_t page)
{
	struct principal last = {NULL, NULL};
	size_t count = 0;

	do {
		assert_int_equal(try_page(try, user, "device", last.user == NULL ? NULL : &last, page), STORE_OK);
		assert_true(try->count <= page);
		assert_true(try->count == page || !try->more);
		for (size_t i = 0; i < try->count; i++) {
			struct principal *principal = &try->entries[i].principal;
			if (last.user != NULL)
				assert_true(compare_principals(&last, principal) < 0);
			free((char *)last.user);
			free((char *)last.device);
			last = (struct principal){mem_strdup(principal->user), mem_strdup(principal->device)};
			assert_string_equal(try->entries[i].record.key, "device");
			assert_true(user == NULL || strcmp(user, principal->user) == 0);
		}
		count += try->count;
	} while (try->more);
	free((char *)last.user);
	free((char *)last.device);
	return count;
}

static void pages_show_every_principal_that_has_the_record_once(struct try *try)
{
	for (int i = 0; i < NEIGHBOURS; i++) {
		put_new(try, neighbours[i].user, neighbours[i].device, "sync/1", "no device record");
		put_new(try, neighbours[i].user, neighbours[i].device, "devic", "near");
		put_new(try, neighbours[i].user, neighbours[i].device, "devicf", "near");
	}
	assert_int_equal(walk(try, NULL, 3), 0);
	for (int i = 0; i < NEIGHBOURS; i++)
		put_new(try, neighbours[i].user, neighbours[i].device, "device", "d");
	for (size_t page = 1; page <= NEIGHBOURS + 1; page++)
		assert_int_equal(walk(try, NULL, page), NEIGHBOURS);
	assert_int_equal(walk(try, "a", 2), 7);
	assert_int_equal(walk(try, "", 2), 2);
	assert_int_equal(walk(try, "\xff\xff", 100), 1);
	assert_int_equal(walk(try, "nobody", 2), 0);
}

static void a_page_says_exactly_whether_more_follow(struct try *try)
{
	put_new(try, "a", "1", "device", "");
	put_new(try, "a", "2", "device", "");
	put_new(try, "b", "1", "other", "");
	assert_int_equal(try_page(try, NULL, "device", NULL, 2), STORE_OK);
	assert_int_equal(try->count, 2);
	assert_false(try->more);
	assert_int_equal(try_page(try, NULL, "device", NULL, 1), STORE_OK);
	assert_true(try->more);
	assert_int_equal(try_page(try, "a", "device", &(struct principal){"b", "0"}, 1), STORE_OK);
	assert_int_equal(try->count, 0);
	assert_int_equal(try_page(try, "b", "other", &(struct principal){"a", "9"}, 1), STORE_OK);
	assert_int_equal(try->count, 1);
}

static void what_is_over_a_limit_is_refused_whole(struct try *try)
{
	char *key = mem_alloc(STORE_KEY_MAX + 2), *value = mem_alloc(STORE_VALUE_MAX + 2);
	char user[PRINCIPAL_USER_MAX + 2] = "", device[PRINCIPAL_DEVICE_MAX + 2] = "";

	memset(key, 'k', STORE_KEY_MAX + 1);
	memset(value, 'v', STORE_VALUE_MAX + 1);
	memset(user, 'u', PRINCIPAL_USER_MAX + 1);
	memset(device, 'd', PRINCIPAL_DEVICE_MAX + 1);
	assert_int_equal(try_put(try, ALICE, PHONE, key, 0, "x"), STORE_LIMIT);
	assert_int_equal(try_get(try, ALICE, PHONE, key), STORE_LIMIT);
	assert_int_equal(try_scan(try, ALICE, PHONE, key), STORE_LIMIT);
	assert_int_equal(try_put(try, ALICE, PHONE, "k", 0, value), STORE_LIMIT);
	assert_int_equal(try_get(try, user, PHONE, "k"), STORE_LIMIT);
	assert_int_equal(try_get(try, ALICE, device, "k"), STORE_LIMIT);
	key[STORE_KEY_MAX] = value[STORE_VALUE_MAX] = user[PRINCIPAL_USER_MAX] = device[PRINCIPAL_DEVICE_MAX] = '\0';
	put_new(try, user, device, key, value);
	assert_int_equal(try_get(try, user, device, key), STORE_OK);
	record_is(&try->records[0], key, value);
	assert_int_equal(try_page(try, user, key, NULL, 5), STORE_OK);
	assert_int_equal(try->count, 1);
	free(key);
	free(value);
}

static void an_answer_over_the_limit_is_refused_but_a_page_is_cut(struct try *try)
{
	char *value = mem_alloc(STORE_VALUE_MAX + 1);
	char device[] = "phone 0";

	memset(value, 'v', STORE_VALUE_MAX);
	for (int i = 0; i < 4; i++) {
		device[6] = (char)('0' + i);
		put_new(try, ALICE, device, "device", value);
		put_new(try, ALICE, PHONE, device, value);
	}
	assert_int_equal(try_scan(try, ALICE, PHONE, ""), STORE_LIMIT);
	assert_int_equal(try_scan(try, ALICE, PHONE, "phone 2"), STORE_OK);
	assert_int_equal(try_page(try, NULL, "device", NULL, 10), STORE_OK);
	assert_int_equal(try->count, 2);
	assert_true(try->more);
	struct principal last = {ALICE, "phone 1"};
	assert_int_equal(try_page(try, NULL, "device", &last, 10), STORE_OK);
	assert_int_equal(try->count, 2);
	assert_false(try->more);
	free(value);
}

static void everything_is_there_after_opening_again(struct try *try)
{
	uint64_t revision = put_new(try, ALICE, PHONE, "device", "one");

	for (int i = 0; i < 3; i++) {
		try_reopen(try);
		assert_int_equal(try_get(try, ALICE, PHONE, "device"), STORE_OK);
		record_is(&try->records[0], "device", "one");
		assert_true(try->records[0].revision == revision);
	}
	assert_int_equal(try_put(try, ALICE, PHONE, "device", revision, "two"), STORE_OK);
	assert_true(try->revisions[0] > revision);
}

/* --- asking much at once ---------------------------------------------------------------------------------------- */

struct asker {
	struct try *try;
	int answers, wanted;
	bool all;
	uint64_t revision;
	struct store_call *forgets;
	char order[64];
};

static void asker_answered(struct asker *asker, char what)
{
	if (asker->answers < (int)sizeof asker->order - 1)
		asker->order[asker->answers] = what;
	if (++asker->answers == asker->wanted) {
		asker->all = true;
		loop_stop(asker->try->loop);
	}
}

static void asker_read(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct asker *asker = data;

	assert_int_equal(status, STORE_OK);
	asker->revision = count == 0 ? 0 : records[0].revision;
	asker_answered(asker, count == 0 || records[0].revision == 0 ? '0' : *(const char *)records[0].value);
}

static void asker_wrote(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	(void)revisions;
	(void)count;
	asker_answered(data, status == STORE_OK ? 'w' : 'c');
}

static void a_read_sees_every_write_asked_for_before(struct try *try)
{
	struct asker asker = {.try = try, .wanted = 6};
	struct principal alice = {ALICE, PHONE};

	store_get(try->store, &alice, "a", asker_read, &asker);
	store_put_if(try->store, &alice, "a", 0, "1", 1, asker_wrote, &asker);
	store_get(try->store, &alice, "a", asker_read, &asker);
	store_put_if(try->store, &alice, "a", 0, "2", 1, asker_wrote, &asker);
	store_scan(try->store, &alice, "", asker_read, &asker);
	store_put_if(try->store, &alice, "b", 0, "3", 1, asker_wrote, &asker);
	try_wait(try, &asker.all);
	assert_string_equal(asker.order, "0w1c1w");
}

static void a_read_answers_keys_and_prefixes_together(struct try *try)
{
	struct principal alice = {ALICE, PHONE};
	const char *const keys[] = {"folders", "absent", "device"}, *const prefixes[] = {"sync/", "position/"};
	struct asker asker = {.try = try, .wanted = 2};

	put_new(try, ALICE, PHONE, "device", "d");
	put_new(try, ALICE, PHONE, "folders", "f");
	put_new(try, ALICE, PHONE, "sync/1", "s");
	store_read(try->store, &alice, keys, 3, prefixes, 2, asker_read, &asker);
	store_read(try->store, &alice, NULL, 0, NULL, 0, asker_read, &asker);
	try_wait(try, &asker.all);
	assert_string_equal(asker.order, "f0");
}

static void a_forgotten_call_is_carried_out_but_not_answered(struct try *try)
{
	struct principal alice = {ALICE, PHONE};
	struct asker gone = {.try = try}, asker = {.try = try, .wanted = 1};
	struct store_call *call = store_put_if(try->store, &alice, "a", 0, "1", 1, asker_wrote, &gone);

	store_forget(&call);
	assert_null(call);
	store_forget(&call);
	store_get(try->store, &alice, "a", asker_read, &asker);
	try_wait(try, &asker.all);
	assert_string_equal(asker.order, "1");
	assert_int_equal(gone.answers, 0);
}

static void asker_forgets(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct asker *asker = data;

	(void)revisions;
	(void)count;
	assert_int_equal(status, STORE_OK);
	store_forget(&asker->forgets);
	store_get(asker->try->store, &(struct principal){ALICE, PHONE}, "a", asker_read, asker);
	asker_answered(asker, 'f');
}

static void a_callback_may_ask_and_forget(struct try *try)
{
	struct principal alice = {ALICE, PHONE};
	struct asker asker = {.try = try, .wanted = 2};

	store_put_if(try->store, &alice, "a", 0, "1", 1, asker_forgets, &asker);
	asker.forgets = store_put_if(try->store, &alice, "b", 0, "1", 1, asker_wrote, &asker);
	try_wait(try, &asker.all);
	assert_string_equal(asker.order, "f1");
}

static void too_many_calls_are_refused_and_the_rest_answered(struct try *try)
{
	struct principal alice = {ALICE, PHONE};
	struct asker asker = {.try = try, .wanted = STORE_CALLS_MAX + 10};
	static char many[STORE_VALUE_MAX];
	struct asker big = {.try = try, .wanted = STORE_PENDING_MAX / STORE_VALUE_MAX + 1};

	for (int i = 0; i < asker.wanted; i++)
		store_put_if(try->store, &alice, "a", (uint64_t)i + 1, "1", 1, asker_wrote, &asker);
	try_wait(try, &asker.all);
	for (int i = 0; i < big.wanted; i++)
		store_put_if(try->store, &alice, "a", 17, many, sizeof many, asker_wrote, &big);
	try_wait(try, &big.all);
	assert_int_equal(try_get(try, ALICE, PHONE, "a"), STORE_OK);
	assert_true(try->records[0].revision == 0);
}

static void closing_does_not_wait_for_the_loop(struct try *try)
{
	struct principal alice = {ALICE, PHONE};
	struct asker gone = {.try = try};

	store_put_if(try->store, &alice, "a", 0, "1", 1, asker_wrote, &gone);
	store_get(try->store, &alice, "a", asker_read, &gone);
	store_get(try->store, &(struct principal){ALICE, PHONE}, "a", asker_read, &gone);
}

/* --- every case against every store ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(struct try *);
} cases[] = {
#define CASE(name) {#name, name}
	CASE(an_absent_record_has_revision_0),
	CASE(a_record_is_read_as_it_was_written),
	CASE(an_empty_value_is_a_record),
	CASE(a_write_needs_the_revision_that_is_there),
	CASE(a_removed_record_is_gone),
	CASE(a_removal_with_revision_0_asserts_that_there_is_none),
	CASE(a_record_made_again_never_has_an_old_revision),
	CASE(a_transaction_writes_all_or_nothing),
	CASE(a_key_twice_in_a_transaction_is_a_conflict),
	CASE(a_transaction_without_writes_is_fine),
	CASE(a_scan_finds_the_prefix_in_order_and_nothing_else),
	CASE(principals_never_see_each_other),
	CASE(pages_show_every_principal_that_has_the_record_once),
	CASE(a_page_says_exactly_whether_more_follow),
	CASE(what_is_over_a_limit_is_refused_whole),
	CASE(an_answer_over_the_limit_is_refused_but_a_page_is_cut),
	CASE(everything_is_there_after_opening_again),
	CASE(a_read_sees_every_write_asked_for_before),
	CASE(a_read_answers_keys_and_prefixes_together),
	CASE(a_forgotten_call_is_carried_out_but_not_answered),
	CASE(a_callback_may_ask_and_forget),
	CASE(too_many_calls_are_refused_and_the_rest_answered),
	CASE(closing_does_not_wait_for_the_loop),
};
enum { CASES = sizeof cases / sizeof *cases };

struct trial {
	enum try_kind kind;
	int number;
	char name[128];
};

static void run_trial(void **state)
{
	struct trial *trial = *state;
	struct try *try = try_create(trial->kind);

	cases[trial->number].run(try);
	try_free(&try);
}

int main(void)
{
	static struct trial trials[TRY_KINDS * CASES];
	static struct CMUnitTest tests[TRY_KINDS * CASES];
	size_t count = 0;

	for (int kind = 0; kind < TRY_KINDS; kind++)
		for (int i = 0; i < CASES; i++, count++) {
			trials[count] = (struct trial){.kind = (enum try_kind)kind, .number = i};
			snprintf(trials[count].name, sizeof trials[count].name, "%s: %s", try_kind_names[kind], cases[i].name);
			tests[count] = (struct CMUnitTest){trials[count].name, run_trial, NULL, NULL, &trials[count]};
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

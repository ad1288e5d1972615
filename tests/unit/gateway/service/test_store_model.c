/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Thousands of random calls, many under way at once, against every store and a model that is nothing but an array.
 * Answers come in the order of asking, so each is compared with the model as it is when the answer comes.
 */
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

enum { CALLS = 12000, UNDER_WAY_MAX = 40, REOPEN_EVERY = 1500, WRITES_MAX = 5, VALUE_MAX = 70000 };

static const struct principal principals[] = {
	{"", ""}, {"a", ""}, {"a", "1"}, {"a", "1\x01"}, {"a", "2"}, {"ab", ""}, {"b", "1"}, {"\xff", "\xff"},
};
static const char *const keys[] = {"", "device", "device2", "sync/", "sync/1", "sync/10", "sync/2", "sync0", "\x01", "\xff"};
static const char *const prefixes[] = {"", "s", "sync/", "sync/1", "device", "zzz", "\xff"};
enum {
	PRINCIPALS = sizeof principals / sizeof *principals,
	KEYS = sizeof keys / sizeof *keys,
	PREFIXES = sizeof prefixes / sizeof *prefixes
};

/* --- the model -------------------------------------------------------------------------------------------------- */

/* A value is its length, each byte of it its seed. */
struct row {
	uint64_t revision; /* 0: none */
	uint64_t seen[3];  /* some that it had before */
	size_t length;
	uint8_t seed;
};

struct model {
	struct try *try;
	struct row rows[PRINCIPALS][KEYS];
	uint64_t highest;  /* of all revisions */
	unsigned under_way, asked, conflicts, writes;
	bool idle;
};

enum kind { GET, SCAN, COMMIT, PAGE, KINDS };

struct question {
	struct model *model;
	unsigned number;   /* of the call */
	enum kind kind;
	unsigned principal, key, prefix; /* indexes */
	struct { unsigned key; uint64_t revision; bool remove; size_t length; uint8_t seed; } writes[WRITES_MAX];
	size_t count;
	/* PAGE: user of that principal or of all; after that principal or from the first. */
	bool of_user, is_after;
	unsigned after;
	size_t max;
};

static unsigned answered; /* number of the call answered last */

static unsigned pick(unsigned count)
{
	return (unsigned)rand() % count;
}

static void record_is(const struct store_record *record, const char *key, const struct row *row)
{
	assert_string_equal(record->key, key);
	assert_true(record->revision == row->revision);
	if (row->revision == 0) {
		assert_null(record->value);
		return;
	}
	assert_int_equal(record->length, row->length);
	for (size_t i = 0; i < row->length; i += row->length / 16 + 1)
		assert_int_equal(((const uint8_t *)record->value)[i], row->seed);
	if (row->length != 0)
		assert_int_equal(((const uint8_t *)record->value)[row->length - 1], row->seed);
}

static void answer_begins(const struct question *question)
{
	assert_int_equal(question->number, answered + 1);
	answered++;
}

static void answer_ends(struct question *question)
{
	struct model *model = question->model;

	free(question);
	model->idle = --model->under_way == 0;
	loop_stop(model->try->loop);
}

static int compare_keys(const void *left, const void *right)
{
	return strcmp(keys[*(const unsigned *)left], keys[*(const unsigned *)right]);
}

static void read_done(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct question *question = data;
	const struct row *rows = question->model->rows[question->principal];
	unsigned order[KEYS];
	size_t at = 0;

	answer_begins(question);
	assert_int_equal(status, STORE_OK);
	if (question->kind == GET)
		record_is(&records[at++], keys[question->key], &rows[question->key]);
	for (unsigned i = 0; i < KEYS; i++)
		order[i] = i;
	qsort(order, KEYS, sizeof *order, compare_keys);
	for (unsigned i = 0; i < KEYS && question->kind == SCAN; i++) {
		const char *prefix = prefixes[question->prefix];
		if (rows[order[i]].revision == 0 || strncmp(keys[order[i]], prefix, strlen(prefix)) != 0)
			continue;
		assert_true(at < count);
		record_is(&records[at++], keys[order[i]], &rows[order[i]]);
	}
	assert_int_equal(at, count);
	answer_ends(question);
}

static enum store_status expected_status(const struct question *question)
{
	const struct row *rows = question->model->rows[question->principal];

	for (size_t i = 0; i < question->count; i++) {
		if (rows[question->writes[i].key].revision != question->writes[i].revision)
			return STORE_CONFLICT;
		for (size_t j = 0; j < i; j++)
			if (question->writes[i].key == question->writes[j].key)
				return STORE_CONFLICT;
	}
	return STORE_OK;
}

static void write_applied(struct question *question, size_t i, uint64_t revision)
{
	struct row *row = &question->model->rows[question->principal][question->writes[i].key];

	memmove(row->seen + 1, row->seen, 2 * sizeof *row->seen);
	row->seen[0] = row->revision;
	row->revision = revision;
	row->length = question->writes[i].length;
	row->seed = question->writes[i].seed;
	if (question->writes[i].remove) {
		assert_true(revision == 0);
		return;
	}
	assert_true(revision > question->model->highest);
	question->model->highest = revision;
	question->model->writes++;
}

static void write_done(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct question *question = data;

	answer_begins(question);
	assert_int_equal(status, expected_status(question));
	assert_int_equal(count, status == STORE_OK ? question->count : 0);
	for (size_t i = 0; i < count; i++)
		write_applied(question, i, revisions[i]);
	question->model->conflicts += status == STORE_CONFLICT;
	answer_ends(question);
}

static void page_done(enum store_status status, const struct store_entry *entries, size_t count, bool more, void *data)
{
	struct question *question = data;
	size_t at = 0;
	bool expected_more = false;

	answer_begins(question);
	assert_int_equal(status, STORE_OK);
	for (unsigned i = 0; i < PRINCIPALS; i++) { /* they are in order */
		const struct row *row = &question->model->rows[i][question->key];
		if (row->revision == 0 || (question->is_after && i <= question->after) ||
			(question->of_user && strcmp(principals[i].user, principals[question->principal].user) != 0))
			continue;
		if (at == question->max) {
			expected_more = true;
			break;
		}
		assert_true(at < count);
		assert_string_equal(entries[at].principal.user, principals[i].user);
		assert_string_equal(entries[at].principal.device, principals[i].device);
		record_is(&entries[at++].record, keys[question->key], row);
	}
	assert_int_equal(at, count);
	assert_true(more == expected_more);
	answer_ends(question);
}

/* --- random calls ----------------------------------------------------------------------------------------------- */

/* Mostly what is there, else something old, or a guess. */
static uint64_t pick_revision(const struct row *row)
{
	unsigned dice = pick(10);

	return dice < 7 ? row->revision : dice < 9 ? row->seen[pick(3)] : pick(100);
}

static size_t pick_length(void)
{
	unsigned dice = pick(100);

	return dice < 80 ? pick(300) : dice < 98 ? pick(9000) : pick(VALUE_MAX);
}

static void ask_commit(struct question *question)
{
	static uint8_t values[WRITES_MAX][VALUE_MAX];
	struct store_write writes[WRITES_MAX];

	question->count = pick(WRITES_MAX + 1);
	for (size_t i = 0; i < question->count; i++) {
		question->writes[i].key = pick(KEYS);
		question->writes[i].remove = pick(4) == 0;
		question->writes[i].revision = pick_revision(&question->model->rows[question->principal][question->writes[i].key]);
		question->writes[i].length = pick_length();
		question->writes[i].seed = (uint8_t)rand();
		memset(values[i], question->writes[i].seed, question->writes[i].length);
		writes[i] = (struct store_write){
			.key = keys[question->writes[i].key], .revision = question->writes[i].revision, .value = values[i],
			.length = question->writes[i].length, .remove = question->writes[i].remove,
		};
	}
	store_commit(question->model->try->store, &principals[question->principal], writes, question->count, write_done, question);
}

static void ask_page(struct question *question)
{
	question->of_user = pick(2) == 0;
	question->is_after = pick(2) == 0;
	question->after = pick(PRINCIPALS);
	question->max = pick(PRINCIPALS + 1);
	store_page(question->model->try->store, question->of_user ? principals[question->principal].user : NULL,
		keys[question->key], question->is_after ? &principals[question->after] : NULL, question->max, page_done, question);
}

static void ask(struct model *model)
{
	struct question *question = mem_alloc(sizeof *question);

	question->model = model;
	question->number = ++model->asked;
	question->kind = pick(3) == 0 ? (enum kind)pick(KINDS) : COMMIT;
	question->principal = pick(PRINCIPALS);
	question->key = pick(KEYS);
	question->prefix = pick(PREFIXES);
	model->under_way++;
	model->idle = false;
	if (question->kind == GET)
		store_get(model->try->store, &principals[question->principal], keys[question->key], read_done, question);
	else if (question->kind == SCAN)
		store_scan(model->try->store, &principals[question->principal], prefixes[question->prefix], read_done, question);
	else if (question->kind == COMMIT)
		ask_commit(question);
	else
		ask_page(question);
}

static void random_calls_agree_with_the_model(void **state)
{
	const enum try_kind *kind = *state;
	struct model *model = mem_alloc(sizeof *model);

	srand(17);
	answered = 0;
	model->try = try_create(*kind);
	while (model->asked < CALLS) {
		for (unsigned burst = 1 + pick(UNDER_WAY_MAX); burst > 0; burst--)
			ask(model);
		if (pick(3) == 0)
			try_wait(model->try, &model->idle);
		else if (model->under_way > UNDER_WAY_MAX)
			loop_run(model->try->loop);
		if (model->asked / REOPEN_EVERY != (model->asked + UNDER_WAY_MAX) / REOPEN_EVERY && pick(2) == 0) {
			try_wait(model->try, &model->idle);
			try_reopen(model->try);
		}
	}
	try_wait(model->try, &model->idle);
	print_message("%s: %u calls, %u writes, %u conflicts\n", try_kind_names[*kind], model->asked, model->writes,
		model->conflicts);
	assert_true(model->writes > CALLS / 10 && model->conflicts > CALLS / 10);
	try_free(&model->try);
	free(model);
}

int main(void)
{
	static enum try_kind kinds[] = {TRY_MEMORY, TRY_MEMORY_POSTPONED, TRY_DISK};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(random_calls_agree_with_the_model, &kinds[0]),
		cmocka_unit_test_prestate(random_calls_agree_with_the_model, &kinds[1]),
		cmocka_unit_test_prestate(random_calls_agree_with_the_model, &kinds[2]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

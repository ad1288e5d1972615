/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SyncKeys: which are ours, and how they stand to the state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/activesync/sync_key.h"

static void a_key_is_0_or_a_series_and_a_number(void **state)
{
	static const struct {
		const char *text;
		int result;
		struct sync_key key;
	} cases[] = {
		{"0", 0, {0, 0}}, {"1-1", 0, {1, 1}}, {"4294967295-4294967295", 0, {UINT32_MAX, UINT32_MAX}}, {"7-12", 0, {7, 12}},
		{"", -1, {0, 0}}, {"1", -1, {0, 0}}, {"00", -1, {0, 0}}, {"-", -1, {0, 0}}, {"1-", -1, {0, 0}}, {"-1", -1, {0, 0}},
		{"1-0", -1, {0, 0}}, {"01-1", -1, {0, 0}}, {"1-01", -1, {0, 0}}, {" 1-1", -1, {0, 0}}, {"1-1 ", -1, {0, 0}},
		{"1--1", -1, {0, 0}}, {"+1-1", -1, {0, 0}}, {"4294967296-1", -1, {0, 0}}, {"1-4294967296", -1, {0, 0}},
		{"9999999999-9999999999", -1, {0, 0}}, {"1-1-1", -1, {0, 0}}, {"{F5A2}1", -1, {0, 0}},
		{"111111111111111111111111111111111111111111111111111111", -1, {0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sync_key key;
		if (sync_key_parse(cases[i].text, &key) != cases[i].result)
			fail_msg("%s", cases[i].text);
		if (cases[i].result < 0)
			continue;
		assert_int_equal(key.series, cases[i].key.series);
		assert_int_equal(key.number, cases[i].key.number);
	}
}

static void what_is_formatted_is_read_again(void **state)
{
	static const uint32_t numbers[] = {1, 2, 9, 10, 4000000000u, UINT32_MAX};
	char text[SYNC_KEY_TEXT];
	struct sync_key key;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < 6; k++) {
			sync_key_format(numbers[i], numbers[k], text);
			assert_int_equal(sync_key_parse(text, &key), 0);
			assert_true(key.series == numbers[i] && key.number == numbers[k]);
		}
}

static void a_key_is_compared_with_the_state(void **state)
{
	static const struct {
		struct sync_key key;
		uint32_t series, number;
		enum sync_key_is is;
	} cases[] = {
		{{0, 0}, 0, 0, SYNC_KEY_INITIAL}, {{0, 0}, 7, 5, SYNC_KEY_INITIAL},
		{{7, 5}, 7, 5, SYNC_KEY_CURRENT}, {{7, 4}, 7, 5, SYNC_KEY_REPEATED},
		{{7, 3}, 7, 5, SYNC_KEY_INVALID}, {{7, 6}, 7, 5, SYNC_KEY_INVALID}, {{8, 5}, 7, 5, SYNC_KEY_INVALID},
		{{7, 5}, 0, 0, SYNC_KEY_INVALID}, {{0, 1}, 0, 1, SYNC_KEY_INVALID}, {{0, 1}, 0, 2, SYNC_KEY_INVALID},
		{{7, UINT32_MAX}, 7, 0, SYNC_KEY_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (sync_key_compare(&cases[i].key, cases[i].series, cases[i].number) != cases[i].is)
			fail_msg("case %zu", i);
}

static void a_new_series_is_another_one(void **state)
{
	uint32_t one = sync_key_new_series(), two = sync_key_new_series(), three = sync_key_new_series();

	(void)state;
	assert_true(one != 0 && two != 0 && three != 0);
	assert_false(one == two && two == three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_0_or_a_series_and_a_number),
		cmocka_unit_test(what_is_formatted_is_read_again),
		cmocka_unit_test(a_key_is_compared_with_the_state),
		cmocka_unit_test(a_new_series_is_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

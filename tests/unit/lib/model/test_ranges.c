/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranges against a plain bitmap, by many random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/ranges.h"

enum { IDS = 300 };

static void fill(struct ranges *ranges, bool *model)
{
	memset(model, 0, IDS * sizeof *model);
	ranges_release(ranges);
	for (int i = 0; i < 20; i++) {
		uint64_t first = 1 + (uint64_t)rand() % (IDS - 30), last = first + (uint64_t)rand() % 25;
		bool adds = rand() % 3 != 0;
		if (adds)
			ranges_add(ranges, first, last);
		else
			ranges_remove(ranges, first, last);
		for (uint64_t id = first; id <= last; id++)
			model[id] = adds;
	}
}

static void is(const struct ranges *ranges, const bool *model)
{
	uint64_t size = 0;

	for (uint64_t id = 1; id < IDS; id++) {
		assert_int_equal(ranges_has(ranges, id), model[id]);
		size += model[id];
	}
	assert_int_equal(ranges_size(ranges), size);
	for (size_t i = 1; i < ranges->count; i++)
		assert_true(ranges->list[i].first > ranges->list[i - 1].last + 1);
}

static void every_operation_agrees_with_a_bitmap(void **state)
{
	struct ranges a = RANGES_EMPTY, b = RANGES_EMPTY, result = RANGES_EMPTY, back = RANGES_EMPTY;
	bool in_a[IDS], in_b[IDS], expected[4][IDS];
	struct buffer packed = BUFFER_EMPTY;

	(void)state;
	srand(11);
	for (int round = 0; round < 500; round++) {
		fill(&a, in_a);
		fill(&b, in_b);
		for (int id = 0; id < IDS; id++) {
			expected[0][id] = in_a[id] || in_b[id];
			expected[1][id] = in_a[id] && in_b[id];
			expected[2][id] = in_a[id] && !in_b[id];
			expected[3][id] = in_a[id] != in_b[id];
		}
		ranges_union(&result, &a, &b);
		is(&result, expected[0]);
		ranges_intersect(&result, &a, &b);
		is(&result, expected[1]);
		ranges_subtract(&result, &a, &b);
		is(&result, expected[2]);
		ranges_xor(&result, &a, &b);
		is(&result, expected[3]);
		ranges_xor(&back, &result, &b);
		assert_true(ranges_equal(&back, &a));
		buffer_truncate(&packed, 0);
		ranges_pack(&a, &packed);
		assert_int_equal(ranges_unpack(&back, packed.data, packed.length), 0);
		assert_true(ranges_equal(&back, &a));
	}
	buffer_release(&packed);
	ranges_release(&a);
	ranges_release(&b);
	ranges_release(&result);
	ranges_release(&back);
}

static void the_highest_are_kept(void **state)
{
	struct ranges ranges = RANGES_EMPTY;

	(void)state;
	ranges_add(&ranges, 1, 10);
	ranges_add(&ranges, 20, 22);
	ranges_keep_highest(&ranges, 5);
	assert_int_equal(ranges.count, 2);
	assert_int_equal(ranges.list[0].first, 9);
	ranges_keep_highest(&ranges, 2);
	assert_int_equal(ranges.count, 1);
	assert_int_equal(ranges.list[0].first, 21);
	ranges_keep_highest(&ranges, 0);
	assert_int_equal(ranges.count, 0);
	ranges_release(&ranges);
}

static void packed_rubbish_is_refused(void **state)
{
	static const char *const rubbish[] = {"\x80", "\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01",
		"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f"};
	static const char *const bits[] = {"\x80\x00", "\x80\x00\x80", "\x80\x00\x01",
		"\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01"};
	static const size_t lengths[] = {2, 3, 3, 12};
	struct ranges ranges = RANGES_EMPTY;

	(void)state;
	for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++)
		assert_int_equal(ranges_unpack(&ranges, rubbish[i], strlen(rubbish[i])), -1);
	for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
		assert_int_equal(ranges_unpack(&ranges, bits[i], lengths[i]), -1);
	assert_null(ranges.list);
}

static void ten_thousand_mails_with_two_hundred_holes_are_small(void **state)
{
	struct ranges ranges = RANGES_EMPTY;
	struct buffer packed = BUFFER_EMPTY;

	(void)state;
	ranges_add(&ranges, 40001, 50200);
	for (uint64_t hole = 0; hole < 200; hole++)
		ranges_remove(&ranges, 40010 + hole * 50, 40010 + hole * 50);
	ranges_pack(&ranges, &packed);
	assert_true(packed.length < 500);
	buffer_release(&packed);
	ranges_release(&ranges);
}

static void ten_thousand_mails_of_which_every_third_is_unread_are_small(void **state)
{
	struct ranges ranges = RANGES_EMPTY, back = RANGES_EMPTY;
	struct buffer packed = BUFFER_EMPTY;

	(void)state;
	for (uint64_t id = 40001; id <= 50000; id += 3)
		ranges_add(&ranges, id, id);
	ranges_pack(&ranges, &packed);
	assert_true(packed.length < 1300);
	assert_int_equal(ranges_unpack(&back, packed.data, packed.length), 0);
	assert_true(ranges_equal(&back, &ranges));
	buffer_release(&packed);
	ranges_release(&ranges);
	ranges_release(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_agrees_with_a_bitmap),
		cmocka_unit_test(the_highest_are_kept),
		cmocka_unit_test(packed_rubbish_is_refused),
		cmocka_unit_test(ten_thousand_mails_with_two_hundred_holes_are_small),
		cmocka_unit_test(ten_thousand_mails_of_which_every_third_is_unread_are_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times and how often they were so long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/core/histogram.h"

static void an_empty_one_says_nothing(void **state)
{
	struct histogram empty = {0};

	(void)state;
	assert_int_equal(histogram_quantile(&empty, 500), 0);
}

static void every_value_is_found_within_a_fifth(void **state)
{
	(void)state;
	for (uint64_t us = 0; us < (uint64_t)1 << 36; us = us * 9 / 8 + 1) {
		struct histogram one = {0};
		histogram_add(&one, us);
		assert_true(histogram_quantile(&one, 500) >= us);
		assert_true(histogram_quantile(&one, 500) <= us + us / 4);
	}
}

static void what_is_below_a_doubling_is_counted_exactly(void **state)
{
	static const uint64_t values[] = {0, 1, 3, 4, 7, 8, 1023, 1024, 1025, 65535, 65536, (uint64_t)1 << 40};
	struct histogram times = {0};
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		histogram_add(&times, values[i]);
		sum += values[i];
	}
	for (unsigned doubling = 2; doubling < HISTOGRAM_DOUBLINGS; doubling++) {
		unsigned below = 0;
		for (size_t i = 0; i < sizeof values / sizeof *values; i++)
			below += values[i] < (uint64_t)1 << doubling;
		assert_int_equal(histogram_below(&times, doubling), below);
	}
	assert_int_equal(times.sum_us, sum);
}

static void quantiles_are_those_of_what_was_added(void **state)
{
	struct histogram times = {0};

	(void)state;
	for (unsigned i = 0; i < 990; i++)
		histogram_add(&times, 1000);
	for (unsigned i = 0; i < 10; i++)
		histogram_add(&times, 1000000);
	assert_in_range(histogram_quantile(&times, 500), 1000, 1250);
	assert_in_range(histogram_quantile(&times, 990), 1000, 1250);
	assert_in_range(histogram_quantile(&times, 991), 1000000, 1250000);
	assert_int_equal(times.count, 1000);
}

static void what_is_beyond_all_is_counted_as_the_longest(void **state)
{
	struct histogram times = {0};

	(void)state;
	histogram_add(&times, UINT64_MAX);
	assert_int_equal(times.buckets[HISTOGRAM_BUCKETS - 1], 1);
	assert_true(histogram_quantile(&times, 1000) > (uint64_t)1 << 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_says_nothing),
		cmocka_unit_test(every_value_is_found_within_a_fifth),
		cmocka_unit_test(what_is_below_a_doubling_is_counted_exactly),
		cmocka_unit_test(quantiles_are_those_of_what_was_added),
		cmocka_unit_test(what_is_beyond_all_is_counted_as_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

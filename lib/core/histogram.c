/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Buckets in steps of a quarter of a power of two. */
#include "lib/core/histogram.h"

/* Below HISTOGRAM_STEPS each value has its own bucket; from there on the two bits after the highest choose the step. */
static unsigned bucket_of(uint64_t us)
{
	if (us < HISTOGRAM_STEPS)
		return (unsigned)us;
	unsigned highest = 63 - (unsigned)__builtin_clzll(us);
	unsigned bucket = (highest - 1) * HISTOGRAM_STEPS + (unsigned)((us >> (highest - 2)) & 3);

	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	unsigned highest = bucket / HISTOGRAM_STEPS + 1;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	return ((uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << (highest - 2)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t us)
{
	histogram->count++;
	histogram->sum_us += us;
	histogram->buckets[bucket_of(us)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned of_1000)
{
	uint64_t wanted = (histogram->count * of_1000 + 999) / 1000, seen = 0;
	unsigned bucket = 0;

	if (histogram->count == 0)
		return 0;
	while (bucket < HISTOGRAM_BUCKETS - 1 && (seen += histogram->buckets[bucket]) < wanted)
		bucket++;
	return bucket_end(bucket);
}

uint64_t histogram_below(const struct histogram *histogram, unsigned doubling)
{
	unsigned end = (doubling - 1) * HISTOGRAM_STEPS;
	uint64_t count = 0;

	for (unsigned bucket = 0; bucket < end && bucket < HISTOGRAM_BUCKETS; bucket++)
		count += histogram->buckets[bucket];
	return count;
}

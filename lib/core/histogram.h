/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often a time took how long: small, never full, and exact to a fifth. Zeroed memory is an empty one. */
#ifndef BELFRY_LIB_CORE_HISTOGRAM_H
#define BELFRY_LIB_CORE_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_STEPS = 4,                     /* in each doubling */
	HISTOGRAM_DOUBLINGS = 36,                /* 2^36 us are 19 hours; more counts as that */
	HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * HISTOGRAM_DOUBLINGS
};

struct histogram {
	uint64_t count, sum_us;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *, uint64_t us);
/* So many of a thousand took no longer than this; 0 when there is none. */
uint64_t histogram_quantile(const struct histogram *, unsigned of_1000);
/* So many took less than 2^doubling us; exact for a doubling of 2 and up. */
uint64_t histogram_below(const struct histogram *, unsigned doubling);

#endif

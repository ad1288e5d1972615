/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of ids as ranges. Union, intersection, difference and xor are one sweep with four truth tables. */
#include "lib/model/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

void ranges_release(struct ranges *ranges)
{
	free(ranges->list);
	*ranges = RANGES_EMPTY;
}

void ranges_move(struct ranges *to, struct ranges *from)
{
	struct ranges moved = *from;

	*from = RANGES_EMPTY;
	ranges_release(to);
	*to = moved;
}

void ranges_copy(struct ranges *to, const struct ranges *from)
{
	struct ranges copy = {.count = from->count, .room = from->count};

	copy.list = from->count == 0 ? NULL : mem_dup(from->list, from->count * sizeof *from->list);
	ranges_move(to, &copy);
}

static void append(struct ranges *ranges, uint64_t first, uint64_t last)
{
	struct range *end = ranges->count == 0 ? NULL : &ranges->list[ranges->count - 1];

	if (end != NULL && first <= end->last + 1) {
		if (last > end->last)
			end->last = last;
		return;
	}
	if (ranges->count == ranges->room) {
		ranges->room = ranges->room == 0 ? 4 : ranges->room * 2;
		ranges->list = mem_realloc(ranges->list, ranges->room * sizeof *ranges->list);
	}
	ranges->list[ranges->count++] = (struct range){first, last};
}

/* --- the sweep ------------------------------------------------------------------------------------------------- */

/* Where the membership of a set changes next, at or after which no smaller edge is left. Edge 2i begins range i, edge
 * 2i+1 is the id after its end. */
static uint64_t edge(const struct ranges *ranges, size_t at)
{
	if (at / 2 >= ranges->count)
		return UINT64_MAX;
	return at % 2 == 0 ? ranges->list[at / 2].first : ranges->list[at / 2].last + 1;
}

/* truth: bit (in_a + 2 * in_b) says whether such an id belongs to the result. */
static void combine(struct ranges *result_r, const struct ranges *a, const struct ranges *b, unsigned truth)
{
	struct ranges result = RANGES_EMPTY;
	size_t at_a = 0, at_b = 0;
	uint64_t start = 0;
	bool inside = false;

	for (;;) {
		uint64_t edge_a = edge(a, at_a), edge_b = edge(b, at_b), here = edge_a < edge_b ? edge_a : edge_b;
		if (here == UINT64_MAX)
			break;
		at_a += edge_a == here;
		at_b += edge_b == here;
		bool now = truth >> (at_a % 2 + 2 * (at_b % 2)) & 1;
		if (now && !inside)
			start = here;
		if (!now && inside)
			append(&result, start, here - 1);
		inside = now;
	}
	ranges_move(result_r, &result);
}

void ranges_union(struct ranges *result_r, const struct ranges *a, const struct ranges *b)
{
	combine(result_r, a, b, 0xe);
}

void ranges_intersect(struct ranges *result_r, const struct ranges *a, const struct ranges *b)
{
	combine(result_r, a, b, 0x8);
}

void ranges_subtract(struct ranges *result_r, const struct ranges *from, const struct ranges *what)
{
	combine(result_r, from, what, 0x2);
}

void ranges_xor(struct ranges *result_r, const struct ranges *a, const struct ranges *b)
{
	combine(result_r, a, b, 0x6);
}

/* --- single ids ------------------------------------------------------------------------------------------------ */

void ranges_add(struct ranges *ranges, uint64_t first, uint64_t last)
{
	struct range one = {first, last};
	struct ranges other = {.list = &one, .count = 1}, result = RANGES_EMPTY;

	if (ranges->count == 0 || first >= ranges->list[ranges->count - 1].first) {
		append(ranges, first, last);
		return;
	}
	ranges_union(&result, ranges, &other);
	ranges_move(ranges, &result);
}

void ranges_remove(struct ranges *ranges, uint64_t first, uint64_t last)
{
	struct range one = {first, last};
	struct ranges other = {.list = &one, .count = 1}, result = RANGES_EMPTY;

	ranges_subtract(&result, ranges, &other);
	ranges_move(ranges, &result);
}

bool ranges_has(const struct ranges *ranges, uint64_t id)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (id > ranges->list[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ranges->count && id >= ranges->list[low].first;
}

uint64_t ranges_size(const struct ranges *ranges)
{
	uint64_t size = 0;

	for (size_t i = 0; i < ranges->count; i++)
		size += ranges->list[i].last - ranges->list[i].first + 1;
	return size;
}

bool ranges_equal(const struct ranges *a, const struct ranges *b)
{
	return a->count == b->count && (a->count == 0 || memcmp(a->list, b->list, a->count * sizeof *a->list) == 0);
}

void ranges_keep_highest(struct ranges *ranges, uint64_t count)
{
	size_t at = ranges->count;

	while (at > 0 && count > 0) {
		struct range *range = &ranges->list[--at];
		uint64_t size = range->last - range->first + 1;
		if (size > count)
			range->first = range->last - count + 1;
		count -= size < count ? size : count;
	}
	ranges->count -= at;
	if (at > 0)
		memmove(ranges->list, ranges->list + at, ranges->count * sizeof *ranges->list);
}

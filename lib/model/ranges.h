/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A set of item ids as ascending ranges: what a device has of a mailbox, in a few hundred bytes instead of a list.
 * Ids are 1 and up. All functions take time linear in the number of ranges, not of ids (but where said).
 */
#ifndef BELFRY_LIB_MODEL_RANGES_H
#define BELFRY_LIB_MODEL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buffer.h"

struct range {
	uint64_t first, last; /* both belong to it */
};

struct ranges {
	struct range *list; /* ascending, neither overlapping nor touching */
	size_t count, room;
};

#define RANGES_EMPTY ((struct ranges){0})

/* Frees the memory; the set is then empty and usable. */
void ranges_release(struct ranges *);
void ranges_copy(struct ranges *to, const struct ranges *from);
/* Takes from's memory; from is empty afterwards. */
void ranges_move(struct ranges *to, struct ranges *from);

/* Adding at or after the end is O(1), elsewhere linear. */
void ranges_add(struct ranges *, uint64_t first, uint64_t last);
void ranges_remove(struct ranges *, uint64_t first, uint64_t last);
bool ranges_has(const struct ranges *, uint64_t id); /* O(log ranges) */
uint64_t ranges_size(const struct ranges *);         /* how many ids */
bool ranges_equal(const struct ranges *, const struct ranges *);

/* result_r may be one of the operands; what it held is dropped. */
void ranges_union(struct ranges *result_r, const struct ranges *, const struct ranges *);
void ranges_intersect(struct ranges *result_r, const struct ranges *, const struct ranges *);
void ranges_subtract(struct ranges *result_r, const struct ranges *from, const struct ranges *what);
/* In exactly one of both: applying it twice gives the first back, which is how the state before the last is kept. */
void ranges_xor(struct ranges *result_r, const struct ranges *, const struct ranges *);
/* The highest `count` ids only (new mail goes first). */
void ranges_keep_highest(struct ranges *, uint64_t count);

/* Packed form, whichever is shorter: per range the gap to the one before and the length, as base-128 numbers; or the
 * first id and from it on a bit for each, so that it has never more than an eighth of a byte an id and a few bytes. */
void ranges_pack(const struct ranges *, struct buffer *);
/* -1: not such a form (overflow, a cut number). */
int ranges_unpack(struct ranges *ranges_r, const void *bytes, size_t length);

#endif

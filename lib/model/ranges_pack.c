/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packed forms of ranges. A set that is full of small gaps (every third mail is unread) is smaller as bits. */
#include <string.h>

#include "lib/model/ranges.h"

/* A number that nobody packs, for 0 has a shorter form: bits follow. */
static const uint8_t bits_mark[] = {0x80, 0x00};

/* --- numbers --------------------------------------------------------------------------------------------------- */

static void pack_number(struct buffer *buffer, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		buffer_append_byte(buffer, (uint8_t)(number | 0x80));
	buffer_append_byte(buffer, (uint8_t)number);
}

static int unpack_number(const uint8_t **at, const uint8_t *end, uint64_t *number_r)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 63 && *at < end; shift += 7) {
		uint8_t byte = *(*at)++;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*number_r = number;
			return 0;
		}
	}
	return -1;
}

/* --- bits ------------------------------------------------------------------------------------------------------ */

static void pack_bits(const struct ranges *ranges, size_t bytes, struct buffer *buffer)
{
	uint64_t first = ranges->list[0].first;
	uint8_t *bits;

	buffer_append(buffer, bits_mark, sizeof bits_mark);
	pack_number(buffer, first - 1);
	bits = memset(buffer_reserve(buffer, bytes), 0, bytes);
	for (size_t i = 0; i < ranges->count; i++)
		for (uint64_t at = ranges->list[i].first - first; at <= ranges->list[i].last - first; at++)
			bits[at / 8] |= (uint8_t)(1 << at % 8);
	buffer_grow(buffer, bytes);
}

static int unpack_bits(struct ranges *ranges, const uint8_t *at, const uint8_t *end)
{
	uint64_t first;

	if (unpack_number(&at, end, &first) < 0 || at == end || first > INT64_MAX - 2 - 8 * (uint64_t)(end - at))
		return -1;
	for (first++; at < end; at++, first += 8)
		for (unsigned bit = 0; bit < 8; bit++)
			if (*at >> bit & 1)
				ranges_add(ranges, first + bit, first + bit);
	return 0;
}

/* --- ranges ---------------------------------------------------------------------------------------------------- */

static void pack_ranges(const struct ranges *ranges, struct buffer *buffer)
{
	uint64_t before = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		pack_number(buffer, ranges->list[i].first - before - 1);
		pack_number(buffer, ranges->list[i].last - ranges->list[i].first);
		before = ranges->list[i].last + 1;
	}
}

static int unpack_ranges(struct ranges *ranges, const uint8_t *at, const uint8_t *end)
{
	uint64_t before = 0, gap, size;

	while (at < end) {
		if (unpack_number(&at, end, &gap) < 0 || unpack_number(&at, end, &size) < 0 ||
		    gap > INT64_MAX - before - 2 || size > INT64_MAX - before - gap - 2)
			return -1;
		ranges_add(ranges, before + gap + 1, before + gap + 1 + size);
		before = before + gap + 1 + size + 1;
	}
	return 0;
}

/* --- both ------------------------------------------------------------------------------------------------------ */

void ranges_pack(const struct ranges *ranges, struct buffer *buffer)
{
	size_t start = buffer->length;

	pack_ranges(ranges, buffer);
	if (ranges->count == 0)
		return;
	uint64_t bytes = (ranges->list[ranges->count - 1].last - ranges->list[0].first) / 8 + 1;
	enum { HEAD_BYTES_MAX = sizeof bits_mark + 9 };
	if (bytes + HEAD_BYTES_MAX >= buffer->length - start)
		return;
	buffer_truncate(buffer, start);
	pack_bits(ranges, (size_t)bytes, buffer);
}

int ranges_unpack(struct ranges *ranges_r, const void *bytes, size_t length)
{
	const uint8_t *at = bytes, *end = length == 0 ? at : at + length; /* bytes may be NULL then */
	bool is_bits = length >= sizeof bits_mark && memcmp(at, bits_mark, sizeof bits_mark) == 0;
	struct ranges ranges = RANGES_EMPTY;

	if ((is_bits ? unpack_bits(&ranges, at + sizeof bits_mark, end) : unpack_ranges(&ranges, at, end)) < 0) {
		ranges_release(&ranges);
		return -1;
	}
	ranges_move(ranges_r, &ranges);
	return 0;
}

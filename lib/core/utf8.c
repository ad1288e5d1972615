/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is this UTF-8? Asked of names that strangers hand over, before they are compared, stored or logged. */
#include "lib/core/utf8.h"

#include <stdint.h>

/* RFC 3629 section 4: the second byte's range depends on the first; the others are 80..BF. */
static const struct lead {
	uint8_t first, last, low, high, more;
} leads[] = {
	{0x00, 0x7f, 0, 0, 0},
	{0xc2, 0xdf, 0x80, 0xbf, 1},
	{0xe0, 0xe0, 0xa0, 0xbf, 2},
	{0xe1, 0xec, 0x80, 0xbf, 2},
	{0xed, 0xed, 0x80, 0x9f, 2},
	{0xee, 0xef, 0x80, 0xbf, 2},
	{0xf0, 0xf0, 0x90, 0xbf, 3},
	{0xf1, 0xf3, 0x80, 0xbf, 3},
	{0xf4, 0xf4, 0x80, 0x8f, 3},
};

static const struct lead *find_lead(uint8_t byte)
{
	for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

bool utf8_is_valid(const char *text, size_t length)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + length;

	while (at < end) {
		const struct lead *lead = find_lead(*at++);
		if (lead == NULL || (size_t)(end - at) < lead->more)
			return false;
		if (lead->more > 0 && (at[0] < lead->low || at[0] > lead->high))
			return false;
		for (size_t i = 1; i < lead->more; i++)
			if (at[i] < 0x80 || at[i] > 0xbf)
				return false;
		at += lead->more;
	}
	return true;
}

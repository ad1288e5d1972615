/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PROXY protocol: one line of text (version 1), or a signature and a small binary header (version 2). */
#include "lib/net/proxy_header.h"

#include <stdlib.h>
#include <string.h>

/* Section 2.2 */
enum {
	V2_FIXED = 16, V2_VERSION = 0x20, V2_LOCAL = 0, V2_PROXY = 1,
	V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21,
	V2_TCP4_BYTES = 12, V2_TCP6_BYTES = 36
};

static const char v1_begin[] = "PROXY ";
static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* --- version 1 -------------------------------------------------------------------------------------------------- */

/* The next word of the line, up to one space or the end. false: there is none. */
static bool next_word(const char **at, const char *end, const char **word_r, size_t *length_r)
{
	const char *space = *at >= end ? NULL : memchr(*at, ' ', (size_t)(end - *at));
	const char *stop = space != NULL ? space : end;

	if (*at >= end || stop == *at)
		return false;
	*word_r = *at;
	*length_r = (size_t)(stop - *at);
	*at = stop + (space != NULL);
	return true;
}

static bool is_word(const char *word, size_t length, const char *expected)
{
	return length == strlen(expected) && memcmp(word, expected, length) == 0;
}

/* Bare: no brackets, no port behind it, of the family that was said. */
static int parse_address(const char *word, size_t length, bool is_v6, struct ip *ip_r)
{
	if (word[0] == '[' || (memchr(word, ':', length) != NULL) != is_v6)
		return -1;
	return ip_parse(word, length, ip_r);
}

static bool is_port(const char *word, size_t length)
{
	unsigned port = 0;

	for (size_t i = 0; i < length; i++) {
		if (word[i] < '0' || word[i] > '9' || i >= 5)
			return false;
		port = port * 10 + (unsigned)(word[i] - '0');
	}
	return port <= 65535;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443" */
static int parse_line(const char *at, const char *end, struct proxy_header *header_r)
{
	const char *word;
	size_t length;
	struct ip ignored;

	if (!next_word(&at, end, &word, &length))
		return -1;
	if (is_word(word, length, "UNKNOWN"))
		return 0;
	bool is_v6 = is_word(word, length, "TCP6");
	if (!is_v6 && !is_word(word, length, "TCP4"))
		return -1;
	if (!next_word(&at, end, &word, &length) || parse_address(word, length, is_v6, &header_r->source) < 0 ||
	    !next_word(&at, end, &word, &length) || parse_address(word, length, is_v6, &ignored) < 0 ||
	    !next_word(&at, end, &word, &length) || !is_port(word, length) ||
	    !next_word(&at, end, &word, &length) || !is_port(word, length) || at != end || end[-1] == ' ')
		return -1;
	header_r->has_source = true;
	return 0;
}

static int parse_v1(const char *bytes, size_t length, struct proxy_header *header_r)
{
	size_t seen = length < PROXY_HEADER_V1_MAX ? length : PROXY_HEADER_V1_MAX;
	const char *line_end = memchr(bytes, '\r', seen);

	if (line_end == NULL)
		return length >= PROXY_HEADER_V1_MAX ? -1 : 0;
	if ((size_t)(line_end + 1 - bytes) == seen)
		return length >= PROXY_HEADER_V1_MAX ? -1 : 0;
	if (line_end[1] != '\n' || parse_line(bytes + sizeof v1_begin - 1, line_end, header_r) < 0)
		return -1;
	return (int)(line_end + 2 - bytes);
}

/* --- version 2 -------------------------------------------------------------------------------------------------- */

static int take_source(const uint8_t *bytes, size_t address_bytes, struct proxy_header *header_r)
{
	const uint8_t *address = bytes + V2_FIXED;

	if (bytes[13] == V2_UNSPEC)
		return 0;
	if (bytes[13] == V2_TCP4 && address_bytes >= V2_TCP4_BYTES)
		header_r->source = ip_from_v4(address);
	else if (bytes[13] == V2_TCP6 && address_bytes >= V2_TCP6_BYTES)
		memcpy(header_r->source.bytes, address, sizeof header_r->source.bytes);
	else
		return -1;
	header_r->has_source = true;
	return 0;
}

static int parse_v2(const uint8_t *bytes, size_t length, struct proxy_header *header_r)
{
	if (length < V2_FIXED)
		return 0;
	size_t address_bytes = (size_t)bytes[14] << 8 | bytes[15], whole = V2_FIXED + address_bytes;
	unsigned command = bytes[12] & 0x0f;
	if ((bytes[12] & 0xf0) != V2_VERSION || command > V2_PROXY || whole > PROXY_HEADER_MAX)
		return -1;
	if (length < whole)
		return 0;
	if (command == V2_PROXY && take_source(bytes, address_bytes, header_r) < 0)
		return -1;
	return (int)whole;
}

/* --- both ------------------------------------------------------------------------------------------------------- */

static bool begins(const void *bytes, size_t length, const char *what, size_t whole)
{
	return memcmp(bytes, what, length < whole ? length : whole) == 0;
}

int proxy_header_parse(const void *bytes, size_t length, struct proxy_header *header_r)
{
	*header_r = (struct proxy_header){0};
	if (length == 0)
		return 0;
	if (begins(bytes, length, v2_signature, sizeof v2_signature))
		return length <= sizeof v2_signature ? 0 : parse_v2(bytes, length, header_r);
	if (begins(bytes, length, v1_begin, sizeof v1_begin - 1))
		return length < sizeof v1_begin ? 0 : parse_v1(bytes, length, header_r);
	return -1;
}

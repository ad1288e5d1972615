/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PROXY headers: those of the specification, whole and in every split, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/proxy_header.h"

#define TEXT(literal) literal, sizeof literal - 1
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES "\xc0\x00\x02\x01\xc6\x33\x64\x07\xd4\x31\x01\xbb"
#define V6_ADDRESSES "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" "\xd4\x31\x01\xbb"

static const struct {
	const char *bytes;
	size_t length;
	const char *source; /* "": the proxy itself; NULL: no header */
} cases[] = {
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 443\r\n"), "192.0.2.1"},
	{TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 54321 443\r\n"), "[2001:db8::1]"},
	{TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"},
	{TEXT("PROXY UNKNOWN\r\n"), ""},
	{TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), ""},
	{TEXT(SIGNATURE "\x21\x11\0\x0c" V4_ADDRESSES), "192.0.2.1"},
	{TEXT(SIGNATURE "\x21\x11\0\x10" V4_ADDRESSES "\x04\0\x01\0"), "192.0.2.1"}, /* a TLV, NOOP */
	{TEXT(SIGNATURE "\x21\x21\0\x24" V6_ADDRESSES), "[2001:db8::1]"},
	{TEXT(SIGNATURE "\x20\0\0\0"), ""},
	{TEXT(SIGNATURE "\x20\x11\0\x0c" V4_ADDRESSES), ""},
	{TEXT(SIGNATURE "\x21\0\0\x02" "\1\2"), ""},

	{TEXT("GET / HTTP/1.1\r\n"), NULL},
	{TEXT("\x16\x03\x01"), NULL},
	{TEXT("proxy TCP4 192.0.2.1 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY  TCP4 192.0.2.1 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP4  192.0.2.1 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 443 \r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 443 1\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 65536\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 +443\r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1:5 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP4 2001:db8::1 2001:db8::2 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP6 192.0.2.1 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP6 [2001:db8::1] 2001:db8::2 54321 443\r\n"), NULL},
	{TEXT("PROXY TCP4 localhost 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY UDP4 192.0.2.1 198.51.100.7 54321 443\r\n"), NULL},
	{TEXT("PROXY \r\n"), NULL},
	{TEXT("PROXY TCP4 192.0.2.1 198.51.100.7 54321 443\rX"), NULL},
	{TEXT("PROXY UNKNOWN 89 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1\r\n"),
		NULL},
	{TEXT(SIGNATURE "\x11\x11\0\x0c" V4_ADDRESSES), NULL}, /* version 1 in the form of 2 */
	{TEXT(SIGNATURE "\x22\x11\0\x0c" V4_ADDRESSES), NULL}, /* no such command */
	{TEXT(SIGNATURE "\x21\x11\0\x0b" "\xc0\x00\x02\x01\xc6\x33\x64\x07\xd4\x31\x01"), NULL},
	{TEXT(SIGNATURE "\x21\x12\0\x0c" V4_ADDRESSES), NULL}, /* UDP */
	{TEXT(SIGNATURE "\x21\x21\0\x0c" V4_ADDRESSES), NULL},
	{TEXT(SIGNATURE "\x21\x11\xff\xff"), NULL},
};

/* In a block of its own, so that a look behind the end is seen. */
static int parse(const char *bytes, size_t length, struct proxy_header *header_r)
{
	char *exact = malloc(length + (length == 0));

	memcpy(exact, bytes, length);
	int result = proxy_header_parse(exact, length, header_r);
	free(exact);
	return result;
}

static void headers_are_read_and_others_refused(void **state)
{
	struct proxy_header header;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int result = parse(cases[i].bytes, cases[i].length, &header);
		if (result != (cases[i].source == NULL ? -1 : (int)cases[i].length))
			fail_msg("case %zu: %d", i, result);
		if (result < 0)
			continue;
		text[0] = '\0';
		if (header.has_source)
			ip_print(&header.source, text, sizeof text);
		assert_string_equal(text, cases[i].source);
	}
}

static void less_of_a_header_waits_for_more(void **state)
{
	struct proxy_header header;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t length = 0; cases[i].source != NULL && length < cases[i].length; length++)
			assert_int_equal(parse(cases[i].bytes, length, &header), 0);
}

static void what_follows_a_header_is_left(void **state)
{
	struct proxy_header header;
	char bytes[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (cases[i].source == NULL)
			continue;
		memcpy(bytes, cases[i].bytes, cases[i].length);
		strcpy(bytes + cases[i].length, "GET / HTTP/1.1\r\n\r\n");
		assert_int_equal(parse(bytes, cases[i].length + 18, &header), cases[i].length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read_and_others_refused),
		cmocka_unit_test(less_of_a_header_waits_for_more),
		cmocka_unit_test(what_follows_a_header_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

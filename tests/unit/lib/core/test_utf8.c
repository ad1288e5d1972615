/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is UTF-8 and what is not (RFC 3629). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/utf8.h"

static void well_formed_text_is_told_from_the_rest(void **state)
{
	static const struct { const char *text; bool is_valid; } cases[] = {
		{"", true}, {"INBOX", true}, {"Entw\xc3\xbcrfe", true}, {"\xe2\x82\xac", true}, {"\xf0\x9f\x94\x94", true},
		{"\xf4\x8f\xbf\xbf", true}, {"\xed\x9f\xbf", true},
		{"\x80", false}, {"\xc3", false}, {"\xe2\x82", false}, {"\xf0\x9f\x94", false}, /* cut */
		{"\xc0\xaf", false}, {"\xc1\xbf", false}, {"\xe0\x80\xaf", false}, {"\xf0\x80\x80\xaf", false}, /* overlong */
		{"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false}, {"\xff", false},
		{"a\xc3(", false}, {"Entw\xfcrfe", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(utf8_is_valid(cases[i].text, strlen(cases[i].text)), cases[i].is_valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_told_from_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

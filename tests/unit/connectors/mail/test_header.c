/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in headers: fields, encoded words, parameters, addresses, dates. */
#include "tests/unit/connectors/mail/try.h"

#include "connectors/mail/address.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header.h"
#include "connectors/mail/param.h"
#include "connectors/mail/words.h"

static void fields_are_found_between_lines_that_are_none(void **state)
{
	static const char header[] = "From a@b Mon\r\nA: 1\r\nno field\r\nB :2\r\n folded\nC:\r\n\tx\r\n: no name\r\nb\xc3\xa4" "d: x\r\n\r\nbody";
	static const struct { const char *name, *value; } fields[] = {{"A", "1"}, {"B", "2\r\n folded"}, {"C", "x"}};
	struct slice rest = slice_string(header);
	struct header_field field;

	(void)state;
	for (size_t i = 0; i < LENGTH(fields); i++) {
		assert_true(header_next(&rest, &field));
		assert_true(slice_is(field.name, fields[i].name));
		assert_true(slice_is(field.value, fields[i].value));
	}
	assert_false(header_next(&rest, &field));
	assert_true(slice_is(rest, "body"));
}

static void encoded_words_are_decoded(void **state)
{
	static const struct { const char *raw, *text; } cases[] = {
		{"plain", "plain"},
		{"", ""},
		{"=?utf-8?Q?a=C3=A4?=", "a\xc3\xa4"},
		{"=?UTF-8*de?q?a_b?=", "a b"},
		{"=?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?=", "\xc3\xa4\xc3\xb6"},
		{"=?utf-8?B?w6Q=?=\r\n =?utf-8?B?w7Y=?= z", "\xc3\xa4\xc3\xb6 z"},
		{"a =?utf-8?Q?b?= c", "a b c"},
		{"a=?utf-8?Q?b?=c", "abc"},
		/* a character cut in two */
		{"=?utf-8?B?ww==?= =?utf-8?B?pA==?=", "\xc3\xa4"},
		{"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "\xc3\xa4"},
		{"=?utf-8?Q?=C3?= x", "\xef\xbf\xbd x"},
		{"=?iso-8859-1?Q?=E4?= =?utf-8?Q?=C3=B6?=", "\xc3\xa4\xc3\xb6"},
		{"=?iso-8859-1?Q?=84x=93?=", "\xe2\x80\x9ex\xe2\x80\x9c"}, /* windows-1252 in truth */
		{"=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"=?no-such-set?Q?abc?=", "abc"},
		/* broken */
		{"=?utf-8?Q?with space?=", "with space"},
		{"=?utf-8?Q?really?\?=", "really?"},
		{"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
		{"=?utf-8?Q?never closed", "=?utf-8?Q?never closed"},
		{"=?utf-8?Q", "=?utf-8?Q"},
		{"=?=?=?=?", "=?=?=?=?"},
		{"=??Q?abc?=", "=??Q?abc?="},
		{"=?utf-8?B?w6Q?=", "\xc3\xa4"},
		{"=?utf-8?Q?=ZZ=4x?=", "=ZZ=4x"},
		/* raw */
		{"Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e"},
		{"Gr\xfc\xdf" "e", "Gr\xc3\xbc\xc3\x9f" "e"},
		{"\x1b$B$3\x1b(B", "\xe3\x81\x93"},
		{"=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"=?gb18030?B?xOM=?= =?GB18030?B?usM=?=", "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"=?iso-2022-kr?B?GyQpQw5HUTE5Dw==?=", "\xed\x95\x9c\xea\xb5\xad"},
		{"=?utf-7?Q?a+AOQ-b?=", "a\xc3\xa4" "b"},
		{"=?utf-16?B?/v8AYQDk?=", "a\xc3\xa4"},
		{"=?windows-1256?Q?=D3=E1?=", "\xd8\xb3\xd9\x84"},
		{"a\tb\r\n c\x01", "a b c"},
		{"=?utf-8?Q?a=0D=0Ab=00c?=", "a  bc"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(words_decode(arena, slice_string(cases[i].raw)), cases[i].text);
	arena_free(&arena);
}

/* Each takes time with its length, not with its square: with 1 MB and squares this would not end. */
static void floods_take_linear_time(void **state)
{
	static const char *const pieces[] = {"=?", "=?utf-8?Q?", "=?u?q?=?=", "\"\\", "(", "<", "a*0*=b;", ";", "=?=", "a@b,", "\r\n "};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(pieces); i++) {
		struct buffer flood = BUFFER_EMPTY;
		struct param *params;
		struct slice value, raw;

		while (flood.length < 1000000)
			buffer_append_string(&flood, pieces[i]);
		raw = slice_of(flood.data, flood.length);
		assert_non_null(words_decode(arena, raw));
		assert_non_null(address_list(arena, raw));
		param_split(arena, raw, &value, &params);
		param_text(arena, params, "a");
		buffer_release(&flood);
	}
	arena_free(&arena);
}

static void addresses_are_told_as_people_read_them(void **state)
{
	static const struct { const char *raw, *list, *names; } cases[] = {
		{"", "", ""},
		{"a@b", "a@b", "a@b"},
		{" <a@b> ", "a@b", "a@b"},
		{"Anna <a@b>", "\"Anna\" <a@b>", "Anna"},
		{"\"Doe, J\\\"r\" <a@b>, c@d", "\"Doe, J\\\"r\" <a@b>, c@d", "Doe, J\"r; c@d"},
		{"a@b (Anna (the first))", "\"Anna (the first)\" <a@b>", "Anna (the first)"},
		{"=?utf-8?Q?M=C3=BCller=2C_A?= <a@b>", "\"M\xc3\xbcller, A\" <a@b>", "M\xc3\xbcller, A"},
		{"\"=?utf-8?Q?M=C3=BC?=\" <a@b>", "\"M\xc3\xbc\" <a@b>", "M\xc3\xbc"},
		{"Team: a@b, c@d;, e@f", "a@b, c@d, e@f", "a@b; c@d; e@f"},
		{"undisclosed-recipients:;", "", ""},
		{"<@x,@y:a@b>", "a@b", "a@b"},
		{"\"a@b\" <a@b>", "a@b", "a@b"},
		{"No Address", "\"No Address\"", "No Address"},
		{"Anna <a@b", "\"Anna\" <a@b>", "Anna"},
		{"\"never closed <a@b>", "\"never closed\" <a@b>", "never closed"},
		{"A <a@b>; B <c@d>", "\"A\" <a@b>, \"B\" <c@d>", "A; B"},
		{"Anna\r\n Maria\t<a@b>", "\"Anna Maria\" <a@b>", "Anna Maria"},
		{",,;,", "", ""},
		{"a\"b\"c <d@e>", "\"abc\" <d@e>", "abc"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_string_equal(address_list(arena, slice_string(cases[i].raw)), cases[i].list);
		assert_string_equal(address_names(arena, slice_string(cases[i].raw)), cases[i].names);
	}
	arena_free(&arena);
}

static void parameters_are_joined_and_decoded(void **state)
{
	static const struct { const char *field, *value, *name, *text; } cases[] = {
		{"text/plain; charset=utf-8", "text/plain", "charset", "utf-8"},
		{"text/plain ;CHARSET = \"utf-8\" ; x=y", "text/plain", "charset", "utf-8"},
		{"a; name=\"b;c=d\\\"e\"", "a", "name", "b;c=d\"e"},
		{"a; name=b", "a", "filename", NULL},
		{"a; filename*=utf-8''%C3%A4", "a", "filename", "\xc3\xa4"},
		{"a; filename*=''plain", "a", "filename", "plain"},
		{"a; filename*=broken%C3%A4", "a", "filename", "broken\xc3\xa4"},
		{"a; filename*0=one; filename*1=two", "a", "filename", "onetwo"},
		{"a; filename*1=two; filename*0=one", "a", "filename", "onetwo"},
		{"a; filename*0*=iso-8859-1''%E4; filename*1=%E4; filename*2*=%F6", "a", "filename", "\xc3\xa4%E4\xc3\xb6"},
		{"a; filename*0=one; filename*2=three", "a", "filename", "one"},
		{"a; filename*1=two", "a", "filename", NULL},
		{"a; filename=old; filename*=utf-8''new", "a", "filename", "new"},
		{"a; filename*=utf-8''new; filename=old", "a", "filename", "new"},
		{"a; filename==?utf-8?Q?=C3=A4?=", "a", "filename", "\xc3\xa4"},
		{"a; filename*0*=koi8-r'ru'%F0%D2%C9; filename*1*=%D7%C5%D4; filename*2=\".txt\"", "a", "filename",
			"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82.txt"},
		{"a; filename*0*=gb18030''%C4; filename*1*=%E3%BA%C3", "a", "filename", "\xe4\xbd\xa0\xe5\xa5\xbd"}, /* cut within a letter */
		{"a; filename*=utf-16le''a%00%E4%00", "a", "filename", "a\xc3\xa4"},
		{"a; filename*=x-unknown''%E4", "a", "filename", "\xc3\xa4"},
		{"a; filename=\"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?=.txt\"", "a", "filename",
			"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt"},
		{"a; filename=\"=?windows-1251?Q?=CF=F0=E8?=\"", "a", "filename", "\xd0\x9f\xd1\x80\xd0\xb8"},
		{"a; filename*99999999999999999999=x", "a", "filename", NULL},
		{"a; filename*x=1", "a", "filename", NULL},
		{"a; filename", "a", "filename", NULL},
		{"a; filename=", "a", "filename", ""},
		{"a; filename=\"never closed", "a", "filename", "never closed"},
		{"a; =x; b", "a", "", "x"},
		{";;;", "", "a", NULL},
		{"", "", "a", NULL},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct param *params;
		struct slice value;
		char *text;

		param_split(arena, slice_string(cases[i].field), &value, &params);
		assert_true(slice_is(value, cases[i].value));
		text = param_text(arena, params, cases[i].name);
		if (cases[i].text == NULL)
			assert_null(text);
		else
			assert_string_equal(text, cases[i].text);
	}
	arena_free(&arena);
}

static void dates_are_read_in_all_their_forms(void **state)
{
	static const struct { const char *text; uint64_t seconds; } cases[] = {
		{"Fri, 21 Nov 1997 09:55:06 -0600", 880127706},
		{"21 Nov 1997 15:55:06 GMT", 880127706},
		{"21-Nov-1997 15:55:06 +0000", 880127706},
		{" 1-Jan-2000 00:00:00 +0000", 946684800},
		{"Tue, 29 Feb 2000 23:59:59 +0000", 951868799},
		{"Wed, 31 Dec 2036 12:00:00 +1400", 2114287200},
		{"Thu,  1 Jan 26 00:00 EST", 1767243600},
		{"1 January 1999 1:02:03", 915152523},
		{"1 Jan 99 01.02.03 +0000 (comment)", 915152523},
		{"1 Jan 1999 01:02:03 +9999", 915152523},
		{"1 Jan 1960 00:00:00 +0000", 0},
		{"32 Jan 1999 00:00:00", 0},
		{"1 Foo 1999 00:00:00", 0},
		{"1 Jan 1999 25:00:00", 0},
		{"1 Jan 1999", 0},
		{"yesterday", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(date_parse(slice_string(cases[i].text)), cases[i].seconds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found_between_lines_that_are_none),
		cmocka_unit_test(encoded_words_are_decoded),
		cmocka_unit_test(floods_take_linear_time),
		cmocka_unit_test(addresses_are_told_as_people_read_them),
		cmocka_unit_test(parameters_are_joined_and_decoded),
		cmocka_unit_test(dates_are_read_in_all_their_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

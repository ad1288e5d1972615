/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Categories as IMAP keywords and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "connectors/imap/keyword.h"

static const char *encoded(const char *category)
{
	static char text[1000];
	struct buffer keyword = BUFFER_EMPTY;
	int result = keyword_encode(&keyword, category);

	strcpy(text, result == 0 ? buffer_string(&keyword) : "(none)");
	buffer_release(&keyword);
	return text;
}

static const char *decoded(const char *keyword)
{
	static char text[1000];
	struct buffer category = BUFFER_EMPTY;
	int result = keyword_decode(&category, keyword, strlen(keyword));

	strcpy(text, result == 0 ? buffer_string(&category) : "(none)");
	buffer_release(&category);
	return text;
}

static void a_category_comes_back_from_its_keyword(void **state)
{
	static const struct { const char *category, *keyword; } cases[] = {
		{"Work", "Work"}, {"Red Category", "Red&ACA-Category"}, {"Q&A", "Q&-A"}, {"Priv\xc3\xa9", "Priv&AOk-"},
		{"\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-"}, {"\xf0\x9f\x94\x94", "&2D3dFA-"},
		/* what an atom must not have */
		{"a(b)", "a&ACg-b&ACk-"}, {"{1}", "&AHs-1}"}, {"50%", "50&ACU-"}, {"*", "&ACo-"}, {"a\"b", "a&ACI-b"},
		{"\\Seen", "&AFw-Seen"}, {"[x]", "[x&AF0-"}, {" ", "&ACA-"},
		/* what is a program's */
		{"Junk", "&AEo-unk"}, {"nonjunk", "&AG4-onjunk"}, {"$Forwarded", "&ACQ-Forwarded"}, {"$", "&ACQ-"}, {"a$", "a$"},
		{"Junk mail", "Junk&ACA-mail"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(encoded(cases[i].category), cases[i].keyword);
		assert_string_equal(decoded(cases[i].keyword), cases[i].category);
	}
}

static void what_programs_write_is_no_category(void **state)
{
	static const char *const keywords[] = {"$Forwarded", "$MDNSent", "$label1", "$BelfryMove", "Junk", "NonJunk", "nonjunk",
		"NotJunk", "Forwarded", "Redirected", "JunkRecorded", "Old", "", "a&", "a&!-", "&AGE-", "a&b-", "x&AC-"};

	(void)state;
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		assert_string_equal(decoded(keywords[i]), "(none)");
}

static void what_no_keyword_can_be_is_refused(void **state)
{
	static const char *const categories[] = {"", "a\nb", "a\x7f", "\xff"};
	char longest[KEYWORD_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
		assert_string_equal(encoded(categories[i]), "(none)");
	memset(longest, 'x', sizeof longest);
	longest[KEYWORD_MAX + 1] = '\0';
	assert_string_equal(encoded(longest), "(none)");
	longest[KEYWORD_MAX] = '\0';
	assert_string_equal(encoded(longest), longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_category_comes_back_from_its_keyword),
		cmocka_unit_test(what_programs_write_is_no_category),
		cmocka_unit_test(what_no_keyword_can_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

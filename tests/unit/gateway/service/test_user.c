/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What phones and hooks call a user, and the one form inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/service/user.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void every_way_to_say_it_gives_one_name(void **state)
{
	static const struct { const char *name, *domain, *user; } cases[] = {
		{"alice", "example.org", "alice@example.org"},
		{"alice@example.org", "example.org", "alice@example.org"},
		{"alice@Example.NET", "example.org", "alice@example.net"},
		{"alice@example.net", NULL, "alice@example.net"},
		{"EXAMPLE.ORG\\alice", "other.example", "alice@example.org"},
		{"EXAMPLE\\alice@example.org", NULL, "alice@example.org"},
		{"\\alice", "example.org", "alice@example.org"}, /* iOS with an empty domain field */
		{"Alice", "EXAMPLE.org", "Alice@example.org"},
		{"j\xc3\xbcrgen", "example.org", "j\xc3\xbcrgen@example.org"},
		{"a+b.c-d_e", "x", "a+b.c-d_e@x"},
	};
	char user[USER_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(user_canonical(cases[i].name, cases[i].domain, user, NULL), 0);
		assert_string_equal(user, cases[i].user);
	}
}

static void names_that_could_mislead_are_refused(void **state)
{
	static const char *const names[] = {
		"", "@", "@example.org", "alice@", "\\", "EXAMPLE\\", "a\\b\\c", "a/b", "../etc", "alice@ex/ample", "al ice",
		"alice@exam ple", "a\nb", "a\tb", "a\x7f", "alice@b\x01", "\xff", "alice@\xc3", "a@b@c", "a@b\\alice",
		A50 A50 A50 A50 A50 "@b.cde",
	};
	char user[USER_MAX + 1];
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (user_canonical(names[i], "example.org", user, &error) != -1)
			fail_msg("%s was taken as %s", names[i], user);
	assert_int_equal(user_canonical("alice", NULL, user, &error), -1);
	assert_non_null(strstr(error.text, "default_domain"));
	assert_int_equal(user_canonical(A50 A50 A50 A50 A50 "@b.cd", NULL, user, NULL), 0);
}

static void the_domain_is_what_follows_the_at(void **state)
{
	(void)state;
	assert_string_equal(user_domain("alice@example.org"), "example.org");
	assert_string_equal(user_domain("alice"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_say_it_gives_one_name),
		cmocka_unit_test(names_that_could_mislead_are_refused),
		cmocka_unit_test(the_domain_is_what_follows_the_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

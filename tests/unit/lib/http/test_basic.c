/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP Basic authentication. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/http/basic.h"

/* user and password NULL: refused. */
static void try(const char *header, const char *user, const char *password)
{
	struct http_header headers[] = {{"Authorization", header}};
	struct http_exchange exchange = {.arena = arena_create(0), .headers = headers, .header_count = header != NULL};
	const char *got_user = NULL, *got_password = NULL;
	int result = http_basic(&exchange, &got_user, &got_password);

	if (result != (user == NULL ? -1 : 0))
		fail_msg("%s: %d", header, result);
	if (user != NULL) {
		assert_string_equal(got_user, user);
		assert_string_equal(got_password, password);
	}
	arena_free(&exchange.arena);
}

static void user_and_password_are_read(void **state)
{
	(void)state;
	try("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"); /* RFC 7617, 2 */
	try("Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3");                 /* RFC 7617, 2.1 */
	try("bAsIc  YTpi", "a", "b");
	try("Basic YTpiOmM6ZA==", "a", "b:c:d"); /* only the first colon ends the user */
	try("Basic RVhcYWxpY2U6c2VjcmV0", "EX\\alice", "secret");
	try("Basic OmI=", "", "b"); /* no name of a user; user_canonical() refuses it */
}

static void everything_else_is_none(void **state)
{
	static const char *const cases[] = {
		NULL, "", "Basic", "Basic ", "Basic  ", "BasicYTpi", "Bearer YTpi", "Digest username=\"a\"", "Basic !!!!", "Basic YTp",
		"Basic YWxpY2U=", "Basic ====", "Basic AAAA", "Basic YQBiOmM=" /* a NUL */, "Basic YTpiAA==", "Basic YTo=",
		"Basic Og==", "Negotiate YTpi",
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		try(cases[i], NULL, NULL);
}

static void a_header_too_long_is_refused(void **state)
{
	char header[HTTP_BASIC_MAX + 8] = "Basic YTpi";

	(void)state;
	memset(header + 10, 'Y', sizeof header - 11);
	try(header, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_and_password_are_read),
		cmocka_unit_test(everything_else_is_none),
		cmocka_unit_test(a_header_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

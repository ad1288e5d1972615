/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine in a front: who is answered, and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

#define PATH "/autodiscover/autodiscover.xml"
#define MOBILE "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"

/* A POST for this address and schema, in a static request. */
static const struct try_request *question(const char *email, const char *schema)
{
	static struct buffer body;
	static struct try_request ask;

	buffer_truncate(&body, 0);
	buffer_printf(&body, "<Autodiscover><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>%s"
		"</AcceptableResponseSchema></Request></Autodiscover>", email, schema);
	ask = (struct try_request){.path = PATH, .bytes = &body, .host = "mail.example.org"};
	return &ask;
}

static void a_phone_is_told_where_to_go(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	assert_int_equal(try_ask(&try, question("alice@example.org", MOBILE)), 200);
	assert_string_equal(try_header(&try, "Content-Type"), "text/xml; charset=utf-8");
	assert_string_equal(try_text(&try, "Culture", 0), "en:us");
	assert_string_equal(try_text(&try, "DisplayName", 0), "alice@example.org");
	assert_string_equal(try_text(&try, "EMailAddress", 0), "alice@example.org");
	assert_string_equal(try_text(&try, "Type", 0), "MobileSync");
	assert_string_equal(try_text(&try, "Url", 0), "https://mail.example.org/Microsoft-Server-ActiveSync");
	assert_string_equal(try_text(&try, "Name", 0), "https://mail.example.org/Microsoft-Server-ActiveSync");
	assert_int_equal(try.begins, 0); /* nothing is kept of it */
	try_end(&try);
}

static void the_path_is_served_in_any_case(void **state)
{
	static const char *const paths[] = {"/Autodiscover/Autodiscover.xml", "/AUTODISCOVER/AUTODISCOVER.XML", PATH "?x"};
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct try_request ask = *question("alice@example.org", MOBILE);
		ask.path = paths[i];
		assert_int_equal(try_ask(&try, &ask), 200);
		assert_string_equal(try_text(&try, "Type", 0), "MobileSync");
	}
	try_end(&try);
}

static void the_setting_says_where_before_the_phone_does(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try.autodiscover.public_url = "https://other.example.org:8443";
	assert_int_equal(try_ask(&try, question("alice@example.org", MOBILE)), 200);
	assert_string_equal(try_text(&try, "Url", 0), "https://other.example.org:8443/Microsoft-Server-ActiveSync");
	try_end(&try);
}

static void a_house_without_a_name_says_so(void **state)
{
	static const char *const hosts[] = {"a/b", "a b", "<a>", "a&b", "a@b", ""};
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		struct try_request ask = *question("alice@example.org", MOBILE);
		ask.host = hosts[i];
		assert_int_equal(try_ask(&try, &ask), 200);
		assert_string_equal(try_text(&try, "Status", 0), "2");
		assert_string_equal(try_text(&try, "DebugData", 0), "public_url");
		assert_int_equal(try_count(&try, "<Url>"), 0);
	}
	try_end(&try);
}

static void try_error(struct try_engine *try, const struct try_request *ask, const char *code)
{
	assert_int_equal(try_ask(try, ask), 200);
	assert_string_equal(try_text(try, "ErrorCode", 0), code);
	assert_int_equal(try_count(try, "<Url>"), 0);
}

static void what_cannot_be_answered_has_its_code(void **state)
{
	struct buffer bodies[] = {BUFFER_EMPTY, BUFFER_EMPTY, BUFFER_EMPTY};
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	buffer_append_string(&bodies[1], "no XML");
	buffer_append_string(&bodies[2], "<!DOCTYPE x><Autodiscover/>");
	for (size_t i = 0; i < 3; i++) {
		try_error(&try, &(struct try_request){.path = PATH, .bytes = &bodies[i]}, "600");
		buffer_release(&bodies[i]);
	}
	try_error(&try, &(struct try_request){.path = PATH, .method = "GET"}, "600");
	try_error(&try, question("alice@example.org", "http://schemas.microsoft.com/exchange/autodiscover/outlook/"
		"responseschema/2006a"), "601");
	try_error(&try, question("alice@example.com", MOBILE), "500"); /* nobody serves that domain */
	try_error(&try, question("alice", MOBILE), "500");
	try_error(&try, question("a b@example.org", MOBILE), "500");
	struct try_request ask = *question("alice@example.org", MOBILE);
	ask.login = "alice@example.com:secret";
	try_error(&try, &ask, "500");
	try_end(&try);
}

static void an_address_comes_back_as_it_came_and_breaks_out_of_nothing(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try_ask(&try, question("&lt;a&amp;&quot;'&gt;@example.org", MOBILE));
	assert_string_equal(try_text(&try, "EMailAddress", 0), "&lt;a&amp;\"'&gt;@example.org");
	try_end(&try);
}

static void who_does_not_log_in_is_asked_to(void **state)
{
	static const struct { const char *login; bool is_asked; } cases[] = {
		{"", false}, {"alice", false}, {"alice:wrong", true}, {":secret", false}, {"al ice:secret", false}, {"alice:", false},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		struct try_request ask = *question("alice@example.org", MOBILE);
		ask.login = cases[i / 2].login;
		if (i % 2 == 1)
			ask = (struct try_request){.path = PATH, .method = "GET", .login = cases[i / 2].login};
		assert_int_equal(try_ask(&try, &ask), 401);
		assert_string_equal(try_header(&try, "WWW-Authenticate"), "Basic realm=\"ActiveSync\"");
		assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN], cases[i / 2].is_asked);
		try_end(&try);
	}
}

static void a_login_that_cannot_be_checked_is_to_come_again(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN] = BELFRY__CONNECTOR__STATUS__THROTTLED;
	try.retry_after_s = 300;
	assert_int_equal(try_ask(&try, question("alice@example.org", MOBILE)), 503);
	assert_string_equal(try_header(&try, "Retry-After"), "300");
	try_connector_ends(&try);
	try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	try.retry_after_s = 0;
	assert_int_equal(try_ask(&try, question("alice@example.org", MOBILE)), 503);
	assert_string_equal(try_header(&try, "Retry-After"), "30");
	try_end(&try);
}

static void a_stranger_at_another_name_is_sent_to_the_right_one(void **state)
{
	static const struct {
		const char *public_url, *method, *host, *scheme, *location; /* location NULL: 401 */
	} cases[] = {
		{NULL, "GET", "autodiscover.example.org", NULL, NULL},
		{NULL, "GET", "autodiscover.example.org", "https", NULL},
		{NULL, "GET", "autodiscover.example.org", "http", "https://autodiscover.example.org" PATH},
		{NULL, "POST", "autodiscover.example.org", "http", NULL},
		{NULL, "GET", "a/b", "http", NULL},
		{"https://mail.example.org", "GET", "autodiscover.example.org", NULL, "https://mail.example.org" PATH},
		{"https://mail.example.org", "HEAD", "autodiscover.example.org", NULL, "https://mail.example.org" PATH},
		{"https://mail.example.org", "GET", "Mail.example.org", NULL, NULL},
		{"https://mail.example.org", "GET", "mail.example.org", "HTTP", "https://mail.example.org" PATH},
		{"https://mail.example.org", "POST", "autodiscover.example.org", NULL, NULL},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		try.autodiscover.public_url = cases[i].public_url;
		struct try_request ask = {.path = PATH, .method = cases[i].method, .login = "", .host = cases[i].host,
			.scheme = cases[i].scheme};
		try_ask(&try, &ask);
		const char *location = try_header(&try, "Location");
		if ((location == NULL) != (cases[i].location == NULL) ||
		    (location != NULL && strcmp(location, cases[i].location) != 0))
			fail_msg("%zu: %s", i, location);
		if (strcmp(cases[i].method, "HEAD") != 0)
			assert_int_equal(try.status, location == NULL ? 401 : 302);
		try_end(&try);
	}
}

static void other_methods_and_large_bodies_are_refused(void **state)
{
	struct buffer body = BUFFER_EMPTY;
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	assert_int_equal(try_ask(&try, &(struct try_request){.path = PATH, .method = "PUT"}), 405);
	assert_string_equal(try_header(&try, "Allow"), "GET, HEAD, POST");
	memset(buffer_reserve(&body, 1024 * 1024), 'x', 1024 * 1024);
	buffer_grow(&body, 1024 * 1024);
	assert_int_equal(try_ask(&try, &(struct try_request){.path = PATH, .bytes = &body}), 413);
	assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN], 0);
	buffer_release(&body);
	try_end(&try);
}

static void a_phone_or_a_front_may_go_while_the_connector_thinks(void **state)
{
	struct try_engine try;

	(void)state;
	for (int front = 0; front < 2; front++) {
		try_begin(&try, NULL);
		try.trouble_at = try.messages + 2; /* after Hello */
		try.trouble = front ? TROUBLE_FRONT_ENDS : TROUBLE_PHONE_HANGS_UP;
		try_ask(&try, question("alice@example.org", MOBILE));
		try_end(&try);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phone_is_told_where_to_go),
		cmocka_unit_test(the_path_is_served_in_any_case),
		cmocka_unit_test(the_setting_says_where_before_the_phone_does),
		cmocka_unit_test(a_house_without_a_name_says_so),
		cmocka_unit_test(what_cannot_be_answered_has_its_code),
		cmocka_unit_test(an_address_comes_back_as_it_came_and_breaks_out_of_nothing),
		cmocka_unit_test(who_does_not_log_in_is_asked_to),
		cmocka_unit_test(a_login_that_cannot_be_checked_is_to_come_again),
		cmocka_unit_test(a_stranger_at_another_name_is_sent_to_the_right_one),
		cmocka_unit_test(other_methods_and_large_bodies_are_refused),
		cmocka_unit_test(a_phone_or_a_front_may_go_while_the_connector_thinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

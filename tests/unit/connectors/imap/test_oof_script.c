/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The script for who is out of office: what was set is read again, and is never more than text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "connectors/imap/oof_script.h"
#include "lib/managesieve/response.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ALL (~0u)

struct try {
	Belfry__Oof__Kept kept;
	Belfry__Connector__Oof oof;
	Belfry__Connector__OofMessage internal, unknown;
	struct buffer script;
	struct arena *arena;
};

static int set_up(void **state)
{
	static struct try try;

	try = (struct try){.arena = arena_create(0)};
	belfry__oof__kept__init(&try.kept);
	belfry__connector__oof__init(&try.oof);
	belfry__connector__oof_message__init(&try.internal);
	belfry__connector__oof_message__init(&try.unknown);
	try.kept.oof = &try.oof;
	try.oof.state = BELFRY__CONNECTOR__OOF_STATE__OOF_ON;
	try.oof.internal = &try.internal;
	try.oof.unknown = &try.unknown;
	*state = &try;
	return 0;
}

static int tear_down(void **state)
{
	struct try *try = *state;

	buffer_release(&try->script);
	arena_free(&try->arena);
	return 0;
}

static const char *write_script(struct try *try)
{
	buffer_release(&try->script);
	oof_script_write(&try->script, &try->kept, "alice@example.org", ALL);
	return buffer_string(&try->script);
}

static Belfry__Oof__Kept *read_script(struct try *try)
{
	return oof_script_read(slice_of(try->script.data, try->script.length), try->arena);
}

static void set_text(struct try *try, const char *text)
{
	try->unknown.enabled = true;
	try->unknown.text = (char *)text;
}

static void what_was_set_is_read_again(void **state)
{
	static const char *const texts[] = {
		"Away", "", "a\r\n.\r\n", "#: AAAA", "line\n#: AAAA\n# belfry-oof 1 x", "\"\\\"; discard; #", "\x01\x7f\xff", "J\u00fcrgen",
	};
	struct try *try = *state;

	for (size_t i = 0; i < LENGTH(texts); i++) {
		set_text(try, texts[i]);
		try->kept.former = (char *)"my \"filters\"";
		try->oof.start_s = 17;
		write_script(try);
		const Belfry__Oof__Kept *kept = read_script(try);
		assert_non_null(kept);
		assert_string_equal(kept->oof->unknown->text, texts[i]);
		assert_string_equal(kept->former, "my \"filters\"");
		assert_true(kept->oof->start_s == 17 && kept->oof->state == BELFRY__CONNECTOR__OOF_STATE__OOF_ON);
		assert_null(kept->oof->known);
	}
}

/* But for the comments: what the server acts on. */
static const char *body_of(struct try *try)
{
	return strstr(write_script(try), "require [");
}

static void a_text_stays_within_its_quotes(void **state)
{
	static const struct { const char *text, *quoted; } cases[] = {
		{"Away", "\"Away\""},
		{"\"; discard; #", "\"\\\"; discard; #\""},
		{"\\", "\"\\\\\""},
		{"\\\"", "\"\\\\\\\"\""},
		{"a\n.\nb", "\"a\r\n.\r\nb\""},
		{"a\rb\r\nc", "\"a\r\nb\r\nc\""},
		{"text:\r\n.\r\n;discard;", "\"text:\r\n.\r\n;discard;\""},
		{"${hex:22}; ${unicode:22}", "\"${hex:22}; ${unicode:22}\""},
		{"\x01\x1b[1m\x7f", "\"[1m\x7f\""},
		{"\xff\"", "\"\xef\xbf\xbd\\\"\""},
	};
	struct try *try = *state;

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer expected = BUFFER_EMPTY;
		set_text(try, cases[i].text);
		buffer_printf(&expected, "require [\"vacation\", \"envelope\"];\r\nif allof(true) {\r\n"
			"\tif envelope :domain :is \"from\" \"example.org\" {\r\n\t} else {\r\n"
			"\t\tvacation :days 7 :addresses [\"alice@example.org\"] %s;\r\n\t}\r\n}\r\n", cases[i].quoted);
		assert_string_equal(body_of(try), buffer_string(&expected));
		buffer_release(&expected);
	}
}

static void html_is_sent_beside_its_text_and_as_base64(void **state)
{
	struct try *try = *state;

	set_text(try, "<p>\"Away\"</p>\r\n--belfry-oof--\r\n.\r\n");
	try->unknown.is_html = true;
	assert_non_null(strstr(body_of(try), "] :mime \"Content-Type: multipart/alternative; boundary=belfry-oof\r\n\r\n"
		"--belfry-oof\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nIkF3YXki"));
	assert_non_null(strstr(body_of(try), "--belfry-oof\r\nContent-Type: text/html; charset=utf-8\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\nPHA+IkF3YXkiPC9wPg0KLS1iZWxmcnktb29mLS0NCi4NCg==\r\n--belfry-oof--\r\n\";\r\n"));
	assert_string_equal(read_script(try)->oof->unknown->text, try->unknown.text);
}

static void what_others_have_changed_is_not_read(void **state)
{
	struct try *try = *state;

	set_text(try, "Away");
	write_script(try);
	for (size_t i = 0; i < try->script.length; i++) {
		if (try->script.data[i] == '\r')
			continue;
		try->script.data[i] ^= 1;
		assert_null(read_script(try));
		try->script.data[i] ^= 1;
	}
	for (size_t length = 0; length < try->script.length; length++)
		assert_null(oof_script_read(slice_of(try->script.data, length), try->arena));
	assert_non_null(read_script(try));
	buffer_append_string(&try->script, "keep;\r\n");
	assert_null(read_script(try));
}

static void a_text_that_is_too_long_is_none_of_ours(void **state)
{
	struct try *try = *state;
	char *text = arena_alloc(try->arena, OOF_SCRIPT_TEXT_MAX + 2);

	memset(text, '&', OOF_SCRIPT_TEXT_MAX);
	set_text(try, text);
	write_script(try);
	assert_non_null(read_script(try));
	text[OOF_SCRIPT_TEXT_MAX] = '&';
	assert_false(oof_script_fits(&try->kept));
	write_script(try);
	assert_null(read_script(try));
}

static void line_ends_of_the_server_do_not_matter(void **state)
{
	struct try *try = *state;
	size_t length = 0;

	set_text(try, "Away\nlong");
	write_script(try);
	for (size_t i = 0; i < try->script.length; i++)
		if (try->script.data[i] != '\r')
			try->script.data[length++] = try->script.data[i];
	try->script.length = length;
	assert_string_equal(read_script(try)->oof->unknown->text, "Away\nlong");
}

static void time_is_compared_in_utc(void **state)
{
	struct try *try = *state;

	set_text(try, "Away");
	try->oof.state = BELFRY__CONNECTOR__OOF_STATE__OOF_TIMED;
	try->oof.start_s = 1796083200;
	try->oof.end_s = 1796688000;
	assert_non_null(strstr(body_of(try), "require [\"vacation\", \"envelope\", \"date\", \"relational\"];\r\nif allof(true, "
		"currentdate :zone \"+0000\" :value \"ge\" \"iso8601\" \"2026-12-01T00:00:00\", "
		"currentdate :zone \"+0000\" :value \"lt\" \"iso8601\" \"2026-12-08T00:00:00\") {"));
	try->oof.start_s = try->oof.end_s = 0; /* no bounds: always */
	assert_non_null(strstr(body_of(try), "require [\"vacation\", \"envelope\"];\r\nif allof(true) {"));
}

static void the_former_script_is_included_wherever_that_can_be(void **state)
{
	struct try *try = *state;

	try->kept.former = (char *)"a\"\r\n";
	assert_string_equal(body_of(try), "require [\"include\"];\r\ninclude :personal :optional \"a\\\"\r\n\";\r\n");
	assert_int_equal(oof_script_needs(&try->kept), MANAGESIEVE_CAN_INCLUDE);
	try->oof.state = BELFRY__CONNECTOR__OOF_STATE__OOF_OFF;
	assert_non_null(strstr(body_of(try), "include :personal"));
	assert_int_equal(oof_script_needs(&try->kept), 0);
	buffer_release(&try->script);
	oof_script_write(&try->script, &try->kept, "alice@example.org", 0);
	assert_null(strstr(buffer_string(&try->script), "include"));
}

static void scripts_that_answer_are_known(void **state)
{
	static const struct { const char *script; bool answers; } cases[] = {
		{"require [\"fileinto\", \"vacation\"];", true}, {"require \"Vacation-Seconds\";", true},
		{"require [\"reject\"];", true}, {"require [\"ereject\"];", true}, {"require \"include\"; include \"b\";", true},
		{"require \"fileinto\"; # no vacation", false}, {"", false},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(oof_script_answers(slice_string(cases[i].script)), cases[i].answers);
}

static void a_text_is_told_in_the_form_that_is_asked_for(void **state)
{
	struct try *try = *state;

	set_text(try, "a < b");
	assert_string_equal(oof_script_message_as(&try->unknown, false, try->arena)->text, "a < b");
	assert_non_null(strstr(oof_script_message_as(&try->unknown, true, try->arena)->text, "a &lt; b"));
	assert_true(oof_script_message_as(&try->unknown, true, try->arena)->is_html);
	set_text(try, "<p>a <b>c</b></p>");
	try->unknown.is_html = true;
	assert_string_equal(oof_script_message_as(&try->unknown, true, try->arena)->text, "<p>a <b>c</b></p>");
	assert_non_null(strstr(oof_script_message_as(&try->unknown, false, try->arena)->text, "a c"));
	assert_false(oof_script_message_as(NULL, true, try->arena)->enabled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_set_is_read_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_text_stays_within_its_quotes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(html_is_sent_beside_its_text_and_as_base64, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_have_changed_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_text_that_is_too_long_is_none_of_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(line_ends_of_the_server_do_not_matter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_is_compared_in_utc, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_former_script_is_included_wherever_that_can_be, set_up, tear_down),
		cmocka_unit_test(scripts_that_answer_are_known),
		cmocka_unit_test_setup_teardown(a_text_is_told_in_the_form_that_is_asked_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines: what values may look like, and that nobody has to wait for who reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/log.h"

static void values_stay_one_value_each(void **state)
{
	static const struct {
		const char *value, *quoted, *escaped;
	} cases[] = {
		{NULL, "-", "-"},
		{"", "", ""},
		{"alice@example.org", "alice@example.org", "alice@example.org"},
		{"Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe"},
		{"Sent Items", "\"Sent Items\"", "Sent Items"},
		{"x login=ok", "\"x login=ok\"", "x login=ok"},
		{"a=b", "\"a=b\"", "a=b"},
		{"x\" login=ok", "\"x\\x22 login=ok\"", "x\\x22 login=ok"},
		{"\"", "\"\\x22\"", "\\x22"},
		{"a\\b", "\"a\\x5cb\"", "a\\x5cb"},
		{"a\nb", "\"a\\x0ab\"", "a\\x0ab"},
		{"\x7f", "\"\\x7f\"", "\\x7f"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(log_quote(cases[i].value), cases[i].quoted);
		assert_string_equal(log_escape(cases[i].value), cases[i].escaped);
	}
}

static void the_longest_value_fits(void **state)
{
	char value[LOG_QUOTE_MAX + 10];

	(void)state;
	memset(value, '"', sizeof value);
	assert_int_equal(strlen(log_quote_bytes(value, sizeof value)), LOG_QUOTE_MAX * 4 + 2);
}

/* Standard error is a pipe that nobody reads. */
struct stalled {
	int before, ends[2];
};

static void stall(struct stalled *stalled)
{
	assert_int_equal(pipe(stalled->ends), 0);
	stalled->before = dup(STDERR_FILENO);
	dup2(stalled->ends[1], STDERR_FILENO);
}

static void restore(struct stalled *stalled)
{
	dup2(stalled->before, STDERR_FILENO);
	close(stalled->before);
	close(stalled->ends[0]);
	close(stalled->ends[1]);
}

static size_t drain(struct stalled *stalled, char *text, size_t size)
{
	fcntl(stalled->ends[0], F_SETFL, O_NONBLOCK);
	ssize_t length = read(stalled->ends[0], text, size - 1);

	text[length < 0 ? 0 : length] = '\0';
	return length < 0 ? 0 : (size_t)length;
}

static void nobody_waits_for_standard_error(void **state)
{
	enum { LINES = 3000 };
	static char text[1024 * 1024], line[100];
	struct stalled stalled;
	unsigned written = 0, dropped = 0;

	(void)state;
	memset(line, 'x', sizeof line - 1);
	stall(&stalled);
	alarm(60); /* it would wait for ever */
	for (int i = 0; i < LINES; i++)
		log_info(LOG_MAIN, "%s", line);
	alarm(0);
	drain(&stalled, text, sizeof text);
	for (const char *c = text; *c != '\0'; c++)
		written += *c == '\n';
	log_info(LOG_MAIN, "it goes on");
	drain(&stalled, text, sizeof text);
	restore(&stalled);
	assert_in_range(written, 100, LINES - 1);
	const char *news = strstr(text, "dropped=");
	assert_non_null(news);
	assert_int_equal(sscanf(news, "dropped=%u", &dropped), 1);
	assert_int_equal(written + dropped, LINES);
	assert_true(news < strstr(text, "it goes on"));
}

static void a_reader_that_is_gone_is_no_death(void **state)
{
	struct stalled stalled;

	(void)state;
	stall(&stalled);
	close(stalled.ends[0]);
	stalled.ends[0] = dup(stalled.ends[1]);
	log_info(LOG_MAIN, "to nobody");
	restore(&stalled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_stay_one_value_each),
		cmocka_unit_test(the_longest_value_fits),
		cmocka_unit_test(nobody_waits_for_standard_error),
		cmocka_unit_test(a_reader_that_is_gone_is_no_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

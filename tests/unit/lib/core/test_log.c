/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines: what values may look like, and that nobody has to wait for who reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
		{"a\xc2\x85""b\xc2\xa0", "\"a\\xc2\\x85""b\xc2\xa0\"", "a\\xc2\\x85""b\xc2\xa0"},
		{"\xe2\x80\xa8x", "\"\\xe2\\x80\\xa8x\"", "\\xe2\\x80\\xa8x"},
		{"\xe2\x80\x93", "\xe2\x80\x93", "\xe2\x80\x93"},
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

/* --- the journal ------------------------------------------------------------------------------------------------ */

struct journal {
	char folder[64], path[100], stream[64], entry[8192];
	int fd;
};

/* The next entry; "": there is none. */
static const char *journal_read(struct journal *journal)
{
	ssize_t length = recv(journal->fd, journal->entry, sizeof journal->entry - 1, 0);

	journal->entry[length < 0 ? 0 : length] = '\0';
	return journal->entry;
}

static void journal_open(struct journal *journal)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	snprintf(journal->folder, sizeof journal->folder, "/tmp/belfry-test-XXXXXX");
	assert_non_null(mkdtemp(journal->folder));
	snprintf(journal->path, sizeof journal->path, "%s/socket", journal->folder);
	strcpy(address.sun_path, journal->path);
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(journal->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(journal->stream, sizeof journal->stream, "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", journal->stream, 1);
	log_to_journal(journal->path);
	log_info(LOG_MAIN, "what tests before dropped is told now");
	while (*journal_read(journal) != '\0')
		continue;
}

static void journal_close(struct journal *journal)
{
	unsetenv("JOURNAL_STREAM");
	log_to_journal(journal->path);
	close(journal->fd);
	unlink(journal->path);
	rmdir(journal->folder);
}

static void the_journal_gets_fields(void **state)
{
	static const struct {
		const char *message, *fields;
	} cases[] = {
		{"ready", ""},
		{"user=alice@example.org device=D1 command=Ping status=1",
			"BELFRY_USER=alice@example.org\nBELFRY_DEVICE=D1\nBELFRY_COMMAND=Ping\n"},
		{"user=alice device=- command=OPTIONS http=200", "BELFRY_USER=alice\nBELFRY_COMMAND=OPTIONS\n"},
		{"user=\"al ice\" device=\"x\\x0aMESSAGE=y\" z", "BELFRY_USER=al ice\nBELFRY_DEVICE=x\\x0aMESSAGE=y\n"},
		{"user=alice", "BELFRY_USER=alice\n"},
		{"user=\"alice", "BELFRY_USER=alice\n"},
		{"user= device=", "BELFRY_USER=\nBELFRY_DEVICE=\n"},
		{"the user=bob is not alice", ""},
		{"user=alice came with the handle of user=bob", "BELFRY_USER=alice\n"},
		{"user=a\nMESSAGE=forged", "BELFRY_USER=a?MESSAGE=forged\n"},
	};
	struct journal journal;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char expected[1024], message[256];
		journal_open(&journal);
		log_warning(LOG_HTTP, "%s", cases[i].message);
		snprintf(message, sizeof message, "%s", cases[i].message);
		for (char *c = message; *c != '\0'; c++)
			*c = *c == '\n' ? '?' : *c;
		snprintf(expected, sizeof expected, "PRIORITY=4\nSYSLOG_IDENTIFIER=belfry\nBELFRY_ROLE=belfry\n"
			"BELFRY_SUBSYSTEM=http\nMESSAGE=belfry http: warning: %s\n%s", message, cases[i].fields);
		assert_string_equal(journal_read(&journal), expected);
		assert_string_equal(journal_read(&journal), "");
		journal_close(&journal);
	}
}

static void a_long_line_fits_with_its_fields(void **state)
{
	struct journal journal;
	char value[2000];

	(void)state;
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	journal_open(&journal);
	log_info(LOG_HTTP, "user=%s", value);
	assert_non_null(strstr(journal_read(&journal), "\nBELFRY_USER=xxx"));
	journal_close(&journal);
}

static void only_the_journal_of_standard_error_is_told(void **state)
{
	struct stalled stalled;
	struct journal journal;
	char text[256];

	(void)state;
	journal_open(&journal);
	stall(&stalled);
	log_to_journal(journal.path); /* JOURNAL_STREAM is that of somebody before us */
	log_info(LOG_MAIN, "elsewhere");
	drain(&stalled, text, sizeof text);
	restore(&stalled);
	assert_non_null(strstr(text, "elsewhere\n"));
	assert_string_equal(journal_read(&journal), "");
	journal_close(&journal);
}

static void a_journal_that_does_not_keep_up_is_not_waited_for(void **state)
{
	enum { LINES = 10000 };
	struct journal journal;
	unsigned written = 0, dropped = 0;

	(void)state;
	journal_open(&journal);
	alarm(60);
	for (int i = 0; i < LINES; i++)
		log_info(LOG_MAIN, "line");
	alarm(0);
	while (*journal_read(&journal) != '\0')
		written++;
	log_info(LOG_MAIN, "it goes on");
	const char *news = strstr(journal_read(&journal), "MESSAGE=belfry main: warning: dropped=");
	assert_non_null(news);
	assert_int_equal(sscanf(strstr(news, "dropped="), "dropped=%u", &dropped), 1);
	assert_int_equal(written + dropped, LINES);
	assert_non_null(strstr(journal_read(&journal), "it goes on"));
	journal_close(&journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_stay_one_value_each),
		cmocka_unit_test(the_longest_value_fits),
		cmocka_unit_test(nobody_waits_for_standard_error),
		cmocka_unit_test(a_reader_that_is_gone_is_no_death),
		cmocka_unit_test(the_journal_gets_fields),
		cmocka_unit_test(a_long_line_fits_with_its_fields),
		cmocka_unit_test(only_the_journal_of_standard_error_is_told),
		cmocka_unit_test(a_journal_that_does_not_keep_up_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

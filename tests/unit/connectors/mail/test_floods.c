/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mails made to take long: each takes time with its length. A mail is read as a phone with a small screen wants it, and as
 * one with a large screen; then one eight times as long. What grows with the square takes 64 times as long then.
 * Measured is the processor's time of this process, the least of several runs.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "connectors/mail/mail.h"
#include "tests/unit/connectors/mail/try.h"

enum {
	RUNS = 3,
	GROWTH = 8,       /* of the mail … */
	GROWTH_MAX = 24,  /* … and of its time: 8, and room for caches and for what a machine does besides */
	NOISE_US = 10000  /* below that nothing can be said */
};

/*
 * The mail: before, piece again and again up to a length, after. "%d" in the piece: a number, each time another. Where
 * there is something else to come then, it takes as much again.
 */
struct flood {
	const char *what, *before, *piece, *after;
	size_t length;
	const char *then, *after_that;
};

#define TEXT "Content-Type: text/plain\r\n"
#define HTML "Content-Type: text/html\r\n\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=x\r\n\r\n"

static const struct flood floods[] = {
	{"addresses", "To: ", "\"N%d\" <a%d@example.org>,\r\n ", "b@example.org\r\n\r\nx", 30000},
	{"fields of addresses", "", "To: a%d@example.org\r\n", "\r\nx", 300000},
	{"colons far behind an @", "To: ", "a", "\r\n\r\nx", 15000, .then = "@", .after_that = ":"},
	{"quotes", "From: ", "\"\\", "\r\n\r\nx", 30000},
	{"comments", "From: ", "(", "\r\n\r\nx", 30000},
	{"encoded words", "Subject: ", "=?utf-8?Q?=C3=A4?= ", "\r\n\r\nx", 300000},
	{"encoded words of two sets", "Subject: ", "=?utf-8?Q?a?= =?koi8-r?B?8A==?=\r\n ", "\r\n\r\nx", 300000},
	{"words that never close", "Subject: ", "=?utf-8?Q?", "\r\n\r\nx", 300000},
	{"a header line", "Subject: ", "xxxxxxxx", "\r\n\r\nx", 500000},
	{"fields", "", "X-N%d: x\r\n", "\r\nx", 300000},
	{"folded lines", "X: ", "x\r\n ", "\r\n\r\nx", 300000},
	{"lines that are no fields", "", "xxx\r\n", "\r\nx", 300000},
	{"references", "References: ", "<%d@example.org>\r\n ", "\r\n\r\nx", 300000},
	{"continuations", "Content-Type: a/b; ", "n*%d*=a%%41;", "\r\n\r\nx", 30000},
	{"the same continuation", "Content-Disposition: attachment; ", "filename*0*=a;", "\r\n\r\nx", 30000},
	{"quoted parameters", "Content-Type: a/b; ", "n%d=\"\";", "\r\n\r\nx", 30000},
	{"content types", "", "Content-Type: a/b; n=\"x\"; m*0*=y\r\n", "\r\nx", 300000},
	{"nested multiparts", "", "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", TEXT "\r\nx", 300000},
	{"boundaries", MIXED, "--x\r\n", "--x--", 300000},
	{"attachments", MIXED, "--x\r\nContent-Disposition: attachment; filename=\"n%d\"\r\n\r\nx\r\n", "--x--", 300000},
	{"what is nearly a boundary", MIXED, "--y\r\n", "--x--", 300000},
	{"mails in mails", "", "Content-Type: message/rfc822\r\n\r\n", "x", 300000},
	{"base64 rubbish", TEXT "Content-Transfer-Encoding: base64\r\n\r\n", "=!A=", "", 500000},
	{"quoted-printable rubbish", TEXT "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=Z= \t=", "", 500000},
	{"soft breaks that are none", TEXT "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=      ", "x", 500000},
	{"broken UTF-8", TEXT "\r\n", "\xc3\xff\xe2\x82", "", 500000},
	{"nested tags", HTML, "<div>", "", 100000},
	{"nested tags of an own name", HTML, "<p1>", "", 100000},
	{"ends of what never began", HTML, "<x></y>", "", 100000},
	{"items in terms", HTML, "<dd><li>", "", 100000},
	{"nested namespaces", HTML, "<o:p>", "", 100000},
	{"paragraphs in nested tags", HTML, "<x><p></x></p>", "", 100000},
	{"lists that are left", HTML, "<li><ul></li>", "", 100000},
	{"unclosed formatting", HTML, "<b><p>", "", 100000},
	{"attributes", HTML "<a ", "a%d ", ">x", 100000},
	{"the same attribute", HTML "<a b=c ", "b ", ">x", 100000},
	{"attributes without spaces", HTML "<a", "/b%d=c", ">x", 100000},
	{"tags in a value", HTML, "<a/b=", "", 100000},
	{"bodies", HTML, "<body a%d>x", "", 100000},
	{"tags that are not closed", HTML, "<", "", 100000},
	{"references to characters", HTML, "&#%d;&amp;&nosuch;", "", 100000},
	{"links", HTML, "<a href=http://example.org/%d>x</a>", "", 100000},
	{"rows", HTML "<table>", "<tr><td>x", "</table>", 100000},
	{"text in a table", HTML "<table>", "x<tr>", "</table>", 100000},
	{"comments of HTML", HTML, "<!--", "", 100000},
	{"options", HTML "<select>", "<option>x", "", 100000},
};

static void fill(struct buffer *mail, const char *format, size_t length)
{
	for (int n = 1; mail->length < length; n++) {
		char piece[200];
		snprintf(piece, sizeof piece, format, n, n);
		buffer_append_string(mail, piece);
	}
}

static struct buffer flood_make(const struct flood *flood, size_t length)
{
	struct buffer mail = BUFFER_EMPTY;

	buffer_append_string(&mail, flood->before);
	fill(&mail, flood->piece, length);
	if (flood->then != NULL) {
		buffer_append_string(&mail, flood->then);
		fill(&mail, flood->after_that, 2 * length);
	}
	buffer_append_string(&mail, flood->after);
	return mail;
}

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* Returns the arena's bytes. */
static size_t read_once(const struct buffer *octets, Belfry__Connector__BodyType type)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes[] = {&wish};
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	struct arena *arena = arena_create(0);

	wish.type = type;
	wish.preview = 255;
	mail_read(arena, octets->data, octets->length, wishes, 1, 2, &mail, &body);
	assert_non_null(mail.subject);
	size_t used = arena_used(arena);
	arena_free(&arena);
	return used;
}

static int64_t read_us(const struct flood *flood, size_t length, size_t *memory_r)
{
	struct buffer octets = flood_make(flood, length);
	int64_t least = INT64_MAX;

	*memory_r = 0;
	for (int run = 0; run < RUNS; run++) {
		int64_t begun = cpu_us();
		*memory_r += read_once(&octets, BELFRY__CONNECTOR__BODY_TYPE__PLAIN);
		*memory_r += read_once(&octets, BELFRY__CONNECTOR__BODY_TYPE__HTML);
		*memory_r += read_once(&octets, BELFRY__CONNECTOR__BODY_TYPE__MIME);
		int64_t took = cpu_us() - begun;
		least = took < least ? took : least;
	}
	*memory_r /= RUNS;
	buffer_release(&octets);
	return least;
}

static void a_mail_takes_time_with_its_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(floods); i++) {
		size_t memory;
		int64_t once = read_us(&floods[i], floods[i].length, &memory);
		int64_t more = read_us(&floods[i], floods[i].length * GROWTH, &memory);

		if (more > GROWTH_MAX * once + NOISE_US)
			fail_msg("%s: %lld us, and %lld us when there is eight times as much", floods[i].what, (long long)once,
				(long long)more);
	}
}

/* What is kept of a mail until it is sent: its text in three forms, and some for each part. */
static void a_mail_takes_memory_with_its_length(void **state)
{
	enum { TIMES = 20, BESIDES = 1024 * 1024 };

	(void)state;
	for (size_t i = 0; i < LENGTH(floods); i++) {
		struct buffer octets = flood_make(&floods[i], floods[i].length);
		size_t used = read_once(&octets, BELFRY__CONNECTOR__BODY_TYPE__PLAIN);

		if (used > TIMES * octets.length + BESIDES)
			fail_msg("%s: %zu bytes for %zu", floods[i].what, used, octets.length);
		buffer_release(&octets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_takes_time_with_its_length),
		cmocka_unit_test(a_mail_takes_memory_with_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

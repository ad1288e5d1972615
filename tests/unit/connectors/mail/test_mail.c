/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole mails: each fixtures/NAME.eml is read three times (HTML before plain; plain only; MIME) and what comes out is
 * told in words and compared with fixtures/NAME.expect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mail/mail.h"
#include "lib/core/buffer.h"
#include "lib/core/mem.h"

#define FIXTURES "tests/unit/connectors/mail/fixtures"

enum { FIXTURE_MAX = 1024 * 1024 };

static char *fixture_read(const char *name, size_t *length_r)
{
	const char *root = getenv("srcdir");
	char path[512];
	char *text = mem_alloc(FIXTURE_MAX);
	FILE *file;

	snprintf(path, sizeof path, "%s/" FIXTURES "/%s", root != NULL ? root : ".", name);
	file = fopen(path, "rb");
	*length_r = file != NULL ? fread(text, 1, FIXTURE_MAX - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	return mem_realloc(text, *length_r + 1);
}

/* --- telling --------------------------------------------------------------------------------------------------- */

static void tell(struct buffer *out, const char *name, const char *value)
{
	if (*value != '\0')
		buffer_printf(out, "%s: %s\n", name, value);
}

static void tell_bytes(struct buffer *out, const char *name, const ProtobufCBinaryData *bytes)
{
	buffer_printf(out, "%s: ", name);
	for (size_t i = 0; i < bytes->len; i++)
		buffer_printf(out, "%02x", bytes->data[i]);
	buffer_append_byte(out, '\n');
}

static void tell_attachment(struct buffer *out, const Belfry__Connector__Attachment *attachment)
{
	buffer_printf(out, "attachment %s: %s, %s, %u bytes%s%s\n", attachment->part, attachment->name,
		attachment->content_type, (unsigned)attachment->size, attachment->is_inline ? ", inline" : "",
		attachment->method == 5 ? ", embedded" : "");
	tell(out, "  id", attachment->content_id);
}

static void tell_mail(struct buffer *out, const Belfry__Connector__Mail *mail)
{
	tell(out, "from", mail->from);
	tell(out, "to", mail->to);
	tell(out, "cc", mail->cc);
	tell(out, "display to", mail->display_to);
	tell(out, "subject", mail->subject);
	tell(out, "topic", mail->thread_topic);
	buffer_printf(out, "sent: %llu\n", (unsigned long long)mail->sent_s);
	buffer_printf(out, "importance: %u\n", mail->importance);
	tell(out, "class", mail->message_class);
	tell_bytes(out, "conversation", &mail->conversation_id);
	tell_bytes(out, "index", &mail->conversation_index);
	for (size_t i = 0; i < mail->n_attachments; i++)
		tell_attachment(out, mail->attachments[i]);
}

/* Each line of the body behind a '|', so that spaces are seen. */
static void tell_body(struct buffer *out, const Belfry__Connector__Body *body)
{
	static const char *const types[] = {"none", "plain", "html", "rtf", "mime"};
	bool at_start = true;

	buffer_printf(out, "%s body, native %s, %u bytes%s\n", types[body->type], types[body->native],
		(unsigned)body->full_size, body->truncated ? ", truncated" : "");
	tell(out, "preview", body->preview);
	for (size_t i = 0; i < body->data.len && body->type != BELFRY__CONNECTOR__BODY_TYPE__MIME; i++) {
		char byte = (char)body->data.data[i];
		if (at_start)
			buffer_append_byte(out, '|');
		if (byte != '\r')
			buffer_append_byte(out, (uint8_t)byte);
		at_start = byte == '\n';
	}
	if (!at_start)
		buffer_append_string(out, "\n");
}

static void read_once(struct buffer *out, const char *octets, size_t length, const Belfry__Connector__BodyType *types,
	size_t count, bool with_mail)
{
	Belfry__Connector__BodyWish wishes[2] = {BELFRY__CONNECTOR__BODY_WISH__INIT, BELFRY__CONNECTOR__BODY_WISH__INIT};
	Belfry__Connector__BodyWish *pointers[2] = {&wishes[0], &wishes[1]};
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	struct arena *arena = arena_create(0);

	for (size_t i = 0; i < count; i++) {
		wishes[i].type = types[i];
		wishes[i].preview = 60;
	}
	mail_read(arena, octets, length, pointers, count, 2, &mail, &body);
	if (with_mail)
		tell_mail(out, &mail);
	tell_body(out, &body);
	arena_free(&arena);
}

static void tell_fixture(struct buffer *out, const char *octets, size_t length)
{
	static const Belfry__Connector__BodyType html[] = {BELFRY__CONNECTOR__BODY_TYPE__HTML,
		BELFRY__CONNECTOR__BODY_TYPE__PLAIN}, *plain = &html[1], mime[] = {BELFRY__CONNECTOR__BODY_TYPE__MIME};

	read_once(out, octets, length, html, 2, true);
	read_once(out, octets, length, plain, 1, false);
	read_once(out, octets, length, mime, 1, false);
}

/* --- the test -------------------------------------------------------------------------------------------------- */

static int is_mail(const struct dirent *entry)
{
	const char *ending = strrchr(entry->d_name, '.');

	return ending != NULL && strcmp(ending, ".eml") == 0;
}

static bool matches(const char *mail_name)
{
	char name[300];
	struct buffer told = BUFFER_EMPTY;
	size_t length, expected_length;
	char *octets = fixture_read(mail_name, &length), *expected;
	bool same;

	snprintf(name, sizeof name, "%.*s.expect", (int)(strlen(mail_name) - 4), mail_name);
	expected = fixture_read(name, &expected_length);
	tell_fixture(&told, octets, length);
	same = told.length == expected_length && memcmp(told.data, expected, expected_length) == 0;
	if (!same)
		fprintf(stderr, "--- %s reads so:\n%s--- the end of %s\n", mail_name, buffer_string(&told), mail_name);
	free(octets);
	free(expected);
	buffer_release(&told);
	return same;
}

static void each_mail_reads_as_expected(void **state)
{
	const char *root = getenv("srcdir");
	char folder[512];
	struct dirent **entries;
	int count, wrong = 0;

	(void)state;
	snprintf(folder, sizeof folder, "%s/" FIXTURES, root != NULL ? root : ".");
	count = scandir(folder, &entries, is_mail, alphasort);
	assert_true(count > 20);
	for (int i = 0; i < count; i++) {
		wrong += !matches(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(wrong, 0);
}

/* --- mails too large for a file -------------------------------------------------------------------------------- */

static void read_large(struct buffer *octets, Belfry__Connector__Mail *mail, Belfry__Connector__Body *body,
	struct arena *arena)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes = &wish;

	wish.type = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	*mail = (Belfry__Connector__Mail)BELFRY__CONNECTOR__MAIL__INIT;
	*body = (Belfry__Connector__Body)BELFRY__CONNECTOR__BODY__INIT;
	mail_read(arena, octets->data, octets->length, &wishes, 1, 0, mail, body);
	buffer_release(octets);
}

static void a_hundred_thousand_addresses_give_the_first_32_kilobytes(void **state)
{
	struct buffer octets = BUFFER_EMPTY;
	struct arena *arena = arena_create(0);
	Belfry__Connector__Mail mail;
	Belfry__Connector__Body body;

	(void)state;
	buffer_append_string(&octets, "To: x@example.org");
	for (int i = 0; i < 100000; i++)
		buffer_printf(&octets, ",\r\n =?utf-8?Q?N=C3=A4me?= <user%d@example.org>", i);
	buffer_append_string(&octets, "\r\nSubject: all\r\n\r\ntext");
	read_large(&octets, &mail, &body, arena);
	assert_true(strlen(mail.to) <= 32768 && strlen(mail.to) > 32000);
	assert_non_null(strstr(mail.to, "\"N\xc3\xa4me\" <user800@example.org>"));
	assert_int_equal(mail.to[strlen(mail.to) - 1], '>');
	assert_string_equal(mail.subject, "all");
	arena_free(&arena);
}

static void a_thousand_multiparts_within_each_other_are_shown_as_text_from_some_depth_on(void **state)
{
	struct buffer octets = BUFFER_EMPTY;
	struct arena *arena = arena_create(0);
	Belfry__Connector__Mail mail;
	Belfry__Connector__Body body;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buffer_printf(&octets, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
	buffer_append_string(&octets, "Content-Type: text/plain\r\n\r\ndeep");
	read_large(&octets, &mail, &body, arena);
	assert_int_equal(body.type, BELFRY__CONNECTOR__BODY_TYPE__PLAIN);
	assert_non_null(memmem(body.data.data, body.data.len, "deep", 4));
	arena_free(&arena);
}

static void ten_thousand_parts_end_in_the_last_that_is_counted(void **state)
{
	struct buffer octets = BUFFER_EMPTY;
	struct arena *arena = arena_create(0);
	Belfry__Connector__Mail mail;
	Belfry__Connector__Body body;

	(void)state;
	buffer_append_string(&octets, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 10000; i++)
		buffer_append_string(&octets, "--b\r\nContent-Type: image/png\r\n\r\nx\r\n");
	read_large(&octets, &mail, &body, arena);
	assert_int_equal(mail.n_attachments, MIME_PARTS_MAX - 1);
	assert_true(mail.attachments[MIME_PARTS_MAX - 2]->size > 100000);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mail_reads_as_expected),
		cmocka_unit_test(a_hundred_thousand_addresses_give_the_first_32_kilobytes),
		cmocka_unit_test(a_thousand_multiparts_within_each_other_are_shown_as_text_from_some_depth_on),
		cmocka_unit_test(ten_thousand_parts_end_in_the_last_that_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

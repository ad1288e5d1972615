/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails made ready to be sent: who gets them, what their header says, and the originals of replies and forwards. */
#include "tests/unit/connectors/mail/try.h"

#include "connectors/mail/mail.h"
#include "connectors/mail/outgoing.h"

#define ID "<intent@example.org>"

static struct arena *arena;
static struct outgoing outgoing;
static struct error error;

static int begin(void **state)
{
	(void)state;
	arena = arena_create(0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* In a block of its very size. */
static enum outgoing_fault read_bytes(const char *mail, size_t length)
{
	char *block = arena_alloc(arena, length + 1);

	memcpy(block + 1, mail, length);
	return outgoing_read(arena, slice_of(block + 1, length), ID, 1795866600, &outgoing, &error);
}

static enum outgoing_fault read_text(const char *mail)
{
	return read_bytes(mail, strlen(mail));
}

/* All that is sent. */
static const char *text(void)
{
	struct buffer out = BUFFER_EMPTY;

	for (size_t i = 0; i < outgoing.piece_count; i++)
		buffer_append(&out, outgoing.pieces[i].at, outgoing.pieces[i].length);
	const char *whole = arena_strndup(arena, buffer_string(&out), out.length);
	buffer_release(&out);
	return whole;
}

static const char *recipients(void)
{
	const char *all = "";

	for (size_t i = 0; i < outgoing.recipient_count; i++)
		all = arena_printf(arena, "%s%s%s", all, i == 0 ? "" : " ", outgoing.recipients[i]);
	return all;
}

static void a_mail_gets_what_it_does_not_say(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: Al <al@x.org>\r\nTo: bo@x.org\r\nSubject: Hi\r\n\r\nText\r\n"), OUTGOING_FINE);
	assert_string_equal(outgoing.sender, "al@x.org");
	assert_string_equal(recipients(), "bo@x.org");
	assert_string_equal(outgoing.message_id, ID);
	assert_string_equal(text(), "From: Al <al@x.org>\r\nTo: bo@x.org\r\nSubject: Hi\r\nMessage-ID: " ID "\r\n"
		"Date: Sat, 28 Nov 2026 11:50:00 +0000\r\nMIME-Version: 1.0\r\n\r\nText\r\n");
}

static void a_mail_keeps_what_it_says(void **state)
{
	(void)state;
	assert_int_equal(read_text("Date: Mon, 1 Jan 2024 00:00:00 +0100\nMessage-Id: <a.b@phone>\nFrom: al@x.org\nTo: bo@x.org\n"
		"MIME-Version: 1.0 (odd)\nX-Odd: \xc3\xa4\n\t folded\nContent-Type: text/plain;\n charset=x\n\nT\n"), OUTGOING_FINE);
	assert_string_equal(outgoing.message_id, "<a.b@phone>");
	assert_string_equal(text(), "Date: Mon, 1 Jan 2024 00:00:00 +0100\r\nFrom: al@x.org\r\nTo: bo@x.org\r\n"
		"X-Odd: \xc3\xa4\r\n\t folded\r\nMessage-ID: <a.b@phone>\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain;\r\n charset=x\r\n\r\nT\n");
	assert_true(outgoing_header_is_8bit(&outgoing) && outgoing_is_8bit(&outgoing));
}

static void blind_recipients_get_it_and_are_not_told(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: al@x.org\r\nTo: bo@x.org\r\nBcc: Secret\r\n <s@x.org>\r\nbcc: t@x.org\r\n\r\n"),
		OUTGOING_FINE);
	assert_string_equal(recipients(), "bo@x.org s@x.org t@x.org");
	assert_null(strstr(text(), "s@x.org"));
	assert_null(strstr(text(), "cc"));
	assert_true(slice_is(outgoing.blind, "Bcc: Secret\r\n <s@x.org>\r\nbcc: t@x.org\r\n"));
}

static void recipients_are_found_in_all_their_forms(void **state)
{
	static const struct { const char *fields, *recipients; } cases[] = {
		{"To: a@x.org, \"B, b\" <b@x.org>; C (c@no.org) <c@x.org>", "a@x.org b@x.org c@x.org"},
		{"To: group: a@x.org, b@x.org;, c@x.org", "a@x.org b@x.org c@x.org"},
		{"To: a@x.org\r\nCc: a@x.org, A@x.org", "a@x.org A@x.org"},
		{"To: <@relay:a@x.org>", "a@x.org"},
		{"To: <a>", "a"},
		{"To: =?utf-8?Q?a=40b?= <c@x.org>", "c@x.org"},
		{"To: j\xc3\xbc@x.org", "j\xc3\xbc@x.org"},
		{"To : a@x.org", "a@x.org"},
		{"Cc: a+b.c'd/e@x.org", "a+b.c'd/e@x.org"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(read_text(arena_printf(arena, "From: al@x.org\r\n%s\r\n\r\nx", cases[i].fields)), OUTGOING_FINE);
		assert_string_equal(recipients(), cases[i].recipients);
	}
}

static void what_cannot_be_sent_is_refused(void **state)
{
	static const struct { const char *mail; enum outgoing_fault fault; } cases[] = {
		{"", OUTGOING_BAD},
		{"\r\nFrom: a@x.org\r\nTo: b@x.org\r\n\r\n", OUTGOING_BAD},
		{"To: b@x.org\r\n\r\n", OUTGOING_BAD},
		{"From: nobody\r\nTo: b@x.org\r\n\r\n", OUTGOING_BAD},
		{"From: a@x.org\r\nFrom: c@x.org\r\nTo: b@x.org\r\n\r\n", OUTGOING_BAD},
		{"From: a@x.org\rTo: b@x.org\r\r", OUTGOING_BAD}, /* all of it is the sender, and no recipient */
		{"From: a@x.org\r\nSubject: x\r\n\r\n", OUTGOING_NO_RECIPIENT},
		{"From: a@x.org\r\nTo: undisclosed-recipients:;\r\n\r\n", OUTGOING_NO_RECIPIENT},
		{"From: a@x.org\r\nTo: a b@x.org\r\n\r\n", OUTGOING_BAD},
		{"From: a@x.org\r\nTo: <a\x01@x.org>\r\n\r\n", OUTGOING_BAD},
		{"From: a@x.org\r\nTo: \"a> SIZE=1\"@x.org\r\n\r\n", OUTGOING_BAD},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_int_equal(read_text(cases[i].mail), cases[i].fault);
}

/* What is no line end to us must not become one for the next server. */
static void no_field_can_be_smuggled_in(void **state)
{
	static const char mail[] = "From: al@x.org\r\nTo: bo@x.org\r\nSubject: a\rBcc: evil@x.org\rX: \x0b\x0c\x7f\0b\r\n"
		"X-Fold: 1\r\n \r\n \r\n2\r\nno field here\r\n\r\nbody";
	char *sent;

	(void)state;
	assert_int_equal(read_bytes(mail, sizeof mail - 1), OUTGOING_FINE);
	assert_string_equal(recipients(), "bo@x.org");
	sent = arena_strdup(arena, text());
	assert_non_null(strstr(sent, "Subject: a Bcc: evil@x.org X:     b\r\n"));
	assert_null(strstr(sent, "no field"));
	for (const char *at = sent; *at != '\0' && strncmp(at, "\r\n\r\n", 4) != 0; at++)
		assert_true(*at >= ' ' || (at[0] == '\r' && at[1] == '\n') || (at > sent && at[-1] == '\r'));
	assert_non_null(strstr(sent, "X-Fold: 1\r\nMessage-ID:"));
}

static void a_message_id_is_one_or_is_made(void **state)
{
	static const char *const bad[] = {"x@y", "<>", "<a b@c>", "<a\"b@c>", "<a\\b@c>", "<a><b>", "<\xc3\xa4@x>", "<a\r\n b@c>"};

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++) {
		assert_int_equal(read_text(arena_printf(arena, "From: a@x.org\r\nTo: b@x.org\r\nMessage-ID: %s\r\n\r\n", bad[i])),
			OUTGOING_FINE);
		assert_string_equal(outgoing.message_id, ID);
	}
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nMessage-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n"), OUTGOING_FINE);
	assert_string_equal(outgoing.message_id, "<1@x>");
	assert_null(strstr(text(), "<2@x>"));
}

static void recipients_and_header_are_bounded(void **state)
{
	struct buffer mail = BUFFER_EMPTY;

	(void)state;
	buffer_append_string(&mail, "From: a@x.org\r\nTo: ");
	for (int i = 0; i < OUTGOING_RECIPIENTS_MAX; i++)
		buffer_printf(&mail, "\"Somebody With A Name\" <user%d@some.domain.example.org>,\r\n ", i);
	struct buffer more = BUFFER_EMPTY;
	buffer_append(&more, mail.data, mail.length);
	buffer_append_string(&mail, "user0@some.domain.example.org\r\n\r\n"); /* known already */
	assert_int_equal(read_bytes(mail.data, mail.length), OUTGOING_FINE);
	assert_int_equal(outgoing.recipient_count, OUTGOING_RECIPIENTS_MAX);
	buffer_append_string(&more, "one@more.org\r\n\r\n");
	assert_int_equal(read_bytes(more.data, more.length), OUTGOING_TOO_MANY);
	buffer_truncate(&more, 0);
	buffer_append_string(&more, "From: a@x.org\r\nTo: b@x.org\r\n");
	while (more.length <= OUTGOING_HEADER_MAX)
		buffer_append_string(&more, "X: 1\r\n");
	buffer_append_string(&more, "\r\n");
	assert_int_equal(read_bytes(more.data, more.length), OUTGOING_BAD);
	buffer_release(&mail);
	buffer_release(&more);
}

/* --- originals ------------------------------------------------------------------------------------------------- */

static const char original[] = "From: Bo <bo@x.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <orig@x>\r\n"
	"References: <first@x>\r\n <second@x>\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdf""e\r\n> old\r\n";

/* What a reader of the sent mail sees. */
static const char *body_as(Belfry__Connector__BodyType type)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes[] = {&wish};
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	const char *sent = text();

	wish.type = type;
	mail_read(arena, sent, strlen(sent), wishes, 1, 0, &mail, &body);
	return (const char *)body.data.data;
}

static void a_reply_names_its_original(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\n\r\nx"), OUTGOING_FINE);
	outgoing_refer(&outgoing, slice_string(original));
	assert_non_null(strstr(text(), "In-Reply-To: <orig@x>\r\nReferences: <first@x> <second@x> <orig@x>\r\n\r\nx"));
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nIn-Reply-To: <own@x>\r\n\r\nx"), OUTGOING_FINE);
	outgoing_refer(&outgoing, slice_string(original));
	assert_null(strstr(text(), "<orig@x>"));
}

static void a_forward_encloses_its_original(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nContent-Type: text/html; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=C3=A4</b>"), OUTGOING_FINE);
	outgoing_enclose(&outgoing, slice_string(original));
	const char *sent = text();
	struct mime_part *root = mime_parse(arena, sent, strlen(sent));
	assert_true(mime_is(root, "multipart", "mixed"));
	assert_true(mime_is(root->first, "text", "html") && slice_is(root->first->body, "<b>=C3=A4</b>"));
	assert_int_equal(root->first->transfer, TRANSFER_QUOTED_PRINTABLE);
	struct mime_part *enclosed = root->first->next;
	assert_true(mime_is(enclosed, "message", "rfc822") && enclosed->next == NULL);
	assert_int_equal(enclosed->disposition, MIME_DISPOSITION_ATTACHMENT);
	assert_int_equal(enclosed->body.length, sizeof original - 1);
	assert_memory_equal(enclosed->body.at, original, sizeof original - 1);
}

static void a_boundary_stands_in_nothing_that_it_separates(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\n\r\n--=_belfry\r\n--=_belfry_0--\r\n"), OUTGOING_FINE);
	outgoing_enclose(&outgoing, slice_string("Subject: x\r\n\r\n--=_belfry_1\r\n"));
	const char *sent = text();
	struct mime_part *root = mime_parse(arena, sent, strlen(sent));
	assert_true(root->first->next == root->last);
	assert_true(slice_is(root->first->body, "--=_belfry\r\n--=_belfry_0--\r\n"));
}

static void a_reply_quotes_its_original_in_plain_text(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nJ\xe4"),
		OUTGOING_FINE);
	outgoing_quote(&outgoing, slice_string(original));
	assert_string_equal(body_as(BELFRY__CONNECTOR__BODY_TYPE__PLAIN), "J\xc3\xa4\r\n\r\n"
		"On Mon, 1 Jan 2024 00:00:00 +0000, \"Bo\" <bo@x.org> wrote:\r\n> Gr\xc3\xbc\xc3\x9f" "e\r\n>> old\r\n");
	assert_false(outgoing_is_8bit(&outgoing));
}

static void a_reply_quotes_its_original_in_each_of_its_forms(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
		"--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
		"--a\r\nContent-Type: text/plain\r\n\r\nYes\r\n"
		"--a\r\nContent-Type: text/html\r\nContent-ID: <h>\r\n\r\n<html><body>Yes</body></html>\r\n--a--\r\n"
		"--m\r\nContent-Type: image/png; name=i.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--m--\r\n"),
		OUTGOING_FINE);
	outgoing_quote(&outgoing, slice_string(original));
	assert_non_null(strstr(body_as(BELFRY__CONNECTOR__BODY_TYPE__PLAIN), "Yes\r\n\r\nOn Mon, 1 Jan"));
	assert_non_null(strstr(body_as(BELFRY__CONNECTOR__BODY_TYPE__PLAIN), "> Gr\xc3\xbc\xc3\x9f" "e\r\n"));
	const char *html = body_as(BELFRY__CONNECTOR__BODY_TYPE__HTML);
	assert_non_null(strstr(html, "<body>Yes<br><div>On Mon, 1 Jan"));
	assert_non_null(strstr(html, "&lt;bo@x.org&gt; wrote:"));
	assert_non_null(strstr(html, "<blockquote type=\"cite\">Gr\xc3\xbc\xc3\x9f" "e"));
	assert_non_null(strstr(html, "</blockquote></body></html>"));
	assert_non_null(strstr(text(), "Content-ID: <h>\r\n"));
	assert_non_null(strstr(text(), "\r\n\r\nAAAA\r\n--m--\r\n"));
}

static void what_is_signed_or_encrypted_stays_as_it_is(void **state)
{
	static const char *const types[] = {"multipart/signed; boundary=s", "application/pkcs7-mime", "multipart/encrypted; boundary=s"};

	(void)state;
	for (size_t i = 0; i < LENGTH(types); i++) {
		assert_int_equal(read_text(arena_printf(arena, "From: a@x.org\r\nTo: b@x.org\r\nContent-Type: %s\r\n\r\n"
			"--s\r\nContent-Type: text/plain\r\n\r\nsigned\r\n--s--\r\n", types[i])), OUTGOING_FINE);
		const char *before = text();
		outgoing_quote(&outgoing, slice_string(original));
		assert_string_equal(text(), before);
	}
}

static void a_reply_without_text_encloses(void **state)
{
	(void)state;
	assert_int_equal(read_text("From: a@x.org\r\nTo: b@x.org\r\nContent-Type: image/png\r\n\r\nx"), OUTGOING_FINE);
	outgoing_quote(&outgoing, slice_string(original));
	assert_non_null(strstr(text(), "message/rfc822"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mail_gets_what_it_does_not_say, begin, end),
		cmocka_unit_test_setup_teardown(a_mail_keeps_what_it_says, begin, end),
		cmocka_unit_test_setup_teardown(blind_recipients_get_it_and_are_not_told, begin, end),
		cmocka_unit_test_setup_teardown(recipients_are_found_in_all_their_forms, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(no_field_can_be_smuggled_in, begin, end),
		cmocka_unit_test_setup_teardown(a_message_id_is_one_or_is_made, begin, end),
		cmocka_unit_test_setup_teardown(recipients_and_header_are_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_reply_names_its_original, begin, end),
		cmocka_unit_test_setup_teardown(a_forward_encloses_its_original, begin, end),
		cmocka_unit_test_setup_teardown(a_boundary_stands_in_nothing_that_it_separates, begin, end),
		cmocka_unit_test_setup_teardown(a_reply_quotes_its_original_in_plain_text, begin, end),
		cmocka_unit_test_setup_teardown(a_reply_quotes_its_original_in_each_of_its_forms, begin, end),
		cmocka_unit_test_setup_teardown(what_is_signed_or_encrypted_stays_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(a_reply_without_text_encloses, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

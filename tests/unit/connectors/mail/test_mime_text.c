/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mails in MIME as text that XML can carry. */
#include "tests/unit/connectors/mail/try.h"

#include <string.h>
#include <unistd.h>

#include "connectors/mail/mime_file.h"
#include "connectors/mail/mime_text.h"

#define MULTIPART(type) "Content-Type: multipart/" type "; boundary=b\r\n\r\n"
#define QUOTED "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"
#define REPLACED "\xef\xbf\xbd"

static char *text_of(struct arena *arena, struct slice octets)
{
	struct mime_text text = {.take = NULL};

	mime_text_make(&text, arena, mime_parse(arena, octets.at, octets.length), octets);
	char *copy = arena_strndup(arena, buffer_string(&text.made), text.made.length);
	buffer_release(&text.made);
	return copy;
}

static void each_part_that_is_no_text_is_encoded(void **state)
{
	/* text NULL: as it was */
	static const struct { const char *octets, *text; } cases[] = {
		{"Subject: x\r\n\r\nplain\r\n", NULL},
		{"Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\ngr\xc3\xbc\xc3\x9f\x65\r\n", NULL},
		{"Subject: x\n\nno \r and only \n", NULL},
		{"", NULL},
		{"\r\n\r\n", NULL},
		/* latin1; what the header said of the encoding goes */
		{"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\nX: y\r\n\r\nGr\xfc\xdf\x65 =\r\n-- \r\nA",
		 "Content-Type: text/plain; charset=iso-8859-1\r\nX: y\r\n" QUOTED "\r\nGr=FC=DFe =3D\r\n=2D-=20\r\nA"},
		{"X: y\n\n\xfc\n", "X: y\nContent-Transfer-Encoding: quoted-printable\n\n=FC\n"},
		{"\r\n\xfc", QUOTED "\r\n=FC"},
		/* ISO-2022-JP: 7-bit, but XML knows no escape */
		{"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3\x1b(B\r\n",
		 "Content-Type: text/plain; charset=iso-2022-jp\r\n" QUOTED "\r\n=1B$B$3=1B(B\r\n"},
		/* quoted-printable with raw bytes in it, base64 with foreign ones */
		{QUOTED "\r\n=FCx\xfc=\r\ny\r\n", QUOTED "\r\n=FCx=FCy\r\n"},
		{BASE64 "\r\nAA\xfc==\r\n", BASE64 "\r\nAA?==\r\n"},
		/* long lines are broken, never in an octet */
		{"\r\n0123456789012345678901234567890123456789012345678901234567890123456789\xfc\xfc\xfc--",
		 QUOTED "\r\n0123456789012345678901234567890123456789012345678901234567890123456789=FC=\r\n=FC=FC--"},
		/* files */
		{"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n!", "Content-Type: image/png\r\n" BASE64 "\r\niVBORw0KGgoh"},
		/* only the parts that need it; preamble and epilogue are for nobody */
		{MULTIPART("mixed") "pre \xfc\r\n--b\r\n\r\nplain\r\n--b\r\nX: y\r\n\r\n\xfc\r\n--b\r\nContent-Type: a/b\r\n\r\n\xff\r\n--b--\r\nepi \xfc",
		 MULTIPART("mixed") "pre " REPLACED "\r\n--b\r\n\r\nplain\r\n--b\r\nX: y\r\n" QUOTED "\r\n=FC\r\n--b\r\nContent-Type: a/b\r\n"
		 BASE64 "\r\n/w==\r\n--b--\r\nepi " REPLACED},
		/* a mail within */
		{MULTIPART("mixed") "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: \xfc\r\n\r\n\xfc\r\n--b--",
		 MULTIPART("mixed") "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: \xc3\xbc\r\n" QUOTED "\r\n=FC\r\n--b--"},
		/* sealed: not a byte is moved */
		{"Subject: \xfc\r\n" MULTIPART("signed") "--b\r\nX: \xfc\r\n\r\n\xfc\r\n--b\r\n\r\n\xfc\r\n--b--\r\n",
		 "Subject: \xc3\xbc\r\n" MULTIPART("signed") "--b\r\nX: " REPLACED "\r\n\r\n" REPLACED "\r\n--b\r\n\r\n" REPLACED "\r\n--b--\r\n"},
		{MULTIPART("encrypted") "--b\r\n\r\n\xfc\r\n--b--\r\n", MULTIPART("encrypted") "--b\r\n\r\n" REPLACED "\r\n--b--\r\n"},
		/* headers, folded, of both kinds; nothing that would end them */
		{"From: \"J\xf6rg\r\n \xd6. Xu\" <j@x>\r\nTo: \xc3\xb6\r\nX: \x1b$B$3\x1b(B\r\n\x01\r\nY: z\r\n\r\n",
		 "From: \"J\xc3\xb6rg\r\n \xc3\x96. Xu\" <j@x>\r\nTo: \xc3\xb6\r\nX: \xe3\x81\x93\r\nY: z\r\n\r\n"},
		/* a boundary that is no text stays that of its lines */
		{"Content-Type: multipart/mixed; boundary=\"\xfc\"\r\n\r\n--\xfc\r\n\r\n\xdf\r\n--\xfc--",
		 "Content-Type: multipart/mixed; boundary=\"" REPLACED "\"\r\n\r\n--" REPLACED "\r\n" QUOTED "\r\n=DF\r\n--" REPLACED "--"},
		/* no parts: no encoding may be said of it */
		{MULTIPART("mixed") "\xfc\r\n", MULTIPART("mixed") REPLACED "\r\n"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct slice octets = slice_string(cases[i].octets);
		assert_string_equal(text_of(arena, octets), cases[i].text != NULL ? cases[i].text : cases[i].octets);
		assert_int_equal(mime_text_is_needed(octets), cases[i].text != NULL);
	}
	arena_free(&arena);
}

static void count_and_consume(struct mime_text *text)
{
	struct buffer *all = text->owner;

	assert_true(text->made.length < 5 * MIME_TEXT_PIECE);
	buffer_append(all, text->made.data, text->made.length);
	buffer_consume(&text->made, text->made.length);
}

static void a_large_mail_is_taken_piece_by_piece(void **state)
{
	static const char *const headers[] = {"\r\n", "Content-Type: a/b\r\n\r\n", BASE64 "\r\n", MULTIPART("signed")};
	enum { BYTES = 1000000 };

	(void)state;
	for (size_t i = 0; i < LENGTH(headers); i++) {
		struct arena *arena = arena_create(0);
		struct buffer octets = BUFFER_EMPTY, all = BUFFER_EMPTY;
		struct mime_text text = {.take = count_and_consume, .owner = &all};
		buffer_append_string(&octets, headers[i]);
		for (int j = 0; j < BYTES; j++)
			buffer_append_byte(&octets, (uint8_t)(j % 251));
		struct slice whole = slice_of(octets.data, octets.length);
		mime_text_make(&text, arena, mime_parse(arena, whole.at, whole.length), whole);
		assert_true(all.length > 2 * MIME_TEXT_PIECE);
		count_and_consume(&text);
		assert_string_equal(buffer_string(&all), text_of(arena, whole));
		buffer_release(&text.made);
		buffer_release(&octets);
		buffer_release(&all);
		arena_free(&arena);
	}
}

static void assert_holds(const struct text_file *file, const char *text)
{
	char got[1000] = "";

	assert_int_equal(pread(file->fd, got, sizeof got - 1, 0), strlen(text));
	assert_string_equal(got, text);
}

static void a_file_of_octets_becomes_text(void **state)
{
	static const struct { const char *octets; bool is_beginning; const char *text; uint64_t most; const char *cut; } cases[] = {
		{"", false, "", 10, ""},
		{"\r\nplain", false, "\r\nplain", 7, "\r\nplain"},
		{"\r\n\xc3\xbc\xe2\x82\xac", false, "\r\n\xc3\xbc\xe2\x82\xac", 6, "\r\n\xc3\xbc"},
		{"\r\n\xc3\xbc\xe2\x82\xac", false, "\r\n\xc3\xbc\xe2\x82\xac", 3, "\r\n"},
		{"\r\n\xc3\xbc\xe2\x82", true, "\r\n\xc3\xbc", 1, "\r"},
		{"\r\n\xc3\xbc\xe2\x82", false, QUOTED "\r\n=C3=BC=E2=82", 0, ""},
		{"\r\n\xfc", false, QUOTED "\r\n=FC", 20, "Content-Transfer-Enc"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct text_file file;
		assert_int_equal(text_file_create(&file), 0);
		for (const char *at = cases[i].octets; *at != '\0'; at++)
			text_file_append_octets(&file, at, 1);
		assert_int_equal(mime_file_make_text(&file, cases[i].is_beginning), strlen(cases[i].text));
		assert_holds(&file, cases[i].text);
		assert_int_equal(mime_file_cut(&file, cases[i].most), strlen(cases[i].cut));
		assert_holds(&file, cases[i].cut);
		assert_false(file.failed);
		close(file.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_that_is_no_text_is_encoded),
		cmocka_unit_test(a_large_mail_is_taken_piece_by_piece),
		cmocka_unit_test(a_file_of_octets_becomes_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

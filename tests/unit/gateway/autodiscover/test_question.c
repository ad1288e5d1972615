/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Autodiscover requests as phones send them, and as they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/autodiscover/question.h"
#include "lib/core/buffer.h"

#define SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
#define HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define OPEN "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006\"><Request>"
#define CLOSE "</Request></Autodiscover>"
#define EMAIL "<EMailAddress>alice@example.org</EMailAddress>"
#define ACCEPT "<AcceptableResponseSchema>" SCHEMA "</AcceptableResponseSchema>"

/* In a block of exactly its size, so that the sanitizer sees the first byte read too many. "": refused. */
static void try_bytes(const char *text, size_t length, const char *email)
{
	struct arena *arena = arena_create(0);
	char *copy = malloc(length + 1);
	struct question question = {"", ""};
	struct error error = {""};

	memcpy(copy, text, length);
	copy = realloc(copy, length == 0 ? 1 : length);
	int result = question_parse(&question, arena, copy, length, &error);
	if (result != (email[0] == '\0' ? -1 : 0) || strcmp(question.email, email) != 0)
		fail_msg("%.200s: %d, %s, %s", text, result, question.email, error.text);
	assert_true(result == 0 || error.text[0] != '\0');
	free(copy);
	arena_free(&arena);
}

static void try(const char *text, const char *email)
{
	try_bytes(text, strlen(text), email);
}

static void requests_of_phones_are_understood(void **state)
{
	static const char *const cases[] = {
		HEAD OPEN EMAIL ACCEPT CLOSE,
		OPEN ACCEPT EMAIL CLOSE "\n",
		/* MS-ASCMD 4.2.1 */
		HEAD "<Autodiscover\n xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006\">\n"
			" <Request>\n  <EMailAddress> alice@example.org\n</EMailAddress>\n  <AcceptableResponseSchema>\n   " SCHEMA
			"\n  </AcceptableResponseSchema>\n </Request>\n</Autodiscover>\n",
		"<a:Autodiscover xmlns:a=\"u\"><a:Request><a:LegacyDN>/o=x</a:LegacyDN><a:EMailAddress>alice@example.org</a:EMailAddress>"
			"<a:AcceptableResponseSchema>s</a:AcceptableResponseSchema></a:Request></a:Autodiscover>",
		OPEN "<EMailAddress><![CDATA[alice]]>&#64;<!-- here -->example.org</EMailAddress>" ACCEPT CLOSE,
		OPEN "<Other><EMailAddress>bob@example.org</EMailAddress></Other>" EMAIL ACCEPT CLOSE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		try(cases[i], "alice@example.org");
	try(OPEN "<EMailAddress>a&amp;b&lt;&quot;@example.org</EMailAddress>" ACCEPT CLOSE, "a&b<\"@example.org");
	try(OPEN "<EMailAddress>\xc3\xa4@example.org</EMailAddress>" ACCEPT CLOSE, "\xc3\xa4@example.org");
	try("<?xml version='1.0' encoding='iso-8859-1'?>" OPEN "<EMailAddress>\xe4@example.org</EMailAddress>" ACCEPT CLOSE,
		"\xc3\xa4@example.org");
}

static void anything_else_is_refused(void **state)
{
	static const char *const cases[] = {
		"", " ", "x", "<", "<Autodiscover", HEAD, OPEN, OPEN EMAIL ACCEPT, OPEN EMAIL ACCEPT CLOSE "x", OPEN EMAIL CLOSE,
		OPEN ACCEPT CLOSE, OPEN "<EMailAddress/>" ACCEPT CLOSE, OPEN "<EMailAddress> </EMailAddress>" ACCEPT CLOSE,
		OPEN EMAIL EMAIL ACCEPT CLOSE, OPEN EMAIL ACCEPT ACCEPT CLOSE,
		OPEN "<EMailAddress>a<b/>c</EMailAddress>" ACCEPT CLOSE,
		"<autodiscover><Request>" EMAIL ACCEPT "</Request></autodiscover>",
		"<Autodiscover><Answer>" EMAIL ACCEPT "</Answer></Autodiscover>", "<Autodiscover>" EMAIL ACCEPT "</Autodiscover>",
		"<x><Autodiscover><Request>" EMAIL ACCEPT "</Request></Autodiscover></x>",
		OPEN "<EMailAddress>&alice;</EMailAddress>" ACCEPT CLOSE, OPEN "<EMailAddress>&#0;</EMailAddress>" ACCEPT CLOSE,
		OPEN "<EMailAddress>\x01@example.org</EMailAddress>" ACCEPT CLOSE,
		OPEN "<EMailAddress>\xff@example.org</EMailAddress>" ACCEPT CLOSE,
		"<?xml version='1.0' encoding='no-such'?>" OPEN EMAIL ACCEPT CLOSE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		try(cases[i], "");
	try_bytes(OPEN "\0" EMAIL ACCEPT CLOSE, sizeof OPEN EMAIL ACCEPT CLOSE, "");
}

static void every_doctype_is_refused(void **state)
{
	static const char *const cases[] = {
		"<!DOCTYPE Autodiscover>" OPEN EMAIL ACCEPT CLOSE,
		HEAD "<!DOCTYPE Autodiscover []>" OPEN EMAIL ACCEPT CLOSE,
		HEAD "<!DOCTYPE Autodiscover SYSTEM \"http://127.0.0.1:1/x.dtd\">" OPEN EMAIL ACCEPT CLOSE,
		HEAD "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" OPEN "<EMailAddress>&e;</EMailAddress>" ACCEPT CLOSE,
		HEAD "<!DOCTYPE x [<!ENTITY a \"alice@example.org\">]>" OPEN "<EMailAddress>&a;</EMailAddress>" ACCEPT CLOSE,
		HEAD "<!DOCTYPE x [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>" OPEN EMAIL ACCEPT CLOSE,
		HEAD "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">"
			"<!ENTITY d \"&c;&c;&c;&c;&c;&c;\"><!ATTLIST Request x CDATA \"&d;\">]>" OPEN EMAIL ACCEPT CLOSE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		try(cases[i], "");
}

/* A megabyte of something, between a beginning and an end. */
static void try_much(const char *before, const char *piece, const char *after, const char *email)
{
	struct buffer text = BUFFER_EMPTY;

	buffer_append_string(&text, before);
	while (text.length < 1024 * 1024)
		buffer_append_string(&text, piece);
	buffer_append_string(&text, after);
	try_bytes(buffer_string(&text), text.length, email);
	buffer_release(&text);
}

static void much_of_anything_does_no_harm(void **state)
{
	(void)state;
	try_much("", "<a>", "", "");
	try_much(OPEN, "<a>", CLOSE, "");
	try_much(OPEN "<EMailAddress>", "a", "</EMailAddress>" ACCEPT CLOSE, "");
	try_much(OPEN "<Other>", "a", "</Other>" EMAIL ACCEPT CLOSE, "alice@example.org");
	try_much(OPEN, "<a/>", EMAIL ACCEPT CLOSE, "alice@example.org");
	try_much(OPEN "<!--", "<a>", "-->" EMAIL ACCEPT CLOSE, "alice@example.org");
	try_much(OPEN "<a b='", "c", "'/>" EMAIL ACCEPT CLOSE, "alice@example.org");
	try_much(OPEN "<a", " b='c'", "/>" EMAIL ACCEPT CLOSE, "");
	try_much(OPEN, "&#65;", EMAIL ACCEPT CLOSE, "alice@example.org");
	try_much("<!DOCTYPE x [", "<!ENTITY a 'b'>", "]>" OPEN EMAIL ACCEPT CLOSE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_phones_are_understood),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(every_doctype_is_refused),
		cmocka_unit_test(much_of_anything_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* WBXML as XML: namespaces, escapes, secrets, and what is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/codec/wbxml_xml.h"

#define BYTES(text) text, sizeof(text) - 1
#define HEADER "\x03\x01\x6A\x00"
#define PROLOGUE "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

static const struct wbxml_xml_options plain = {0}, indented = {.indent = true}, as_text = {.opaque_as_text = true},
	hidden = {.hide_secrets = true}, cut = {.text_max = 4};

static void documents_are_shown_as_xml(void **state)
{
	static const struct { const struct wbxml_xml_options *options; const char *bytes; size_t length; const char *xml; } cases[] = {
		{&plain, BYTES(HEADER "\x45\x4B\x03" "1\0\x01\x00\x11\x4A\x46\x03" "2\0\x01\x01\x00\x00\x14\x01"),
		 "<Sync xmlns=\"AirSync\"><SyncKey>1</SyncKey><Body xmlns=\"AirSyncBase\"><Type>2</Type></Body><MoreAvailable/></Sync>"},
		{&indented, BYTES(HEADER "\x45\x4B\x03" "1\0\x01\x5C\x14\x01\x60\x01\x01"),
		 "\n<Sync xmlns=\"AirSync\">\n  <SyncKey>1</SyncKey>\n  <Collections>\n    <MoreAvailable/>\n  </Collections>\n"
		 "  <Supported></Supported>\n</Sync>"},
		{&plain, BYTES(HEADER "\x05"), "<Sync xmlns=\"AirSync\"/>"},
		{&plain, BYTES(HEADER "\x45\x03" "a<b>&\"c\"\r\n\x07 Gr\xC3\xBC\xC3\x9F" "e\0\x01"),
		 "<Sync xmlns=\"AirSync\">a&lt;b&gt;&amp;\"c\"&#13;\n Gr\xC3\xBC\xC3\x9F" "e</Sync>"},
		{&plain, BYTES(HEADER "\x45\x7F\x00\x0E\x3C\x01\x00\x1F\x45\x03x\0\x01\x01"),
		 "<Sync xmlns=\"AirSync\"><unknown-00-3F><unknown-0E-3C xmlns=\"Provision\"/></unknown-00-3F>"
		 "<unknown-1F-05 xmlns=\"page-1F\">x</unknown-1F-05></Sync>"},
		{&plain, BYTES(HEADER "\x45\xC3\x04\x00\xFFx!\x01"), "<Sync xmlns=\"AirSync\">AP94IQ==</Sync>"},
		{&plain, BYTES(HEADER "\x45\xC3\x03" "abc\x01"), "<Sync xmlns=\"AirSync\">YWJj</Sync>"},
		{&plain, BYTES(HEADER "\x45\xC3\x02" "ab\x01"), "<Sync xmlns=\"AirSync\">YWI=</Sync>"},
		{&as_text, BYTES(HEADER "\x45\xC3\x03" "a<c\x01"), "<Sync xmlns=\"AirSync\">a&lt;c</Sync>"},
		{&as_text, BYTES(HEADER "\x45\xC3\x02" "a\x00\x01"), "<Sync xmlns=\"AirSync\">YQA=</Sync>"},
		{&cut, BYTES(HEADER "\x45\x4B\x03" "abcdefg\0\x01\x4B\x03" "abcd\0\x01\x4B\x03" "abc\xC3\xBC" "d\0\x01\x4B\xC3\x05" "abcde\x01\x01"),
		 "<Sync xmlns=\"AirSync\"><SyncKey>abcd[and 3 bytes]</SyncKey><SyncKey>abcd</SyncKey>"
		 "<SyncKey>abc[and 2 bytes]</SyncKey><SyncKey>YWJjZA==[and 1 bytes]</SyncKey></Sync>"},
		{&hidden, BYTES(HEADER "\x00\x14\x45\x54\x03" "joe\0\x01\x55\x03" "s3cret\0\x01\x55\xC3\x02xx\x01\x01"),
		 "<ItemOperations xmlns=\"ItemOperations\"><UserName>joe</UserName><Password>***</Password><Password>***</Password></ItemOperations>"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer xml = BUFFER_EMPTY, expected = BUFFER_EMPTY;
		struct error error = {0};
		if (wbxml_to_xml(&xml, &activesync_language, cases[i].bytes, cases[i].length, cases[i].options, &error) < 0)
			fail_msg("case %zu: %s", i, error.text);
		buffer_printf(&expected, PROLOGUE "%s\n", cases[i].xml);
		assert_string_equal(buffer_string(&xml), buffer_string(&expected));
		buffer_release(&xml);
		buffer_release(&expected);
	}
}

static void a_broken_document_is_shown_as_far_as_it_goes(void **state)
{
	struct buffer xml = BUFFER_EMPTY;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_to_xml(&xml, &activesync_language, BYTES(HEADER "\x45\x4B\x03" "1\0\x01\x43"), &plain, &error), -1);
	assert_string_equal(buffer_string(&xml), PROLOGUE "<Sync xmlns=\"AirSync\"><SyncKey>1</SyncKey>\n");
	assert_non_null(strstr(error.text, "a processing instruction"));
	buffer_release(&xml);
}

static void short_tags_with_long_names_do_not_fill_the_memory(void **state)
{
	enum { TAGS = 4000000 };
	struct buffer document = BUFFER_EMPTY, xml = BUFFER_EMPTY;
	struct error error;

	(void)state;
	buffer_append(&document, BYTES(HEADER "\x00\x0E\x45"));
	memset(buffer_reserve(&document, TAGS), AS_PROVISION_ALLOWSMIMEENCRYPTIONALGORITHMNEGOTIATION & 0x3F, TAGS);
	buffer_grow(&document, TAGS);
	buffer_append_byte(&document, 0x01);
	assert_int_equal(wbxml_to_xml(&xml, &activesync_language, document.data, document.length, &plain, &error), -1);
	assert_true(xml.length < WBXML_XML_MAX + 1000);
	buffer_release(&document);
	buffer_release(&xml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_shown_as_xml),
		cmocka_unit_test(a_broken_document_is_shown_as_far_as_it_goes),
		cmocka_unit_test(short_tags_with_long_names_do_not_fill_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast WBXML is read and written: a Sync answer of 650 kB, dense with short tags, as many times as fit in a second.
 * Prints MB/s of WBXML for our writer, our parser, our decoder to XML, and libwbxml's decoder to XML for comparison.
 * Built with optimisation and without sanitizers, or the numbers mean nothing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_LIBWBXML
#include <wbxml/wbxml.h>
#endif

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/codec/wbxml_xml.h"

enum { DOCUMENT_BYTES = 650000, NS_A_SECOND = 1000000000 };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)NS_A_SECOND + now.tv_nsec;
}

static void write_body(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNCBASE_BODY);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TYPE, 1);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, 5210);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TRUNCATED, 1);
	wbxml_writer_text_element(writer, AS_AIRSYNCBASE_DATA, "See you.\r\n");
	wbxml_writer_end(writer);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_NATIVEBODYTYPE, 1);
}

static void write_mail(struct wbxml_writer *writer, unsigned uid)
{
	wbxml_writer_start(writer, AS_AIRSYNC_ADD);
	wbxml_writer_number_element(writer, AS_AIRSYNC_SERVERID, uid);
	wbxml_writer_start(writer, AS_AIRSYNC_APPLICATIONDATA);
	wbxml_writer_text_element(writer, AS_EMAIL_TO, "\"Anna\" <anna@example.net>");
	wbxml_writer_text_element(writer, AS_EMAIL_FROM, "\"J\xC3\xB6rg\" <joerg@example.org>");
	wbxml_writer_text_element(writer, AS_EMAIL_SUBJECT, "Re: the bells");
	wbxml_writer_text_element(writer, AS_EMAIL_DATERECEIVED, "2024-02-17T09:30:00.000Z");
	wbxml_writer_number_element(writer, AS_EMAIL_IMPORTANCE, 1);
	wbxml_writer_number_element(writer, AS_EMAIL_READ, 0);
	wbxml_writer_text_element(writer, AS_EMAIL_MESSAGECLASS, "IPM.Note");
	wbxml_writer_empty_element(writer, AS_EMAIL_FLAG);
	write_body(writer);
	wbxml_writer_opaque_element(writer, AS_EMAIL2_CONVERSATIONID, "0123456789abcdef", 16);
	wbxml_writer_number_element(writer, AS_EMAIL2_LASTVERBEXECUTED, 0);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

static void write_sync(struct buffer *out)
{
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, out, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(&writer, AS_AIRSYNC_COLLECTIONS);
	wbxml_writer_start(&writer, AS_AIRSYNC_COLLECTION);
	wbxml_writer_text_element(&writer, AS_AIRSYNC_SYNCKEY, "18");
	wbxml_writer_text_element(&writer, AS_AIRSYNC_COLLECTIONID, "5");
	wbxml_writer_number_element(&writer, AS_AIRSYNC_STATUS, 1);
	wbxml_writer_start(&writer, AS_AIRSYNC_COMMANDS);
	for (unsigned uid = 1; out->length < DOCUMENT_BYTES; uid++)
		write_mail(&writer, uid);
	for (int i = 0; i < 4; i++)
		wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
}

static void run_writer(const struct buffer *document)
{
	struct buffer out = BUFFER_EMPTY;

	write_sync(&out);
	if (out.length != document->length)
		abort();
	buffer_release(&out);
}

static void run_parser(const struct buffer *document)
{
	struct wbxml_parser parser;
	enum wbxml_event event;
	struct error error;

	if (wbxml_parser_open(&parser, &activesync_language, document->data, document->length, &error) < 0)
		abort();
	while ((event = wbxml_parser_next(&parser, &error)) > WBXML_DONE)
		;
	if (event != WBXML_DONE)
		abort();
}

static void run_xml(const struct buffer *document)
{
	static const struct wbxml_xml_options options = {.opaque_as_text = true};
	struct buffer xml = BUFFER_EMPTY;
	struct error error;

	if (wbxml_to_xml(&xml, &activesync_language, document->data, document->length, &options, &error) < 0)
		abort();
	buffer_release(&xml);
}

#ifdef HAVE_LIBWBXML
static void run_libwbxml(const struct buffer *document)
{
	WBXMLConvWBXML2XML *converter = NULL;
	WB_UTINY *xml = NULL;
	WB_ULONG length = 0;

	if (wbxml_conv_wbxml2xml_create(&converter) != WBXML_OK)
		abort();
	wbxml_conv_wbxml2xml_set_language(converter, WBXML_LANG_ACTIVESYNC);
	wbxml_conv_wbxml2xml_set_gen_type(converter, WBXML_GEN_XML_COMPACT);
	if (wbxml_conv_wbxml2xml_run(converter, (WB_UTINY *)document->data, (WB_ULONG)document->length, &xml, &length) != WBXML_OK)
		abort();
	free(xml);
	wbxml_conv_wbxml2xml_destroy(converter);
}
#endif

static void measure(const char *name, void run(const struct buffer *), const struct buffer *document)
{
	int64_t start = now_ns(), elapsed;
	unsigned times = 0;

	do {
		run(document);
		times++;
	} while ((elapsed = now_ns() - start) < NS_A_SECOND);
	printf("%-28s %8.1f MB/s\n", name, (double)document->length * times * 1000 / (double)elapsed);
}

int main(void)
{
	struct buffer document = BUFFER_EMPTY;

	write_sync(&document);
	measure("write", run_writer, &document);
	measure("parse", run_parser, &document);
	measure("decode to XML", run_xml, &document);
#ifdef HAVE_LIBWBXML
	measure("decode to XML, libwbxml", run_libwbxml, &document);
#endif
	buffer_release(&document);
	return 0;
}

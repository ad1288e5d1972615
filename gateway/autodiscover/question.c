/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libxml2's SAX: no tree is built, nothing is loaded, and the parser stops at the first thing that no phone sends. A
 * DOCTYPE is such a thing, so that there are no entities: neither files of ours nor a billion laughs.
 */
#include "gateway/autodiscover/question.h"

#include <limits.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "lib/core/buffer.h"

/* What is read below Autodiscover/Request. */
enum value { EMAIL, SCHEMA, VALUES };
static const char *const value_names[VALUES] = {"EMailAddress", "AcceptableResponseSchema"};
static const char *const path[] = {"Autodiscover", "Request"};
enum { PATH = sizeof path / sizeof *path };

struct reading {
	xmlParserCtxt *parser;
	struct arena *arena;
	const char *values[VALUES];
	enum value value;        /* the element that is open; VALUES: none that counts */
	unsigned depth, on_path; /* elements open; how many of them are those of `path` */
	struct buffer text;      /* of it */
	const char *fault;       /* NULL: none so far */
};

static void refuse(struct reading *reading, const char *fault)
{
	if (reading->fault == NULL)
		reading->fault = fault;
	xmlStopParser(reading->parser);
}

static void doctype_came(void *data, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	(void)name;
	(void)external_id;
	(void)system_id;
	refuse(data, "a DOCTYPE");
}

static enum value find_value(const char *name)
{
	enum value value = EMAIL;

	while (value < VALUES && strcmp(value_names[value], name) != 0)
		value++;
	return value;
}

static void element_opened(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int namespace_count, const xmlChar **namespaces, int attribute_count, int defaulted_count, const xmlChar **attributes)
{
	struct reading *reading = data;
	unsigned depth = reading->depth++;

	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces;
	(void)attribute_count, (void)defaulted_count, (void)attributes;
	if (reading->depth > QUESTION_DEPTH_MAX) {
		refuse(reading, "elements too deep in each other");
		return;
	}
	if (depth < PATH && depth == reading->on_path && strcmp(path[depth], (const char *)name) == 0)
		reading->on_path++;
	else if (depth == 0)
		refuse(reading, "another root");
	reading->value = depth == PATH && reading->on_path == PATH ? find_value((const char *)name) : VALUES;
	if (reading->value != VALUES && reading->values[reading->value] != NULL)
		refuse(reading, "a value twice");
}

static void text_came(void *data, const xmlChar *text, int length)
{
	struct reading *reading = data;

	if (reading->value == VALUES)
		return;
	if (reading->text.length + (size_t)length > QUESTION_TEXT_MAX)
		refuse(reading, "a value that is too long");
	else
		buffer_append(&reading->text, text, (size_t)length);
}

static void keep_value(struct reading *reading)
{
	static const char space[] = " \t\r\n";
	const char *text = buffer_string(&reading->text);
	size_t length;

	text += strspn(text, space);
	length = strlen(text);
	while (length > 0 && strchr(space, text[length - 1]) != NULL)
		length--;
	if (length > 0)
		reading->values[reading->value] = arena_strndup(reading->arena, text, length);
}

static void element_closed(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct reading *reading = data;

	(void)name, (void)prefix, (void)uri;
	if (reading->value != VALUES)
		keep_value(reading);
	buffer_truncate(&reading->text, 0);
	reading->value = VALUES;
	reading->depth--;
	if (reading->on_path > reading->depth)
		reading->on_path = reading->depth;
}

/* Told nobody: what a stranger's document lacks is no news of ours. */
static void fault_found(void *data, xmlError *fault)
{
	(void)data;
	(void)fault;
}

static const xmlSAXHandler handlers = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = doctype_came,
	.startElementNs = element_opened,
	.endElementNs = element_closed,
	.characters = text_came,
	.cdataBlock = text_came,
	.serror = fault_found,
};

static void read_document(struct reading *reading, const void *bytes, size_t length)
{
	/* An empty document is refused by the parser itself: no context. */
	xmlParserCtxt *parser = length > INT_MAX ? NULL : xmlCreateMemoryParserCtxt(bytes, (int)length);

	reading->parser = parser;
	if (parser == NULL) {
		reading->fault = "nothing";
		return;
	}
	xmlCtxtUseOptions(parser, XML_PARSE_NONET);
	*parser->sax = handlers;
	parser->userData = reading;
	if (xmlParseDocument(parser) != 0 && reading->fault == NULL)
		reading->fault = "no XML";
	xmlFreeParserCtxt(parser);
}

int question_parse(struct question *question_r, struct arena *arena, const void *bytes, size_t length,
	struct error *error_r)
{
	struct reading reading = {.arena = arena, .value = VALUES};

	read_document(&reading, bytes, length);
	buffer_release(&reading.text);
	if (reading.fault == NULL && (reading.values[EMAIL] == NULL || reading.values[SCHEMA] == NULL))
		reading.fault = "no address or no schema";
	if (reading.fault != NULL)
		return error_set(error_r, "the request has %s", reading.fault);
	*question_r = (struct question){reading.values[EMAIL], reading.values[SCHEMA]};
	return 0;
}

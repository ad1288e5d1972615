/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From bytes to one request. The header is framed and checked here before llhttp sees it, because what one parser
 * lets pass and another reads differently is how requests are smuggled; llhttp does the grammar and the chunks.
 */
#include "lib/http/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/core/mem.h"

static int refuse(struct http_fault *fault_r, unsigned status, const char *why)
{
	*fault_r = (struct http_fault){status, why};
	return -1;
}

/* --- framing the header ---------------------------------------------------------------------------------------- */

static int scan_line_end(struct http_scan *scan, struct http_fault *fault_r)
{
	size_t length = scan->at - 1u - scan->line; /* at stands on the LF */

	if (scan->lines == 0 && length == 0)
		return refuse(fault_r, 400, "no request line");
	if (length == 0)
		return 1;
	if (++scan->lines > HTTP_HEADERS_MAX + 1)
		return refuse(fault_r, 431, "too many header lines");
	scan->line = scan->at + 1;
	return 0;
}

static int scan_byte(const char *bytes, struct http_scan *scan, struct http_fault *fault_r)
{
	unsigned char c = (unsigned char)bytes[scan->at];
	bool after_cr = scan->at > 0 && bytes[scan->at - 1] == '\r';

	if (c == '\n')
		return after_cr ? scan_line_end(scan, fault_r) : refuse(fault_r, 400, "LF without CR");
	if (after_cr)
		return refuse(fault_r, 400, "CR without LF");
	if (scan->at == scan->line && scan->lines > 0 && (c == ' ' || c == '\t'))
		return refuse(fault_r, 400, "folded header line");
	if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
		return refuse(fault_r, 400, "control character in the header");
	if (scan->lines == 0 && scan->at >= HTTP_REQUEST_LINE_MAX)
		return refuse(fault_r, 414, "request line too long");
	return 0;
}

int http_header_scan(const char *bytes, size_t length, struct http_scan *scan, struct http_fault *fault_r)
{
	for (; scan->at < length; scan->at++) {
		if (scan->at >= HTTP_HEADER_MAX)
			return refuse(fault_r, 431, "header too long");
		int result = scan_byte(bytes, scan, fault_r);
		if (result < 0)
			return -1;
		if (result > 0)
			return scan->at + 1;
	}
	return 0;
}

/* --- llhttp's callbacks ---------------------------------------------------------------------------------------- */

static int url_part(llhttp_t *parser, const char *at, size_t length)
{
	struct http_request *request = parser->data;

	if (request->url == NULL)
		request->url = (char *)(uintptr_t)at;
	request->url_length = (size_t)(at + length - request->url);
	return 0;
}

/* The header is one piece of memory, so parts of a name or value follow each other there. The values' ends are
 * found when all is parsed. */
static int field_part(llhttp_t *parser, const char *at, size_t length)
{
	struct http_request *request = parser->data;

	(void)length;
	if (request->header_complete) /* a trailer: counted as framing, not kept */
		return 0;
	struct http_header *header = &request->headers[request->exchange.header_count];
	if (header->name == NULL)
		header->name = at;
	return 0;
}

static int value_complete(llhttp_t *parser)
{
	struct http_request *request = parser->data;

	if (!request->header_complete)
		request->exchange.header_count++;
	return 0;
}

static int headers_complete(llhttp_t *parser)
{
	struct http_request *request = parser->data;

	request->header_complete = true;
	parser->upgrade = 0; /* we speak nothing else: an Upgrade is ignored, RFC 9110 7.8 */
	return 0;
}

/* What was announced is refused before it is read. */
static int chunk_header(llhttp_t *parser)
{
	const struct http_request *request = parser->data;

	return parser->content_length > request->exchange.body_max - request->body_bytes ? HPE_USER : 0;
}

static int body_part(llhttp_t *parser, const char *at, size_t length)
{
	struct http_request *request = parser->data;
	struct http_exchange *exchange = &request->exchange;

	if (length > exchange->body_max - request->body_bytes)
		return HPE_USER;
	request->body_bytes += length;
	if (!exchange->discards_body)
		buffer_append(&exchange->body, at, length);
	return 0;
}

static int message_complete(llhttp_t *parser)
{
	struct http_request *request = parser->data;

	request->complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
	.on_url = url_part,
	.on_header_field = field_part,
	.on_header_value_complete = value_complete,
	.on_headers_complete = headers_complete,
	.on_chunk_header = chunk_header,
	.on_body = body_part,
	.on_message_complete = message_complete,
};

static const struct {
	llhttp_errno_t error;
	struct http_fault fault;
} parser_faults[] = {
	{HPE_INVALID_METHOD, {501, "unknown method"}},
	{HPE_INVALID_VERSION, {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"}},
	{HPE_INVALID_CONSTANT, {400, "not HTTP"}},
	{HPE_INVALID_URL, {400, "bad request target"}},
	{HPE_INVALID_CONTENT_LENGTH, {400, "bad Content-Length"}},
	{HPE_UNEXPECTED_CONTENT_LENGTH, {400, "Content-Length twice or beside Transfer-Encoding"}},
	{HPE_INVALID_TRANSFER_ENCODING, {400, "bad Transfer-Encoding"}},
	{HPE_INVALID_CHUNK_SIZE, {400, "bad chunk size"}},
	{HPE_STRICT, {400, "bad chunk"}},
	{HPE_CB_CHUNK_HEADER, {413, "body too long"}},
	{HPE_USER, {413, "body too long"}},
};

static int parser_refused(llhttp_errno_t error, struct http_fault *fault_r)
{
	for (size_t i = 0; i < sizeof parser_faults / sizeof *parser_faults; i++)
		if (parser_faults[i].error == error) {
			*fault_r = parser_faults[i].fault;
			return -1;
		}
	return refuse(fault_r, 400, "broken request");
}

/* --- from a parsed header to an exchange ----------------------------------------------------------------------- */

/* Cuts names and values out of the header block, where they stand: "Name:" OWS value OWS CRLF. */
static void cut_headers(struct http_request *request)
{
	for (size_t i = 0; i < request->exchange.header_count; i++) {
		struct http_header *header = &request->headers[i];
		char *colon = strchr(header->name, ':'), *end = strchr(colon, '\r'), *value = colon + 1;
		*colon = '\0';
		*end = '\0';
		value += strspn(value, " \t");
		while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
			*--end = '\0';
		header->value = value;
	}
	request->exchange.headers = request->headers;
}

/* RFC 9112 3.2: origin-form, absolute-form (which a server must take too), or "*". */
static int cut_target(struct http_request *request, struct http_fault *fault_r)
{
	struct http_exchange *exchange = &request->exchange;
	char *path = request->url;

	path[request->url_length] = '\0';
	if (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0)
		path = strchr(path, ':') + 3 + strcspn(strchr(path, ':') + 3, "/?");
	char *query = strchr(path, '?');
	if (query != NULL)
		*query++ = '\0';
	exchange->query = query == NULL ? "" : query;
	exchange->path = path != request->url && *path == '\0' ? "/" : path;
	if ((*exchange->path != '/' && strcmp(path, "*") != 0) || strchr(path, '#') || strchr(exchange->query, '#'))
		return refuse(fault_r, 400, "bad request target");
	return 0;
}

const char *http_exchange_header(const struct http_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < exchange->header_count; i++)
		if (strcasecmp(exchange->headers[i].name, name) == 0)
			return exchange->headers[i].value;
	return NULL;
}

static unsigned header_times(const struct http_exchange *exchange, const char *name)
{
	unsigned times = 0;

	for (size_t i = 0; i < exchange->header_count; i++)
		times += strcasecmp(exchange->headers[i].name, name) == 0;
	return times;
}

/* RFC 9112 6.1, 6.3: how long the body is must be said once and in one way. */
static int check_framing(const struct http_request *request, struct http_fault *fault_r)
{
	const struct http_exchange *exchange = &request->exchange;
	unsigned lengths = header_times(exchange, "Content-Length");
	unsigned encodings = header_times(exchange, "Transfer-Encoding");
	bool is_1_0 = request->parser.http_minor == 0;

	if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0))
		return refuse(fault_r, 400, "the length of the body is said twice");
	if (encodings == 1 && is_1_0)
		return refuse(fault_r, 400, "Transfer-Encoding in HTTP/1.0");
	if (encodings == 1 && strcasecmp(http_exchange_header(exchange, "Transfer-Encoding"), "chunked") != 0)
		return refuse(fault_r, 501, "only chunked is understood");
	unsigned hosts = header_times(exchange, "Host");
	if (hosts > 1 || (hosts == 0 && !is_1_0))
		return refuse(fault_r, 400, "one Host is needed");
	return 0;
}

static int check_request(struct http_request *request, struct http_fault *fault_r)
{
	const char *expect = http_exchange_header(&request->exchange, "Expect");
	const char *encoding = http_exchange_header(&request->exchange, "Content-Encoding");

	if (request->parser.http_major != 1 || request->parser.http_minor > 1)
		return refuse(fault_r, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	if (check_framing(request, fault_r) < 0)
		return -1;
	if (request->parser.method == HTTP_CONNECT || request->parser.method == HTTP_TRACE)
		return refuse(fault_r, 501, "unknown method");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return refuse(fault_r, 417, "unknown expectation");
	if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
		return refuse(fault_r, 415, "no Content-Encoding is understood in requests");
	request->wants_continue = expect != NULL && request->parser.http_minor == 1;
	return 0;
}

static int parse(struct http_request *request, char *header, size_t length, struct http_fault *fault_r)
{
	llhttp_t *parser = &request->parser;

	llhttp_init(parser, HTTP_REQUEST, &parser_settings);
	parser->data = request;
	llhttp_errno_t error = llhttp_execute(parser, header, length);
	if (error != HPE_OK && !(error == HPE_PAUSED && request->complete))
		return parser_refused(error, fault_r);
	if (!request->header_complete || request->url == NULL)
		return refuse(fault_r, 400, "broken request");
	cut_headers(request);
	request->exchange.method = llhttp_method_name((llhttp_method_t)parser->method);
	request->keep_alive = parser->http_minor == 1 && llhttp_should_keep_alive(parser);
	request->has_body = !request->complete;
	return cut_target(request, fault_r) < 0 ? -1 : check_request(request, fault_r);
}

struct http_request *http_request_create(const char *header, size_t length, unsigned lines, struct http_fault *fault_r)
{
	struct http_request *request = mem_alloc(sizeof *request);
	struct arena *arena = request->exchange.arena = arena_create(0);
	char *copy = arena_alloc(arena, length + 1);

	arena_carry_secrets(arena); /* Authorization */
	memcpy(copy, header, length);
	request->headers = arena_alloc(arena, (lines + 1) * sizeof *request->headers);
	if (parse(request, copy, length, fault_r) < 0)
		http_request_free(&request);
	return request;
}

void http_request_free(struct http_request **owner)
{
	struct http_request *request = *owner;

	if (request == NULL)
		return;
	*owner = NULL;
	buffer_release(&request->exchange.body);
	http_response_release(&request->early);
	arena_free(&request->exchange.arena);
	free(request);
}

/* Chunk headers, extensions and trailers together may take no more than the data and a header's worth: otherwise
 * somebody sends a byte a chunk, or extensions without end. */
static bool framing_is_absurd(const struct http_request *request)
{
	return request->raw_bytes - request->body_bytes > HTTP_HEADER_MAX + request->body_bytes;
}

int http_request_body(struct http_request *request, const char *bytes, size_t length, size_t *used_r,
	struct http_fault *fault_r)
{
	llhttp_errno_t error = llhttp_execute(&request->parser, bytes, length);

	*used_r = length;
	if (error == HPE_PAUSED && request->complete)
		*used_r = (size_t)(llhttp_get_error_pos(&request->parser) - bytes);
	else if (error != HPE_OK)
		return parser_refused(error, fault_r);
	request->raw_bytes += *used_r;
	if (framing_is_absurd(request))
		return refuse(fault_r, 400, "more chunk headers than data");
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Putting an answer together. */
#include "lib/http/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"

static const struct {
	unsigned status;
	const char *text;
} status_texts[] = {
	{200, "OK"}, {201, "Created"}, {204, "No Content"}, {207, "Multi-Status"},
	{301, "Moved Permanently"}, {302, "Found"}, {304, "Not Modified"},
	{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	{405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"},
	{412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
	{415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{449, "Retry after sending a PROVISION command"}, /* MS-ASHTTP 2.2.2.1.1.1 */
	{451, "Redirect"},                                /* likewise */
	{500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
	{503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
};

const char *http_status_text(unsigned status)
{
	for (size_t i = 0; i < sizeof status_texts / sizeof *status_texts; i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "Status";
}

void http_response_header(struct http_response *response, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *value = NULL;
	int length = vasprintf(&value, format, args);
	va_end(args);

	if (length < 0)
		abort();
	for (char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			*c = '?';
	buffer_printf(&response->header, "%s: %s\r\n", name, value);
	free(value);
}

static struct http_piece *add_piece(struct http_response *response, size_t length)
{
	struct http_piece *piece = mem_alloc(sizeof *piece);

	if (response->first == NULL)
		response->first = piece;
	else
		response->last->next = piece;
	response->last = piece;
	response->length += length;
	piece->length = length;
	piece->fd = -1;
	return piece;
}

void http_response_bytes(struct http_response *response, struct buffer *bytes)
{
	if (bytes->length == 0) {
		buffer_release(bytes);
		return;
	}
	add_piece(response, bytes->length)->bytes = *bytes;
	*bytes = BUFFER_EMPTY;
}

void http_response_string(struct http_response *response, const char *text)
{
	struct buffer bytes = BUFFER_EMPTY;

	buffer_append_string(&bytes, text);
	http_response_bytes(response, &bytes);
}

void http_response_file(struct http_response *response, int fd, off_t offset, size_t length)
{
	if (length == 0) {
		close(fd);
		return;
	}
	struct http_piece *piece = add_piece(response, length);
	piece->fd = fd;
	piece->offset = offset;
}

void http_response_append(struct http_response *response, struct http_response *from)
{
	if (from->first == NULL)
		return;
	if (response->first == NULL)
		response->first = from->first;
	else
		response->last->next = from->first;
	response->last = from->last;
	response->length += from->length;
	from->first = from->last = NULL;
	from->length = 0;
}

void http_response_release(struct http_response *response)
{
	for (struct http_piece *piece = response->first, *next; piece != NULL; piece = next) {
		next = piece->next;
		if (piece->fd >= 0)
			close(piece->fd);
		buffer_release(&piece->bytes);
		free(piece);
	}
	buffer_release(&response->header);
	*response = HTTP_RESPONSE(0);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one growable byte buffer. */
#include "lib/core/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

/* The first allocation: fits a short request or answer without a second one. */
enum { BUFFER_FIRST_BYTES = 256 };

static void wipe(const struct buffer *buffer, char *bytes, size_t length)
{
	if (buffer->wipes)
		mem_wipe(bytes, length);
}

static void buffer_compact(struct buffer *buffer)
{
	char *start = buffer->data - buffer->consumed;
	size_t left = buffer->consumed < buffer->length ? buffer->consumed : buffer->length;

	memmove(start, buffer->data, buffer->length);
	wipe(buffer, buffer->data + buffer->length - left, left);
	buffer->data = start;
	buffer->room += buffer->consumed;
	buffer->consumed = 0;
}

/* realloc would leave the bytes where they were. */
static char *buffer_resize(struct buffer *buffer, size_t size)
{
	char *data;

	if (!buffer->wipes || buffer->data == NULL)
		return mem_realloc(buffer->data, size);
	data = mem_alloc(size);
	memcpy(data, buffer->data, buffer->length);
	mem_wipe(buffer->data, buffer->length);
	free(buffer->data);
	return data;
}

char *buffer_reserve(struct buffer *buffer, size_t room)
{
	if (buffer->room < room && buffer->consumed >= buffer->length + room)
		buffer_compact(buffer);
	if (buffer->room < room || buffer->data == NULL) {
		if (buffer->data != NULL && buffer->consumed != 0)
			buffer_compact(buffer);
		size_t size = buffer->length + buffer->room;
		while (size < buffer->length + room || size == 0)
			size = size == 0 ? BUFFER_FIRST_BYTES : size * 2;
		buffer->data = buffer_resize(buffer, size);
		buffer->room = size - buffer->length;
	}
	return buffer->data + buffer->length;
}

void buffer_grow(struct buffer *buffer, size_t used)
{
	assert(used <= buffer->room);
	buffer->length += used;
	buffer->room -= used;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	if (length == 0)
		return;
	memcpy(buffer_reserve(buffer, length), bytes, length);
	buffer_grow(buffer, length);
}

void buffer_append_string(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	if (buffer->room == 0)
		buffer_reserve(buffer, 1);
	buffer->data[buffer->length++] = (char)byte;
	buffer->room--;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(length >= 0);
	vsnprintf(buffer_reserve(buffer, (size_t)length + 1), (size_t)length + 1, format, again);
	va_end(again);
	buffer_grow(buffer, (size_t)length);
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	assert(length <= buffer->length);
	if (buffer->data == NULL)
		return;
	wipe(buffer, buffer->data, length);
	buffer->data += length;
	buffer->length -= length;
	buffer->consumed += length;
	if (buffer->length == 0)
		buffer_compact(buffer);
}

void buffer_truncate(struct buffer *buffer, size_t length)
{
	assert(length <= buffer->length);
	wipe(buffer, buffer->data + length, buffer->length - length);
	buffer->room += buffer->length - length;
	buffer->length = length;
}

const char *buffer_string(struct buffer *buffer)
{
	*buffer_reserve(buffer, 1) = '\0';
	return buffer->data;
}

void buffer_release(struct buffer *buffer)
{
	wipe(buffer, buffer->data, buffer->length);
	if (buffer->data != NULL)
		free(buffer->data - buffer->consumed);
	*buffer = (struct buffer){.wipes = buffer->wipes};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one growable byte buffer. Bytes are appended at the end and consumed at the front;
 * an empty buffer that was released holds no heap memory, which is what keeps a parked connection small.
 */
#ifndef BELFRY_LIB_CORE_BUFFER_H
#define BELFRY_LIB_CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data;      /* first byte not yet consumed; NULL while nothing is allocated */
	size_t length;   /* bytes from data on */
	size_t consumed; /* bytes before data, reused when the buffer grows */
	size_t room;     /* bytes after data + length */
	bool wipes;      /* for secrets: bytes that leave it, in whatever way, are overwritten where they stood */
};

#define BUFFER_EMPTY ((struct buffer){0})
#define BUFFER_WIPING ((struct buffer){.wipes = true})

void buffer_append(struct buffer *, const void *bytes, size_t length);
void buffer_append_string(struct buffer *, const char *text);
void buffer_append_byte(struct buffer *, uint8_t byte);
void buffer_printf(struct buffer *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At least `room` writable bytes at the end; the caller writes and then calls buffer_grow with what it used. */
char *buffer_reserve(struct buffer *, size_t room);
void buffer_grow(struct buffer *, size_t used);
/* Drops bytes at the front (at most length). */
void buffer_consume(struct buffer *, size_t length);
/* Drops bytes at the end, so that `length` remain. */
void buffer_truncate(struct buffer *, size_t length);
/* A NUL after the last byte (not counted); data as a string, never NULL. */
const char *buffer_string(struct buffer *);
/* Frees the memory; the buffer is then empty and usable, and wipes if it did. */
void buffer_release(struct buffer *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation that never returns NULL. */
#include "lib/core/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the heap may keep for the next requests: fewer page faults for a few MB. */
enum { MEM_FREE_KEPT_BYTES = 2 * 1024 * 1024 };

static void *checked(void *memory, size_t size)
{
	if (memory == NULL && size != 0) {
		fprintf(stderr, "fatal: out of memory (%zu bytes wanted)\n", size);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t size)
{
	return checked(calloc(1, size), size);
}

void *mem_alloc_array(size_t count, size_t size)
{
	return checked(calloc(count, size), count * size + 1);
}

void *mem_realloc(void *old, size_t size)
{
	return checked(realloc(old, size), size);
}

void *mem_dup(const void *bytes, size_t length)
{
	char *copy = checked(malloc(length + 1), length + 1);

	if (length != 0)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

char *mem_strndup(const char *text, size_t length)
{
	return mem_dup(text, strnlen(text, length));
}

char *mem_strdup(const char *text)
{
	return text == NULL ? NULL : mem_dup(text, strlen(text));
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return checked(length < 0 ? NULL : text, 1);
}

void mem_give_back(void)
{
	struct mallinfo2 heap = mallinfo2();

	if (heap.fordblks > MEM_FREE_KEPT_BYTES && heap.fordblks > heap.uordblks / 8)
		malloc_trim(0);
}

void mem_wipe(void *bytes, size_t length)
{
	if (length != 0)
		explicit_bzero(bytes, length);
}

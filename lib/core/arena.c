/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chain of blocks, freed as one. */
#include "lib/core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

enum { ARENA_BLOCK_BYTES = 4000, ARENA_ALIGN = 16 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ARENA_ALIGN) char bytes[];
};

struct arena {
	struct block *newest;
	size_t used;
	size_t block_bytes;
	ProtobufCAllocator protobuf;
};

static struct block *block_create(struct block *next, size_t size)
{
	struct block *block = mem_alloc(sizeof *block + size);

	block->next = next;
	block->size = size;
	return block;
}

static void *protobuf_alloc(void *data, size_t size)
{
	return arena_alloc(data, size);
}

static void protobuf_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

struct arena *arena_create(size_t first_block)
{
	struct arena *arena = mem_alloc(sizeof *arena);

	arena->block_bytes = first_block == 0 ? ARENA_BLOCK_BYTES : first_block;
	arena->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, arena};
	return arena;
}

void arena_free(struct arena **arena)
{
	if (*arena == NULL)
		return;
	for (struct block *block = (*arena)->newest, *next; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	free(*arena);
	*arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t rounded = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	struct block *block = arena->newest;

	if (block == NULL || block->size - block->used < rounded) {
		size_t wanted = rounded > arena->block_bytes ? rounded : arena->block_bytes;
		block = arena->newest = block_create(block, wanted);
		arena->block_bytes = wanted < 64 * 1024 ? arena->block_bytes * 2 : arena->block_bytes;
	}
	void *memory = block->bytes + block->used;
	block->used += rounded;
	arena->used += rounded;
	return memory;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	length = strnlen(text, length);
	char *copy = arena_alloc(arena, length + 1);
	memcpy(copy, text, length);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	return text;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

ProtobufCAllocator *arena_protobuf(struct arena *arena)
{
	return &arena->protobuf;
}

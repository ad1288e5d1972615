/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chain of blocks, freed as one. */
#include "lib/core/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/core/mem.h"

enum { ARENA_BLOCK_BYTES = 4064, ARENA_ALIGN = 16, ARENA_PAGE_BYTES = 4096 }; /* 4064: a page with its header */

struct block {
	struct block *next;
	size_t size, used;
	size_t mapped; /* bytes of whole pages; 0: from the heap */
	_Alignas(ARENA_ALIGN) char bytes[];
};

struct arena {
	struct block *newest;
	size_t used;
	size_t block_bytes;
	bool has_secrets;
	ProtobufCAllocator protobuf;
};

/*
 * Blocks of a page and more are pages of their own and go back to the system at once: taken from the heap, thousands of
 * requests at a time would leave what is long-lived (streams, held requests) scattered over all the memory that the
 * storm needed, and none of that could be given back. Sanitizers want to see each block, so they get heap.
 */
static struct block *block_map(size_t length)
{
	size_t pages = (length + ARENA_PAGE_BYTES - 1) & ~(size_t)(ARENA_PAGE_BYTES - 1);
	struct block *block = MAP_FAILED;

#ifndef BELFRY_SANITIZERS
	if (length >= ARENA_PAGE_BYTES)
		block = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
	if (block == MAP_FAILED) /* the kernel counts mappings, too */
		return NULL;
	block->mapped = pages;
	block->size = pages - sizeof *block;
	return block;
}

static struct block *block_create(struct block *next, size_t size)
{
	struct block *block = block_map(sizeof *block + size);

	if (block == NULL) {
		block = mem_alloc(sizeof *block + size);
		block->size = size;
	}
	block->next = next;
	return block;
}

static void block_free(struct block *block, bool has_secrets)
{
	if (block->mapped != 0) {
		munmap(block, block->mapped); /* the kernel gives such pages to nobody unwiped */
		return;
	}
	if (has_secrets)
		mem_wipe(block->bytes, block->used);
	free(block);
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
		block_free(block, (*arena)->has_secrets);
	}
	free(*arena);
	*arena = NULL;
}

void arena_carry_secrets(struct arena *arena)
{
	arena->has_secrets = true;
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

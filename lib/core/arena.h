/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of one unit of work (a request, a message): allocated bit by bit, freed at once. */
#ifndef BELFRY_LIB_CORE_ARENA_H
#define BELFRY_LIB_CORE_ARENA_H

#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct arena;

/* first_block: bytes of the first block (0: a default). */
struct arena *arena_create(size_t first_block);
void arena_free(struct arena **);
/* What is in it is overwritten when it is freed. */
void arena_carry_secrets(struct arena *);
/* Zeroed, aligned for any type, never NULL, valid until arena_free. */
void *arena_alloc(struct arena *, size_t size);
char *arena_strdup(struct arena *, const char *text);
char *arena_strndup(struct arena *, const char *text, size_t length);
char *arena_printf(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes handed out so far: what limits are checked against. */
size_t arena_used(const struct arena *);
/* For protobuf-c's unpack functions: messages unpacked with it live as long as the arena and are never freed singly. */
ProtobufCAllocator *arena_protobuf(struct arena *);

#endif

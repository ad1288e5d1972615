/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A table by key that forgets: what has been left alone the longest goes first. Values are zeroed when they are made, and
 * stay where they are until they go. */
#ifndef BELFRY_CONNECTORS_IMAP_RECENT_H
#define BELFRY_CONNECTORS_IMAP_RECENT_H

#include <stdbool.h>
#include <stddef.h>

struct recent;

struct recent_kind {
	size_t value_bytes;
	unsigned max;                            /* over it the oldest goes that may; 0: only whom the owner drops */
	bool (*may_go)(const void *value);       /* NULL: any */
	void (*release)(void *value, void *owner); /* what hangs on it; NULL: nothing does */
	void *owner;
};

/* The kind must outlive it. */
struct recent *recent_create(const struct recent_kind *);
void recent_free(struct recent **);

void *recent_find(const struct recent *, const void *key, size_t length); /* NULL: not there */
/* Found or made, and now the last to go. */
void *recent_touch(struct recent *, const void *key, size_t length);
void recent_drop(struct recent *, void *value);
void *recent_oldest(const struct recent *); /* NULL: empty */
unsigned recent_count(const struct recent *);

#endif

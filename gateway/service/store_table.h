/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An ordered table of bytes to (revision, value), and how a call is carried out on one: what the stores that run in
 * this process share. Not thread-safe: a table belongs to one thread.
 */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_TABLE_H
#define BELFRY_GATEWAY_SERVICE_STORE_TABLE_H

#include "gateway/service/store_internal.h"

/* user NUL device NUL key: sorts like the tuple, since none of the first two has a NUL. */
struct store_key {
	size_t length;
	uint8_t bytes[PRINCIPAL_USER_MAX + 1 + PRINCIPAL_DEVICE_MAX + 1 + STORE_KEY_MAX];
};

/* A row; what it points to is valid until the table's next function is called. */
struct store_row {
	const uint8_t *key;
	size_t key_length;
	uint64_t revision; /* never 0 */
	const void *value;
	size_t length;
};

struct store_table {
	/* The row of exactly this key, its value left out. 1: found, 0: none, -1: the table is broken. */
	int (*revision)(struct store_table *, const struct store_key *, uint64_t *revision_r);
	/* The first row whose key is not less; and the one after the row that seek or next found last. Likewise. */
	int (*seek)(struct store_table *, const struct store_key *, struct store_row *);
	int (*next)(struct store_table *, struct store_row *);
	/* Between begin and end all is one transaction. -1: the table is broken, nothing of it will ever be seen. */
	int (*begin)(struct store_table *);
	int (*end)(struct store_table *);
	/* Writes under a new revision, higher than all before. */
	int (*put)(struct store_table *, const struct store_key *, const void *value, size_t length, uint64_t *revision_r);
	int (*remove)(struct store_table *, const struct store_key *);
};

/* Sets the call's status and answer; a broken table makes it STORE_UNAVAILABLE. Not for STORE_BACKUP. */
void store_table_run(struct store_table *, struct store_call *);

#endif

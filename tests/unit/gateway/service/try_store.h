/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store of either kind for tests, asked as if it answered at once: each call runs the loop until its answer came. */
#ifndef BELFRY_TESTS_UNIT_GATEWAY_SERVICE_TRY_STORE_H
#define BELFRY_TESTS_UNIT_GATEWAY_SERVICE_TRY_STORE_H

#include "gateway/service/store.h"
#include "lib/core/arena.h"
#include "lib/core/error.h"
#include "lib/core/loop.h"

enum try_kind { TRY_MEMORY, TRY_MEMORY_POSTPONED, TRY_DISK, TRY_KINDS };
extern const char *const try_kind_names[TRY_KINDS];

struct try {
	enum try_kind kind;
	struct loop *loop;
	struct store *store;
	char folder[64]; /* TRY_DISK: the store's, temporary */
	unsigned checkpoint_s, reopen_s; /* TRY_DISK: settings of the next try_reopen() */

	/* The last answer, copied; valid until the next. */
	bool answered;
	enum store_status status;
	size_t count;
	bool more;
	struct store_record *records;
	struct store_entry *entries;
	uint64_t revisions[STORE_WRITES_MAX];
	struct arena *arena;
};

/* Opens an empty store; asserts that it can. */
struct try *try_create(enum try_kind);
/* Closes and removes it. */
void try_free(struct try **);
/* Closes and opens again what is there (a memory store goes on from its snapshot). */
void try_reopen(struct try *);

/* Each returns the status; the rest of the answer is in the struct. */
enum store_status try_get(struct try *, const char *user, const char *device, const char *key);
enum store_status try_scan(struct try *, const char *user, const char *device, const char *prefix);
enum store_status try_put(struct try *, const char *user, const char *device, const char *key, uint64_t revision,
	const char *value);
enum store_status try_delete(struct try *, const char *user, const char *device, const char *key, uint64_t revision);
enum store_status try_commit(struct try *, const char *user, const char *device, const struct store_write *, size_t count);
enum store_status try_page(struct try *, const char *user, const char *key, const struct principal *after, size_t max);
enum store_status try_backup(struct try *, const char *folder);

/* For calls made directly: runs the loop until *flag. */
void try_wait(struct try *, const bool *flag);

/* Removes a folder with all that is in it. */
void try_remove_folder(const char *folder);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The store: small records of principals, each under a key, each with a revision. It is the one contract behind which
 * a database may stand (store_open.h: Berkeley DB; store_memory.h: memory, for tests); nothing of any shows through.
 *
 * Order: calls are carried out in the order of asking, and answered in that order (but those refused because
 * too much is waiting may be answered sooner). A read sees every write that was asked for before it.
 * Durable: a write answered with STORE_OK survives a crash of the process and of the machine. What a read shows has
 * been made durable too before it is answered.
 * Revisions: a write names the revision that its writer saw (0: the record must not exist). A record gets a new, higher
 * revision with each write, and never one that it had before, not even after it was removed and made again.
 * Answers: by callback on the loop, never from within the call that asks. The callback may ask anew, forget other
 * calls, and free its owner. What it is given is valid until it returns.
 */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_H
#define BELFRY_GATEWAY_SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/service/principal.h"

struct histogram;
struct store;
struct store_call; /* one call that was not answered yet */

/* The numbers of belfry.role.Status. */
enum store_status {
	STORE_OK = 0,
	STORE_CONFLICT = 1,    /* a record has another revision than the writer saw: nothing was written. Read again */
	STORE_UNAVAILABLE = 2, /* disk full, I/O error, or too much is waiting. A write may have happened or not: read again later */
	STORE_LIMIT = 3        /* over a limit below: nothing was done, and asking again does not help */
};

enum {
	STORE_KEY_MAX = 512,               /* bytes of a key or a prefix: "sync/" + a collection's id and room for more */
	STORE_VALUE_MAX = 1024 * 1024,     /* bytes of a value: ranges of a mailbox of 100,000 messages take a tenth */
	STORE_WRITES_MAX = 1024,           /* of one transaction: 300 collections, two records each, and room for more */
	STORE_TRANSACTION_MAX = 4 * 1024 * 1024, /* bytes of all keys and values of one transaction: what fits a link's frame */
	STORE_KEYS_MAX = 1024,             /* keys and prefixes of one read */
	STORE_ANSWER_MAX = 3 * 1024 * 1024, /* bytes of all keys and values of one answer: it must fit a link's frame */
	STORE_PAGE_MAX = 1000,             /* entries of one page: about a millisecond of the store's time */
	STORE_CALLS_MAX = 65536,           /* not answered yet; over it STORE_UNAVAILABLE: twice what full fronts hold */
	STORE_PENDING_MAX = 64 * 1024 * 1024 /* bytes of calls not answered yet; likewise */
};

struct store_record {
	const char *key;
	uint64_t revision; /* 0: does not exist; value is NULL then */
	const void *value; /* not NULL when the record exists */
	size_t length;     /* bytes of the value; may be 0 */
};

struct store_write {
	const char *key;   /* once in a transaction; twice is STORE_CONFLICT */
	uint64_t revision; /* what the writer saw; 0: does not exist */
	const void *value; /* copied by the call */
	size_t length;
	bool remove;       /* with revision 0: only asserts that there is none */
};

/* Gives up an open store: what was asked is still carried out (this waits for it), but no callback comes any more.
 * Not from within a callback of the store. */
void store_close(struct store **);

/* From asking for a commit until it was durable and its answer here; of those that were STORE_OK. */
const struct histogram *store_commit_times(const struct store *);

/* The callback of this call will not come; a write happens nevertheless. For an owner that goes first. NULL is fine. */
void store_forget(struct store_call **);

/*
 * Reads records of one principal, all as of one moment. The answer has the records of `keys` in their order, an absent
 * one with revision 0, and after them, prefix by prefix, the records whose key begins so, in order of their bytes.
 * An answer over STORE_ANSWER_MAX is STORE_LIMIT. With any status but STORE_OK there are no records.
 */
typedef void store_read_done(enum store_status, const struct store_record *, size_t count, void *data);
struct store_call *store_read(struct store *, const struct principal *, const char *const keys[], size_t key_count,
	const char *const prefixes[], size_t prefix_count, store_read_done *, void *data);
/* The same for one key (count is 1), and for one prefix ("": every record of the principal). */
struct store_call *store_get(struct store *, const struct principal *, const char *key, store_read_done *, void *data);
struct store_call *store_scan(struct store *, const struct principal *, const char *prefix, store_read_done *, void *data);

/*
 * A transaction over one principal: all writes or none. revisions: one a write, in their order, 0 for a removed one;
 * none with any status but STORE_OK. No writes at all is fine and STORE_OK.
 */
typedef void store_write_done(enum store_status, const uint64_t revisions[], size_t count, void *data);
struct store_call *store_commit(struct store *, const struct principal *, const struct store_write *, size_t count,
	store_write_done *, void *data);
/* The same for one record. */
struct store_call *store_put_if(struct store *, const struct principal *, const char *key, uint64_t revision,
	const void *value, size_t length, store_write_done *, void *data);
struct store_call *store_delete_if(struct store *, const struct principal *, const char *key, uint64_t revision,
	store_write_done *, void *data);

/*
 * One page of the principals that have a record `key` ("device": all devices), in the order of user and device as bytes,
 * those after `after` (NULL: from the first), of one user or of all (NULL). At most `max` entries, at most
 * STORE_PAGE_MAX, fewer when the answer would be over STORE_ANSWER_MAX; `more` says that others may follow.
 * Pages are of different moments.
 */
struct store_entry {
	struct principal principal;
	struct store_record record;
};
typedef void store_page_done(enum store_status, const struct store_entry *, size_t count, bool more, void *data);
struct store_call *store_page(struct store *, const char *user, const char *key, const struct principal *after,
	size_t max, store_page_done *, void *data);

/*
 * A backup while everything goes on: a folder that must not exist yet is made (its parent must) and filled; moved to
 * the place of the store it is a store as of about the moment of the answer. Not STORE_OK: why was logged, and what
 * was made of the folder is of no use. The answer may come after those of later calls. One at a time; a second
 * meanwhile is STORE_UNAVAILABLE. The memory store answers STORE_LIMIT.
 */
typedef void store_backup_done(enum store_status, void *data);
struct store_call *store_backup(struct store *, const char *folder, store_backup_done *, void *data);

#endif

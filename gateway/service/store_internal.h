/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What stands behind store.h: a call as its driver sees it. store.c checks and copies what is asked and gives the call
 * to the driver; the driver settles it (status and answer), on whatever thread, and brings it back to the loop with
 * store_answer(). Between the two only the driver touches the part marked as its own.
 */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_INTERNAL_H
#define BELFRY_GATEWAY_SERVICE_STORE_INTERNAL_H

#include "gateway/service/store.h"
#include "lib/core/arena.h"
#include "lib/core/histogram.h"
#include "lib/core/loop.h"

enum store_kind { STORE_READ, STORE_COMMIT, STORE_PAGE, STORE_BACKUP };

struct store_call {
	struct store *store;
	size_t bytes;               /* counted against STORE_PENDING_MAX */
	union {
		store_read_done *read;
		store_write_done *commit;
		store_page_done *page;
		store_backup_done *backup;
	} done;
	bool forgotten;
	uint64_t began_us;          /* of a commit, by the loop's clock */
	void *data;

	/* From here on the driver's, from submit to store_answer. Everything lives in the arena. */
	struct arena *arena;
	struct store_call *next;
	enum store_kind kind;
	enum store_status status;
	struct principal principal; /* PAGE: user NULL is everybody */
	union {
		struct {
			const char **keys, **prefixes;
			size_t key_count, prefix_count;
			struct store_record *records;
			size_t count, room;
		} read;
		struct {
			struct store_write *writes;
			size_t count;
			uint64_t *revisions;
		} commit;
		struct {
			const char *key;
			bool has_after;
			struct principal after;
			size_t max;
			struct store_entry *entries;
			size_t count;
			bool more;
		} page;
		struct {
			const char *folder;
		} backup;
	};
	size_t answer_bytes; /* of keys and values of the answer so far */
};

/* A list of calls in order. Empty: first NULL. */
struct store_calls {
	struct store_call *first, **last;
};
void store_calls_init(struct store_calls *);
void store_calls_add(struct store_calls *, struct store_call *);
struct store_call *store_calls_take(struct store_calls *); /* the first, NULL: none */
void store_calls_free(struct store_calls *);               /* frees the calls too */

struct store_driver {
	/* Takes the call; never answers from within. One whose status is not STORE_OK is not carried out, only answered. */
	void (*submit)(struct store *, struct store_call *);
	/* Carries out what was submitted, calls nobody, frees the rest of the store but not the struct itself. */
	void (*close)(struct store *);
};

/* First member of each driver's store. */
struct store {
	const struct store_driver *driver;
	struct loop *loop;
	size_t calls, bytes;         /* not answered */
	struct histogram commit_times;
	struct store_calls refused;  /* too much waits: answered without the driver */
	struct deferred answer_refused;
};

void store_init(struct store *, const struct store_driver *, struct loop *);
/* On the loop: calls up with the answer and frees the call. The owner may have forgotten calls meanwhile. */
void store_answer(struct store_call *);

#endif

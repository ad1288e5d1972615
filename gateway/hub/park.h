/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The park table of one connector instance, as plain memory: which principals wait, in which positions, and where the
 * backend stands. It knows no link, no timer and no policy; gateway/hub/route.c decides.
 *
 * Small is what matters here: a user with one parked device costs at most PARK_BYTES, and PARK_COLLECTION_BYTES for
 * each collection, all of ours included (design.md section 5.9; test_hub_park asserts it). So collection names are
 * interned, a position takes 16 bytes, and devices of a user that stand in the same position, which is also the
 * backend's as long as they wait, share one cell.
 */
#ifndef BELFRY_GATEWAY_HUB_PARK_H
#define BELFRY_GATEWAY_HUB_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "gateway/service/router.h"

enum {
	PARK_BYTES = 256, PARK_COLLECTION_BYTES = 32,
	PARK_COLLECTIONS_MAX = 1000, /* of one park: three times what a Ping may name */
	PARK_CELLS_MAX = 4000,       /* of one user: all devices share cells, so that 300 collections are some 300 cells */
	PARK_NAME_MAX = 1024,        /* bytes of a collection's name */
	PARK_HANDLE_MAX = 64         /* bytes of a login's handle */
};

/* Where one collection of a user was seen standing, by a device or by the backend. */
struct park_cell {
	struct position position;
	uint32_t collection;    /* interned name; 0: the cell is free */
	uint16_t parks;         /* entries that point here */
	uint16_t flags;
};
enum {
	/* of this cell */
	PARK_KNOWN = 1,         /* the backend stands here: at most one cell of a collection */
	PARK_FRESH = 2,         /* … learned after the user's devices last committed anything */
	PARK_AT_LEAST = 4,      /* … here or further: a hint proved it; the token is not known */
	PARK_DIFFERS = 8,       /* the backend was just learned to stand elsewhere */
	/* of the collection: the same in all its cells */
	PARK_ASK = 16,          /* wanted in the next Check */
	PARK_ASKED = 32,        /* in the Check under way */
	PARK_HINTED = 64,       /* a hint named it: "same" is asked again */
	PARK_WATCHED = 128,     /* in the Watch last sent */
	PARK_LEFT = 256,        /* nobody waited for it at the last recheck */
	PARK_OF_COLLECTION = PARK_ASK | PARK_ASKED | PARK_HINTED | PARK_WATCHED | PARK_LEFT
};

struct hub_busy;

struct park_user {
	UT_hash_handle hh;
	struct park *parks;         /* newest first */
	struct park_cell *cells;
	struct hub_busy *busy;      /* the hub's: what is under way for the user; NULL mostly */
	uint32_t queued;            /* the hub's: place in the instance's queue, from 1; 0: none */
	uint32_t hinted_s, told_s;  /* the hub's: last hint; last "come again" without news */
	uint16_t cell_count;
	uint8_t flags;              /* the hub's */
	uint8_t source;             /* the hub's: number of who told of this user last; 0: nobody yet */
	char name[];
};

struct park {
	struct park *next;
	struct park_user *user;
	uint32_t slot, generation;
	uint32_t deadline_s;        /* the hub forgets it a minute after, in loop seconds */
	uint32_t since_s;           /* parked since, in loop seconds */
	uint16_t front;
	uint16_t count;             /* cells */
	uint8_t kind;
	uint8_t handle_length;
	uint16_t cells[];           /* then the handle, the device and its NUL */
};

struct park_request {
	const char *device;
	uint32_t slot, generation, deadline_s, since_s;
	uint16_t front;
	uint8_t kind;
	const void *handle;
	size_t handle_length;       /* at most PARK_HANDLE_MAX */
	const char *const *collections;
	const struct position *positions;
	size_t count;               /* at most PARK_COLLECTIONS_MAX */
};

struct park_name;

struct park_table {
	struct park_user *users;    /* uthash, in the order of coming */
	struct park_name *by_name, **names;
	uint32_t name_count, name_size, name_free;
	size_t parks, entries;      /* how many are parked; and their collections in all */
	size_t bytes;               /* allocated for users, cells and parks (not for names, which many share) */
};

/* All users must be gone. */
void park_table_release(struct park_table *);

struct park_user *park_user_find(struct park_table *, const char *name);
struct park_user *park_user_create(struct park_table *, const char *name);
/* The user has no parks and is not busy any more. Clears the pointer. */
void park_user_free(struct park_table *, struct park_user **);

/* 0: no user has anything to do with a collection of that name. */
uint32_t park_name_find(const struct park_table *, const char *name);
const char *park_name(const struct park_table *, uint32_t collection);

/* What a device that would park in this position has to be told. */
enum park_verdict {
	PARK_SAME,      /* the backend stands there too */
	PARK_CHANGED,   /* there is news */
	PARK_UNSURE     /* not known, or known from before the device's own last change: ask the backend */
};
enum park_verdict park_compare(const struct park_table *, const struct park_user *, const char *collection,
	const struct position *device);

/* NULL: the user would have too many cells. */
struct park *park_add(struct park_table *, struct park_user *, const struct park_request *);
/* Frees the park; the user stays, also when it was the last. Clears the pointer. */
void park_remove(struct park_table *, struct park **);
struct park *park_find(const struct park_user *, const char *device, uint8_t kind);
const char *park_device(const struct park *);
const uint8_t *park_handle(const struct park *);

/*
 * The backend stands in this position now: its cell becomes the known one, PARK_FRESH if is_fresh, and all others of the
 * collection get PARK_DIFFERS. Unknown: nothing is known any more, nobody differs. Returns whether a park differs.
 */
bool park_learn(struct park_table *, struct park_user *, uint32_t collection, struct position, bool is_fresh);
/* A hint proved that the backend is there at the least. Marks the parks that it proves news for. */
bool park_learn_at_least(struct park_table *, struct park_user *, uint32_t collection, struct position least);
/* A device was told on the strength of such a proof alone: it is good for once, lest a hint of an item that never
 * comes has a phone synchronise without end. true: there was such a proof. */
bool park_spend_proof(struct park_table *, struct park_user *, uint32_t collection);
/* The cell where the backend stands; NULL: not known. */
const struct park_cell *park_known(const struct park_user *, uint32_t collection);
/* The connector was lost: nothing is known or asked any more. */
void park_forget(struct park_user *);
/* A device of the user changed something itself: what is known may be older than what it has. */
void park_age(struct park_user *);

/* Sets and clears flags in all cells of the collection (0: of all). */
void park_flag(struct park_user *, uint32_t collection, uint16_t set, uint16_t clear);
/* … of all collections that have the flags `with`. */
void park_flag_where(struct park_user *, uint16_t with, uint16_t set, uint16_t clear);
/* … of all collections that somebody waits for. */
void park_flag_parked(struct park_user *, uint16_t set);
/* Those of PARK_OF_COLLECTION that the collection has. */
uint16_t park_flags(const struct park_user *, uint32_t collection);
/* Whether the user has to do with the collection, and whether a park waits there that PARK_DIFFERS did not mark. */
bool park_has(const struct park_user *, uint32_t collection);
bool park_waits_undiffering(const struct park_user *, uint32_t collection);
/* Whether somebody waits for a collection that has none of these flags. */
bool park_waits_without(const struct park_user *, uint16_t flags);
/* Whether somebody waits for the collection in another position. */
bool park_waits_elsewhere(const struct park_user *, uint32_t collection, const struct position *);
/* Whether any cell has one of these flags. */
bool park_any(const struct park_user *, uint16_t flags);
/* Calls back once for each collection that has all of `with` and, if parked_only, a park. */
void park_each_collection(const struct park_user *, uint16_t with, bool parked_only,
	void (*each)(uint32_t collection, void *data), void *data);
/* Drops cells of collections that nobody waits for at a second recheck; returns whether a watched one went. */
bool park_tidy(struct park_table *, struct park_user *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logins that the backend has verified: what makes the next Login of the same user and password cheap, what a handle
 * stands for, and where the password lies that workers and watches log in with. A user may have several (one an
 * application password). The password is compared by a keyed digest and kept only in locked memory.
 *
 * An account lives while it is held (a watch, a request under way) or was used a short time ago; once void, its
 * handle and its digest find nothing any more, whoever still holds it.
 */
#ifndef BELFRY_CONNECTORS_IMAP_ACCOUNT_H
#define BELFRY_CONNECTORS_IMAP_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "connectors/secret.h"
#include "lib/core/loop.h"

enum {
	ACCOUNT_HANDLE_BYTES = 16,
	ACCOUNT_DIGEST_BYTES = 32,
	ACCOUNT_HANDLE_S = 3600,        /* a handle is good for this after the login was verified; then: log in again */
	ACCOUNT_UNUSED_S = 900,         /* not held and not used for so long: forgotten, the password wiped */
	ACCOUNTS_OF_USER_MAX = 16,      /* passwords of one user known at once; over it the longest unused goes */
	ACCOUNT_USER_BYTES_MAX = 255
};

struct accounts;

struct account {
	UT_hash_handle by_digest, by_handle;
	struct account *next_of_user;
	uint8_t digest[ACCOUNT_DIGEST_BYTES], handle[ACCOUNT_HANDLE_BYTES];
	char *user;                     /* canonical */
	char *login;                    /* as the backend knows the user */
	struct secret *password;
	int64_t verified_ms, used_ms;
	unsigned held;
	bool is_stale; /* another password of the user was verified since: ask the backend before the next Login */
	bool is_void;
};

struct accounts_events {
	/* The backend refused this login: whoever works with it stops. The account is still readable. */
	void (*voided)(struct account *, void *owner);
};

struct accounts *accounts_create(struct loop *, int login_ttl_s, const struct accounts_events *, void *owner);
void accounts_free(struct accounts **);

/* Keyed and salted: tells nothing to who has not this process's memory. */
void accounts_digest(const struct accounts *, const char *user, const char *password,
	uint8_t digest_r[ACCOUNT_DIGEST_BYTES]);
/* NULL: not known, or void. */
struct account *accounts_find(struct accounts *, const uint8_t digest[ACCOUNT_DIGEST_BYTES]);
/* Also NULL when it is too long since it was verified. Counts as use. */
struct account *accounts_of_handle(struct accounts *, const uint8_t *handle, size_t length);
/* Verified recently enough to answer a Login without asking. Counts as use. */
bool account_is_fresh(struct accounts *, struct account *);
/* The backend has said yes just now. Takes the password over. A new one of the user makes the others stale: they are
 * to be verified before they are used in a Login again. */
struct account *accounts_verified(struct accounts *, const uint8_t digest[ACCOUNT_DIGEST_BYTES], const char *user,
	const char *login, struct secret *password);
/* The backend has said no. */
void accounts_void(struct accounts *, struct account *);
void accounts_void_user(struct accounts *, const char *user);
/* The next stale account of the user, after NULL: the first; NULL: no more. */
struct account *accounts_next_stale(struct accounts *, const char *user, const struct account *after);

struct account *account_hold(struct account *);
void account_release(struct account **);
size_t accounts_count(const struct accounts *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mailboxes that could not be opened: if the server lists them, they are looked at before a device is told of them
 * (worker_list.c). Only a doubt: that one is there after all, or again, shows there. It is never taken back.
 */
#ifndef BELFRY_CONNECTORS_IMAP_DOUBTS_H
#define BELFRY_CONNECTORS_IMAP_DOUBTS_H

#include <stddef.h>

enum {
	DOUBTS_OF_USER_MAX = 64,     /* over it the user's oldest goes: a device is told of it anew, and asks for it anew */
	DOUBTS_USERS_MAX = 1000      /* over it all of the user who came upon none for the longest */
};

struct doubts;

struct doubts *doubts_create(void);
void doubts_free(struct doubts **);

void doubts_add(struct doubts *, const char *user, const char *collection);
/* The names, valid until the next call of doubts_add(); how many. */
size_t doubts_of(const struct doubts *, const char *user, char ***names_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mailboxes of a user as collections, from LIST responses (RFC 9051 section 7.3.1, RFC 6154). */
#ifndef BELFRY_CONNECTORS_IMAP_FOLDER_LIST_H
#define BELFRY_CONNECTORS_IMAP_FOLDER_LIST_H

#include "lib/core/arena.h"
#include "lib/imap/response.h"
#include "lib/ipc/connector.pb-c.h"

enum { FOLDER_LIST_MAX = 100000 }; /* beyond it a server is broken; thousands are usual with shared mailboxes */

struct folder_list {
	struct arena *arena;
	Belfry__Connector__Collection **list;
	size_t count, room;
	bool has_attributes; /* the server names special folders itself */
};

/* RFC 6154 section 2: a server may leave the attributes out of a plain LIST. capabilities: IMAP_CAP_*. */
const char *folder_list_command(unsigned capabilities);
/* One "* LIST (…) "/" name": what follows LIST. A line of another form is left out. */
void folder_list_add(struct folder_list *, struct imap_text rest);
/* When all are in: roles by name where the server gave none, INBOX first, the others by name. */
void folder_list_finish(struct folder_list *);
/* The collection with this role; NULL: there is none. */
const Belfry__Connector__Collection *folder_list_find(const struct folder_list *, Belfry__Connector__Role);

#endif

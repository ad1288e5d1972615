/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may do what to what, down to one item: the only place that decides it. Asked where a request first names a user,
 * a device, a collection or an item: by the front before it asks a connector, by the hub before it reads, writes or
 * parks, and for the admin who speaks over the control socket. A shared mailbox or a blocked device would be a new
 * rule here, and nothing elsewhere.
 */
#ifndef BELFRY_GATEWAY_SERVICE_ACCESS_H
#define BELFRY_GATEWAY_SERVICE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/service/principal.h"

enum action {
	ACTION_LOG_IN,
	ACTION_READ,   /* a user, here and below: the list of his collections */
	ACTION_CHANGE,
	ACTION_SEND,   /* mail, as the user */
	ACTION_WAIT,   /* to be told of changes */
	ACTION_KICK,   /* have what is held answered */
	ACTION_FORGET, /* remove all that is kept */
	ACTIONS
};

/* The most exact that is named is the object: an item, else a collection, else a device's records, else the user. */
struct object {
	const char *user;       /* whose */
	const char *device;     /* NULL: none; "": the records that belong to the user alone */
	const char *collection; /* NULL: none */
	uint64_t item;          /* 0: none */
};

/* Who speaks over the control socket. It is meant by its address: no name makes a principal the admin. */
extern const struct principal principal_admin;

bool principal_may(const struct principal *, enum action, const struct object *);

#endif

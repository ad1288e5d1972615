/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which user is a uid? Asked of the system by a thread of its own, because the answer may come from a directory
 * on the network and take seconds. Remembered by the caller.
 */
#ifndef BELFRY_GATEWAY_HUB_NAMES_H
#define BELFRY_GATEWAY_HUB_NAMES_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/core/loop.h"

struct hub_names;

enum { HUB_NAME_MAX = 255 };

typedef int hub_name_lookup(uid_t uid, char *name_r, size_t size);
/* name NULL: there is no such user, or it cannot be said. May come from within hub_names_ask(). */
typedef void hub_name_found(uid_t uid, const char *name, void *data);

/* lookup: how to find it without waiting; NULL: the thread asks the system. */
struct hub_names *hub_names_create(struct loop *, hub_name_lookup *lookup, hub_name_found *, void *data);
void hub_names_free(struct hub_names **);
void hub_names_ask(struct hub_names *, uid_t uid);

#endif

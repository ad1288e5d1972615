/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Passwords of logged-in users: kept in locked memory that is neither swapped nor dumped, and wiped when dropped.
 * Slots of one size in pages of our own, so that nothing else lies beside them.
 */
#ifndef BELFRY_CONNECTORS_SECRET_H
#define BELFRY_CONNECTORS_SECRET_H

#include <stddef.h>

enum { SECRET_BYTES_MAX = 255 }; /* of a password: no backend takes longer ones in a LOGIN */

struct secret;

/* A copy; NULL: longer than SECRET_BYTES_MAX. */
struct secret *secret_keep(const char *text);
/* Valid until secret_drop. */
const char *secret_text(const struct secret *);
void secret_drop(struct secret **);
/* How many are kept, for tests and status. */
size_t secret_count(void);

#endif

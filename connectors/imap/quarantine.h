/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Items that a worker crashed or hung on, so that no other touches them again: the rest of the mailbox works. Kept until the
 * daemon restarts (perhaps as a newer version, which can read them).
 */
#ifndef BELFRY_CONNECTORS_IMAP_QUARANTINE_H
#define BELFRY_CONNECTORS_IMAP_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUARANTINE_MAX = 1024 }; /* over it the oldest is let go: it would be found again */

struct quarantine;

struct quarantine *quarantine_create(void);
void quarantine_free(struct quarantine **);

/* item 0: it is not known which; the collection is to be fetched item by item. */
void quarantine_add(struct quarantine *, const char *user, const char *collection, uint64_t validity, uint64_t item);
/* The items of this collection of whatever validity is given (0: any), at most `room`; how many. */
size_t quarantine_items(const struct quarantine *, const char *user, const char *collection, uint64_t validity,
	uint64_t *items_r, size_t room);
/* The collection was fetched item by item, and nobody died: what is known of it now is all that there is. */
void quarantine_relax(struct quarantine *, const char *user, const char *collection);
/* Has something died here of which it is not known what? */
bool quarantine_is_careful(const struct quarantine *, const char *user, const char *collection);

#endif

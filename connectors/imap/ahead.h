/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New mails of the selected mailbox that came along with a survey: who surveys because a phone rang fetches next, and is
 * spared that trip to the server. They are kept as they were heard, until the view of the mailbox is another.
 */
#ifndef BELFRY_CONNECTORS_IMAP_AHEAD_H
#define BELFRY_CONNECTORS_IMAP_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buffer.h"
#include "lib/imap/response.h"

enum { AHEAD_MAX = 4 }; /* mails: a phone that rang has one or two; of an idle session they take a megabyte at the most */

struct ahead {
	uint64_t next;  /* UIDNEXT when the mailbox was last surveyed in this view; 0: it was not */
	bool has_news;  /* the server has said EXISTS since */
	unsigned count;
	struct { uint64_t uid; struct buffer rest; } mails[AHEAD_MAX];
};

/* Keeps the rest of a FETCH response; more than AHEAD_MAX are dropped. */
void ahead_keep(struct ahead *, uint64_t uid, struct imap_text rest);
/* The response, as if it were heard now; its texts are valid until something is kept or dropped. False: there is none. */
bool ahead_find(const struct ahead *, uint64_t uid, struct imap_response *response_r);
/* The mails only. */
void ahead_drop(struct ahead *);
/* All that is known of the view. */
void ahead_forget(struct ahead *);

#endif

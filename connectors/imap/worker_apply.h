/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of Apply share. Their functions return what is to be done about the items they were given:
 *
 *	OK           done
 *	UNAVAILABLE  with error_r: nobody knows, or the backend cannot now; the whole request is to be asked again
 *	NOT_FOUND    some are not as they were found: look again
 *	others       the backend refuses it, and will refuse it again
 */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_APPLY_H
#define BELFRY_CONNECTORS_IMAP_WORKER_APPLY_H

#include "connectors/imap/worker_internal.h"
#include "lib/model/ranges.h"

struct apply {
	struct worker_call *call;
	const Belfry__Connector__Apply *request;
	Belfry__Connector__Status *results;
	uint64_t *moved;         /* of each operation: the item's id where it was moved to; 0: not known */
	bool *done;
	bool has_begun;          /* until then nothing was changed */
	bool ids_repeat;         /* an id has several operations: their order counts */
	char *trash;             /* where removed mails go; NULL: we are in it, they are expunged */
	worker_status no_trash;  /* there is none, and none can be made: why; OK: there is */
	const char *target;      /* where the mails go that are being moved */
	/* Of the mailbox that was opened last. */
	bool has_modseqs;
	bool takes_keywords;     /* also such as are new to it */
	char *permanent;         /* what it keeps: the list of PERMANENTFLAGS; NULL: it has not said so */
	bool refuses_deleted;    /* no mail can be removed from it: by its access list, say */
	struct ranges found;     /* of the last apply_search() */
};

/* Opens a mailbox for writing, unless it is the open one. */
worker_status apply_open(struct apply *, const char *collection, struct error *error_r);
/* What the server's answer to a command that changes something means. */
worker_status apply_status_of(enum session_answer, const struct error *said);
/* Sends "UID before SET after" and reads the answer. heard may be NULL. */
enum session_answer apply_command(struct apply *, const char *before, const struct ranges *set, const char *after,
	session_heard *heard, void *data, struct error *said);
/* Which items of the open mailbox are these? Into apply->found. */
worker_status apply_search(struct apply *, const char *what, const struct ranges *set, struct error *error_r);
/* Marks them as deleted and takes them out of the open mailbox. */
worker_status apply_expunge(struct apply *, const struct ranges *items, struct error *error_r);

/* --- worker_trash.c -------------------------------------------------------------------------------------------- */

/* Sets apply->trash for a request that moves mails there. A user without one gets one: what the device believes to be
 * in the trash is never destroyed. */
worker_status apply_find_trash(struct apply *, struct error *error_r);

/* --- worker_move.c --------------------------------------------------------------------------------------------- */

/* Moves items of the request's collection to apply->target. Those that the server refuses to move are added to refused,
 * and the last reason is set; the others are there then, or were gone. */
worker_status apply_move(struct apply *, const struct ranges *items, struct ranges *refused, worker_status *why,
	struct error *error_r);

/* --- worker_moved.c -------------------------------------------------------------------------------------------- */

/* An item of the request's collection is this one in apply->target now. */
void apply_note_moved(struct apply *, uint64_t id, uint64_t moved);
/* Looks for those that were gone before they were moved: an earlier request may have done so. */
worker_status apply_find_moved(struct apply *, struct error *error_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two halves of moving share: worker_move.c moves, worker_settle.c finds out about older moves. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_MOVE_H
#define BELFRY_CONNECTORS_IMAP_WORKER_MOVE_H

#include "connectors/imap/worker_apply.h"

/* Of a mail on its way to another mailbox, and of its copy until the move is known to be over. */
#define MOVE_CLAIM "$BelfryMove"

struct move {
	struct apply *apply;
	/* As the last look found the mails that are still to be moved. */
	struct ranges left, claimed;
	uint64_t modseq;         /* the highest of them; 0: none was told */
	struct ranges settled;   /* no older move of these is under way */
	bool claims;             /* the mailbox takes claims */
	uint64_t next;           /* UIDNEXT of the target before the move; 0: was not asked */
};

struct mail {
	uint64_t id, modseq;
	bool is_claimed, is_deleted, is_matched, is_gone;
	char *identity;          /* equal for a mail and its copies; NULL: was not asked */
	uint64_t copy;           /* in the target; 0: none was found */
};

struct mails {
	struct arena *arena;
	struct mail *list;
	size_t count, room;
};

#define MOVE_ASK_STATE "(FLAGS MODSEQ)"
#define MOVE_ASK_STATE_OLD "(FLAGS)"
#define MOVE_ASK_IDENTITY "(FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)"

/* These items of the open mailbox. The list is the caller's to free. */
worker_status move_read(struct apply *, const struct ranges *items, const char *what, struct mails *mails_r,
	struct error *error_r);
/* Sets ('+') or takes away ('-') the claim on items of the open mailbox; modseq other than 0: of those only that have
 * not changed since, and the others are added to modified, which may be NULL. */
worker_status move_claim(struct apply *, const struct ranges *items, char sign, uint64_t modseq, struct ranges *modified,
	struct error *error_r);
/* Waits until it is known, or long enough to know that no older move of these items will come, and finishes those that
 * have made their copy. What is left is nobody's then. */
worker_status move_settle(struct move *, const struct ranges *doubtful, struct error *error_r);
/* These have been moved just now: which are they among what the target has from move->next on? */
worker_status move_find_copies(struct move *, struct mails *sources, struct error *error_r);

#endif

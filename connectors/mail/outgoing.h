/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mail that a device wants sent, made ready: who sends it and who gets it, and the octets to send as a row of pieces,
 * of which the large ones lie where they were. The line ends of the pieces are as they come: lib/smtp/lines.h.
 *
 *	outgoing.c       the mail itself: its header is read and written anew
 *	outgoing_add.c   the original of a reply or forward, quoted or enclosed
 */
#ifndef BELFRY_CONNECTORS_MAIL_OUTGOING_H
#define BELFRY_CONNECTORS_MAIL_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"
#include "lib/core/error.h"

enum {
	OUTGOING_HEADER_MAX = 256 * 1024,  /* 1,000 recipients with their names take a third of it */
	OUTGOING_RECIPIENTS_MAX = 1000,    /* what servers take of one mail: Postfix 1,000 (smtpd_recipient_limit) */
	OUTGOING_ADDRESS_MAX = 320,        /* RFC 5321 section 4.5.3.1: 64 + 1 + 255 */
	OUTGOING_MESSAGE_ID_MAX = 250,     /* a line of a header has 998 at the most, and IMAP is to find it */
	OUTGOING_PIECES_MAX = 16
};

enum outgoing_fault { OUTGOING_FINE, OUTGOING_BAD, OUTGOING_NO_RECIPIENT, OUTGOING_TOO_MANY };

struct outgoing {
	struct arena *arena;
	const char *message_id;            /* with < > */
	const char *sender;                /* user@host */
	const char **recipients;
	size_t recipient_count;
	struct slice mail;                 /* as it came */
	struct slice header, body;         /* of it; between them the empty line */
	struct slice blind;                /* the fields of its Bcc, written anew: for the copy that is kept */
	struct slice fields;               /* all others but those of the content */
	struct slice content;              /* those: Content-* */
	bool says_reply;                   /* it has In-Reply-To or References */
	struct slice pieces[OUTGOING_PIECES_MAX]; /* of what is sent */
	size_t piece_count;
};

/* mail must live as long as the outgoing. message_id: for a mail that has none; now_s: likewise, its Date. */
enum outgoing_fault outgoing_read(struct arena *, struct slice mail, const char *message_id, int64_t now_s,
	struct outgoing *outgoing_r, struct error *error_r);

/* Names the original in In-Reply-To and References, if the mail does not do so itself. Before the two below. */
void outgoing_refer(struct outgoing *, struct slice original);
/* The original, whole, as an attachment: nothing of it is lost, a signature in it stays good. */
void outgoing_enclose(struct outgoing *, struct slice original);
/* The original's text, quoted below the text of the mail, in each form that this has. What is signed or encrypted stays
 * as it is; a mail without text encloses. */
void outgoing_quote(struct outgoing *, struct slice original);

/* Is there any byte above 127 (in the header only)? */
bool outgoing_is_8bit(const struct outgoing *);
bool outgoing_header_is_8bit(const struct outgoing *);

#endif

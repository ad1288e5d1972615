/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Sieve script that answers mails while a user is out of office, written and read:
 *
 *	# belfry-oof 1 DIGEST         of all that follows: a script that somebody else has changed is not read
 *	# …                           what it is, for people
 *	#: BASE64                     oof.proto: what was set, to the letter
 *	require […];
 *	if … { vacation …; }          RFC 5230, 5260 (the time), 5228 (who asks, by the envelope)
 *	include "…";                  RFC 6609: what was active before
 *
 * Nothing in a text can be more to the server than text: a quoted string has its quotes and backslashes escaped and no
 * control characters, HTML is sent as base64, and neither "variables" nor "encoded-character" is required.
 */
#ifndef BELFRY_CONNECTORS_IMAP_OOF_SCRIPT_H
#define BELFRY_CONNECTORS_IMAP_OOF_SCRIPT_H

#include "connectors/imap/oof.pb-c.h"
#include "connectors/mail/slice.h"
#include "lib/core/arena.h"
#include "lib/core/buffer.h"

#define OOF_SCRIPT_NAME "belfry-oof"

enum {
	OOF_SCRIPT_DAYS = 7,               /* nobody is answered again before; what RFC 5230 section 4.1 proposes */
	OOF_SCRIPT_TEXT_MAX = 64 * 1024    /* bytes of a text; a script with a longer one is none of ours */
};

/* Is no text too long? */
bool oof_script_fits(const Belfry__Oof__Kept *);
/* What the server must be able to: enum managesieve_capability. */
unsigned oof_script_needs(const Belfry__Oof__Kept *);
/* user: alice@example.org. can: what the server can, and it can what is needed. The script is appended. It includes the
 * former one also when it answers nobody: should it ever be active then, the user's filters go on. */
void oof_script_write(struct buffer *script, const Belfry__Oof__Kept *, const char *user, unsigned can);
/* What was set, in the arena; NULL: it is not as it was written. */
Belfry__Oof__Kept *oof_script_read(struct slice script, struct arena *);
/* Does another script answer mails by itself, or could it? Two answers to a mail are an error (RFC 5230 section 4.7), for
 * which servers do nothing of a script at all. */
bool oof_script_answers(struct slice script);
/* The text of a message as it was asked for, in the arena. */
Belfry__Connector__OofMessage *oof_script_message_as(const Belfry__Connector__OofMessage *, bool html, struct arena *);

#endif

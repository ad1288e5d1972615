/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of mailboxes: UTF-8 in our contract, modified UTF-7 on the wire (RFC 3501 section 5.1.3).
 * A name of the server that is not in canonical modified UTF-7 (raw 8-bit, needless encoding) could not be made again
 * from its UTF-8 form; it keeps its raw bytes behind MAILBOX_NAME_RAW, so that it can be opened all the same.
 */
#ifndef BELFRY_CONNECTORS_IMAP_MAILBOX_NAME_H
#define BELFRY_CONNECTORS_IMAP_MAILBOX_NAME_H

#include "lib/core/buffer.h"

enum { MAILBOX_NAME_RAW = '\x7f' };
enum { MAILBOX_NAME_MAX = 4096 }; /* bytes of a name: above any server's limit, below any command line's */

/* Appends the name as a quoted string of a command. -1 (and nothing useful appended): a name that no mailbox can have
 * (empty, too long, control characters, not UTF-8). */
int mailbox_name_quote(struct buffer *, const char *name);
/* The same without quotes, for libetpan, which quotes by itself. */
int mailbox_name_encode(struct buffer *, const char *name);
/* Appends our form of a name that came from the server. */
void mailbox_name_decode(struct buffer *, const char *wire, size_t length);
/* Appends readable UTF-8 for a person, of our form of a name. */
void mailbox_name_display(struct buffer *, const char *name);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A whole mail as text that XML can carry: ActiveSync gives MIME in a string. A mail that is such text already stays
 * as it is, byte for byte. Of any other each part is encoded whose body is not: text and what was quoted-printable as
 * quoted-printable, the rest as base64, with a Content-Transfer-Encoding that says so; a mail within a mail is done
 * in the same way. Raw 8-bit header fields become UTF-8, as charset_append() understands them.
 *
 * What a signature or an encryption covers (multipart/signed, multipart/encrypted) is not touched; there, around the
 * parts, and in mails so broken or so large that they were not parsed to their end, bytes that are no text are lost:
 * U+FFFD stands for them.
 */
#ifndef BELFRY_CONNECTORS_MAIL_MIME_TEXT_H
#define BELFRY_CONNECTORS_MAIL_MIME_TEXT_H

#include "connectors/mail/mime.h"
#include "lib/core/buffer.h"

enum {
	MIME_TEXT_PIECE = 64 * 1024,   /* taken at a time */
	MIME_TEXT_NESTING_MAX = 8      /* mails within mails that are looked into */
};

struct mime_text {
	struct buffer made;                 /* text that has not been taken yet */
	void (*take)(struct mime_text *);   /* consumes made when it is over a piece; NULL: all of it stays */
	void *owner;
};

bool mime_text_is_needed(struct slice octets);
/* root: of these octets, by mime_parse(). */
void mime_text_make(struct mime_text *, struct arena *, const struct mime_part *root, struct slice octets);

#endif

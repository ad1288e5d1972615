/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Categories as IMAP keywords. A keyword is an atom (RFC 9051 section 9, flag-keyword): ASCII without spaces and some
 * others. What it cannot hold is in modified UTF-7, as Thunderbird has it in the keywords of its tags; spaces and what
 * else an atom must not have, too:
 *
 *	Work            Work
 *	Red Category    Red&ACA-Category
 *	Q&A             Q&-A
 *	Privé           Priv&AOk-
 *
 * A keyword that begins with $ is a program's (RFC 5788; Thunderbird's first five tags are such, whose names only it
 * knows), and so are some older ones (Junk, NonJunk, Forwarded …): none of them is a category, and a category of such a
 * name has its first letter encoded. A keyword that no category would be written as is none, either.
 */
#ifndef BELFRY_CONNECTORS_IMAP_KEYWORD_H
#define BELFRY_CONNECTORS_IMAP_KEYWORD_H

#include "lib/core/buffer.h"

enum {
	KEYWORD_MAX = 250,     /* bytes; Dovecot takes 50 and says so */
	KEYWORDS_MAX = 50      /* of a mail that are looked at */
};

/* Appends the keyword of a category. -1: it has none (empty, too long, not UTF-8, control characters). */
int keyword_encode(struct buffer *keyword, const char *category);
/* Appends the category that a keyword is. -1: none. */
int keyword_decode(struct buffer *category, const char *keyword, size_t length);

#endif

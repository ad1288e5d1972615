/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree of a mail's parts from BODYSTRUCTURE (RFC 9051 section 7.5.2), for mails too large to be loaded whole. */
#ifndef BELFRY_CONNECTORS_IMAP_STRUCTURE_H
#define BELFRY_CONNECTORS_IMAP_STRUCTURE_H

#include "connectors/mail/mime.h"
#include "lib/imap/response.h"

/* Takes the value behind the word BODYSTRUCTURE. The tree is in the arena, its texts are copies; no part is loaded.
 * Mails within the mail are parts without parts, as mime_parse() has them. NULL: not of this form. */
struct mime_part *structure_parse(struct arena *, struct imap_cursor *);

#endif

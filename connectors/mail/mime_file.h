/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A large mail that came in pieces, as text that XML can carry (connectors/mail/mime_text.h), in a file. */
#ifndef BELFRY_CONNECTORS_MAIL_MIME_FILE_H
#define BELFRY_CONNECTORS_MAIL_MIME_FILE_H

#include <stdint.h>

#include "connectors/mail/text_file.h"

/*
 * The file holds the mail's octets (text_file_append_octets()); is_beginning: a part of them, which may end within a
 * character. They become text in their place. Where they are none yet that takes as much memory once more, the
 * file's; never the heap's. Returns the length of the text; when something fails file->failed is set and there is
 * none, or its beginning.
 */
uint64_t mime_file_make_text(struct text_file *, bool is_beginning);
/* At most so much of the text is left, cut at a character: how much. */
uint64_t mime_file_cut(struct text_file *, uint64_t most);

#endif

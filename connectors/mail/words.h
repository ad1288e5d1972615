/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unstructured header text to UTF-8: encoded words (RFC 2047), also the broken ones, and raw 8-bit. */
#ifndef BELFRY_CONNECTORS_MAIL_WORDS_H
#define BELFRY_CONNECTORS_MAIL_WORDS_H

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"
#include "lib/core/buffer.h"

/* Of one text (a subject, a file name) that much is decoded; the rest is left out. A phone shows a few hundred. */
enum { WORDS_TEXT_MAX = 64 * 1024 };

/* One line of UTF-8 without control characters. */
void words_append(struct buffer *, struct slice raw);
char *words_decode(struct arena *, struct slice raw);

#endif

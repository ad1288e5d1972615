/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Modified UTF-7 (RFC 3501 section 5.1.3), and forms of it that encode more than they must. */
#ifndef BELFRY_CONNECTORS_IMAP_UTF7_H
#define BELFRY_CONNECTORS_IMAP_UTF7_H

#include <stdbool.h>

#include "lib/core/buffer.h"

/* is_direct: says which ASCII characters stand for themselves; '&' is written "&-" then. All others are encoded. -1: not
 * UTF-8, or a control character. */
int utf7_encode(struct buffer *wire, const char *text, size_t length, bool (*is_direct)(uint32_t point, bool is_first));
/* Whatever is encoded is decoded: who wants one form for one text encodes it again. False: broken. */
bool utf7_decode(struct buffer *text, const char *wire, size_t length);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mail on its way out, piece by piece: every line ends in CRLF, whatever it ended in before. A bare CR or LF that one
 * server takes for a line end and the next does not is how a second mail is smuggled into a first. NUL, which neither
 * SMTP nor IMAP carries, is left out.
 */
#ifndef BELFRY_LIB_SMTP_LINES_H
#define BELFRY_LIB_SMTP_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/buffer.h"

struct smtp_lines {
	bool with_dots;   /* for DATA (RFC 5321 section 4.5.2): a dot that begins a line is doubled */
	bool is_within;   /* the last byte did not end a line */
	bool after_cr;    /* … it was a CR: an LF belongs to it */
};

/* Appends one more piece, cut anywhere. Begins as {.with_dots = …}. */
void smtp_lines_append(struct smtp_lines *, struct buffer *out, const char *bytes, size_t length);
/* The mail is over: the last line ends. */
void smtp_lines_end(struct smtp_lines *, struct buffer *out);

#endif

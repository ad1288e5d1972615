/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A body that is too long for a frame: an unlinked file, filled piece by piece with text that XML can carry, whatever
 * the octets were: a mail in raw 8-bit must not spoil an answer for the mails beside it. */
#ifndef BELFRY_CONNECTORS_MAIL_TEXT_FILE_H
#define BELFRY_CONNECTORS_MAIL_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/utf8.h"

struct text_file {
	int fd;                     /* the caller's to close; -1: there is none */
	bool failed;                /* something could not be written: the text ends before it */
	struct utf8_pieces pieces;
};

/* -1: no file can be had (the limit of descriptors). */
int text_file_create(struct text_file *);
/* Octets that are not to be text yet. */
void text_file_append_octets(struct text_file *, const char *octets, size_t length);
/* The octets are cut anywhere, also within a character. */
void text_file_append(struct text_file *, const char *octets, size_t length);
void text_file_end(struct text_file *);

#endif

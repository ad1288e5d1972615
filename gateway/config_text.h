/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text of a configuration before libconfuse reads it: comments are blank and what it includes stands in its place,
 * so that each line is counted once, and known by its file. (libconfuse counts some comments' lines several times.)
 */
#ifndef BELFRY_GATEWAY_CONFIG_TEXT_H
#define BELFRY_GATEWAY_CONFIG_TEXT_H

#include <stddef.h>

#include "lib/core/buffer.h"
#include "lib/core/error.h"

enum { CONFIG_FILES_MAX = 32 }; /* the file and what it includes; more is one that includes itself */

/* Where a line came from. */
struct config_line {
	const char *file;
	unsigned number;
};

struct config_text {
	struct buffer bytes;
	struct config_line *lines; /* of bytes, the first at 0 */
	size_t line_count;
	char *files[CONFIG_FILES_MAX];
	size_t file_count;
};

/* -1: a file cannot be read, or is none of ours; the error names it, and what was read stands there. */
int config_text_read(struct config_text *, const char *path, struct error *error_r);
/* Line 1 is the first. Beyond the end: the last. */
struct config_line config_text_line(const struct config_text *, unsigned number);
void config_text_release(struct config_text *);

/* The line (of bytes) of the last brace that is opened and never closed, with all that was not meant for its section;
 * 0: there is none. */
unsigned config_text_open_brace(const struct config_text *);

#endif

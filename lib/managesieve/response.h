/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a ManageSieve server says (RFC 5804 section 4): where a line ends, whether it ends a response, what stands in it,
 * and what the server can do. Nothing is copied: all texts point into the bytes given and live as long as these.
 */
#ifndef BELFRY_LIB_MANAGESIEVE_RESPONSE_H
#define BELFRY_LIB_MANAGESIEVE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/core/buffer.h"

enum {
	MANAGESIEVE_LITERAL_MAX = 2 * 1024 * 1024, /* a script; servers keep 1 MB at the most unless they are told otherwise */
	MANAGESIEVE_LINE_MAX = 16 * 1024           /* of a line besides literals; the longest lists the server's extensions */
};

/* --- what stands in a line ------------------------------------------------------------------------------------- */

enum managesieve_token_kind {
	MANAGESIEVE_END, MANAGESIEVE_ATOM, MANAGESIEVE_QUOTED, MANAGESIEVE_LITERAL, MANAGESIEVE_OPEN, MANAGESIEVE_CLOSE,
	MANAGESIEVE_BROKEN
};
struct managesieve_token {
	enum managesieve_token_kind kind;
	const char *bytes; /* of a quoted string: between the quotes, escapes as they came */
	size_t length;
};
struct managesieve_cursor {
	const char *at, *end;
};

/* Skips spaces and takes one token. After MANAGESIEVE_END and MANAGESIEVE_BROKEN it gives the same again. */
struct managesieve_token managesieve_token_next(struct managesieve_cursor *);
bool managesieve_token_is(struct managesieve_token, const char *word); /* without regard to case */
/* Appends the value of a string, without escapes; false: it is none. */
bool managesieve_token_append(struct managesieve_token, struct buffer *);

/* --- a line ---------------------------------------------------------------------------------------------------- */

enum managesieve_kind { MANAGESIEVE_DATA, MANAGESIEVE_OK, MANAGESIEVE_NO, MANAGESIEVE_BYE }; /* all but data: it is the last */

struct managesieve_line {
	enum managesieve_kind kind;
	struct managesieve_token code; /* TRYLATER of NO (TRYLATER) "text"; MANAGESIEVE_END: none */
	struct managesieve_token text; /* for people; MANAGESIEVE_END: none */
	struct managesieve_cursor data;
};

/* The length of the first whole line, with its literals and line end. 0: there is more to come. -1: no ManageSieve server
 * talks so: a bare CR or LF, too long. */
ssize_t managesieve_line_parse(const char *bytes, size_t length, struct managesieve_line *line_r);

/* --- what the server can do ------------------------------------------------------------------------------------ */

enum managesieve_capability {
	MANAGESIEVE_CAN_STARTTLS = 1, MANAGESIEVE_CAN_PLAIN = 2,
	/* Extensions of Sieve: */
	MANAGESIEVE_CAN_VACATION = 4, MANAGESIEVE_CAN_INCLUDE = 8, MANAGESIEVE_CAN_DATE = 16, MANAGESIEVE_CAN_RELATIONAL = 32,
	MANAGESIEVE_CAN_ENVELOPE = 64
};

/* What a line of data among capabilities announces: a set of these. */
unsigned managesieve_capability(const struct managesieve_line *);

/* --- what is said to it ---------------------------------------------------------------------------------------- */

/* Appends a string, whatever is in it, so that no byte of it can be taken for a part of the command. */
void managesieve_append_string(struct buffer *command, const char *bytes, size_t length);

#endif

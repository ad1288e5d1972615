/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control socket's protocol: one request a connection, a line of words with TABs between them; then the answer,
 * lines of words likewise, and the end of the connection:
 *
 *     ok                          or:  error TAB what is wrong
 *     table TAB name TAB column ...    a column that begins with # holds numbers
 *     row TAB value ...                one a column, of the table above
 *     note TAB a sentence              for people
 *
 * Values hold no control characters. Requests: status; held [USER]; why USER [DEVICE]; trace on|off
 * SUBSYSTEM|user=USER|device=DEVICE; kick USER [DEVICE].
 */
#ifndef BELFRY_GATEWAY_HUB_CONTROL_H
#define BELFRY_GATEWAY_HUB_CONTROL_H

#include "lib/core/buffer.h"

enum {
	CONTROL_LINE_MAX = 2048,      /* of a request: two names and a word */
	CONTROL_WORDS_MAX = 4,
	CONTROL_TIME_MS = 5000,       /* for the request; a tool writes at once */
	CONTROL_OPEN_MAX = 32,        /* admins at once */
	CONTROL_ROWS_MAX = 10000      /* of held; more are counted */
};

struct hub;

/* Answers one request. user and device in `why` and `held` are as the admin types them. */
void hub_control_answer(struct hub *, char *words[], size_t count, struct buffer *answer);

/* hub_why.c: the rows and notes that say why the phone rang or did not. device NULL: all of the user's. */
void hub_why(struct hub *, const char *user, const char *device, struct buffer *answer);
/* "2023-11-14 22:13:20.123" of a loop time; of local time. */
enum { CONTROL_TIME_SIZE = 32 };
void hub_control_time(const struct hub *, int64_t at_ms, char text_r[CONTROL_TIME_SIZE]);

#endif

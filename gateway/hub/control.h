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
 * Only what follows the "ok" of metrics is text as Prometheus reads it.
 * Values hold no control characters. Requests: status; metrics; held [USER]; why USER [DEVICE]; trace on|off
 * SUBSYSTEM|user=USER|device=DEVICE; kick USER [DEVICE]; devices USER; forget USER DEVICE; backup.
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
struct store_call;

/* One connection of the admin's tool. */
struct hub_visitor;
struct hub *hub_visitor_hub(const struct hub_visitor *);
/* A word of its request. */
const char *hub_visitor_word(const struct hub_visitor *, size_t number);
/* A user as the admin types him, in canonical form; what is no user's name stays as it is. Valid until the next call. */
const char *hub_visitor_user(struct hub_visitor *, const char *typed);
/* Its request waits for the store; the call is forgotten when the visitor goes first. NULL: not any more. */
void hub_visitor_wait(struct hub_visitor *, struct store_call *);
/* The request may take as long as it takes. */
void hub_visitor_take_time(struct hub_visitor *);
/* The answer is whole; the visitor ends. The buffer is empty afterwards. */
void hub_visitor_answer(struct hub_visitor *, struct buffer *answer);

/* devices.c: what the store knows of a user's devices, and forgetting one. They answer later. */
void hub_devices_list(struct hub_visitor *);
void hub_devices_forget(struct hub_visitor *);

/* backup.c: answers with the folder that holds the backup, beside the store. It belongs to the asker then. */
void hub_backup(struct hub_visitor *);

/* why.c: the rows and notes that say why the phone rang or did not. device NULL: all of the user's. */
void hub_why(struct hub *, const char *user, const char *device, struct buffer *answer);
/* "2023-11-14 22:13:20.123" of a loop time; of local time. */
enum { CONTROL_TIME_SIZE = 32 };
void hub_control_time(const struct hub *, int64_t at_ms, char text_r[CONTROL_TIME_SIZE]);

#endif

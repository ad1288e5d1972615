/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A phone's side of HTTP: a request on a connection of its own, sent again as it was when need be, and its answer. */
#ifndef BELFRY_TESTS_REPLAY_PHONE_H
#define BELFRY_TESTS_REPLAY_PHONE_H

#include "lib/net/net.h"
#include "tests/replay/device.h"
#include "tests/replay/script.h"

enum phone_state { PHONE_WAITING, PHONE_ANSWERED, PHONE_LOST };

struct phone_request {
	struct phone_request *next;
	struct device *device;
	const struct step *step;   /* that sent it */
	unsigned front;            /* where it was sent */
	char *command;
	struct buffer bytes;       /* as sent */
	size_t body_at;            /* of the body in bytes */
	enum phone_state state;
	unsigned status;           /* of HTTP */
	struct buffer head, body;  /* of the answer */
	struct stream *stream;     /* NULL: hung up */
	struct buffer input;
};

/* Makes a request of the words from words[from] on: "POST Cmd=Ping …" or "OPTIONS". knower: whose folders, items and
 * keys the body is made of; mostly the device itself. Besides what belongs to the body: version=, user=, password=,
 * policy= (0, last, before or a number), agent=, id=, type=, base64, nologin, header="Name: value".
 * NULL with error_r: the transcript is wrong. */
struct phone_request *phone_request_create(struct device *, struct device *knower, const struct step *, size_t from,
	struct arena *, struct error *error_r);
struct phone_request *phone_request_copy(const struct phone_request *);
/* What of a Sync request is still to be done after its answer: all of it, when there was none, or the collections that
 * were told to retry. NULL: nothing. */
struct phone_request *phone_request_rest(struct phone_request *, struct arena *);
/* Whether the answer says "cannot now, come again", about the whole request. */
bool phone_is_retry(struct phone_request *, struct arena *);
void phone_request_free(struct phone_request **);

/* Connects to the front in that net and sends; what came before is forgotten. */
void phone_request_send(struct phone_request *, struct net *);
void phone_hang_up(struct phone_request *);

/* Of the answer; NULL: no such header. */
const char *phone_header(struct phone_request *, const char *name, struct arena *);
/* The document of request or answer, in the arena; *root_r NULL: no body. -1: it is no WBXML. */
int phone_request_root(struct phone_request *, struct arena *, const struct wbxml_node **root_r, struct error *error_r);
int phone_answer_root(struct phone_request *, struct arena *, const struct wbxml_node **root_r, struct error *error_r);
/* The answer for a person: status line and XML, in the arena. */
const char *phone_answer_text(struct phone_request *, struct arena *);

#endif

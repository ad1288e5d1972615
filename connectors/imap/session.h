/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One logged-in IMAP session of a worker. libetpan is greeted and logs in; all else is asked and read here, on the
 * same connection: several commands leave in one write, and responses are looked at where they were received
 * (lib/imap/response.h). Blocking.
 */
#ifndef BELFRY_CONNECTORS_IMAP_SESSION_H
#define BELFRY_CONNECTORS_IMAP_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <libetpan/libetpan.h>
#include <openssl/ssl.h>

#include "connectors/imap/ahead.h"
#include "connectors/imap/settings.h"
#include "lib/core/buffer.h"
#include "lib/core/error.h"
#include "lib/imap/response.h"

/* We ask for mails in pieces far below this; a list of 1,000,000 scattered ids takes 8 MB. */
enum { SESSION_RESPONSE_MAX = 32 * 1024 * 1024 };

/* Commands under way at the same time. */
enum { SESSION_PIPELINE_MAX = 8 };

enum session_answer { SESSION_OK, SESSION_NO, SESSION_BAD, SESSION_LOST };

struct session_login {
	const char *user, *password, *authorize_as; /* authorize_as "": the user */
	const char *trace_user;
};

enum session_opened { SESSION_OPENED, SESSION_REFUSED, SESSION_UNREACHABLE };

struct session;
/* Sends so many octets as it has said. -1: the connection is broken, or must not go on. */
typedef int session_writer(struct session *, void *data, struct error *error_r);

struct session {
	mailimap *imap;
	mailstream *stream;
	char *trace_user;
	unsigned capabilities;     /* enum imap_capability */
	bool is_dovecot;
	bool is_broken;            /* only closing makes sense */
	/* What is selected; "" nothing. Others do not write here: session_select() and session_unselect() do. */
	char *selected;

	uint64_t validity;         /* UIDVALIDITY of the selected mailbox */
	struct ahead ahead;        /* mails of it */
	/* Commands of ours. */
	struct buffer commands;    /* queued, not yet sent */
	struct buffer continuation; /* sent when the server asks for more of the command with "+" … */
	session_writer *writer;     /* … or, when not NULL, this sends it */
	void *writer_data;
	unsigned last_tag, next_answer; /* tags given out; whose answer is asked for next */
	struct session_early {          /* answers that came before that of an older command, by their tags */
		bool is_in;
		enum session_answer answer;
		struct error said;
	} early[SESSION_PIPELINE_MAX];
	struct imap_framer framer;
	size_t taken;              /* length of the response last looked at, still at the front of the input */
};

/* context: NULL only when settings->tls is none. NULL with error_r, and why in opened_r. */
struct session *session_open(const struct imap_settings *, SSL_CTX *context, const struct session_login *,
	enum session_opened *opened_r, struct error *error_r);
/* Says LOGOUT and does not wait for the answer. */
void session_close(struct session **);
/* Lay idle and is still usable? */
bool session_is_fresh(struct session *);

/* --- commands -------------------------------------------------------------------------------------------------- */

/* An untagged response, or the answer to a command (which has no keyword, but may have a code); its texts are valid
 * during the call. */
typedef void session_heard(const struct imap_response *, void *data);

/* Appends a command (without tag and line end) to what will be sent. */
void session_queue(struct session *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a command that is in a buffer; the buffer is empty afterwards. */
void session_queue_buffer(struct session *, struct buffer *);
/* Sends what is queued and reads up to the answer to the oldest command that has none. error_r says what the server
 * said to NO and BAD. heard may be NULL. With several commands under way it may hear what belongs to the later ones:
 * Dovecot works at SEARCH and the FETCH behind it at the same time. */
enum session_answer session_await(struct session *, session_heard *, void *data, struct error *error_r);
/* Stores a mail of that size as \Seen; writer sends it when the server wants it. */
enum session_answer session_append(struct session *, const char *collection, uint64_t size, session_writer *writer,
	void *data, struct error *error_r);
/* Commands that have been queued or sent and whose answers are not in. */
unsigned session_awaited(const struct session *);

/* Is it the server's trouble, or does it really say no: RFC 5530 codes at the start of the text of a NO. */
bool session_is_busy(const struct error *said);

/* --- the selected mailbox -------------------------------------------------------------------------------------- */

/* Makes this mailbox the selected one: queues an EXAMINE and returns 1, whose answer session_selected() reads, and all
 * that is heard until then; returns 0 when it is selected already, with a view that may be old. -1: no mailbox can have
 * that name. */
int session_select(struct session *, const char *collection, struct error *error_r);
enum session_answer session_selected(struct session *, const char *collection, session_heard *, void *data,
	struct error *error_r);
bool session_has_selected(const struct session *, const char *collection);
/* Brings the view of the selected mailbox up to date. Not together with other commands: Dovecot puts that off until all
 * that are under way are done. */
enum session_answer session_refresh(struct session *, struct error *error_r);
/* Does STATUS of the selected mailbox, after a refresh, tell the same as it would in another session? Not every server's
 * does (RFC 9051 section 6.3.11); Dovecot's does, and opening the mailbox anew would cost it 0.8 ms. */
bool session_can_ask_selected(const struct session *);
/* For who has had the answer to a SELECT. */
void session_note_selected(struct session *, const char *collection, uint64_t validity);
/* Nothing is selected from here on (what the server still has selected does not matter). */
void session_unselect(struct session *);

#endif

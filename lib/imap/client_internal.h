/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lib/imap/client.c and client_login.c share. */
#ifndef BELFRY_LIB_IMAP_CLIENT_INTERNAL_H
#define BELFRY_LIB_IMAP_CLIENT_INTERNAL_H

#include "lib/imap/client.h"

enum imap_state {
	IMAP_CONNECTING,  /* and shaking hands */
	IMAP_GREETING,
	IMAP_LOGGING_IN,  /* from the first CAPABILITY to the answer to the login; what follows is in the callbacks */
	IMAP_UPGRADING,   /* STARTTLS was taken: the handshake starts when the response is consumed */
	IMAP_READY,
	IMAP_FAILED,      /* told so; waits to be closed */
	IMAP_CLOSED
};

enum imap_idle {
	IMAP_IDLE_OFF,
	IMAP_IDLE_ASKED,  /* IDLE sent, no "+" yet */
	IMAP_IDLE_ON,
	IMAP_IDLE_ENDING  /* DONE sent */
};

struct imap_command {
	struct imap_command *next;
	unsigned tag;              /* 0: not sent yet */
	imap_answered *answered;   /* may be NULL */
	void *data;
	char text[];               /* empty: its sender wrote it itself */
};

struct imap_client {
	struct stream *stream;
	struct loop *loop;
	const struct imap_client_events *events;
	void *owner;
	enum imap_state state;
	enum imap_idle idle;
	bool wants_idle;
	bool encrypted;
	bool has_capabilities;     /* said since the last step that may change them */
	enum imap_security security;
	unsigned capabilities;
	bool is_reached;
	void (*start_tls)(struct stream *, void *data);
	struct stream *(*another)(void *data, unsigned *address);
	unsigned address;
	void *data;                /* of both */
	char *trace_user, *for_address;
	const struct imap_credentials *credentials; /* NULL from ready on */
	/* What "+" asks for: the next part of a login. NULL: nothing is waiting for one. */
	void (*continued)(struct imap_client *);
	size_t response_length;    /* of the one being handled; still at the front of the input */
	struct imap_framer framer;
	unsigned last_tag, idle_tag, sent;
	struct imap_command *first, **last; /* those sent, then those waiting */
	int64_t timeout_ms, idle_since_ms;
	int64_t login_until_ms;
	struct timer timer;
	struct deferred rest, gone;
};

/* Tells the owner once that it is over. */
void imap_client_fail(struct imap_client *, enum imap_failure, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Starts a command now: writes its tag and a space; the caller writes the rest with imap_client_write(). shown: what the
 * trace shows of it, never a secret. */
void imap_client_begin(struct imap_client *, const char *shown, imap_answered *, void *data);
void imap_client_write(struct imap_client *, const void *bytes, size_t length);
void imap_client_write_text(struct imap_client *, const char *text);
/* The login is done: from here on the owner's commands. */
void imap_client_enter_ready(struct imap_client *);
/* client_login.c: the greeting came; the connection is encrypted now. */
void imap_login_greeted(struct imap_client *, const struct imap_response *);
void imap_login_encrypted(struct imap_client *);
void imap_login_note_capabilities(struct imap_client *, const struct imap_response *);

#endif

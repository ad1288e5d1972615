/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The client half of IMAP, small and asynchronous: for thousands of sessions that log in, ask STATUS and then wait
 * for the server to say something. It does greeting, CAPABILITY, STARTTLS and login by itself, then runs the commands
 * that it is given; while there are none it rests in IDLE, if it was told to.
 *
 *   connecting ─▶ greeting ─▶ (starttls ─▶ handshake) ─▶ capability ─▶ login ─▶ ready ◀─▶ idle
 *
 * Never trusted before TLS: what the server says in plain text beside the OK to STARTTLS (injected responses) and a
 * PREAUTH greeting (it would skip STARTTLS and the check of the password).
 */
#ifndef BELFRY_LIB_IMAP_CLIENT_H
#define BELFRY_LIB_IMAP_CLIENT_H

#include "lib/core/stream.h"
#include "lib/imap/response.h"

struct imap_client;

enum imap_security { IMAP_PLAIN, IMAP_STARTTLS, IMAP_IMPLICIT_TLS };

enum imap_failure {
	IMAP_FAILED_NETWORK,   /* not reached, closed, BYE, silent for too long: try again later */
	IMAP_FAILED_TLS,       /* no TLS, wrong certificate, injected text: nothing secret was sent */
	IMAP_FAILED_PROTOCOL,  /* it does not speak IMAP as we need it */
	IMAP_FAILED_BUSY,      /* it cannot check the login now (RFC 5530 UNAVAILABLE, INUSE, LIMIT …) */
	IMAP_FAILED_REFUSED    /* it refused these credentials */
};

/* Belong to the caller and stay valid until `ready` or `failed`; nothing of them is kept longer. */
struct imap_credentials {
	const char *user, *password;
	const char *authorize_as; /* SASL authorization identity: whose mail it shall be; NULL: the user's own */
};

struct imap_client_options {
	enum imap_security security;
	/* Turns the stream into TLS, as tls_connect() does: STREAM_CONNECTED or STREAM_FAILED follows. Not for IMAP_PLAIN. */
	void (*start_tls)(struct stream *, void *data);
	/* A stream to the host's next address, when one could not be reached; NULL: there is none. address: which one it was,
	 * and then is. May be NULL. */
	struct stream *(*another)(void *data, unsigned *address);
	unsigned address;               /* that of the stream which the client is created with */
	void *data;                     /* for start_tls and another */
	int64_t timeout_ms;             /* for the whole login; then for each answer to a command */
	const char *trace_user;         /* for log_trace; copied */
	/* For whom this login is: told with ID (RFC 2971) as x-originating-ip, which Dovecot takes from trusted networks,
	 * so that it slows down that address after wrong passwords, and not all of ours. NULL: nobody. Copied. */
	const char *for_address;
};

struct imap_client_events {
	/* Logged in; imap_client_capabilities() are those after the login. */
	void (*ready)(struct imap_client *, void *owner);
	/* An untagged response outside of the login; valid during the call. */
	void (*told)(struct imap_client *, const struct imap_response *, void *owner);
	/* It is over; why, for the log, holds no secret. The callee calls imap_client_close(). No event follows. */
	void (*failed)(struct imap_client *, enum imap_failure, const char *why, void *owner);
};

enum {
	/* No byte in IDLE for so long: DONE and IDLE again, which a dead connection does not answer. Dovecot says
	 * "* OK Still here" every 2 minutes; NAT forgets silent connections after 5 and more. */
	IMAP_IDLE_SILENCE_MS = 4 * 60 * 1000,
	IMAP_IDLE_MS = 28 * 60 * 1000,     /* RFC 2177: again at least every 29 minutes */
	IMAP_ADDRESSES_SHARE = 4,          /* an address that is silent has this part of timeout_ms before the next is tried */
	IMAP_COMMANDS_MAX = 64             /* sent at once; the rest waits: a server's input buffer is small too */
};

/* Takes over a stream that is connecting (or connected). The callbacks may close the client. */
struct imap_client *imap_client_create(struct stream *, const struct imap_client_options *,
	const struct imap_credentials *, const struct imap_client_events *, void *owner);
/* Closes at once, without LOGOUT; commands under way are forgotten, their callbacks not called. */
void imap_client_close(struct imap_client **);
/* Says LOGOUT first; otherwise the same. */
void imap_client_logout(struct imap_client **);

unsigned imap_client_capabilities(const struct imap_client *); /* set of enum imap_capability */

/* The tagged answer: OK, NO or BAD. Untagged ones went to `told` before. */
typedef void imap_answered(struct imap_client *, const struct imap_response *, void *data);
/* Sends a command (without tag and line end; one line, no literals) as soon as may be; ends IDLE for it. */
void imap_client_command(struct imap_client *, const char *text, imap_answered *, void *data);
/* From now on rest in IDLE whenever nothing is to be done. The server must have said that it can. */
void imap_client_idle(struct imap_client *);

/* Appends a quoted string (RFC 3501 §9): for text without NUL, CR, LF and 8-bit characters. */
void imap_quote(struct buffer *command, const char *text, size_t length);

#endif

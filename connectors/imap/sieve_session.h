/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A conversation with a ManageSieve server (RFC 5804) about one user's Sieve scripts, blocking, for a worker:
 *
 *	greeting ─ (STARTTLS ─ capabilities) ─ AUTHENTICATE PLAIN ─ CAPABILITY ─ what is asked … ─ LOGOUT
 *
 * Whatever the server says costs no more than SIEVE_SESSION_LINES_MAX lines of bounded length a response; for a line the
 * stream's timeout holds, for all of it the time that the daemon gives a worker.
 */
#ifndef BELFRY_CONNECTORS_IMAP_SIEVE_SESSION_H
#define BELFRY_CONNECTORS_IMAP_SIEVE_SESSION_H

#include <openssl/ssl.h>

#include "connectors/imap/session.h"

enum { SIEVE_SESSION_LINES_MAX = 10000 }; /* of a response: nobody has so many scripts */

enum sieve_answer {
	SIEVE_DONE,
	SIEVE_REFUSED, /* for good: the login, a script, a name */
	SIEVE_LOST     /* not now. Also: the server is not what the settings say */
};

struct sieve_session {
	mailstream *stream;
	unsigned can;          /* enum managesieve_capability */
	size_t taken;          /* of the input: the line last looked at */
};

/* context: NULL only when sieve_tls is none. To be closed whatever the answer. */
enum sieve_answer sieve_session_open(struct sieve_session *session_r, const struct imap_settings *, SSL_CTX *context,
	const struct session_login *, struct error *error_r);
void sieve_session_close(struct sieve_session *);

/* The user's scripts, each by name. */
typedef void sieve_script_heard(const char *name, bool is_active, void *data);
enum sieve_answer sieve_session_list(struct sieve_session *, sieve_script_heard *, void *data, struct error *error_r);
/* The script, in place of what is in the buffer. */
enum sieve_answer sieve_session_get(struct sieve_session *, const char *name, struct buffer *script, struct error *error_r);
/* Puts it in the place of the one of that name; whether it is active stays as it was. */
enum sieve_answer sieve_session_put(struct sieve_session *, const char *name, const struct buffer *script,
	struct error *error_r);
/* "": none is. */
enum sieve_answer sieve_session_activate(struct sieve_session *, const char *name, struct error *error_r);

#endif

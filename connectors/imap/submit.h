/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handing in one mail to a submission server (RFC 6409), blocking, for a worker:
 *
 *	greeting ─ EHLO ─ (STARTTLS ─ EHLO) ─ AUTH PLAIN ─ MAIL ─ RCPT … ─ DATA ─ the mail ─ "." ─ its reply
 *
 * All recipients or none: a mail of which a part was sent cannot be told to a phone.
 */
#ifndef BELFRY_CONNECTORS_IMAP_SUBMIT_H
#define BELFRY_CONNECTORS_IMAP_SUBMIT_H

#include <openssl/ssl.h>

#include "connectors/imap/session.h"
#include "connectors/mail/outgoing.h"

enum submitted {
	SUBMIT_DONE,
	SUBMIT_REFUSED,       /* for good: the mail, its sender, or the login */
	SUBMIT_BAD_RECIPIENT, /* one of them, for good */
	SUBMIT_TOO_LARGE,
	SUBMIT_DEFERRED,      /* not now; nothing was sent. Also: the server is not what the settings say */
	SUBMIT_UNKNOWN        /* the mail was sent to its end, and no reply came */
};

enum {
	SUBMIT_BATCH = 100,     /* RCPT commands under way at once: their replies fit any socket's buffer */
	SUBMIT_REPLY_S = 300,   /* for the reply to a mail; RFC 5321 section 4.5.3.2.6 says 600, and a phone waits */
	SUBMIT_LOOK_MS = 1000
};

struct submit_events {
	/* With each reply, each piece of the mail, and each second of the wait for its reply: it goes on. */
	void (*progress)(void *data);
	/* The mail is there but for its end. False: nobody wants it any more. */
	bool (*may_end)(void *data);
};

/* error_r: what went wrong, with the server's words. context: NULL only when smtp_tls is none. */
enum submitted submit_mail(const struct imap_settings *, SSL_CTX *context, const struct session_login *,
	const struct outgoing *, const struct submit_events *, void *data, struct error *error_r);

#endif

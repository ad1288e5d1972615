/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connection below libetpan: our own driver of its `mailstream_low`, because Debian's drivers select() (abort at
 * descriptor 1024) and its TLS checks no certificate. Our socket, our OpenSSL with name check, poll() with a timeout
 * an operation. Blocking: for worker processes only.
 *
 * The raw reader (reply.h) shares the connection with libetpan: what has arrived and nobody has read is in one buffer.
 */
#ifndef BELFRY_CONNECTORS_IMAP_ETPAN_STREAM_H
#define BELFRY_CONNECTORS_IMAP_ETPAN_STREAM_H

#include <stdbool.h>
#include <openssl/ssl.h>
#include <libetpan/libetpan.h>

#include "lib/core/buffer.h"
#include "lib/core/error.h"

/* libetpan's own buffers of a session; bulk reading goes round them. 1 kB keeps an idle session at 8.5 kB. */
enum { ETPAN_STREAM_BUFFER = 1024 };
/* What one read() of bulk data may bring. */
enum { ETPAN_STREAM_CHUNK = 64 * 1024 };

/* A context that verifies certificates against ca_file (NULL: the system's). NULL with error_r. */
SSL_CTX *etpan_stream_context(const char *ca_file, struct error *error_r);

/* Connects; with a context TLS is made at once, for the certificate's name tls_name. NULL with error_r.
 * mailstream_close() frees it. timeout_ms holds for each wait, of the connect too. */
mailstream *etpan_stream_open(const char *host, unsigned port, int timeout_ms, SSL_CTX *context, const char *tls_name,
	struct error *error_r);
/* From plain to TLS, after the server's OK to STARTTLS. Bytes that came in plain after that OK were put there by
 * somebody in between (CVE-2020-15953): refused. */
int etpan_stream_start_tls(mailstream *, SSL_CTX *, const char *tls_name, struct error *error_r);
bool etpan_stream_is_tls(mailstream *);
/* Whose lines these are in the trace of what libetpan says and hears; the name stays the caller's. is_secret: what it
 * says from now on is not shown. */
void etpan_stream_trace(mailstream *, const char *user, bool is_secret);

/* What has arrived and nobody has read. libetpan's unread bytes are in it after this call. */
struct buffer *etpan_stream_input(mailstream *);
/* Waits for more input. -1 with error_r: timeout, end, broken. */
int etpan_stream_fill(mailstream *, struct error *error_r);
/* Waits so long for something to read. 1: there is, 0: nothing came, -1: broken, as etpan_stream_fill() will say. */
int etpan_stream_wait(mailstream *, int timeout_ms);
/* Sends all. -1 with error_r. */
int etpan_stream_send(mailstream *, const void *bytes, size_t length, struct error *error_r);
/* Has something arrived, or has the server gone, without a wait? For sessions that lay idle. */
bool etpan_stream_disturbed(mailstream *);
/* The last trouble of the driver in words, for libetpan's bare error codes. */
const char *etpan_stream_trouble(mailstream *);

#endif

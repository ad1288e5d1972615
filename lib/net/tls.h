/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS 1.2 and up under a stream (OpenSSL). A socket stream becomes a TLS stream; its owner sees the same events,
 * STREAM_CONNECTED when the handshake is done, STREAM_FAILED with words when it is not. Timeouts are the owner's.
 *
 * Made for thousands of idle connections: descriptor BIO, buffers released while idle, no session cache (tickets
 * only), no renegotiation.
 */
#ifndef BELFRY_LIB_NET_TLS_H
#define BELFRY_LIB_NET_TLS_H

#include <stddef.h>

#include "lib/core/error.h"
#include "lib/core/stream.h"

/* Counted: streams hold theirs, so that a context may be replaced and freed while connections live on. */
struct tls_server_context;
struct tls_client_context;

/* Two keys for session tickets (RFC 5077), the newer first: the newer seals, both open. All fronts share them. */
enum { TLS_TICKET_KEY_BYTES = 80, TLS_TICKET_KEYS_BYTES = 2 * TLS_TICKET_KEY_BYTES };

/* Loads what OpenSSL would load later, from files that a closed sandbox no longer shows. */
void tls_prepare(void);

/* SIGPIPE is ignored in the process from the first context on: OpenSSL writes without MSG_NOSIGNAL. */

/* From PEM in memory. ticket_keys: TLS_TICKET_KEYS_BYTES, or length 0 for no tickets. NULL with error_r. */
struct tls_server_context *tls_server_context_create(const void *chain_pem, size_t chain_length, const void *key_pem,
	size_t key_length, const void *ticket_keys, size_t ticket_keys_length, struct error *error_r);
void tls_server_context_free(struct tls_server_context **);

/* ca_file: PEM; NULL: the system's store. NULL with error_r. */
struct tls_client_context *tls_client_context_create(const char *ca_file, struct error *error_r);
void tls_client_context_free(struct tls_client_context **);

/* Turns a connected socket stream that has read nothing into the server's end of TLS. Give it an owner afterwards. */
void tls_accept(struct stream *, struct tls_server_context *);

/* Turns a socket stream into the client's end: still connecting, or connected in plain text (STARTTLS): then nothing
 * may wait to be sent, and bytes in stream_input() make it fail, for what came before the handshake is an attacker's.
 * name: the host name (or numeric address) that the certificate must be for. STREAM_CONNECTED comes (again). */
void tls_connect(struct stream *, struct tls_client_context *, const char *name);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384 resumed", for the trace; "" when there is no TLS. */
void tls_describe(const struct stream *, char *text, size_t size);

#endif

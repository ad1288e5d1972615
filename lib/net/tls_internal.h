/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the contexts and the transport of TLS share. */
#ifndef BELFRY_LIB_NET_TLS_INTERNAL_H
#define BELFRY_LIB_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "lib/net/tls.h"

struct tls_server_context {
	SSL_CTX *ssl; /* counted by OpenSSL: each connection holds it */
};

struct tls_client_context {
	SSL_CTX *ssl;
};

/* The newest of OpenSSL's errors in words; empties its queue. */
const char *tls_trouble(void);

#endif

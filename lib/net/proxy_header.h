/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): what a proxy says first on a connection,
 * once, of whom it speaks for. Taken only where it was announced: whoever may say it may claim any address.
 */
#ifndef BELFRY_LIB_NET_PROXY_HEADER_H
#define BELFRY_LIB_NET_PROXY_HEADER_H

#include "lib/net/ip.h"

enum {
	PROXY_HEADER_V1_MAX = 107,  /* section 2.1: the longest line with its CRLF */
	PROXY_HEADER_MAX = 4096     /* of version 2 with its TLVs: a client's certificate may be named there */
};

struct proxy_header {
	bool has_source;        /* otherwise the proxy speaks for itself (its health checks), or does not know */
	struct ip source;
};

/* The header at the beginning of what has come so far. Its length; 0: more is needed; -1: it is none. */
int proxy_header_parse(const void *bytes, size_t length, struct proxy_header *header_r);

#endif

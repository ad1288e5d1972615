/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numeric IP addresses, as peers tell of them, and the networks that an admin lists. */
#ifndef BELFRY_LIB_NET_IP_H
#define BELFRY_LIB_NET_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/error.h"

/* IPv4 as ::ffff:192.0.2.1 (RFC 4291 2.5.5.2), so that there is one kind. */
struct ip {
	uint8_t bytes[16];
};

struct ip_network {
	struct ip ip;
	unsigned bits;  /* of ip that count */
};

struct ip ip_from_v4(const uint8_t bytes[4]);
/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", and with ":PORT" the first and the last, as some proxies write. -1: none. */
int ip_parse(const char *text, size_t length, struct ip *ip_r);
/* As stream_peer_address() writes it. */
void ip_print(const struct ip *, char *text, size_t size);

/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". -1 with error_r. */
int ip_network_parse(const char *text, struct ip_network *network_r, struct error *error_r);
/* Whether one of the networks has it. */
bool ip_is_listed(const struct ip *, const struct ip_network *networks, size_t count);

#endif

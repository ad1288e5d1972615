/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numeric IP addresses and networks. */
#include "lib/net/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V4_BITS = 32, V6_BITS = 128 };

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct ip *ip)
{
	return memcmp(ip->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

struct ip ip_from_v4(const uint8_t bytes[4])
{
	struct ip ip;

	memcpy(ip.bytes, v4_prefix, sizeof v4_prefix);
	memcpy(ip.bytes + sizeof v4_prefix, bytes, 4);
	return ip;
}

static int parse_number(const char *text, struct ip *ip_r)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET6, text, ip_r->bytes) == 1)
		return 0;
	if (inet_pton(AF_INET, text, v4) != 1)
		return -1;
	*ip_r = ip_from_v4(v4);
	return 0;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits >= 1 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

/* Cuts the brackets and the port off, where they stand. */
static char *bare(char *text)
{
	char *colon = strchr(text, ':'), *bracket = strchr(text, ']');

	if (text[0] == '[' && bracket != NULL) {
		if (bracket[1] != '\0' && (bracket[1] != ':' || !is_port(bracket + 2)))
			return NULL;
		*bracket = '\0';
		return strchr(text + 1, ':') == NULL ? NULL : text + 1;
	}
	if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		if (!is_port(colon + 1))
			return NULL;
		*colon = '\0';
	}
	return text;
}

int ip_parse(const char *text, size_t length, struct ip *ip_r)
{
	char copy[INET6_ADDRSTRLEN + 8];

	if (length >= sizeof copy || memchr(text, '\0', length) != NULL)
		return -1;
	memcpy(copy, text, length);
	copy[length] = '\0';
	const char *number = bare(copy);
	return number == NULL ? -1 : parse_number(number, ip_r);
}

void ip_print(const struct ip *ip, char *text, size_t size)
{
	char number[INET6_ADDRSTRLEN] = "";

	if (is_v4(ip)) {
		inet_ntop(AF_INET, ip->bytes + sizeof v4_prefix, number, sizeof number);
		snprintf(text, size, "%s", number);
	} else {
		inet_ntop(AF_INET6, ip->bytes, number, sizeof number);
		snprintf(text, size, "[%s]", number);
	}
}

/* -1: not 0 to `most`. */
static int parse_bits(const char *text, unsigned most)
{
	size_t digits = strspn(text, "0123456789");

	return digits < 1 || digits > 3 || text[digits] != '\0' || (unsigned)atoi(text) > most ? -1 : atoi(text);
}

int ip_network_parse(const char *text, struct ip_network *network_r, struct error *error_r)
{
	size_t length = strcspn(text, "/");
	char number[INET6_ADDRSTRLEN];

	snprintf(number, sizeof number, "%.*s", (int)(length < sizeof number ? length : 0), text);
	if (parse_number(number, &network_r->ip) < 0)
		return error_set(error_r, "it must be a numeric address, or a network such as 192.0.2.0/24");
	unsigned most = is_v4(&network_r->ip) && strchr(number, ':') == NULL ? V4_BITS : V6_BITS;
	int bits = text[length] == '\0' ? (int)most : parse_bits(text + length + 1, most);
	if (bits < 0)
		return error_set(error_r, "what follows / must be a number up to %u", most);
	network_r->bits = (unsigned)bits + V6_BITS - most;
	return 0;
}

static bool is_in(const struct ip *ip, const struct ip_network *network)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	return memcmp(ip->bytes, network->ip.bytes, whole) == 0 &&
		(rest == 0 || (ip->bytes[whole] ^ network->ip.bytes[whole]) >> (8 - rest) == 0);
}

bool ip_is_listed(const struct ip *ip, const struct ip_network *networks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_in(ip, &networks[i]))
			return true;
	return false;
}

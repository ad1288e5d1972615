/* SPDX-License-Identifier: GPL-3.0-or-later */
/* By the setting, else by the request's Host. */
#include "gateway/autodiscover/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME "https://"
enum { HOST_MAX = 255 + 6 }; /* a name and a port */

/* NULL: none, or one that is no name or number with perhaps a port. */
static const char *host_of(const struct http_exchange *exchange)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
	const char *host = http_exchange_header(exchange, "Host");

	if (host == NULL || host[0] == '\0' || strlen(host) > HOST_MAX || host[strspn(host, letters)] != '\0')
		return NULL;
	return host;
}

const char *address_of_house(const char *public_url, struct http_exchange *exchange)
{
	const char *host = host_of(exchange);

	if (public_url != NULL)
		return public_url;
	return host == NULL ? NULL : arena_printf(exchange->arena, SCHEME "%s", host);
}

bool address_is_another(const char *public_url, const struct http_exchange *exchange)
{
	const char *scheme = http_exchange_header(exchange, "X-Forwarded-Proto"), *host = host_of(exchange);

	if (scheme != NULL && strcasecmp(scheme, "http") == 0)
		return true;
	return public_url != NULL && host != NULL && strcasecmp(public_url + strlen(SCHEME), host) != 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP Basic authentication. */
#include "lib/http/basic.h"

#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

int http_basic(struct http_exchange *exchange, const char **user_r, const char **password_r)
{
	const char *header = http_exchange_header(exchange, "Authorization");
	size_t length = header == NULL ? 0 : strlen(header);

	if (length < 7 || length > HTTP_BASIC_MAX || strncasecmp(header, "Basic ", 6) != 0)
		return -1;
	header += 6;
	header += strspn(header, " ");
	length = strlen(header);
	char *plain = arena_alloc(exchange->arena, length + 4);
	int decoded = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)header, (int)length);
	if (decoded < 0)
		return -1;
	for (size_t i = length; i > 0 && header[i - 1] == '='; i--)
		decoded--;
	plain[decoded < 0 ? 0 : decoded] = '\0';
	char *colon = strchr(plain, ':');
	if (decoded <= 0 || colon == NULL || memchr(plain, '\0', (size_t)decoded) != NULL)
		return -1;
	if (colon[1] == '\0')
		return -1; /* some backends take a login without a password for an anonymous one, and agree */
	*colon = '\0';
	*user_r = plain;
	*password_r = colon + 1;
	return 0;
}

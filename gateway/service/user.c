/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One form for each user's name. */
#include "gateway/service/user.h"

#include <string.h>

#include "lib/core/utf8.h"

/* What no part of a name may hold: it becomes a key of the store, a word of a log line, perhaps part of a path. */
static bool is_forbidden(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f || c == '/' || c == '\\' || c == '@';
}

static bool part_is_right(const char *part, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (is_forbidden(part[i]))
			return false;
	return length > 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

int user_canonical(const char *name, const char *default_domain, char user_r[USER_MAX + 1], struct error *error_r)
{
	const char *backslash = strchr(name, '\\'), *local = backslash == NULL ? name : backslash + 1;
	const char *at = strrchr(local, '@');
	const char *domain = at != NULL ? at + 1 : backslash != NULL && backslash != name ? name : default_domain;
	size_t local_length = at != NULL ? (size_t)(at - local) : strlen(local);
	size_t domain_length = domain == NULL ? 0 : domain == name ? (size_t)(backslash - name) : strlen(domain);

	if (domain == NULL)
		return error_set(error_r, "the user has no domain, and there is no default_domain");
	if (local_length + 1 + domain_length > USER_MAX)
		return error_set(error_r, "a user's name has at most %d bytes", USER_MAX);
	if (!part_is_right(local, local_length) || !part_is_right(domain, domain_length) ||
	    !utf8_is_valid(local, local_length) || !utf8_is_valid(domain, domain_length))
		return error_set(error_r, "a user's name is user, user@domain or DOMAIN\\user, without spaces and slashes");
	memcpy(user_r, local, local_length);
	user_r[local_length] = '@';
	for (size_t i = 0; i < domain_length; i++)
		user_r[local_length + 1 + i] = lower(domain[i]);
	user_r[local_length + 1 + domain_length] = '\0';
	return 0;
}

const char *user_domain(const char *user)
{
	const char *at = strrchr(user, '@');

	return at == NULL ? "" : at + 1;
}

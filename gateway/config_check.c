/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the text of an option may be. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config_internal.h"

static int split_address(const char *text, char *host, size_t size)
{
	const char *colon = strrchr(text, ':'), *port = colon == NULL ? text : colon + 1;
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	char *end;

	long number = strtol(port, &end, 10);
	if (*port < '0' || *port > '9' || *end != '\0' || number < 1 || number > 65535)
		return -1;
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= size || (colon != NULL && length == 0))
		return -1;
	memcpy(host, text, length);
	host[length] = '\0';
	return 0;
}

static bool is_numeric_host(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

int config_check_address(const char *text, struct error *error_r)
{
	char host[64];

	if (split_address(text, host, sizeof host) < 0 ||
	    (host[0] != '\0' && strcmp(host, "*") != 0 && !is_numeric_host(host)))
		return error_set(error_r, "it must be PORT, HOST:PORT or [HOST]:PORT with a numeric HOST");
	return 0;
}

int config_check_plain_address(const char *text, struct error *error_r)
{
	char host[64];

	if (config_check_address(text, error_r) < 0)
		return -1;
	split_address(text, host, sizeof host);
	if (!is_loopback(host))
		return error_set(error_r, "passwords would cross the network in clear; "
			"listen on 127.0.0.1:PORT or [::1]:PORT, for a proxy on this machine");
	return 0;
}

int config_check_metrics(const char *text, struct error *error_r)
{
	char host[64];

	if (config_check_address(text, error_r) < 0)
		return -1;
	split_address(text, host, sizeof host);
	return is_loopback(host) ? 0 : error_set(error_r, "everybody could read it; listen on 127.0.0.1:PORT or [::1]:PORT");
}

int config_check_network(const char *text, struct error *error_r)
{
	struct ip_network network;

	return ip_network_parse(text, &network, error_r);
}

int config_check_path(const char *text, struct error *error_r)
{
	return text[0] == '/' ? 0 : error_set(error_r, "it must be a path that begins with /");
}

int config_check_run_dir(const char *text, struct error *error_r)
{
	/* sun_path has 108 bytes; the longest name below is connector-NAME.sock with NAME of 32 */
	if (strlen(text) > 50)
		return error_set(error_r, "a folder for sockets has at most 50 bytes");
	return config_check_path(text, error_r);
}

int config_check_public_url(const char *text, struct error *error_r)
{
	static const char scheme[] = "https://";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
	const char *host = text + strlen(scheme);

	if (strncmp(text, scheme, strlen(scheme)) != 0 || host[0] == '\0' || host[strspn(host, letters)] != '\0')
		return error_set(error_r, "it must be https://HOST or https://HOST:PORT, and nothing behind it");
	return 0;
}

int config_check_domain(const char *text, struct error *error_r)
{
	char user[USER_MAX + 1];

	return user_canonical("user", text, user, NULL) < 0 || strchr(text, '@') != NULL ?
		error_set(error_r, "it must be a domain, such as example.org") : 0;
}

int config_check_domain_or_all(const char *text, struct error *error_r)
{
	return strcmp(text, "*") == 0 ? 0 : config_check_domain(text, error_r);
}

int config_check_option(const char *text, struct error *error_r)
{
	return text[0] == '=' || strchr(text, '=') == NULL || strchr(text, '\n') != NULL ?
		error_set(error_r, "it must be key=value, on one line") : 0;
}

int config_check_one_line(const char *text, struct error *error_r)
{
	return text[0] == '\0' || strpbrk(text, "\r\n") != NULL ? error_set(error_r, "it must be one line, not empty") : 0;
}

/* Whether the system has it is looked at with all else that is missing: gateway/config_world.c. */
int config_check_user(const char *text, struct error *error_r)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0) /* all roles run as whoever started us */
		return 0;
	if (text[0] == '#' && config_user_find(text, &uid, &gid) < 0)
		return error_set(error_r, "it must be a name, or # and a number");
	return config_user_find(text, &uid, &gid) == 0 && uid == 0 ? error_set(error_r, "no role runs as root") : 0;
}

bool config_is_this_host(const char *host)
{
	return is_loopback(host) || strcmp(host, "localhost") == 0;
}

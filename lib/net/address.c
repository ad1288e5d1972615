/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numeric addresses to sockets: binding and connecting. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/net/net.h"
#include "lib/net/socket.h"

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

static int parse_unix(const char *path, struct address *address_r, struct error *error_r)
{
	struct sockaddr_un *local = (struct sockaddr_un *)&address_r->storage;

	if (strlen(path) >= sizeof local->sun_path)
		return error_set(error_r, "%s: a socket's path has at most %zu bytes", path, sizeof local->sun_path - 1);
	local->sun_family = AF_UNIX;
	strcpy(local->sun_path, path);
	address_r->length = sizeof *local;
	return 0;
}

/* "PORT", "HOST:PORT", "[HOST]:PORT" */
static int split_host(const char *text, char *host, size_t size, const char **port_r)
{
	const char *colon = strrchr(text, ':');

	host[0] = '\0';
	*port_r = colon == NULL ? text : colon + 1;
	if (colon == NULL)
		return 0;
	if (text[0] == '[' && colon > text + 1 && colon[-1] == ']')
		return snprintf(host, size, "%.*s", (int)(colon - text - 2), text + 1) < (int)size ? 0 : -1;
	return snprintf(host, size, "%.*s", (int)(colon - text), text) < (int)size ? 0 : -1;
}

static int parse(const char *text, struct address *address_r, struct error *error_r)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[INET6_ADDRSTRLEN + 20];
	const char *port;

	memset(address_r, 0, sizeof *address_r);
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, address_r, error_r);
	if (split_host(text, host, sizeof host, &port) < 0)
		return error_set(error_r, "%s: not a numeric address and port", text);
	int code = getaddrinfo(host[0] == '\0' ? "::" : strcmp(host, "*") == 0 ? "::" : host, port, &hints, &found);
	if (code != 0)
		return error_set(error_r, "%s: not a numeric address and port (%s)", text, gai_strerror(code));
	memcpy(&address_r->storage, found->ai_addr, found->ai_addrlen);
	address_r->length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int listen_on(int fd, struct address *address, unsigned unix_mode)
{
	int on = 1, off = 0;

	if (address->storage.ss_family == AF_UNIX) {
		unlink(((struct sockaddr_un *)&address->storage)->sun_path);
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (address->storage.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	}
	if (bind(fd, (struct sockaddr *)&address->storage, address->length) < 0)
		return -1;
	if (address->storage.ss_family == AF_UNIX &&
	    chmod(((struct sockaddr_un *)&address->storage)->sun_path, unix_mode) < 0)
		return -1;
	return listen(fd, NET_BACKLOG);
}

int net_bind(const char *text, unsigned unix_mode, struct error *error_r)
{
	struct address address;

	if (parse(text, &address, error_r) < 0)
		return -1;
	int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error_r, "%s: socket: %s", text, strerror(errno));
	if (listen_on(fd, &address, unix_mode) < 0) {
		error_set(error_r, "cannot listen on %s: %s", text, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* Family, address and port; the rest of a socket's address (flow, scope) is not the configuration's. */
static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a, *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
		memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

bool net_is_bound_to(int fd, const char *text)
{
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof bound, option = sizeof(int);
	int is_listening = 0, type = 0;
	struct address address;
	struct error error;

	return parse(text, &address, &error) == 0 && getsockname(fd, (struct sockaddr *)&bound, &length) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &option) == 0 && type == SOCK_STREAM &&
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &option) == 0 && is_listening != 0 &&
		is_same(&bound, &address.storage);
}

struct stream *net_connect_address(struct loop *loop, const char *text, stream_callback *callback, void *owner,
	struct error *error_r)
{
	struct address address;

	if (parse(text, &address, error_r) < 0)
		return NULL;
	int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		error_set(error_r, "%s: socket: %s", text, strerror(errno));
		return NULL;
	}
	if (connect(fd, (struct sockaddr *)&address.storage, address.length) < 0 && errno != EINPROGRESS) {
		error_set(error_r, "cannot connect to %s: %s", text, strerror(errno));
		close(fd);
		return NULL;
	}
	return socket_connecting(loop, fd, callback, owner);
}

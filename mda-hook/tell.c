/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling the hub: one connect, one write, one close, none of which waits; or one datagram. */
#include "mda-hook/tell.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/model/hint_signed.h"
#include "lib/model/hint_spool.h"

static int by_socket(const char *path, const char *line, size_t length, struct error *error_r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return error_set(error_r, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error_r, "socket: %s", strerror(errno));
	/* A full backlog is EAGAIN. What was written stays for the hub when we are gone. */
	int result = connect(fd, (struct sockaddr *)&address, sizeof address);
	if (result == 0 && send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
		result = -1;
	if (result < 0)
		error_set(error_r, "%s: %s", path, strerror(errno));
	close(fd);
	return result;
}

static int send_datagram(const char *text, const char *datagram, size_t length, struct error *error_r)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found = NULL;
	char host[64];
	const char *colon = strrchr(text, ':');

	snprintf(host, sizeof host, "%.*s", colon == NULL ? 0 : (int)(colon - text), text);
	host[strcspn(host, "]")] = '\0';
	if (colon == NULL || getaddrinfo(host[0] == '[' ? host + 1 : host, colon + 1, &hints, &found) != 0)
		return error_set(error_r, "%s: it must be HOST:PORT with a numeric HOST", text);
	int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), result = 0;
	if (fd < 0 || sendto(fd, datagram, length, MSG_NOSIGNAL, found->ai_addr, found->ai_addrlen) < 0)
		result = error_set(error_r, "%s: %s", text, strerror(errno));
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return result;
}

static int by_datagram(const struct tell_way *way, const char *line, size_t length, struct error *error_r)
{
	char datagram[HINT_DATAGRAM_MAX];
	struct hint_keys *keys = hint_keys_load(way->key_file, error_r);

	if (keys == NULL)
		return -1;
	int signed_length = hint_sign(keys, line, length, time(NULL), datagram, error_r);
	hint_keys_free(&keys);
	return signed_length < 0 ? -1 : send_datagram(way->udp, datagram, (size_t)signed_length, error_r);
}

int tell(const struct tell_way *way, struct hint *hint, struct error *error_r)
{
	char line[HINT_LINE_MAX + 1], id[HINT_ID_SIZE];
	struct error why;

	hint_new_id(id);
	hint->id = id;
	int length = hint_format(hint, line, error_r);
	if (length < 0) {
		hint->mailbox = NULL;
		length = hint_format(hint, line, error_r);
	}
	hint->id = NULL;
	if (length < 0)
		return -1;
	if (way->udp != NULL)
		return by_datagram(way, line, (size_t)length, error_r);
	if (by_socket(way->socket, line, (size_t)length, &why) == 0 ||
	    hint_spool_leave(way->spool, line, (size_t)length, error_r) == 0)
		return 0;
	struct error spool = *error_r;
	return error_set(error_r, "%.120s; %.120s", why.text, spool.text);
}

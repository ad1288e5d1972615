/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One connect, one write, one close; or one datagram; or one file in the spool. */
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

static int send_local(const char *path, const char *line, size_t length, struct error *error_r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int result = 0;

	if (strlen(path) >= sizeof address.sun_path)
		return error_set(error_r, "%s: the path of a socket is shorter than %zu bytes", path, sizeof address.sun_path);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error_r, "socket: %s", strerror(errno));
	/* EAGAIN: 4,096 others wait already for a hub that does not take them */
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		result = error_set(error_r, "cannot reach the hub at %s: %s", path, strerror(errno));
	else if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
		result = error_set(error_r, "cannot tell the hub at %s: %s", path, strerror(errno));
	close(fd);
	return result;
}

static int resolve(const char *text, struct addrinfo **found_r, struct error *error_r)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
	const char *colon = strrchr(text, ':');
	char host[64];

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		return error_set(error_r, "%s: expected ADDRESS:PORT", text);
	bool has_brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	snprintf(host, sizeof host, "%.*s", (int)(colon - text) - (has_brackets ? 2 : 0), text + has_brackets);
	int code = getaddrinfo(host, colon + 1, &hints, found_r);
	return code == 0 ? 0 : error_set(error_r, "%s: not a numeric address and port (%s)", text, gai_strerror(code));
}

static int send_signed(const struct tell_way *way, const char *line, size_t length, struct error *error_r)
{
	struct hint_keys *keys = way->key_file == NULL ? NULL : hint_keys_load(way->key_file, error_r);
	struct addrinfo *to = NULL;
	char datagram[HINT_DATAGRAM_MAX];

	if (keys == NULL)
		return way->key_file != NULL ? -1 : error_set(error_r, "a hint for another machine needs a key file (-k)");
	int size = hint_sign(keys, line, length, (int64_t)time(NULL), datagram, error_r);
	hint_keys_free(&keys);
	if (size < 0 || resolve(way->udp, &to, error_r) < 0)
		return -1;
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), result = 0;
	if (fd < 0 || sendto(fd, datagram, (size_t)size, 0, to->ai_addr, to->ai_addrlen) != size)
		result = error_set(error_r, "cannot send to %s: %s", way->udp, strerror(errno));
	if (fd >= 0)
		close(fd);
	freeaddrinfo(to);
	return result;
}

int tell(const struct tell_way *way, const struct hint *hint, struct error *error_r)
{
	char line[HINT_LINE_MAX + 1];
	struct error spool_error;
	int length = hint_format(hint, line, error_r);

	if (length < 0)
		return -1;
	if (way->udp != NULL)
		return send_signed(way, line, (size_t)length, error_r);
	if (send_local(way->socket, line, (size_t)length, error_r) == 0)
		return 0;
	if (hint_spool_leave(way->spool, line, (size_t)length, &spool_error) == 0)
		return 0;
	struct error first = *error_r;
	return error_set(error_r, "%.120s; and the hint could not be left in the spool: %.120s", first.text, spool_error.text);
}

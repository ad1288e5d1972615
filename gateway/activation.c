/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets from the service manager. */
#include "gateway/activation.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/net/net.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

void activation_begin(struct activation *activation)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	*activation = (struct activation){.first = FIRST_FD};
	if (pid == NULL || count == NULL || atol(pid) != (long)getpid() || atol(count) <= 0)
		return;
	activation->count = atol(count) > ACTIVATION_MAX ? ACTIVATION_MAX : (unsigned)atol(count);
	for (unsigned i = 0; i < activation->count; i++)
		fcntl(activation->first + (int)i, F_SETFD, FD_CLOEXEC);
}

static bool is_free(const struct activation *activation, unsigned i)
{
	return (activation->taken & (uint64_t)1 << i) == 0;
}

int activation_take(struct activation *activation, const char *address)
{
	for (unsigned i = 0; i < activation->count; i++) {
		int fd = activation->first + (int)i;
		if (!is_free(activation, i) || !net_is_bound_to(fd, address))
			continue;
		activation->taken |= (uint64_t)1 << i;
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		return fd;
	}
	return -1;
}

void activation_end(struct activation *activation)
{
	for (unsigned i = 0; i < activation->count; i++) {
		if (!is_free(activation, i))
			continue;
		log_warning(LOG_MAIN, "socket %u of the service manager has no address that belfry.conf names: it is closed", i + 1);
		close(activation->first + (int)i);
	}
	activation->count = 0;
}

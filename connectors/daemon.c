/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Start and end of connector daemons. */
#include "connectors/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "lib/core/log.h"
#include "lib/core/loop_wakeup.h"

enum { DAEMON_ORPHAN_EVERY_MS = 1000 };

static struct loop_wakeup *told_to_stop; /* for the signal handler: a wakeup may be rung from one */

void daemon_refuse(const struct error *error)
{
	log_error(LOG_CONNECTOR, "%s", error->text);
	exit(CONNECTOR_EXIT_CONFIG);
}

/* A session is a descriptor, and the usual soft limit is 1024. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void daemon_protect(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
}

static void stop_came(int number)
{
	(void)number;
	loop_wakeup_ring(told_to_stop);
}

static void stop(void *owner)
{
	loop_stop(((struct daemon *)owner)->loop);
}

void daemon_start(struct daemon *daemon_r)
{
	struct sigaction action = {.sa_handler = stop_came, .sa_flags = SA_RESTART};
	int listens = 0;
	socklen_t length = sizeof listens;
	struct error error;

	if (getsockopt(CONNECTOR_LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0 || !listens) {
		error_set(&error, "descriptor %d is no listening socket; connector daemons are started by belfryd",
			CONNECTOR_LISTEN_FD);
		daemon_refuse(&error);
	}
	raise_descriptors();
	fcntl(CONNECTOR_LISTEN_FD, F_SETFL, fcntl(CONNECTOR_LISTEN_FD, F_GETFL) | O_NONBLOCK);
	fcntl(CONNECTOR_LISTEN_FD, F_SETFD, FD_CLOEXEC);
	*daemon_r = (struct daemon){.loop = loop_create()};
	daemon_r->net = net_create(daemon_r->loop);
	net_add_listener(daemon_r->net, DAEMON_PLACE, CONNECTOR_LISTEN_FD);
	daemon_r->stop = told_to_stop = loop_wakeup_create(daemon_r->loop, stop, daemon_r);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* The parent's death signal does not come when main is one of several threads (belfryd -s) and killed. */
static void look_for_parent(struct timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, orphan);

	if (getppid() != daemon->parent)
		loop_stop(daemon->loop);
	else
		timer_start(daemon->loop, timer, DAEMON_ORPHAN_EVERY_MS, look_for_parent);
}

void daemon_run(struct daemon *daemon)
{
	daemon->parent = getppid();
	timer_start(daemon->loop, &daemon->orphan, DAEMON_ORPHAN_EVERY_MS, look_for_parent);
	loop_run(daemon->loop);
	timer_stop(daemon->loop, &daemon->orphan);
}

void daemon_free(struct daemon *daemon)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	loop_wakeup_free(&daemon->stop);
	net_free(&daemon->net);
	loop_free(&daemon->loop);
}

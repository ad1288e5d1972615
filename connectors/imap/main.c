/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-imap: the daemon, or with --worker (which only the daemon says) one of its workers. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "connectors/daemon.h"
#include "connectors/imap/imap.h"
#include "connectors/imap/worker.h"
#include "lib/core/log.h"

/* A batch of mails takes 64 MB, a mail that is sent 40 MB, the HTML parser's tree 64 MB. */
enum { WORKER_DATA_MAX = 1024 * 1024 * 1024 };

/* A worker that wants more dies of it, and the mail that it is at is left out from then on. */
static void limit_memory(void)
{
#ifndef BELFRY_SANITIZERS /* their shadow counts */
	struct rlimit limit = {WORKER_DATA_MAX, WORKER_DATA_MAX};

	setrlimit(RLIMIT_DATA, &limit);
#endif
}

static int run_worker(const struct imap_settings *settings)
{
	struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, BOARD_FD, 0);
	struct error error;

	if (board == MAP_FAILED) {
		error_set(&error, "no board at descriptor %d: workers are started by belfry-imap", BOARD_FD);
		daemon_refuse(&error);
	}
	close(BOARD_FD);
	limit_memory();
	/* What a daemon that was killed has left would go on beside the workers of the next one. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return worker_run(CONNECTOR_LISTEN_FD, settings, board);
}

static int run_daemon(const struct imap_settings *settings)
{
	struct daemon daemon;
	struct error error;

	daemon_start(&daemon);
	fcntl(CONNECTOR_SETTINGS_FD, F_SETFD, FD_CLOEXEC);
	struct imap *imap = imap_start(daemon.net, DAEMON_PLACE, settings, &process_self, &error);
	if (imap == NULL)
		daemon_refuse(&error);
	log_info(LOG_CONNECTOR, "name=%s host=%s port=%d started", settings->name, settings->host, settings->port);
	daemon_run(&daemon);
	imap_stop(&imap);
	daemon_free(&daemon);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	bool is_worker = argc == 2 && strcmp(argv[1], "--worker") == 0;
	struct imap_settings settings;
	struct error error;
	int status;

	log_init(is_worker ? "imap worker" : "imap");
	daemon_protect();
	if (argc > 1 && !is_worker) {
		error_set(&error, "usage: belfry-imap is started by belfryd, without arguments");
		daemon_refuse(&error);
	}
	if (imap_settings_read(CONNECTOR_SETTINGS_FD, &settings, &error) < 0)
		daemon_refuse(&error);
	status = is_worker ? run_worker(&settings) : run_daemon(&settings);
	imap_settings_free(&settings);
	return status;
}

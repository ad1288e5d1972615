/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Workers as processes. They are spawned, not forked: the daemon's memory, with everybody's passwords in it, never is
 * in theirs.
 */
#include "connectors/imap/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "lib/core/log.h"
#include "lib/net/net.h"

extern char **environ;

static void process_release(struct process *process)
{
	munmap(process->board, sizeof *process->board);
	process->board = NULL;
}

/* A zombie, if it has died already: the pid is ours until it is reaped. */
static void process_kill(pid_t pid)
{
	kill(pid, SIGKILL);
}

static void say_how(pid_t pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		log_error(LOG_CONNECTOR, "worker=%d died of signal %d (%s)", (int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_error(LOG_CONNECTOR, "worker=%d ended with status %d", (int)pid, WEXITSTATUS(status));
}

static bool process_is_gone(pid_t pid, bool wait, int *status_r)
{
	pid_t reaped;

	*status_r = 0;
	reaped = waitpid(pid, status_r, wait ? 0 : WNOHANG);
	if (reaped == pid)
		say_how(pid, *status_r);
	return reaped != 0;
}

static int spawn(int link_fd, int board_fd, pid_t *pid_r)
{
	static char *const arguments[] = {(char *)"belfry-imap", (char *)"--worker", NULL};
	posix_spawn_file_actions_t actions;
	int code;

	posix_spawn_file_actions_init(&actions);
	/* In this order: link_fd or board_fd may have one of the target numbers. dup2 onto itself clears close-on-exec. */
	posix_spawn_file_actions_adddup2(&actions, link_fd, CONNECTOR_LISTEN_FD);
	posix_spawn_file_actions_adddup2(&actions, CONNECTOR_SETTINGS_FD, CONNECTOR_SETTINGS_FD);
	posix_spawn_file_actions_adddup2(&actions, board_fd, BOARD_FD);
	code = posix_spawn(pid_r, "/proc/self/exe", &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static int make_board(struct board **board_r)
{
	int fd = memfd_create("board", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, sizeof **board_r) == 0) {
		*board_r = mmap(NULL, sizeof **board_r, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (*board_r != MAP_FAILED)
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int process_start(struct loop *loop, struct process *process_r, struct error *error_r)
{
	int ends[2], code;
	int board_fd = make_board(&process_r->board);

	if (board_fd < 0)
		return error_set(error_r, "worker: no shared page: %s", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		error_set(error_r, "worker: no socket: %s", strerror(errno));
		close(board_fd);
		process_release(process_r);
		return -1;
	}
	code = spawn(ends[1], board_fd, &process_r->pid);
	close(ends[1]);
	close(board_fd);
	if (code != 0) {
		close(ends[0]);
		process_release(process_r);
		return error_set(error_r, "worker: cannot be started: %s", strerror(code));
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	process_r->stream = net_stream(loop, ends[0]);
	return 0;
}

const struct process_ways process_self = {process_start, process_release, process_kill, process_is_gone};

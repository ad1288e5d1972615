/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running the real delivery agent. */
#include "mda-hook/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* What a mail server or an admin sends to end a delivery; SIGKILL reaches the agent by its process group. */
static const int passed_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2};
enum { PASSED = sizeof passed_signals / sizeof passed_signals[0] };

static volatile sig_atomic_t agent;

static void pass_on(int number)
{
	if (agent > 0)
		kill((pid_t)agent, number);
}

static _Noreturn void execute(char *const argv[])
{
	execvp(argv[0], argv);
	fprintf(stderr, "belfry-hook: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(EX_TEMPFAIL);
}

/* Signals that come between the fork and the handlers wait, so that none is lost or ends us alone. */
int agent_run(char *const argv[])
{
	struct sigaction handler = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	sigset_t passed, before;
	int status;

	sigemptyset(&passed);
	sigemptyset(&handler.sa_mask);
	for (int i = 0; i < PASSED; i++)
		sigaddset(&passed, passed_signals[i]);
	sigprocmask(SIG_BLOCK, &passed, &before);
	signal(SIGCHLD, SIG_DFL); /* an ignored one would take the status from us */
	pid_t pid = fork();
	if (pid <= 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execute(argv);
	}
	agent = pid;
	for (int i = 0; i < PASSED; i++) {
		struct sigaction old;
		if (sigaction(passed_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(passed_signals[i], &handler, NULL);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EX_TEMPFAIL);
	agent = 0;
	return status;
}

_Noreturn void agent_end(int status)
{
	struct rlimit none = {0, 0};
	sigset_t one;

	if (!WIFSIGNALED(status))
		exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &none); /* the agent has left one already */
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

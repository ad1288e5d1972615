/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the delivery agent and ends as it did. */
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

static volatile sig_atomic_t agent_pid;

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM};
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

static void pass_on(int number)
{
	if (agent_pid > 0)
		kill((pid_t)agent_pid, number);
}

static void catch_signals(sigset_t *before_r)
{
	struct sigaction action = {.sa_handler = pass_on};
	sigset_t all;

	sigemptyset(&all);
	for (int i = 0; i < PASSED_ON; i++) {
		sigaction(passed_on[i], &action, NULL);
		sigaddset(&all, passed_on[i]);
	}
	sigprocmask(SIG_BLOCK, &all, before_r); /* until the agent's pid is known */
}

static void become(char *const *command, const sigset_t *mask)
{
	for (int i = 0; i < PASSED_ON; i++)
		signal(passed_on[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	fprintf(stderr, "belfry-hook: cannot run %s: %s\n", command[0], strerror(errno));
	_exit(EX_TEMPFAIL);
}

int agent_run(char *const *command)
{
	sigset_t before;
	int status;

	signal(SIGCHLD, SIG_DFL); /* an ignored one would take the exit status from us */
	catch_signals(&before);
	pid_t pid = fork();
	if (pid == 0)
		become(command, &before);
	agent_pid = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		fprintf(stderr, "belfry-hook: fork: %s\n", strerror(errno));
		return W_EXITCODE(EX_TEMPFAIL, 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return W_EXITCODE(EX_TEMPFAIL, 0);
	agent_pid = 0;
	return status;
}

void agent_exit_like(int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		const struct rlimit none = {0, 0}; /* the agent's core is enough */
		setrlimit(RLIMIT_CORE, &none);
		signal(WTERMSIG(wait_status), SIG_DFL);
		raise(WTERMSIG(wait_status));
	}
	exit(WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EX_TEMPFAIL);
}

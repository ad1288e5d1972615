/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a role can do once it is in its sandbox, tried by a child for each thing. Built with sanitizers the calls are
 * not limited (gateway/sandbox.h), so those are tried in the plain build only; files always.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/sandbox.h"

enum { SOMEBODY = 61001, DONE = 0, NOT_ENTERED = 99 };
/* What came of an attempt: DONE, an errno, or minus a signal. */
typedef int try_out(void);

#ifdef BELFRY_SANITIZERS
static const bool limits_calls = false;
#else
static const bool limits_calls = true;
#endif

static char folder[] = "/tmp/belfry-test-XXXXXX", inside[64], outside[64];

static int result_of(bool good)
{
	return good ? DONE : errno;
}

static int read_etc(void)
{
	return result_of(open("/etc/passwd", O_RDONLY) >= 0);
}

static int write_inside(void)
{
	return result_of(open(inside, O_RDWR | O_CREAT, 0600) >= 0);
}

static int write_outside(void)
{
	return result_of(open(outside, O_RDWR | O_CREAT, 0600) >= 0);
}

static int make_internet_socket(void)
{
	return result_of(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int make_local_socket(void)
{
	return result_of(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static int run_program(void)
{
	execl("/bin/true", "true", NULL);
	return errno;
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result_of(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void *do_nothing(void *data)
{
	return data;
}

static int make_thread(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, do_nothing, NULL);

	return error != 0 ? error : pthread_join(thread, NULL);
}

static int make_code(void)
{
	return result_of(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		MAP_FAILED);
}

static int trace(void)
{
	return result_of(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
}

static int mount_something(void)
{
	return result_of(syscall(SYS_mount, "none", folder, "tmpfs", 0L, NULL) == 0);
}

static int become_root(void)
{
	return result_of(setuid(0) == 0 || seteuid(0) == 0);
}

static int is_private(void)
{
	struct rlimit core;

	getrlimit(RLIMIT_CORE, &core);
	return core.rlim_max == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
		prctl(PR_GET_DUMPABLE) == (limits_calls ? 0 : 1) && (getuid() == SOMEBODY || geteuid() != 0) ? DONE : 1;
}

static int try_as(enum sandbox_calls calls, try_out *attempt)
{
	const struct sandbox_path paths[] = {{folder, true}, {"/etc", false}, {"/usr", false}, {"/lib", false},
		{"/lib64", false}, {"/bin", false}, {"/nonexistent", false}};
	struct sandbox sandbox = {SOMEBODY, SOMEBODY, paths, calls == SANDBOX_CALLS_FRONT ? 0 : 7, calls};
	struct error error;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(&sandbox, &error) < 0) {
			fprintf(stderr, "%s\n", error.text);
			_exit(NOT_ENTERED);
		}
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(status, NOT_ENTERED << 8);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(inside, sizeof inside, "%s/file", folder);
	snprintf(outside, sizeof outside, "/tmp/belfry-test-outside-%d", (int)getpid());
	return getuid() == 0 ? chown(folder, SOMEBODY, SOMEBODY) : 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(inside);
	unlink(outside);
	return rmdir(folder);
}

static void every_role_is_somebody_else_and_private(void **state)
{
	(void)state;
	for (int calls = SANDBOX_CALLS_FRONT; calls <= SANDBOX_CALLS_CONNECTOR; calls++) {
		if (limits_calls && calls != SANDBOX_CALLS_CONNECTOR)
			continue; /* these may not even ask */
		assert_int_equal(try_as((enum sandbox_calls)calls, is_private), DONE);
		assert_int_equal(try_as((enum sandbox_calls)calls, become_root), EPERM);
	}
	assert_int_equal(try_as(SANDBOX_CALLS_FRONT, become_root), EPERM);
	assert_int_equal(try_as(SANDBOX_CALLS_HUB, become_root), EPERM);
}

static void files_are_those_of_the_role(void **state)
{
	int front = limits_calls ? EPERM : EACCES;

	(void)state;
	if (!sandbox_can_limit_files())
		return;
	assert_int_equal(try_as(SANDBOX_CALLS_FRONT, read_etc), front);
	assert_int_equal(try_as(SANDBOX_CALLS_FRONT, write_inside), front);
	assert_int_equal(try_as(SANDBOX_CALLS_HUB, read_etc), DONE);
	assert_int_equal(try_as(SANDBOX_CALLS_HUB, write_inside), DONE);
	assert_int_equal(try_as(SANDBOX_CALLS_HUB, write_outside), EACCES);
	assert_int_equal(try_as(SANDBOX_CALLS_CONNECTOR, read_etc), DONE);
	assert_int_equal(try_as(SANDBOX_CALLS_CONNECTOR, write_outside), EACCES);
}

static void calls_are_those_of_the_role(void **state)
{
	static const struct { try_out *attempt; int front, hub, connector; } cases[] = {
		{make_local_socket, DONE, DONE, DONE},
		{make_internet_socket, EPERM, EPERM, DONE},
		{make_thread, DONE, DONE, DONE},
		{make_process, EPERM, EPERM, DONE},
		{run_program, -SIGSYS, -SIGSYS, DONE},
		{make_code, EPERM, DONE, DONE},
		{trace, -SIGSYS, -SIGSYS, -SIGSYS},
		{mount_something, -SIGSYS, -SIGSYS, -SIGSYS},
	};

	(void)state;
	for (size_t i = 0; limits_calls && i < sizeof cases / sizeof cases[0]; i++) {
		int front = try_as(SANDBOX_CALLS_FRONT, cases[i].attempt), hub = try_as(SANDBOX_CALLS_HUB, cases[i].attempt);
		int connector = try_as(SANDBOX_CALLS_CONNECTOR, cases[i].attempt);
		if (front != cases[i].front || hub != cases[i].hub || connector != cases[i].connector)
			fail_msg("case %zu: front %d, hub %d, connector %d", i, front, hub, connector);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_is_somebody_else_and_private),
		cmocka_unit_test(files_are_those_of_the_role),
		cmocka_unit_test(calls_are_those_of_the_role),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

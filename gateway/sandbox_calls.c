/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Seccomp: the system calls of each role. front and hub have lists of what they may do; anything else fails with EPERM,
 * and what only an intruder would try ends the process. Connectors, in any language, have the second list only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "gateway/sandbox.h"

#define CALLS(...) (const int[]){__VA_ARGS__, -1000}
enum { CALLS_END = -1000 };
#define CALL(name) SCMP_SYS(name)

/* A loop over sockets: what every role does. */
static const int *const loop_calls = CALLS(
	CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(close), CALL(lseek), CALL(fstat),
	CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg), CALL(sendto), CALL(sendmsg), CALL(accept), CALL(accept4),
	CALL(connect), CALL(shutdown), CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(setsockopt),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(poll),
	CALL(ppoll), CALL(select), CALL(pselect6), CALL(eventfd2), CALL(timerfd_create), CALL(timerfd_settime),
	CALL(timerfd_gettime), CALL(pipe2), CALL(fcntl), CALL(dup), CALL(memfd_create), CALL(ftruncate),
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(munlock),
	CALL(futex), CALL(sched_yield), CALL(rseq), CALL(set_robust_list), CALL(get_robust_list), CALL(membarrier),
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(nanosleep), CALL(clock_nanosleep),
	CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid),
	CALL(getegid), CALL(getrlimit), CALL(setrlimit), CALL(prlimit64), CALL(getrusage), CALL(sysinfo), CALL(uname),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigpending), CALL(sigaltstack),
	CALL(restart_syscall), CALL(tgkill), CALL(exit), CALL(exit_group));

/* The store's files, the spool, names of users, threads. */
static const int *const file_calls = CALLS(
	CALL(open), CALL(openat), CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(access), CALL(faccessat),
	CALL(faccessat2), CALL(statfs), CALL(fstatfs), CALL(getdents64), CALL(readlink), CALL(readlinkat), CALL(getcwd),
	CALL(pwrite64), CALL(pwritev), CALL(preadv), CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(msync),
	CALL(fallocate), CALL(truncate), CALL(flock), CALL(fadvise64), CALL(unlink), CALL(unlinkat), CALL(rename),
	CALL(renameat), CALL(renameat2), CALL(mkdir), CALL(mkdirat), CALL(rmdir), CALL(chmod), CALL(fchmod),
	CALL(fchmodat), CALL(umask), CALL(utimensat), CALL(sched_getaffinity), CALL(mincore));

/* What reaches into the system or into other processes. */
static const int *const intruder_calls = CALLS(
	CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp), CALL(pidfd_getfd), CALL(mount),
	CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(setns), CALL(unshare), CALL(open_tree), CALL(move_mount),
	CALL(fsopen), CALL(fsmount), CALL(open_by_handle_at), CALL(name_to_handle_at), CALL(init_module),
	CALL(finit_module), CALL(delete_module), CALL(kexec_load), CALL(kexec_file_load), CALL(reboot), CALL(bpf),
	CALL(perf_event_open), CALL(userfaultfd), CALL(add_key), CALL(request_key), CALL(keyctl), CALL(iopl),
	CALL(ioperm), CALL(swapon), CALL(swapoff), CALL(acct), CALL(quotactl), CALL(settimeofday), CALL(clock_settime),
	CALL(clock_adjtime), CALL(adjtimex), CALL(syslog), CALL(vhangup), CALL(lookup_dcookie), CALL(io_uring_setup),
	CALL(personality), CALL(mknod), CALL(mknodat), CALL(fanotify_init));

static const int *const program_calls = CALLS(CALL(execve), CALL(execveat), CALL(fork), CALL(vfork));

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls)
{
	for (; *calls != CALLS_END; calls++) {
		int result = seccomp_rule_add(filter, action, *calls, 0);
		if (result < 0 && result != -EDOM) /* -EDOM: this machine has no such call */
			return result;
	}
	return 0;
}

static int add_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* Calls that are harmless only with some arguments. */
static int add_conditional(scmp_filter_ctx filter)
{
	return
		add_if(filter, CALL(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) |
		add_if(filter, CALL(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) |
		add_if(filter, CALL(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) |
		add_if(filter, CALL(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) |
		add_if(filter, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD)) |
		add_if(filter, CALL(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO)) |
		add_if(filter, CALL(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
}

/* Threads but no processes; clone3 hides its flags in memory, and the libc goes back to clone when there is none. */
static int add_threads(scmp_filter_ctx filter)
{
	return
		add_if(filter, CALL(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) |
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

/* NSS modules, which tell the names of users, are loaded when they are first needed. */
static int add_libraries(scmp_filter_ctx filter)
{
	return
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(mmap), 0) |
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(mprotect), 0);
}

static int fill(scmp_filter_ctx filter, enum sandbox_calls calls)
{
#ifdef BELFRY_SANITIZERS
	(void)program_calls, (void)loop_calls, (void)file_calls;
	(void)add_conditional, (void)add_threads, (void)add_libraries, (void)calls;
	return add_all(filter, SCMP_ACT_ERRNO(EPERM), intruder_calls + 1); /* all but ptrace, for the leak check */
#else
	int result = add_all(filter, SCMP_ACT_KILL_PROCESS, intruder_calls);

	if (result < 0 || calls == SANDBOX_CALLS_CONNECTOR)
		return result;
	result = add_all(filter, SCMP_ACT_KILL_PROCESS, program_calls) | add_all(filter, SCMP_ACT_ALLOW, loop_calls) |
		add_conditional(filter) | add_threads(filter);
	if (calls == SANDBOX_CALLS_HUB)
		result |= add_all(filter, SCMP_ACT_ALLOW, file_calls) | add_libraries(filter);
	return result;
#endif
}

int sandbox_limit_calls(enum sandbox_calls calls, struct error *error_r)
{
	uint32_t others = calls == SANDBOX_CALLS_CONNECTOR ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);

#ifdef BELFRY_SANITIZERS
	others = SCMP_ACT_ALLOW;
#endif
	scmp_filter_ctx filter = seccomp_init(others);
	if (filter == NULL)
		return error_set(error_r, "seccomp cannot be set up");
	int result = fill(filter, calls);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result == 0 ? 0 : error_set(error_r, "seccomp: %s", strerror(result < 0 ? -result : EINVAL));
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving up what main has: user, groups, core dumps, new privileges; and dying with main. */
#include "gateway/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int sandbox_leave_root(uid_t uid, gid_t gid, struct error *error_r)
{
	uid_t real, effective, saved;

	getresuid(&real, &effective, &saved);
	if (real != 0 && effective != 0 && saved != 0)
		return 0;
	/* In one process (belfryd -s) only the effective user was changed. */
	if (seteuid(0) < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return error_set(error_r, "cannot become user %u: %s", (unsigned)uid, strerror(errno));
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		return error_set(error_r, "user %u could become root again", (unsigned)uid);
	return 0;
}

static int be_private(struct error *error_r)
{
	struct rlimit none = {0, 0};
	bool can_be_dumped = false;

#ifdef BELFRY_SANITIZERS
	can_be_dumped = true; /* the leak check traces its own process */
#endif
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, can_be_dumped) < 0)
		return error_set(error_r, "cannot forbid core dumps: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(error_r, "no_new_privs: %s", strerror(errno));
	return 0;
}

int sandbox_enter(const struct sandbox *sandbox, struct error *error_r)
{
	bool is_connector = sandbox->calls == SANDBOX_CALLS_CONNECTOR;
	pid_t parent = getppid();

	if (sandbox_leave_root(sandbox->uid, sandbox->gid, error_r) < 0 || be_private(error_r) < 0)
		return -1;
	/* After the user has changed, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		return error_set(error_r, "main is gone");
	if (sandbox_limit_files(sandbox->paths, sandbox->path_count, is_connector, error_r) < 0)
		return -1;
	return sandbox_limit_calls(sandbox->calls, error_r);
}

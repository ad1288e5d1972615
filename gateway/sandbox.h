/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a role gives up once it is born: the privileges of main, then files that it does not need (landlock), then
 * system calls that it never makes (seccomp). Whoever takes over a role has what is left.
 *
 * Built with sanitizers only the most dangerous calls are forbidden, because they need what a role does not.
 */
#ifndef BELFRY_GATEWAY_SANDBOX_H
#define BELFRY_GATEWAY_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/core/error.h"

struct sandbox_path {
	const char *path;     /* one that is not there is passed over */
	bool is_writable;     /* read only, and its programs may be run, otherwise */
};

enum sandbox_calls {
	SANDBOX_CALLS_FRONT,     /* sockets that it is given, AF_UNIX to connect; no file, no process */
	SANDBOX_CALLS_HUB,       /* and files and threads */
	SANDBOX_CALLS_CONNECTOR  /* whatever a program in any language does, but nothing that reaches into the system */
};

struct sandbox {
	uid_t uid;               /* used when we are root; otherwise everything stays as it is */
	gid_t gid;
	const struct sandbox_path *paths;
	size_t path_count;
	enum sandbox_calls calls;
};

/* For the rest of this process's life. Ends it with SIGTERM when main dies. -1: something could not be given up; the
 * process must not go on. */
int sandbox_enter(const struct sandbox *, struct error *error_r);

/* The parts, in their order. */
int sandbox_leave_root(uid_t uid, gid_t gid, struct error *error_r);
int sandbox_limit_files(const struct sandbox_path *, size_t count, bool is_connector, struct error *error_r);
int sandbox_limit_calls(enum sandbox_calls, struct error *error_r);

/* Does this kernel have landlock? For one line of the log at the start. */
bool sandbox_can_limit_files(void);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Landlock: only these paths, whatever the modes of files say. By raw system calls, because the libc has no wrappers
 * and the headers of a build machine may be older than the kernel it runs on (values: Documentation/userspace-api/landlock).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/sandbox.h"

/* What each version of the interface can forbid. */
enum {
	LANDLOCK_V1_FS = (1 << 13) - 1,
	LANDLOCK_V2_FS = 1 << 13,      /* move between folders */
	LANDLOCK_V3_FS = 1 << 14,      /* truncate */
	LANDLOCK_V5_FS = 1 << 15,      /* ioctl on devices */
	LANDLOCK_V4_NET = 1 << 0 | 1 << 1, /* bind and connect TCP */
	LANDLOCK_V6_SCOPE = 1 << 0 | 1 << 1 /* abstract sockets of, and signals to, processes outside */
};

struct ruleset { /* struct landlock_ruleset_attr of version 6 */
	uint64_t fs, net, scoped;
};

static long version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool sandbox_can_limit_files(void)
{
	return version() > 0;
}

static struct ruleset everything(long version, bool is_connector, size_t *size_r)
{
	struct ruleset set = {.fs = LANDLOCK_V1_FS};

	set.fs |= version >= 2 ? LANDLOCK_V2_FS : 0;
	set.fs |= version >= 3 ? LANDLOCK_V3_FS : 0;
	set.fs |= version >= 5 ? LANDLOCK_V5_FS : 0;
	if (version >= 4 && !is_connector) /* which talks to its backend */
		set.net = LANDLOCK_V4_NET;
	if (version >= 6)
		set.scoped = LANDLOCK_V6_SCOPE;
	*size_r = version >= 6 ? sizeof set : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	return set;
}

static uint64_t rights(const struct sandbox_path *path, bool is_folder, uint64_t handled)
{
	uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;
	uint64_t of_files = reading | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_V3_FS | LANDLOCK_V5_FS;
	uint64_t wanted = path->is_writable ? handled & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE |
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_V5_FS) :
		reading | LANDLOCK_ACCESS_FS_READ_DIR;

	return handled & (is_folder ? wanted : wanted & of_files);
}

static int allow(int ruleset, const struct sandbox_path *path, uint64_t handled, struct error *error_r)
{
	int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 :
			error_set(error_r, "landlock: %s: %s", path->path, strerror(errno));
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	if (fstat(fd, &status) == 0)
		rule.allowed_access = rights(path, S_ISDIR(status.st_mode), handled);
	long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	int error = errno;
	close(fd);
	return result == 0 ? 0 : error_set(error_r, "landlock: %s: %s", path->path, strerror(error));
}

int sandbox_limit_files(const struct sandbox_path *paths, size_t count, bool is_connector, struct error *error_r)
{
	long has = version();
	size_t size;

	if (has <= 0) /* an older kernel, or one without it: users and modes still hold */
		return 0;
	struct ruleset set = everything(has, is_connector, &size);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (ruleset < 0)
		return error_set(error_r, "landlock: %s", strerror(errno));
#ifdef BELFRY_SANITIZERS
	const struct sandbox_path own = {"/proc", false}; /* the leak check looks at its own process there */
	int result = allow(ruleset, &own, set.fs, error_r);
#else
	int result = 0;
#endif
	for (size_t i = 0; i < count && result == 0; i++)
		result = allow(ruleset, &paths[i], set.fs, error_r);
	if (result == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		result = error_set(error_r, "landlock: %s", strerror(errno));
	close(ruleset);
	return result;
}

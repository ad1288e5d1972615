/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hint spool: leaving a file without a trace of waiting, and taking files that strangers left. */
#include "lib/model/hint_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- leaving ---------------------------------------------------------------------------------------------------- */

/* A file without a name, written whole and only then given one: the hub never sees half of it, and a hook that is
 * killed leaves nothing behind. */
static int write_file(int folder, const char *name, const char *line, size_t length)
{
	int fd = openat(folder, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644);
	char self[32];

	if (fd < 0)
		return -1;
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	ssize_t written = write(fd, line, length);
	if (written >= 0 && written < (ssize_t)length)
		errno = ENOSPC;
	int result = written != (ssize_t)length ? -1 : fchmod(fd, 0644); /* the hub must read it, whatever the umask */
	if (result == 0)
		result = linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW);
	close(fd);
	return result;
}

int hint_spool_leave(const char *path, const char *line, size_t length, struct error *error_r)
{
	char id[HINT_ID_SIZE], name[HINT_ID_SIZE + 8];
	int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return error_set(error_r, "%s: %s", path, strerror(errno));
	hint_new_id(id);
	snprintf(name, sizeof name, "hint-%s", id);
	int result = write_file(folder, name, line, length);
	if (result < 0)
		error_set(error_r, "%s: cannot leave a message: %s", path, strerror(errno));
	close(folder);
	return result;
}

/* --- taking ----------------------------------------------------------------------------------------------------- */

struct hint_spool {
	DIR *folder;
	int fd;
};

struct hint_spool *hint_spool_open(const char *path, struct error *error_r)
{
	DIR *folder = opendir(path);

	if (folder == NULL) {
		error_set(error_r, "%s: %s", path, strerror(errno));
		return NULL;
	}
	struct hint_spool *spool = mem_alloc(sizeof *spool);
	spool->folder = folder;
	spool->fd = dirfd(folder);
	return spool;
}

void hint_spool_close(struct hint_spool **owner)
{
	if (*owner == NULL)
		return;
	closedir((*owner)->folder);
	free(*owner);
	*owner = NULL;
}

/* The file's line; -1: it is none of ours. A FIFO must not hold us, a link must not lend us another's name. */
static int read_file(int folder, const char *name, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r,
	struct error *error_r)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char line[HINT_LINE_MAX + 1];
	struct stat status;
	int result;

	if (fd < 0)
		return error_set(error_r, "%s", strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
		result = error_set(error_r, "it is not a file with one name");
	} else {
		ssize_t length = read(fd, line, sizeof line);
		*from_r = status.st_uid;
		result = length < 0 ? error_set(error_r, "%s", strerror(errno)) :
			hint_parse(line, (size_t)length, text_r, hint_r, error_r);
	}
	close(fd);
	return result;
}

/* A folder full of things cannot be removed, but put out of sight. */
static void drop(int folder, const char *name)
{
	char hidden[NAME_MAX + 16];

	if (unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0)
		return;
	snprintf(hidden, sizeof hidden, ".refused-%.*s", NAME_MAX - 10, name);
	renameat(folder, name, folder, hidden);
}

int hint_spool_take(struct hint_spool *spool, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r)
{
	struct error error;
	const struct dirent *entry;

	for (int dropped = 0; dropped < HINT_SPOOL_BATCH;) {
		entry = readdir(spool->folder);
		if (entry == NULL) {
			rewinddir(spool->folder);
			return 0;
		}
		if (entry->d_name[0] == '.')
			continue;
		int result = read_file(spool->fd, entry->d_name, text_r, hint_r, from_r, &error);
		drop(spool->fd, entry->d_name);
		if (result == 0)
			return 1;
		log_warning(LOG_HOOK, "spool file=%s dropped: %s", log_quote(entry->d_name), error.text);
		dropped++;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hint spool: leaving a file without a trace of waiting, and taking files that strangers left. */
#include "lib/model/hint_spool.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- the folder ------------------------------------------------------------------------------------------------- */

#define ACL_ENTRY(tag, perm) {htole16(tag), htole16(perm), htole32((uint32_t)ACL_UNDEFINED_ID)}

int hint_spool_open_to_all(const char *folder, struct error *error_r)
{
	const struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry entries[3];
	} list = {
		{htole32(POSIX_ACL_XATTR_VERSION)},
		{ACL_ENTRY(ACL_USER_OBJ, ACL_READ | ACL_WRITE), ACL_ENTRY(ACL_GROUP_OBJ, ACL_READ), ACL_ENTRY(ACL_OTHER, ACL_READ)},
	};

	if (setxattr(folder, "system.posix_acl_default", &list, sizeof list, 0) == 0)
		return 0;
	return error_set(error_r, "%s: cannot set a default access control list: %s", folder, strerror(errno));
}

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
	bool is_in_trouble;   /* and it was said; until a round meets none */
	bool round_met_trouble;
	uint64_t round_stays;
	int64_t complained_s; /* 0: never */
	struct hint_spool_counts counts;
};

const struct hint_spool_counts *hint_spool_counts(const struct hint_spool *spool)
{
	return &spool->counts;
}

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

enum taken { TAKEN, TAKEN_NOTHING_OURS, TAKEN_TROUBLE };

/* What open() says of the file itself; all else (EMFILE, ENOMEM, EIO …) is our trouble, and the file may be a hint. */
static enum taken open_failed(int number, struct error *error_r)
{
	error_set(error_r, "%s", strerror(number));
	return number == ELOOP || number == ENXIO || number == ENODEV || number == EACCES || number == ENOENT ?
		TAKEN_NOTHING_OURS : TAKEN_TROUBLE;
}

static enum taken read_open(int fd, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r, struct error *error_r)
{
	char line[HINT_LINE_MAX + 1];
	struct stat status;
	ssize_t length;

	if (fstat(fd, &status) < 0)
		return open_failed(errno, error_r);
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
		error_set(error_r, "it is not a file with one name");
		return TAKEN_NOTHING_OURS;
	}
	length = read(fd, line, sizeof line);
	if (length < 0)
		return open_failed(errno, error_r);
	*from_r = status.st_uid;
	return hint_parse(line, (size_t)length, text_r, hint_r, error_r) < 0 ? TAKEN_NOTHING_OURS : TAKEN;
}

/* The file's line. A FIFO must not hold us, a link must not lend us another's name. */
static enum taken read_file(int folder, const char *name, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r,
	struct error *error_r)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return open_failed(errno, error_r);
	enum taken taken = read_open(fd, text_r, hint_r, from_r, error_r);
	close(fd);
	return taken;
}

static bool is_removed(int folder, const char *name)
{
	return unlinkat(folder, name, 0) == 0 || unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* A folder full of things cannot be removed, but put out of sight. */
static void drop(struct hint_spool *spool, const char *name)
{
	char hidden[NAME_MAX + 16];

	if (is_removed(spool->fd, name))
		return;
	spool->round_stays++;
	snprintf(hidden, sizeof hidden, ".refused-%.*s", NAME_MAX - 10, name);
	renameat(spool->fd, name, spool->fd, hidden);
}

static void refuse(struct hint_spool *spool, const char *name, int64_t now_s, const char *why)
{
	drop(spool, name);
	spool->counts.removed++;
	if (spool->complained_s != 0 && now_s < spool->complained_s + HINT_SPOOL_COMPLAIN_S)
		return;
	spool->complained_s = now_s;
	log_warning(LOG_HOOK, "spool file=%s dropped: %s", log_quote(name), why);
}

/* By the time of its last change, which its owner cannot set. */
static void look_at_hidden(struct hint_spool *spool, const char *name, int64_t now_s)
{
	struct stat status;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || fstatat(spool->fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (now_s >= status.st_ctime + HINT_SPOOL_HIDDEN_S && is_removed(spool->fd, name))
		spool->counts.removed++;
	else
		spool->round_stays++;
}

/* The file stays. Its round goes on behind it at the next call, so that it cannot keep others waiting. */
static void note_trouble(struct hint_spool *spool, const char *name, const char *why)
{
	spool->round_met_trouble = true;
	spool->round_stays++;
	if (!spool->is_in_trouble)
		log_warning(LOG_HOOK, "spool file=%s cannot be read now and stays: %s", log_quote(name), why);
	spool->is_in_trouble = true;
}

static void round_ends(struct hint_spool *spool)
{
	rewinddir(spool->folder);
	spool->is_in_trouble = spool->round_met_trouble;
	spool->counts.staying = spool->round_stays;
	spool->round_met_trouble = false;
	spool->round_stays = 0;
}

int hint_spool_take(struct hint_spool *spool, int64_t now_s, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r)
{
	struct error error;
	const struct dirent *entry;

	for (int looked = 0; looked < HINT_SPOOL_BATCH; looked++) {
		entry = readdir(spool->folder);
		if (entry == NULL) {
			round_ends(spool);
			return 0;
		}
		if (entry->d_name[0] == '.') {
			look_at_hidden(spool, entry->d_name, now_s);
			continue;
		}
		enum taken taken = read_file(spool->fd, entry->d_name, text_r, hint_r, from_r, &error);
		if (taken == TAKEN_TROUBLE) {
			note_trouble(spool, entry->d_name, error.text);
			return 0;
		}
		if (taken == TAKEN) {
			drop(spool, entry->d_name);
			spool->counts.taken++;
			return 1;
		}
		refuse(spool, entry->d_name, now_s, error.text);
	}
	return -1;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* By descriptors, so that nobody exchanges a file for a link on the way. */
#include "gateway/belfryctl_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536 };

static int copy_bytes(int from, int to)
{
	char piece[PIECE_BYTES];
	ssize_t length;

	while ((length = read(from, piece, sizeof piece)) > 0)
		for (ssize_t done = 0; done < length;) {
			ssize_t written = write(to, piece + done, (size_t)(length - done));
			if (written < 0)
				return -1;
			done += written;
		}
	return length < 0 ? -1 : 0;
}

/* The owner last: whoever he is must not write there before. */
static int give_away(int fd, const struct stat *status)
{
	return fchmod(fd, status->st_mode & 0777) < 0 || (geteuid() == 0 && fchown(fd, status->st_uid, status->st_gid) < 0) ||
		fsync(fd) < 0 ? -1 : 0;
}

static int copy_file(int from_folder, int to_folder, const char *name, uid_t owner)
{
	struct stat status;
	int from = openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1, result = -1;

	if (from >= 0 && fstat(from, &status) == 0) {
		if (!S_ISREG(status.st_mode) || status.st_uid != owner)
			errno = EPERM;
		else
			to = openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (to >= 0 && copy_bytes(from, to) == 0)
		result = give_away(to, &status);
	if (to >= 0 && close(to) < 0)
		result = -1;
	if (from >= 0)
		close(from);
	return result;
}

static int copy_all(DIR *from, int to, struct error *error_r)
{
	struct stat status;
	const struct dirent *entry;

	if (fstat(dirfd(from), &status) < 0)
		return error_set(error_r, "%s", strerror(errno));
	while ((entry = readdir(from)) != NULL)
		if (entry->d_name[0] != '.' && copy_file(dirfd(from), to, entry->d_name, status.st_uid) < 0)
			return error_set(error_r, "%s: %s", entry->d_name, strerror(errno));
	return give_away(to, &status) < 0 ? error_set(error_r, "%s", strerror(errno)) : 0;
}

int folder_move(const char *from, const char *to, struct error *error_r)
{
	int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = from_fd < 0 ? NULL : fdopendir(from_fd);
	int result = -1;

	if (folder == NULL || to_fd < 0)
		error_set(error_r, "%s: %s", folder == NULL ? from : to, strerror(errno));
	else
		result = copy_all(folder, to_fd, error_r);
	if (folder != NULL)
		closedir(folder);
	if (to_fd >= 0)
		close(to_fd);
	if (result == 0)
		folder_remove(from);
	return result;
}

void folder_remove(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder != NULL)
		closedir(folder);
	rmdir(path);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One datagram a line: FIELD=value, each ended by LF. Values have none, for no line of ours has a control character. */
#include "lib/core/log_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ENTRY_MAX = 4096 }; /* a line, its pairs again, and the names of the fields */

bool log_journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;
	char rest;

	return stream != NULL && sscanf(stream, "%llu:%llu%c", &device, &inode, &rest) == 2 &&
		fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

int log_journal_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return -1;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *key, *field;
} pairs[] = {
	{"user=", "BELFRY_USER"},
	{"device=", "BELFRY_DEVICE"},
	{"command=", "BELFRY_COMMAND"},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

/* The value that begins here, without its quotes: log_quote() escapes quotes in it. Where it ends. */
static const char *value_end(const char **value, size_t *length_r)
{
	bool is_quoted = **value == '"';

	*value += is_quoted;
	*length_r = strcspn(*value, is_quoted ? "\"" : " ");
	const char *end = *value + *length_r;
	return is_quoted && *end == '"' ? end + 1 : end;
}

/* The pairs that a message begins with; it ends at the first word that is none of them. */
static int add_pairs(char *entry, int at, const char *message)
{
	for (size_t i = 0; i < PAIRS; i++) {
		const char *value = message + strlen(pairs[i].key);
		size_t length;
		if (strncmp(message, pairs[i].key, strlen(pairs[i].key)) != 0)
			continue;
		const char *end = value_end(&value, &length);
		if (length != 1 || *value != '-') /* log_quote() of nothing */
			at += snprintf(entry + at, ENTRY_MAX - (size_t)at, "%s=%.*s\n", pairs[i].field, (int)length, value);
		message = *end == ' ' ? end + 1 : end;
	}
	return at;
}

enum log_sent log_journal_send(int fd, const struct log_entry *line)
{
	char entry[ENTRY_MAX];
	int at = snprintf(entry, sizeof entry, "PRIORITY=%d\nSYSLOG_IDENTIFIER=belfry\nBELFRY_ROLE=%s\n"
		"BELFRY_SUBSYSTEM=%s\nMESSAGE=%s\n", line->level, line->role, line->subsystem, line->text);

	at = add_pairs(entry, at, line->message);
	if (send(fd, entry, (size_t)at, MSG_DONTWAIT | MSG_NOSIGNAL) == at)
		return LOG_SENT;
	return errno == EAGAIN || errno == ENOBUFS ? LOG_SENT_FULL : LOG_SENT_BROKEN;
}

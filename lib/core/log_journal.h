/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The journal's own protocol (systemd's JOURNAL_NATIVE_PROTOCOL): a line with fields, so that
 * journalctl BELFRY_USER=alice@example.org finds it. For lib/core/log.c.
 */
#ifndef BELFRY_LIB_CORE_LOG_JOURNAL_H
#define BELFRY_LIB_CORE_LOG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/log.h"

#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"

/* Whether standard error is the journal's: JOURNAL_STREAM names its device and inode (systemd.exec(5)). */
bool log_journal_is_stderr(void);
/* A socket to it, which never blocks; -1: there is none. */
int log_journal_connect(const char *path);

struct log_entry {
	enum log_level level;
	const char *role, *subsystem;
	const char *text;     /* the whole line, without control characters */
	const char *message;  /* in it, where the pairs begin: user=, device= and command= become fields */
};

enum log_sent { LOG_SENT, LOG_SENT_FULL, LOG_SENT_BROKEN }; /* FULL: the journal does not keep up */
enum log_sent log_journal_send(int fd, const struct log_entry *);

#endif

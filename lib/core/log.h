/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Log and trace. One key=value line an outcome, to stderr. When that is the journal, lines go there by its own protocol:
 * the pairs user, device and command that a message begins with become the fields BELFRY_USER, BELFRY_DEVICE and
 * BELFRY_COMMAND, beside BELFRY_ROLE and BELFRY_SUBSYSTEM. A trace line is written only when its subsystem, its user or its device is being traced;
 * that is switched at run time (belfryctl trace) and costs one branch while off.
 * Values are quoted and control characters escaped, so that a stranger can forge neither lines nor pairs. No secret is
 * ever passed here. A line never waits: while whoever reads standard error stands still, lines are dropped, and the next
 * that leaves says how many.
 */
#ifndef BELFRY_LIB_CORE_LOG_H
#define BELFRY_LIB_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_TRACE = 7 };

/* The subsystems that can be traced; log_subsystem_name() gives their names. */
enum log_subsystem {
	LOG_MAIN, LOG_LOOP, LOG_NET, LOG_TLS, LOG_HTTP, LOG_IPC, LOG_STORE, LOG_HUB, LOG_HOOK, LOG_FRONT,
	LOG_ACTIVESYNC, LOG_AUTODISCOVER, LOG_CONNECTOR, LOG_IMAP, LOG_NOTIFY, LOG_CONTROL, LOG_SUBSYSTEMS
};

/* role: the name of this process's role in each line ("hub", "front 1"). Copied. */
void log_init(const char *role);
/* Where the journal listens, when standard error is its; log_init() does this. */
void log_to_journal(const char *path);
/* Where lines go: by default to stderr. Tests collect them here; a test that logs an unexpected error fails. */
typedef void log_sink(enum log_level, const char *line, void *data);
void log_set_sink(log_sink *, void *data);

const char *log_subsystem_name(enum log_subsystem);

/* A line: subsystem, then a message of key=value pairs made with the format. Ends no line itself. */
void log_error(enum log_subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_warning(enum log_subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_info(enum log_subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is being traced. Names are copied; NULL or "" means none. At most one user and one device at a time. */
void log_trace_subsystem(enum log_subsystem, bool on);
int log_trace_subsystem_by_name(const char *name, bool on); /* -1: no such subsystem; "all" is every one */
void log_trace_user(const char *user);
void log_trace_device(const char *device);
const char *log_traced_user(void); /* NULL: none */
const char *log_traced_device(void);
bool log_traced(enum log_subsystem, const char *user, const char *device); /* user and device may be NULL */
void log_trace_write(enum log_subsystem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Formats only when somebody watches. */
#define log_trace(subsystem, user, device, ...) \
	do { \
		if (log_traced(subsystem, user, device)) \
			log_trace_write(subsystem, __VA_ARGS__); \
	} while (0)

/* A value that came from outside, for a log line: printable ASCII and UTF-8 stay, the rest, \ and " are \xNN, at most
 * LOG_QUOTE_MAX bytes; one that holds a space, "=" or anything escaped is put in quotes, so that it stays one value.
 * The result lives in one of a few rotating buffers: use it at once. NULL gives "-". */
enum { LOG_QUOTE_MAX = 120 };
const char *log_quote(const char *value);
const char *log_quote_bytes(const char *value, size_t length);
/* The same without quotes, for where a value has its own column or stands in a sentence. */
const char *log_escape(const char *value);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log and trace: one line an outcome; what is traced can change at run time. */
#include "lib/core/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/core/log_journal.h"
#include "lib/core/mem.h"

enum { LOG_LINE_MAX = 1024, LOG_QUOTE_BUFFERS = 8 };

static const char *const subsystem_names[LOG_SUBSYSTEMS] = {
	"main", "loop", "net", "tls", "http", "ipc", "store", "hub", "hook", "front",
	"activesync", "autodiscover", "connector", "imap", "notify", "control",
};

/* The only state of the process that is not passed around: what a log line needs. */
static struct {
	char role[32];
	bool is_journal; /* standard error is */
	int journal;     /* a socket to it, for fields; -1: none */
	log_sink *sink;
	void *sink_data;
	unsigned traced; /* a bit a subsystem */
	char *traced_user, *traced_device;
	unsigned dropped;
} state = {.role = "belfry", .journal = -1};

void log_init(const char *role)
{
	snprintf(state.role, sizeof state.role, "%s", role);
	log_to_journal(LOG_JOURNAL_PATH);
}

/* A forked role has closed what it inherited of main, so the number may be another's: nothing is closed here. */
void log_to_journal(const char *path)
{
	state.is_journal = log_journal_is_stderr();
	state.journal = state.is_journal ? log_journal_connect(path) : -1;
}

void log_set_sink(log_sink *sink, void *data)
{
	state.sink = sink;
	state.sink_data = data;
}

const char *log_subsystem_name(enum log_subsystem subsystem)
{
	return subsystem_names[subsystem];
}

static int format_stamp(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	return snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return "error: ";
	case LOG_LEVEL_WARNING: return "warning: ";
	case LOG_LEVEL_TRACE: return "trace: ";
	default: return "";
	}
}

/* The descriptor is shared with whoever started us, so it cannot be made non-blocking. A pipe that is ready has room for
 * PIPE_BUF bytes, four lines. */
static bool stderr_is_ready(void)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 1 && out.revents == POLLOUT;
}

static bool put(const char *line, size_t length)
{
	return stderr_is_ready() && write(STDERR_FILENO, line, length) == (ssize_t)length;
}

/* How a line for standard error begins: its stamp, or its level for the journal. */
static int begin_stamp(char line[LOG_LINE_MAX], enum log_level level)
{
	return state.is_journal ? snprintf(line, LOG_LINE_MAX, "<%d>", level) : format_stamp(line, LOG_LINE_MAX);
}

static int begin_line(char line[LOG_LINE_MAX], enum log_level level, enum log_subsystem subsystem)
{
	int at = begin_stamp(line, level);

	return at + snprintf(line + at, LOG_LINE_MAX - (size_t)at, "%s %s: %s", state.role, subsystem_names[subsystem],
		level_word(level));
}

/* A line with its LF, the message in it. false: nobody takes it. */
static bool put_somewhere(char *line, size_t length, enum log_level level, enum log_subsystem subsystem, size_t message)
{
	char stamp[LOG_LINE_MAX];

	if (state.journal < 0)
		return put(line, length);
	line[length - 1] = '\0';
	const struct log_entry entry = {.level = level, .role = state.role, .subsystem = subsystem_names[subsystem],
		.text = line + begin_stamp(stamp, level), .message = line + message};
	enum log_sent sent = log_journal_send(state.journal, &entry);
	line[length - 1] = '\n';
	return sent == LOG_SENT || (sent == LOG_SENT_BROKEN && put(line, length));
}

static void put_or_drop(char *line, size_t length, enum log_level level, enum log_subsystem subsystem, size_t message)
{
	char news[LOG_LINE_MAX];

	if (state.dropped > 0) {
		int begun = begin_line(news, LOG_LEVEL_WARNING, LOG_MAIN), at = begun;
		at += snprintf(news + at, sizeof news - (size_t)at, "dropped=%u lines: who reads them stood still\n", state.dropped);
		if (put_somewhere(news, (size_t)at, LOG_LEVEL_WARNING, LOG_MAIN, (size_t)begun))
			state.dropped = 0;
	}
	if (state.dropped > 0 || !put_somewhere(line, length, level, subsystem, message))
		state.dropped++;
}

static void log_write(enum log_level level, enum log_subsystem subsystem, const char *format, va_list args)
{
	char line[LOG_LINE_MAX];
	int begun = begin_line(line, level, subsystem), at = begun;

	int length = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
	at = length < 0 ? at : at + length;
	if (at > LOG_LINE_MAX - 2)
		at = LOG_LINE_MAX - 2;
	for (char *c = line; c < line + at; c++) /* one line stays one line, whatever the values hold */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	line[at] = '\0';
	if (state.sink != NULL) {
		state.sink(level, line, state.sink_data);
		return;
	}
	line[at] = '\n';
	put_or_drop(line, (size_t)at + 1, level, subsystem, (size_t)begun);
}

#define LOG_FUNCTION(name, level) \
	void name(enum log_subsystem subsystem, const char *format, ...) \
	{ \
		va_list args; \
		va_start(args, format); \
		log_write(level, subsystem, format, args); \
		va_end(args); \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_trace_write, LOG_LEVEL_TRACE)

void log_trace_subsystem(enum log_subsystem subsystem, bool on)
{
	if (on)
		state.traced |= 1u << subsystem;
	else
		state.traced &= ~(1u << subsystem);
}

int log_trace_subsystem_by_name(const char *name, bool on)
{
	int found = -1;

	for (int i = 0; i < LOG_SUBSYSTEMS; i++)
		if (strcmp(name, "all") == 0 || strcmp(name, subsystem_names[i]) == 0) {
			log_trace_subsystem((enum log_subsystem)i, on);
			found = 0;
		}
	return found;
}

static void replace(char **name, const char *with)
{
	free(*name);
	*name = with == NULL || *with == '\0' ? NULL : mem_strdup(with);
}

void log_trace_user(const char *user)
{
	replace(&state.traced_user, user);
}

void log_trace_device(const char *device)
{
	replace(&state.traced_device, device);
}

const char *log_traced_user(void)
{
	return state.traced_user;
}

const char *log_traced_device(void)
{
	return state.traced_device;
}

bool log_traced(enum log_subsystem subsystem, const char *user, const char *device)
{
	if (state.traced & (1u << subsystem))
		return true;
	if (user != NULL && state.traced_user != NULL && strcmp(user, state.traced_user) == 0)
		return true;
	return device != NULL && state.traced_device != NULL && strcmp(device, state.traced_device) == 0;
}

static char *next_buffer(void)
{
	static char buffers[LOG_QUOTE_BUFFERS][LOG_QUOTE_MAX * 4 + 4];
	static unsigned turn;

	return buffers[turn++ % LOG_QUOTE_BUFFERS];
}

/*
 * How many bytes at its start, which is there, must not stand in a line as they are: what steers a terminal (C0, C1), what
 * some take for the end of a line (U+2028, U+2029), and what we quote with.
 */
static size_t escaped_length(const char *value, size_t length)
{
	const unsigned char *c = (const unsigned char *)value;

	if (*c < ' ' || *c == 0x7f || *c == '\\' || *c == '"')
		return 1;
	if (length >= 2 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	return length >= 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9) ? 3 : 0;
}

static size_t shown_length(size_t length)
{
	return length < LOG_QUOTE_MAX ? length : LOG_QUOTE_MAX;
}

/* Returns where the text ends. */
static char *escape(char *text, const char *value, size_t length)
{
	length = shown_length(length);
	for (size_t i = 0; i < length;) {
		size_t escaped = escaped_length(value + i, length - i);
		if (escaped == 0)
			*text++ = value[i++];
		for (; escaped > 0; escaped--)
			text += sprintf(text, "\\x%02x", (unsigned char)value[i++]);
	}
	*text = '\0';
	return text;
}

static bool needs_quotes(const char *value, size_t length)
{
	length = shown_length(length);
	for (size_t i = 0; i < length; i++)
		if (value[i] == ' ' || value[i] == '=' || escaped_length(value + i, length - i) > 0)
			return true;
	return false;
}

const char *log_quote_bytes(const char *value, size_t length)
{
	char *text;

	if (value == NULL)
		return "-";
	text = next_buffer();
	if (!needs_quotes(value, length)) {
		escape(text, value, length);
		return text;
	}
	*text = '"';
	strcpy(escape(text + 1, value, length), "\"");
	return text;
}

const char *log_quote(const char *value)
{
	return log_quote_bytes(value, value == NULL ? 0 : strlen(value));
}

const char *log_escape(const char *value)
{
	char *text;

	if (value == NULL)
		return "-";
	text = next_buffer();
	escape(text, value, strlen(value));
	return text;
}

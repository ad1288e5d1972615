/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/smtp/lines.h"

static bool is_ordinary(char byte)
{
	return byte != '\r' && byte != '\n' && byte != '\0';
}

/* What stands up to the next line end, at once. */
static size_t take_run(struct smtp_lines *lines, struct buffer *out, const char *bytes, size_t length)
{
	size_t run = 0;

	while (run < length && is_ordinary(bytes[run]))
		run++;
	if (run == 0)
		return 0;
	if (lines->with_dots && !lines->is_within && bytes[0] == '.')
		buffer_append_byte(out, '.');
	buffer_append(out, bytes, run);
	lines->is_within = true;
	lines->after_cr = false;
	return run;
}

static void take_special(struct smtp_lines *lines, struct buffer *out, char byte)
{
	if (byte == '\0' || (byte == '\n' && lines->after_cr)) {
		lines->after_cr = lines->after_cr && byte == '\0';
		return;
	}
	buffer_append(out, "\r\n", 2);
	lines->is_within = false;
	lines->after_cr = byte == '\r';
}

void smtp_lines_append(struct smtp_lines *lines, struct buffer *out, const char *bytes, size_t length)
{
	for (size_t at = 0; at < length;) {
		at += take_run(lines, out, bytes + at, length - at);
		if (at < length)
			take_special(lines, out, bytes[at++]);
	}
}

void smtp_lines_end(struct smtp_lines *lines, struct buffer *out)
{
	if (lines->is_within)
		buffer_append(out, "\r\n", 2);
	lines->is_within = lines->after_cr = false;
}

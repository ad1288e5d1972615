/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Braces outside of quotes and comments, as libconfuse's lexer sees them. */
#include "gateway/config_braces.h"

#include <stdbool.h>

enum { DEPTH_MAX = 8 }; /* a list in a section is 2 */

struct reading {
	const char *at, *end;
	unsigned line;
};

static bool is_next(const struct reading *reading, char first, char second)
{
	return reading->at + 1 < reading->end && reading->at[0] == first && reading->at[1] == second;
}

static void step(struct reading *reading)
{
	reading->line += *reading->at == '\n';
	reading->at++;
}

static void skip_line(struct reading *reading)
{
	while (reading->at < reading->end && *reading->at != '\n')
		step(reading);
}

/* To the last byte of its end. */
static void skip_comment(struct reading *reading)
{
	reading->at += 2;
	while (reading->at < reading->end && !is_next(reading, '*', '/'))
		step(reading);
	reading->at += reading->at < reading->end;
}

/* From its opening quote to its closing one. */
static void skip_quoted(struct reading *reading)
{
	char quote = *reading->at;

	for (step(reading); reading->at < reading->end && *reading->at != quote; step(reading))
		if (*reading->at == '\\' && reading->at + 1 < reading->end)
			step(reading);
}

unsigned config_open_brace(const char *text, size_t length)
{
	struct reading reading = {text, text + length, 1};
	unsigned opened[DEPTH_MAX], depth = 0;

	for (; reading.at < reading.end; step(&reading)) {
		char c = *reading.at;
		if (c == '"' || c == '\'')
			skip_quoted(&reading);
		else if (c == '#' || is_next(&reading, '/', '/'))
			skip_line(&reading);
		else if (is_next(&reading, '/', '*'))
			skip_comment(&reading);
		else if (c == '{' && depth < DEPTH_MAX)
			opened[depth++] = reading.line;
		else if (c == '}' && depth > 0)
			depth--;
		if (reading.at >= reading.end)
			break;
	}
	return depth == 0 ? 0 : opened[depth - 1];
}

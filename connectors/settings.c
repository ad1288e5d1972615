/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key=value lines. */
#include "connectors/settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"

struct settings {
	char *text;      /* the lines, each '=' and '\n' made a NUL */
	size_t length;
	struct line { const char *key, *value; } *lines;
	size_t count;
};

static int take_line(struct settings *settings, char *line, size_t length, struct error *error_r)
{
	char *equals = memchr(line, '=', length);

	if (length == 0)
		return 0;
	if (memchr(line, '\0', length) != NULL)
		return error_set(error_r, "settings: line %zu has a NUL in it", settings->count + 1);
	if (equals == NULL || equals == line)
		return error_set(error_r, "settings: line %zu is not key=value", settings->count + 1);
	*equals = '\0';
	line[length] = '\0';
	settings->lines = mem_realloc(settings->lines, (settings->count + 1) * sizeof *settings->lines);
	settings->lines[settings->count++] = (struct line){line, equals + 1};
	return 0;
}

struct settings *settings_parse(const char *text, size_t length, struct error *error_r)
{
	struct settings *settings = mem_alloc(sizeof *settings);

	settings->length = length;
	settings->text = mem_alloc(length + 1);
	if (length > 0)
		memcpy(settings->text, text, length);
	for (size_t start = 0; start < length;) {
		char *line = settings->text + start;
		char *end = memchr(line, '\n', length - start);
		size_t line_length = end == NULL ? length - start : (size_t)(end - line);
		if (take_line(settings, line, line_length, error_r) < 0) {
			settings_free(&settings);
			return NULL;
		}
		start += line_length + 1;
	}
	return settings;
}

struct settings *settings_read(int fd, struct error *error_r)
{
	char *text = mem_alloc(SETTINGS_BYTES_MAX);
	size_t length = 0;
	ssize_t got;

	while (length < SETTINGS_BYTES_MAX) {
		got = pread(fd, text + length, SETTINGS_BYTES_MAX - length, (off_t)length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	struct settings *settings = NULL;
	if (length == SETTINGS_BYTES_MAX)
		error_set(error_r, "settings: over %d bytes", SETTINGS_BYTES_MAX);
	else if (got < 0)
		error_set(error_r, "settings: descriptor %d: %s; connector daemons are started by belfryd", fd, strerror(errno));
	else
		settings = settings_parse(text, length, error_r);
	mem_wipe(text, SETTINGS_BYTES_MAX);
	free(text);
	return settings;
}

void settings_free(struct settings **owner)
{
	struct settings *settings = *owner;

	*owner = NULL;
	if (settings == NULL)
		return;
	mem_wipe(settings->text, settings->length);
	free(settings->text);
	free(settings->lines);
	free(settings);
}

const char *settings_text(const struct settings *settings, const char *key, const char *otherwise)
{
	for (size_t i = settings->count; i > 0; i--)
		if (strcmp(settings->lines[i - 1].key, key) == 0)
			return settings->lines[i - 1].value;
	return otherwise;
}

int settings_number(const struct settings *settings, const char *key, long otherwise, long least, long most,
	long *value_r, struct error *error_r)
{
	const char *text = settings_text(settings, key, NULL);
	char *end;

	*value_r = otherwise;
	if (text == NULL)
		return 0;
	errno = 0;
	*value_r = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *value_r < least || *value_r > most)
		return error_set(error_r, "%s = %s: must be a number from %ld to %ld", key, text, least, most);
	return 0;
}

int settings_choice(const struct settings *settings, const char *key, const char *const *words, int otherwise,
	int *choice_r, struct error *error_r)
{
	const char *text = settings_text(settings, key, NULL);

	*choice_r = otherwise;
	if (text == NULL)
		return 0;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0) {
			*choice_r = i;
			return 0;
		}
	char all[128] = "";
	for (int i = 0; words[i] != NULL; i++) {
		strncat(all, i == 0 ? "" : ", ", sizeof all - strlen(all) - 1);
		strncat(all, words[i], sizeof all - strlen(all) - 1);
	}
	return error_set(error_r, "%s = %s: must be one of %s", key, text, all);
}

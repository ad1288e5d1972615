/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transcripts: from a file to steps and words. */
#include "tests/replay/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/buffer.h"

enum { LINE_MAX_BYTES = 4096, STEPS_MAX = 2000, WORDS_MAX = 64 };

static char *trim(char *line)
{
	size_t length;

	line += strspn(line, " \t");
	length = strlen(line);
	while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL)
		line[--length] = '\0';
	return line;
}

/* Length of the word that begins here: to the next blank outside quotes. */
static size_t word_length(const char *text)
{
	bool quoted = false;
	size_t length = 0;

	for (; text[length] != '\0' && (quoted || strchr(" \t", text[length]) == NULL); length++)
		if (text[length] == '"')
			quoted = !quoted;
	return length;
}

static void split(struct step *step, struct arena *arena)
{
	const char *at = step->text;

	step->words = arena_alloc(arena, (WORDS_MAX + 1) * sizeof *step->words);
	while (*(at += strspn(at, " \t")) != '\0' && step->count < WORDS_MAX) {
		size_t length = word_length(at);
		if (length == 2 && strncmp(at, "<<", 2) == 0) {
			step->block = arena_strdup(arena, at + 2 + strspn(at + 2, " \t"));
			return;
		}
		step->words[step->count++] = arena_strndup(arena, at, length);
		at += length;
	}
}

/* The lines up to ">>". */
static int read_block(FILE *file, struct step *step, unsigned *line, struct arena *arena)
{
	struct buffer block = BUFFER_EMPTY;
	char text[LINE_MAX_BYTES];
	bool ended = false;

	while (!ended && fgets(text, sizeof text, file) != NULL) {
		++*line;
		ended = strcmp(trim(text), ">>") == 0;
		if (!ended)
			buffer_printf(&block, "%s\n", trim(text));
	}
	step->block = arena_strdup(arena, buffer_string(&block));
	buffer_release(&block);
	return ended ? 0 : -1;
}

static int read_steps(FILE *file, struct arena *arena, struct script *script, struct error *error_r)
{
	char line[LINE_MAX_BYTES];

	script->steps = arena_alloc(arena, STEPS_MAX * sizeof *script->steps);
	for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
		char *text = trim(line);
		if (*text == '\0' || *text == '#')
			continue;
		if (script->count == STEPS_MAX)
			return error_set(error_r, "%s: over %d steps", script->path, STEPS_MAX);
		struct step *step = &script->steps[script->count++];
		*step = (struct step){.line = number, .text = arena_strdup(arena, text)};
		split(step, arena);
		if (step->block != NULL && *step->block == '\0' && read_block(file, step, &number, arena) < 0)
			return error_set(error_r, "%s:%u: this << has no >>", script->path, step->line);
	}
	return 0;
}

int script_read(const char *path, struct arena *arena, struct script *script_r, struct error *error_r)
{
	FILE *file = fopen(path, "r");

	*script_r = (struct script){.path = path};
	if (file == NULL)
		return error_set(error_r, "%s: %s", path, strerror(errno));
	int result = read_steps(file, arena, script_r, error_r);
	fclose(file);
	return result;
}

struct step *step_of(const char *text, struct arena *arena)
{
	struct step *step = arena_alloc(arena, sizeof *step);

	step->text = arena_strdup(arena, text);
	split(step, arena);
	return step;
}

int script_parse(const char *path, const char *text, struct arena *arena, struct script *script_r,
	struct error *error_r)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");

	*script_r = (struct script){.path = path};
	if (file == NULL)
		return error_set(error_r, "%s: %s", path, strerror(errno));
	int result = read_steps(file, arena, script_r, error_r);
	fclose(file);
	return result;
}

/* --- words ----------------------------------------------------------------------------------------------------- */

const char *word_unquote(const char *word, struct arena *arena)
{
	char *plain = arena_alloc(arena, strlen(word) + 1), *end = plain;

	for (; *word != '\0'; word++)
		if (*word == '\\' && word[1] == 'n') {
			*end++ = '\n';
			word++;
		} else if (*word != '"')
			*end++ = *word;
	return plain;
}

const char *word_name(const char *word, struct arena *arena, const char **value_r)
{
	const char *equals = *word == '"' ? NULL : strchr(word, '=');

	*value_r = equals == NULL ? NULL : equals + 1;
	return equals == NULL ? word : arena_strndup(arena, word, (size_t)(equals - word));
}

const char *step_value(const struct step *step, size_t from, const char *name, struct arena *arena)
{
	size_t length = strlen(name);

	for (size_t i = from; i < step->count; i++)
		if (strncmp(step->words[i], name, length) == 0 && step->words[i][length] == '=')
			return word_unquote(step->words[i] + length + 1, arena);
	return NULL;
}

bool step_has(const struct step *step, size_t from, const char *word)
{
	for (size_t i = from; i < step->count; i++)
		if (strcmp(step->words[i], word) == 0)
			return true;
	return false;
}

long step_number(const struct step *step, size_t from, const char *name, long otherwise)
{
	size_t length = strlen(name);

	for (size_t i = from; i < step->count; i++)
		if (strncmp(step->words[i], name, length) == 0 && step->words[i][length] == '=')
			return strtol(step->words[i] + length + 1, NULL, 10);
	return otherwise;
}

const char *word_list_next(const char **rest, struct arena *arena)
{
	const char *start = *rest;
	bool quoted = false;
	size_t length = 0;

	if (start == NULL || *start == '\0')
		return NULL;
	for (; start[length] != '\0' && (quoted || start[length] != ','); length++)
		if (start[length] == '"')
			quoted = !quoted;
	*rest = start + length + (start[length] == ',');
	return word_unquote(arena_strndup(arena, start, length), arena);
}

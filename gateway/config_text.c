/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Quotes, comments and includes, as libconfuse's lexer sees them; all else passes as it is. */
#include "gateway/config_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

enum {
	PIECE_BYTES = 16 * 1024, /* of a file, at once */
	DEPTH_MAX = 8            /* of braces: a list in a section is 2 */
};

/* One file on its way into the text. */
struct source {
	struct config_text *text;
	const char *at, *end;
	const char *file;
	unsigned line;
	bool in_word;  /* the last byte belongs to a word without quotes, where "//" is no comment */
};

static int read_whole(const char *path, struct buffer *bytes, struct error *error_r)
{
	FILE *file = fopen(path, "re");
	size_t length;

	if (file == NULL)
		return error_set(error_r, "%s: %s", path, strerror(errno));
	errno = 0;
	while ((length = fread(buffer_reserve(bytes, PIECE_BYTES), 1, PIECE_BYTES, file)) > 0)
		buffer_grow(bytes, length);
	int code = errno; /* a folder can be opened, and not read */
	fclose(file);
	if (code != 0)
		return error_set(error_r, "%s: %s", path, strerror(code));
	if (bytes->length > 0 && memchr(bytes->data, '\0', bytes->length) != NULL)
		return error_set(error_r, "%s: it is no text: a byte in it is 0", path);
	return 0;
}

/* --- bytes and lines -------------------------------------------------------------------------------------------- */

static void begin_line(struct source *source)
{
	struct config_text *text = source->text;

	text->lines = mem_realloc(text->lines, (text->line_count + 1) * sizeof *text->lines);
	text->lines[text->line_count++] = (struct config_line){source->file, source->line};
}

static void put(struct source *source, char c)
{
	buffer_append_byte(&source->text->bytes, (uint8_t)c);
	if (c == '\n')
		begin_line(source);
}

static void pass(struct source *source)
{
	char c = *source->at++;

	source->line += c == '\n';
	put(source, c);
}

/* A blank in its place; a line's end stays. */
static void blank(struct source *source)
{
	char c = *source->at++;

	source->line += c == '\n';
	put(source, c == '\n' ? c : ' ');
}

static bool is_next(const struct source *source, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(source->end - source->at) >= length && memcmp(source->at, word, length) == 0;
}

/* --- quotes and comments ---------------------------------------------------------------------------------------- */

static void pass_quoted(struct source *source)
{
	char quote = *source->at;

	pass(source);
	while (source->at < source->end && *source->at != quote) {
		if (*source->at == '\\' && source->at + 1 < source->end)
			pass(source);
		pass(source);
	}
	if (source->at < source->end)
		pass(source);
}

static void blank_line(struct source *source)
{
	while (source->at < source->end && *source->at != '\n')
		blank(source);
}

static void blank_comment(struct source *source)
{
	blank(source);
	blank(source);
	while (source->at < source->end && !is_next(source, "*/"))
		blank(source);
	for (int i = 0; i < 2 && source->at < source->end; i++)
		blank(source);
}

static bool is_word_byte(char c)
{
	return strchr(" \t\r\n\"'#+={}(),", c) == NULL;
}

/* --- includes --------------------------------------------------------------------------------------------------- */

static int read_file(struct config_text *, const char *path, struct error *error_r);

static const char *skip_spaces(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* include("PATH") from here on: the path, and where it ends. NULL: something else, which libconfuse tells of. */
static char *include_path(const struct source *source, const char **end_r)
{
	const char *at = skip_spaces(source->at + strlen("include"), source->end);

	if (at == source->end || *at++ != '(')
		return NULL;
	at = skip_spaces(at, source->end);
	if (at == source->end || *at != '"')
		return NULL;
	const char *path = ++at;
	while (at < source->end && *at != '"' && *at != '\n')
		at++;
	const char *close = at < source->end ? skip_spaces(at + 1, source->end) : at;
	if (at == source->end || *at == '\n' || close == source->end || *close != ')')
		return NULL;
	*end_r = close + 1;
	return mem_strndup(path, (size_t)(at - path));
}

/* The file's lines stand between what is before and what is after the word. */
static int include(struct source *source, bool *done_r, struct error *error_r)
{
	const char *end;
	char *path = include_path(source, &end);

	*done_r = path != NULL;
	if (path == NULL)
		return 0;
	struct error inner;
	int result = read_file(source->text, path, &inner);
	free(path);
	source->at = end;
	put(source, '\n'); /* and what follows again */
	return result < 0 ? error_set(error_r, "%s (included by %s:%u)", inner.text, source->file, source->line) : 0;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

static int read_source(struct source *source, struct error *error_r)
{
	while (source->at < source->end) {
		bool begins = !source->in_word, is_included = false;
		source->in_word = false;
		if (*source->at == '"' || *source->at == '\'') {
			pass_quoted(source);
		} else if (*source->at == '#' || (begins && is_next(source, "//"))) {
			blank_line(source);
		} else if (begins && is_next(source, "/*")) {
			blank_comment(source);
		} else {
			if (begins && is_next(source, "include") && include(source, &is_included, error_r) < 0)
				return -1;
			if (is_included)
				continue;
			source->in_word = is_word_byte(*source->at);
			pass(source);
		}
	}
	return 0;
}

static int read_file(struct config_text *text, const char *path, struct error *error_r)
{
	struct buffer bytes = BUFFER_EMPTY;

	if (text->file_count == CONFIG_FILES_MAX)
		return error_set(error_r, "%s: more than %d files; is there one that includes itself?", path, CONFIG_FILES_MAX);
	char *file = text->files[text->file_count++] = mem_strdup(path);
	int result = read_whole(path, &bytes, error_r);
	struct source source = {.text = text, .at = bytes.data, .end = bytes.data + bytes.length, .file = file, .line = 1};
	if (text->line_count == 0)
		begin_line(&source);
	else
		put(&source, '\n'); /* what stands before it is of another file */
	if (result == 0)
		result = read_source(&source, error_r);
	buffer_release(&bytes);
	return result;
}

int config_text_read(struct config_text *text, const char *path, struct error *error_r)
{
	*text = (struct config_text){0};
	return read_file(text, path, error_r);
}

struct config_line config_text_line(const struct config_text *text, unsigned number)
{
	size_t i = number == 0 ? 0 : number - 1;

	return text->lines[i < text->line_count ? i : text->line_count - 1];
}

void config_text_release(struct config_text *text)
{
	buffer_release(&text->bytes);
	free(text->lines);
	for (size_t i = 0; i < text->file_count; i++)
		free(text->files[i]);
	*text = (struct config_text){0};
}

unsigned config_text_open_brace(const struct config_text *text)
{
	const char *at = text->bytes.data, *end = at + text->bytes.length;
	unsigned opened[DEPTH_MAX], depth = 0, line = 1;
	char quote = '\0';

	for (; at < end; at++) {
		line += *at == '\n';
		if (quote != '\0' && *at == '\\' && at + 1 < end)
			line += *++at == '\n';
		else if (quote != '\0')
			quote = *at == quote ? '\0' : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '{' && depth < DEPTH_MAX)
			opened[depth++] = line;
		else if (*at == '}' && depth > 0)
			depth--;
	}
	return depth == 0 ? 0 : opened[depth - 1];
}

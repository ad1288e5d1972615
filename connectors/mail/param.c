/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters and their continuations. */
#include "connectors/mail/param.h"

#include "connectors/mail/charset.h"
#include "connectors/mail/words.h"
#include "lib/core/buffer.h"

enum { FIELD_MAX = 64 * 1024 }; /* of one field that is looked at */

void param_add(struct arena *arena, struct param **params, struct slice name, struct slice value)
{
	struct param *param = arena_alloc(arena, sizeof *param);

	*param = (struct param){.next = *params, .name = name, .value = value};
	*params = param;
}

static void skip_blank(struct slice *rest)
{
	while (rest->length > 0 && slice_is_blank(*rest->at)) {
		rest->at++;
		rest->length--;
	}
}

static void advance(struct slice *rest, size_t bytes)
{
	rest->at += bytes;
	rest->length -= bytes;
}

/* Up to one of the stops. */
static struct slice take_until(struct slice *rest, const char *stops)
{
	struct slice taken = slice_of(rest->at, 0);

	while (taken.length < rest->length && strchr(stops, rest->at[taken.length]) == NULL)
		taken.length++;
	/* strchr() finds the terminator too: a NUL in the field stops here. */
	advance(rest, taken.length);
	return slice_trim(taken);
}

/* Where the quoted string ends that begins there: at its closing quote, or with the field. */
static size_t quoted_end(struct slice rest)
{
	size_t i = 1;

	while (i < rest.length && rest.at[i] != '"')
		i += rest.at[i] == '\\' && i + 1 < rest.length ? 2 : 1;
	return i;
}

/* A quoted string, from its quote on. */
static struct slice take_quoted(struct arena *arena, struct slice *rest)
{
	size_t end = quoted_end(*rest);
	char *text = arena_alloc(arena, end), *to = text;

	for (size_t i = 1; i < end; i++) {
		if (rest->at[i] == '\\' && i + 1 < end)
			i++;
		if (rest->at[i] != '\r' && rest->at[i] != '\n')
			*to++ = rest->at[i];
	}
	advance(rest, end < rest->length ? end + 1 : end);
	return slice_of(text, (size_t)(to - text));
}

void param_split(struct arena *arena, struct slice field, struct slice *value_r, struct param **params_r)
{
	struct slice rest = slice_cut(field, FIELD_MAX);

	*params_r = NULL;
	*value_r = take_until(&rest, ";");
	for (int count = 0; rest.length > 0 && count < PARAM_MAX; count++) {
		struct slice name, value;

		advance(&rest, 1); /* the ';' */
		skip_blank(&rest);
		name = take_until(&rest, "=;");
		if (rest.length == 0 || *rest.at != '=')
			continue;
		advance(&rest, 1);
		skip_blank(&rest);
		if (rest.length > 0 && *rest.at == '"') {
			value = take_quoted(arena, &rest);
			take_until(&rest, ";");
		} else {
			value = take_until(&rest, ";");
		}
		param_add(arena, params_r, name, value);
	}
}

/* Which piece of the parameter is this: 0 for "name" and "name*", n for "name*n" and "name*n*"; -1: another one. */
static int piece_of(struct slice full, const char *name, bool *extended_r)
{
	size_t length = strlen(name);
	int number = 0;

	if (!slice_begins(full, name))
		return -1;
	*extended_r = full.length > length && full.at[full.length - 1] == '*';
	if (full.length == length)
		return 0;
	if (full.at[length] != '*')
		return -1;
	for (size_t i = length + 1; i < full.length - (*extended_r && full.length > length + 1 ? 1 : 0); i++) {
		if (full.at[i] < '0' || full.at[i] > '9' || number >= PARAM_MAX)
			return -1;
		number = number * 10 + (full.at[i] - '0');
	}
	return number < PARAM_MAX ? number : -1;
}

struct pieces {
	struct slice piece[PARAM_MAX];
	bool extended[PARAM_MAX];
	int count; /* from 0 on without a gap */
};

static void collect(const struct param *param, const char *name, struct pieces *pieces_r)
{
	memset(pieces_r, 0, sizeof *pieces_r);
	for (; param != NULL; param = param->next) {
		bool extended = false;
		int number = piece_of(param->name, name, &extended);

		if (number < 0 || (pieces_r->extended[number] && !extended))
			continue; /* both forms are sent for old readers: the extended one is the true one */
		pieces_r->piece[number] = param->value.at != NULL ? param->value : slice_string("");
		pieces_r->extended[number] = extended;
	}
	while (pieces_r->count < PARAM_MAX && pieces_r->piece[pieces_r->count].at != NULL)
		pieces_r->count++;
}

static int hex(char byte)
{
	const char *digits = "0123456789abcdef", *digit = byte != '\0' ? strchr(digits, byte | 0x20) : NULL;

	return digit != NULL ? (int)(digit - digits) : -1;
}

static void append_percent(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.length; i++) {
		int high = i + 2 < text.length && text.at[i] == '%' ? hex(text.at[i + 1]) : -1;
		int low = high >= 0 ? hex(text.at[i + 2]) : -1;

		if (low >= 0) {
			buffer_append_byte(out, (uint8_t)(high << 4 | low));
			i += 2;
		} else {
			buffer_append_byte(out, (uint8_t)text.at[i]);
		}
	}
}

/* charset'language'text: returns the text and gives the charset. */
static struct slice split_charset(struct slice first, struct slice *charset_r)
{
	const char *quote = memchr(first.at, '\'', first.length);
	const char *end = first.at + first.length;
	const char *second = quote != NULL ? memchr(quote + 1, '\'', (size_t)(end - quote - 1)) : NULL;

	if (second == NULL)
		return first;
	*charset_r = slice_of(first.at, (size_t)(quote - first.at));
	return slice_of(second + 1, (size_t)(end - second - 1));
}

struct slice param_raw(struct arena *arena, const struct param *params, const char *name)
{
	struct pieces pieces;
	size_t length = 0;
	char *text;

	collect(params, name, &pieces);
	if (pieces.count <= 1)
		return pieces.piece[0];
	for (int i = 0; i < pieces.count; i++)
		length += pieces.piece[i].length;
	text = arena_alloc(arena, length + 1);
	length = 0;
	for (int i = 0; i < pieces.count; i++) {
		memcpy(text + length, pieces.piece[i].at, pieces.piece[i].length);
		length += pieces.piece[i].length;
	}
	return slice_of(text, length);
}

char *param_text(struct arena *arena, const struct param *params, const char *name)
{
	struct buffer octets = BUFFER_EMPTY, text = BUFFER_EMPTY;
	struct slice charset = slice_string("");
	struct pieces pieces;
	bool extended;
	char *result;

	collect(params, name, &pieces);
	if (pieces.count == 0)
		return NULL;
	extended = pieces.extended[0];
	if (extended)
		pieces.piece[0] = split_charset(pieces.piece[0], &charset);
	for (int i = 0; i < pieces.count; i++) {
		if (pieces.extended[i])
			append_percent(&octets, pieces.piece[i]);
		else
			buffer_append(&octets, pieces.piece[i].at, pieces.piece[i].length);
	}
	if (extended)
		charset_append(&text, charset, slice_of(octets.data, octets.length));
	else
		words_append(&text, slice_of(octets.data, octets.length));
	result = arena_strndup(arena, text.data != NULL ? text.data : "", text.length);
	buffer_release(&octets);
	buffer_release(&text);
	return result;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Header fields, one at a time, each byte looked at once. */
#include "connectors/mail/header.h"

struct slice header_take_line(struct slice *rest)
{
	const char *end = memchr(rest->at, '\n', rest->length);
	struct slice line = slice_of(rest->at, end != NULL ? (size_t)(end + 1 - rest->at) : rest->length);

	*rest = slice_of(rest->at + line.length, rest->length - line.length);
	return line;
}

static bool is_empty_line(struct slice line)
{
	return line.length == 0 || *line.at == '\n' || (line.length == 2 && line.at[0] == '\r' && line.at[1] == '\n');
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.length; i++)
		if ((unsigned char)name.at[i] <= ' ' || (unsigned char)name.at[i] >= 0x7f)
			return false;
	return name.length > 0;
}

struct slice header_take(struct slice *rest)
{
	struct slice line = header_take_line(rest);

	while (!is_empty_line(line) && rest->length > 0 && (*rest->at == ' ' || *rest->at == '\t'))
		line.length += header_take_line(rest).length;
	return line;
}

bool header_next(struct slice *rest, struct header_field *field_r)
{
	while (rest->length > 0) {
		struct slice line = header_take(rest);
		const char *colon;

		if (is_empty_line(line))
			return false;
		colon = memchr(line.at, ':', line.length);
		if (colon == NULL)
			continue;
		field_r->name = slice_trim(slice_of(line.at, (size_t)(colon - line.at)));
		field_r->value = slice_trim(slice_of(colon + 1, line.length - (size_t)(colon + 1 - line.at)));
		if (is_name(field_r->name))
			return true;
	}
	return false;
}

char *header_unfold(struct arena *arena, struct slice value)
{
	char *text = arena_alloc(arena, value.length + 1), *to = text;

	for (size_t i = 0; i < value.length; i++) {
		unsigned char byte = (unsigned char)value.at[i];
		if (byte != '\r' && byte != '\n')
			*to++ = byte < ' ' || byte == 0x7f ? ' ' : (char)byte;
	}
	*to = '\0';
	return text;
}

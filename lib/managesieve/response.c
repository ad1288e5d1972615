/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of ManageSieve servers. */
#include "lib/managesieve/response.h"

#include <string.h>
#include <strings.h>

/* --- tokens ---------------------------------------------------------------------------------------------------- */

/* The length of "…" with both quotes; 0: it does not end here, -1: it has a line end. */
static ssize_t quoted_length(const char *bytes, size_t length)
{
	for (size_t i = 1; i < length; i++) {
		if (bytes[i] == '\r' || bytes[i] == '\n')
			return -1;
		if (bytes[i] == '"')
			return (ssize_t)i + 1;
		if (bytes[i] == '\\')
			i++;
	}
	return 0;
}

/* The length of {5}CRLF, and of what follows it; 0: there is more to come, -1: not of this form, or too long. */
static ssize_t literal_head(const char *bytes, size_t length, size_t *octets_r)
{
	size_t i = 1;

	for (*octets_r = 0; i < length && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
		*octets_r = *octets_r * 10 + (size_t)(bytes[i] - '0');
		if (*octets_r > MANAGESIEVE_LITERAL_MAX)
			return -1;
	}
	if (i == 1 && length > 1)
		return -1;
	if (i < length && bytes[i] == '+') /* servers say {5}, and some were written as clients */
		i++;
	if (length - i < 3)
		return strncmp(bytes + i, "}\r\n", length - i) == 0 ? 0 : -1;
	return memcmp(bytes + i, "}\r\n", 3) == 0 ? (ssize_t)i + 3 : -1;
}

static struct managesieve_token take(struct managesieve_cursor *cursor, enum managesieve_token_kind kind, const char *bytes,
	size_t length)
{
	cursor->at = bytes + length + (kind == MANAGESIEVE_QUOTED);
	return (struct managesieve_token){kind, bytes, length};
}

static struct managesieve_token take_string(struct managesieve_cursor *cursor)
{
	size_t left = (size_t)(cursor->end - cursor->at), octets = 0;
	ssize_t head = *cursor->at == '"' ? quoted_length(cursor->at, left) : literal_head(cursor->at, left, &octets);

	if (head <= 0 || octets > left - (size_t)head)
		return (struct managesieve_token){MANAGESIEVE_BROKEN, cursor->at, 0};
	if (*cursor->at == '"')
		return take(cursor, MANAGESIEVE_QUOTED, cursor->at + 1, (size_t)head - 2);
	return take(cursor, MANAGESIEVE_LITERAL, cursor->at + head, octets);
}

struct managesieve_token managesieve_token_next(struct managesieve_cursor *cursor)
{
	size_t length;

	while (cursor->at < cursor->end && *cursor->at == ' ')
		cursor->at++;
	if (cursor->at == cursor->end)
		return (struct managesieve_token){MANAGESIEVE_END, cursor->at, 0};
	if (*cursor->at == '"' || *cursor->at == '{')
		return take_string(cursor);
	if (*cursor->at == '(' || *cursor->at == ')')
		return take(cursor, *cursor->at == '(' ? MANAGESIEVE_OPEN : MANAGESIEVE_CLOSE, cursor->at, 1);
	length = 0;
	while (cursor->at + length < cursor->end && strchr(" \"{()", cursor->at[length]) == NULL)
		length++;
	if (length == 0) /* a NUL */
		return (struct managesieve_token){MANAGESIEVE_BROKEN, cursor->at, 0};
	return take(cursor, MANAGESIEVE_ATOM, cursor->at, length);
}

bool managesieve_token_is(struct managesieve_token token, const char *word)
{
	return token.length == strlen(word) && strncasecmp(token.bytes, word, token.length) == 0;
}

bool managesieve_token_append(struct managesieve_token token, struct buffer *out)
{
	if (token.kind == MANAGESIEVE_LITERAL)
		buffer_append(out, token.bytes, token.length);
	for (size_t i = 0; token.kind == MANAGESIEVE_QUOTED && i < token.length; i++) {
		if (token.bytes[i] == '\\' && i + 1 < token.length)
			i++;
		buffer_append_byte(out, (uint8_t)token.bytes[i]);
	}
	return token.kind == MANAGESIEVE_LITERAL || token.kind == MANAGESIEVE_QUOTED;
}

/* --- lines ----------------------------------------------------------------------------------------------------- */

/* How far one step goes: over a string, or one byte. 0 and -1 as below. */
static ssize_t step_length(const char *bytes, size_t length, size_t *octets_r)
{
	ssize_t step = *bytes == '"' ? quoted_length(bytes, length) : *bytes == '{' ? literal_head(bytes, length, octets_r) : 1;

	return step > 0 && *octets_r > length - (size_t)step ? 0 : step;
}

/* The length of the line with its end; 0: not whole yet, -1: it has none that is right. Literals are stepped over, so that
 * looking again each time when more has come costs little. */
static ssize_t line_length(const char *bytes, size_t length)
{
	size_t plain = 0, octets;

	for (size_t at = 0; at < length; at += octets) {
		ssize_t step;

		octets = 0;
		if (bytes[at] == '\n' || plain > MANAGESIEVE_LINE_MAX)
			return -1;
		if (bytes[at] == '\r')
			return at + 1 == length ? 0 : bytes[at + 1] == '\n' ? (ssize_t)at + 2 : -1;
		step = step_length(bytes + at, length - at, &octets);
		if (step == 0 && length - at > MANAGESIEVE_LINE_MAX + octets)
			return -1;
		if (step <= 0)
			return step;
		plain += (size_t)step;
		at += (size_t)step;
		if (at + octets > MANAGESIEVE_LITERAL_MAX + MANAGESIEVE_LINE_MAX)
			return -1;
	}
	return 0;
}

static enum managesieve_kind kind_of(struct managesieve_token first)
{
	if (first.kind != MANAGESIEVE_ATOM)
		return MANAGESIEVE_DATA;
	return managesieve_token_is(first, "OK") ? MANAGESIEVE_OK : managesieve_token_is(first, "NO") ? MANAGESIEVE_NO
		: managesieve_token_is(first, "BYE") ? MANAGESIEVE_BYE : MANAGESIEVE_DATA;
}

/* OK, (CODE what belongs to it), text: the last two may be missing. */
static void read_end(struct managesieve_line *line, struct managesieve_cursor cursor)
{
	struct managesieve_token token = managesieve_token_next(&cursor);

	line->code = line->text = (struct managesieve_token){MANAGESIEVE_END, cursor.end, 0};
	if (token.kind == MANAGESIEVE_OPEN) {
		line->code = managesieve_token_next(&cursor);
		while (token.kind != MANAGESIEVE_CLOSE && token.kind != MANAGESIEVE_END && token.kind != MANAGESIEVE_BROKEN)
			token = managesieve_token_next(&cursor);
		token = managesieve_token_next(&cursor);
	}
	if (token.kind == MANAGESIEVE_QUOTED || token.kind == MANAGESIEVE_LITERAL)
		line->text = token;
}

ssize_t managesieve_line_parse(const char *bytes, size_t length, struct managesieve_line *line_r)
{
	ssize_t whole = line_length(bytes, length);
	struct managesieve_cursor cursor;

	if (whole <= 0)
		return whole;
	cursor = line_r->data = (struct managesieve_cursor){bytes, bytes + whole - 2};
	line_r->kind = kind_of(managesieve_token_next(&cursor));
	read_end(line_r, line_r->kind == MANAGESIEVE_DATA ? (struct managesieve_cursor){cursor.end, cursor.end} : cursor);
	return whole;
}

/* --- capabilities ---------------------------------------------------------------------------------------------- */

/* The words of a list between spaces that are known. */
static unsigned known_words(const char *list)
{
	static const struct { const char *word; unsigned capability; } known[] = {
		{"PLAIN", MANAGESIEVE_CAN_PLAIN}, {"vacation", MANAGESIEVE_CAN_VACATION}, {"include", MANAGESIEVE_CAN_INCLUDE},
		{"date", MANAGESIEVE_CAN_DATE}, {"relational", MANAGESIEVE_CAN_RELATIONAL}, {"envelope", MANAGESIEVE_CAN_ENVELOPE},
	};
	unsigned set = 0;

	for (list += strspn(list, " "); *list != '\0'; list += strspn(list, " ")) {
		size_t length = strcspn(list, " ");
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (strlen(known[i].word) == length && strncasecmp(list, known[i].word, length) == 0)
				set |= known[i].capability;
		list += length;
	}
	return set;
}

unsigned managesieve_capability(const struct managesieve_line *line)
{
	struct managesieve_cursor cursor = line->data;
	struct managesieve_token name = managesieve_token_next(&cursor);
	struct buffer list = BUFFER_EMPTY;
	unsigned set = 0;

	if (line->kind != MANAGESIEVE_DATA)
		return 0;
	if (managesieve_token_is(name, "STARTTLS"))
		return MANAGESIEVE_CAN_STARTTLS;
	if (managesieve_token_append(managesieve_token_next(&cursor), &list)) {
		set = known_words(buffer_string(&list));
		set &= managesieve_token_is(name, "SASL") ? MANAGESIEVE_CAN_PLAIN
			: managesieve_token_is(name, "SIEVE") ? ~(unsigned)MANAGESIEVE_CAN_PLAIN : 0;
	}
	buffer_release(&list);
	return set;
}

void managesieve_append_string(struct buffer *command, const char *bytes, size_t length)
{
	buffer_printf(command, "{%zu+}\r\n", length);
	buffer_append(command, bytes, length);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Framing, kinds and tokens of IMAP responses. */
#include "lib/imap/response.h"

#include <string.h>
#include <strings.h>

bool imap_text_is(struct imap_text text, const char *word)
{
	return text.length == strlen(word) && strncasecmp(text.bytes, word, text.length) == 0;
}

/* --- where it ends --------------------------------------------------------------------------------------------- */

/* Tagged responses, continuations and untagged conditions end in text for people, where "{5}" means nothing. */
static bool may_have_literals(const char *line, size_t length)
{
	static const char *const conditions[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};

	if (length < 2 || line[0] != '*' || line[1] != ' ')
		return false;
	for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
		size_t size = strlen(conditions[i]);
		if (length >= 2 + size && strncasecmp(line + 2, conditions[i], size) == 0
			&& (length == 2 + size || line[2 + size] == ' '))
			return false;
	}
	return true;
}

enum { LITERAL_DIGITS_MAX = 9 }; /* more are over any limit: the count is then just huge */

/* The count of a literal at the end of a line (without its line end): {12} or {12+}; -1: none. */
static ssize_t literal_at_end(const char *line, size_t length)
{
	size_t at = length, count = 0, factor = 1;

	if (at == 0 || line[--at] != '}')
		return -1;
	if (at > 0 && line[at - 1] == '+')
		at--;
	size_t digits_end = at;
	while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9') {
		at--;
		if (digits_end - at > LITERAL_DIGITS_MAX)
			count = SIZE_MAX / 4;
		else
			count += (size_t)(line[at] - '0') * factor;
		factor *= 10;
	}
	return at < digits_end && at > 0 && line[at - 1] == '{' ? (ssize_t)count : -1;
}

static size_t without_line_end(const char *line, size_t length)
{
	if (length > 0 && line[length - 1] == '\n')
		length--;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	return length;
}

ssize_t imap_framer_next(struct imap_framer *framer, const char *bytes, size_t length)
{
	size_t max = framer->max != 0 ? framer->max : IMAP_RESPONSE_MAX;

	for (;;) {
		const char *end = framer->scanned < length ? memchr(bytes + framer->scanned, '\n', length - framer->scanned) : NULL;
		if (end == NULL || (size_t)(end - bytes) >= max) {
			if (framer->scanned < length)
				framer->scanned = length;
			return length >= max || framer->scanned > max ? -1 : 0;
		}
		size_t line_length = without_line_end(bytes + framer->line, (size_t)(end + 1 - bytes) - framer->line);
		if (framer->line == 0)
			framer->has_literals = may_have_literals(bytes, line_length);
		ssize_t literal = framer->has_literals ? literal_at_end(bytes + framer->line, line_length) : -1;
		size_t next = (size_t)(end + 1 - bytes);
		if (literal < 0) {
			*framer = (struct imap_framer){.max = framer->max};
			return (ssize_t)next;
		}
		framer->line = framer->scanned = next + (size_t)literal;
	}
}

/* --- what kind it is ------------------------------------------------------------------------------------------- */

/* Takes what stands before the next space, and that space. */
static struct imap_text take_word(struct imap_text *text)
{
	const char *space = text->length > 0 ? memchr(text->bytes, ' ', text->length) : NULL;
	struct imap_text word = {text->bytes, space == NULL ? text->length : (size_t)(space - text->bytes)};
	size_t taken = word.length + (space != NULL);

	text->bytes += taken;
	text->length -= taken;
	return word;
}

static enum imap_condition condition_of(struct imap_text word)
{
	static const struct { const char *word; enum imap_condition condition; } conditions[] = {
		{"OK", IMAP_OK}, {"NO", IMAP_NO}, {"BAD", IMAP_BAD}, {"BYE", IMAP_BYE}, {"PREAUTH", IMAP_PREAUTH},
	};

	for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
		if (imap_text_is(word, conditions[i].word))
			return conditions[i].condition;
	return IMAP_NO_CONDITION;
}

/* resp-text: ["[" code "]" SP] text */
static void take_text(struct imap_text text, struct imap_response *response)
{
	const char *close = text.length > 0 && text.bytes[0] == '[' ? memchr(text.bytes, ']', text.length) : NULL;

	if (close != NULL) {
		struct imap_text code = {text.bytes + 1, (size_t)(close - text.bytes) - 1};
		response->code = take_word(&code);
		response->code_rest = code;
		text.length -= (size_t)(close + 1 - text.bytes);
		text.bytes = close + 1;
		if (text.length > 0 && text.bytes[0] == ' ') {
			text.bytes++;
			text.length--;
		}
	}
	response->text = text;
}

static bool take_count(struct imap_text word, uint32_t *number_r)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word.length; i++) {
		if (word.bytes[i] < '0' || word.bytes[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(word.bytes[i] - '0');
		if (number > UINT32_MAX)
			return false;
	}
	*number_r = (uint32_t)number;
	return word.length > 0;
}

static int parse_untagged(struct imap_text rest, struct imap_response *response)
{
	struct imap_text word = take_word(&rest);

	response->condition = condition_of(word);
	if (response->condition != IMAP_NO_CONDITION) {
		take_text(rest, response);
		return 0;
	}
	response->has_number = take_count(word, &response->number);
	response->keyword = response->has_number ? take_word(&rest) : word;
	response->rest = rest;
	return response->keyword.length > 0 ? 0 : -1;
}

int imap_response_parse(const char *bytes, size_t length, struct imap_response *response_r)
{
	struct imap_text line = {bytes, without_line_end(bytes, length)};

	*response_r = (struct imap_response){.kind = IMAP_TAGGED};
	if (line.length > 0 && line.bytes[0] == '+') {
		response_r->kind = IMAP_CONTINUATION;
		take_word(&line);
		response_r->text = line;
		return 0;
	}
	response_r->tag = take_word(&line);
	if (imap_text_is(response_r->tag, "*")) {
		response_r->kind = IMAP_UNTAGGED;
		return parse_untagged(line, response_r);
	}
	response_r->condition = condition_of(take_word(&line));
	take_text(line, response_r);
	return response_r->tag.length > 0 && response_r->condition >= IMAP_OK && response_r->condition <= IMAP_BAD ? 0 : -1;
}

/* --- what stands in it ----------------------------------------------------------------------------------------- */

struct imap_cursor imap_cursor_over(struct imap_text text)
{
	return (struct imap_cursor){text.bytes, text.bytes + text.length};
}

static struct imap_token broken(struct imap_cursor *cursor)
{
	cursor->at = cursor->end = NULL;
	return (struct imap_token){.kind = IMAP_BROKEN};
}

static struct imap_token take_quoted(struct imap_cursor *cursor)
{
	const char *start = ++cursor->at;

	for (; cursor->at < cursor->end && *cursor->at != '"'; cursor->at++)
		if (*cursor->at == '\\' && cursor->at + 1 < cursor->end)
			cursor->at++;
	if (cursor->at == cursor->end)
		return broken(cursor);
	return (struct imap_token){IMAP_QUOTED, {start, (size_t)(cursor->at++ - start)}};
}

static struct imap_token take_literal(struct imap_cursor *cursor)
{
	const char *end = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
	size_t length = end == NULL ? 0 : without_line_end(cursor->at, (size_t)(end + 1 - cursor->at));
	ssize_t count = end == NULL ? -1 : literal_at_end(cursor->at, length);

	if (count < 0 || memchr(cursor->at, ' ', length) != NULL || count > cursor->end - (end + 1))
		return broken(cursor);
	cursor->at = end + 1 + count;
	return (struct imap_token){IMAP_LITERAL, {end + 1, (size_t)count}};
}

static struct imap_token take_atom(struct imap_cursor *cursor)
{
	const char *start = cursor->at;
	unsigned brackets = 0; /* BODY[HEADER.FIELDS (X)] is one */

	for (; cursor->at < cursor->end; cursor->at++) {
		char byte = *cursor->at;
		if (byte == '[')
			brackets++;
		else if (byte == ']' && brackets > 0)
			brackets--;
		else if (byte == '\r' || byte == '\n' || (brackets == 0 && (byte == ' ' || byte == '(' || byte == ')' || byte == '"')))
			break;
	}
	if (cursor->at == start)
		return broken(cursor);
	return (struct imap_token){IMAP_ATOM, {start, (size_t)(cursor->at - start)}};
}

struct imap_token imap_token_next(struct imap_cursor *cursor)
{
	if (cursor->at == NULL)
		return (struct imap_token){.kind = IMAP_BROKEN};
	while (cursor->at < cursor->end && *cursor->at == ' ')
		cursor->at++;
	if (cursor->at == cursor->end)
		return (struct imap_token){.kind = IMAP_END};
	switch (*cursor->at) {
	case '(': return (struct imap_token){IMAP_OPEN, {cursor->at++, 1}};
	case ')': return (struct imap_token){IMAP_CLOSE, {cursor->at++, 1}};
	case '"': return take_quoted(cursor);
	case '{': return take_literal(cursor);
	default: return take_atom(cursor);
	}
}

bool imap_token_append(const struct imap_token *token, struct buffer *buffer)
{
	struct imap_text text = token->text;

	if (token->kind != IMAP_QUOTED) {
		buffer_append(buffer, text.bytes, text.length);
		return token->kind == IMAP_ATOM || token->kind == IMAP_LITERAL;
	}
	for (size_t i = 0; i < text.length; i++) {
		if (text.bytes[i] == '\\' && i + 1 < text.length)
			i++;
		buffer_append_byte(buffer, (uint8_t)text.bytes[i]);
	}
	return true;
}

bool imap_token_number(const struct imap_token *token, uint64_t *number_r)
{
	uint64_t number = 0;

	if (token->kind != IMAP_ATOM || token->text.length > 19)
		return false;
	for (size_t i = 0; i < token->text.length; i++) {
		char digit = token->text.bytes[i];
		if (digit < '0' || digit > '9')
			return false;
		number = number * 10 + (uint64_t)(digit - '0'); /* 19 digits fit 64 bits */
	}
	*number_r = number;
	return number <= INT64_MAX;
}

bool imap_cursor_skip(struct imap_cursor *cursor)
{
	unsigned depth = 0;

	do {
		switch (imap_token_next(cursor).kind) {
		case IMAP_END: case IMAP_BROKEN: return false;
		case IMAP_OPEN: depth++; break;
		case IMAP_CLOSE:
			if (depth == 0)
				return false;
			depth--;
			break;
		default: break;
		}
	} while (depth > 0);
	return true;
}

static bool take_status_item(struct imap_cursor *cursor, const struct imap_token *name, struct imap_status *status)
{
	const struct { const char *name; enum imap_status_item item; uint64_t *value; } items[] = {
		{"MESSAGES", IMAP_STATUS_MESSAGES, &status->messages},
		{"UIDNEXT", IMAP_STATUS_UIDNEXT, &status->uid_next},
		{"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY, &status->uid_validity},
		{"UNSEEN", IMAP_STATUS_UNSEEN, &status->unseen},
		{"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ, &status->highest_modseq},
	};

	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		if (!imap_text_is(name->text, items[i].name))
			continue;
		struct imap_token value = imap_token_next(cursor);
		if (!imap_token_number(&value, items[i].value))
			return false;
		status->items |= items[i].item;
		return true;
	}
	return imap_cursor_skip(cursor);
}

int imap_status_parse(struct imap_text rest, struct imap_status *status_r, struct buffer *name_r)
{
	struct imap_cursor cursor = imap_cursor_over(rest);
	struct imap_token token = imap_token_next(&cursor);

	*status_r = (struct imap_status){0};
	if (!imap_token_append(&token, name_r) || imap_token_next(&cursor).kind != IMAP_OPEN)
		return -1;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM)
		if (!take_status_item(&cursor, &token, status_r))
			return -1;
	return token.kind == IMAP_CLOSE ? 0 : -1;
}

unsigned imap_capabilities_parse(struct imap_text list)
{
	static const struct { const char *name; unsigned set; } known[] = {
		{"IDLE", IMAP_CAP_IDLE},
		{"NOTIFY", IMAP_CAP_NOTIFY},
		{"CONDSTORE", IMAP_CAP_CONDSTORE},
		{"QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_ENABLE},
		{"ENABLE", IMAP_CAP_ENABLE},
		{"STARTTLS", IMAP_CAP_STARTTLS},
		{"LOGINDISABLED", IMAP_CAP_LOGINDISABLED},
		{"AUTH=PLAIN", IMAP_CAP_AUTH_PLAIN},
		{"SASL-IR", IMAP_CAP_SASL_IR},
		{"ESEARCH", IMAP_CAP_ESEARCH},
		{"UIDPLUS", IMAP_CAP_UIDPLUS},
		{"MOVE", IMAP_CAP_MOVE},
		{"SPECIAL-USE", IMAP_CAP_SPECIAL_USE},
		{"LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED},
		{"UNSELECT", IMAP_CAP_UNSELECT},
		{"ID", IMAP_CAP_ID},
		{"NAMESPACE", IMAP_CAP_NAMESPACE},
		{"CREATE-SPECIAL-USE", IMAP_CAP_CREATE_SPECIAL_USE},
		{"THREAD=REFS", IMAP_CAP_THREAD_REFS},
		{"THREAD=REFERENCES", IMAP_CAP_THREAD_REFERENCES},
	};
	unsigned set = 0;

	while (list.length > 0) {
		struct imap_text word = take_word(&list);
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			if (imap_text_is(word, known[i].name))
				set |= known[i].set;
	}
	return set;
}

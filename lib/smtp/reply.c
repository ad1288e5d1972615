/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replies of SMTP servers. */
#include "lib/smtp/reply.h"

#include <string.h>
#include <strings.h>

enum { CODE_DIGITS = 3 };

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* --- one line -------------------------------------------------------------------------------------------------- */

/* Its length with CRLF; 0: not whole yet, -1: a line end of another form. */
static ssize_t line_length(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			return -1;
		if (bytes[i] != '\r')
			continue;
		if (i + 1 == length)
			return 0;
		return bytes[i + 1] == '\n' ? (ssize_t)i + 2 : -1;
	}
	return 0;
}

/* "250-text", "250 text" or "250", without line end. -1: something else. */
static int line_parse(const char *line, size_t length, unsigned *code_r, bool *is_last_r)
{
	if (length < CODE_DIGITS || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
		return -1;
	if (length > CODE_DIGITS && line[CODE_DIGITS] != '-' && line[CODE_DIGITS] != ' ')
		return -1;
	*code_r = (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
	*is_last_r = length == CODE_DIGITS || line[CODE_DIGITS] == ' ';
	return 0;
}

bool smtp_reply_line(struct smtp_text *rest, struct smtp_text *line_r)
{
	ssize_t length = line_length(rest->bytes, rest->length);
	size_t skip = CODE_DIGITS + 1;

	if (length <= 0)
		return false;
	if ((size_t)length < skip + 2) /* a code and nothing else */
		skip = CODE_DIGITS;
	*line_r = (struct smtp_text){rest->bytes + skip, (size_t)length - skip - 2};
	rest->bytes += length;
	rest->length -= (size_t)length;
	return true;
}

/* --- the reply ------------------------------------------------------------------------------------------------- */

/* "5.7.1 text": up to three digits each. */
static void read_enhanced(struct smtp_reply *reply)
{
	const char *at = reply->text.bytes, *end = at + reply->text.length;
	unsigned numbers[3] = {0};

	for (int i = 0; i < 3; i++) {
		int digits = 0;

		for (; at < end && is_digit(*at) && digits < 3; digits++)
			numbers[i] = numbers[i] * 10 + (unsigned)(*at++ - '0');
		if (digits == 0 || (i < 2 && (at == end || *at++ != '.')))
			return;
	}
	if (numbers[0] == reply->code / 100 && (at == end || *at == ' '))
		memcpy(reply->enhanced, numbers, sizeof numbers);
}

static void fill(struct smtp_reply *reply, const char *bytes, size_t length, unsigned code)
{
	struct smtp_text rest;

	*reply = (struct smtp_reply){.code = code, .lines = {bytes, length}};
	rest = reply->lines;
	smtp_reply_line(&rest, &reply->text);
	read_enhanced(reply);
}

ssize_t smtp_reply_parse(const char *bytes, size_t length, struct smtp_reply *reply_r)
{
	unsigned code = 0, line_code;
	bool is_last = false;
	size_t at = 0;

	while (!is_last) {
		ssize_t line = line_length(bytes + at, length - at);

		if (line < 0 || at + (size_t)line > SMTP_REPLY_MAX)
			return -1;
		if (line == 0)
			return length > SMTP_REPLY_MAX ? -1 : 0;
		if (line_parse(bytes + at, (size_t)line - 2, &line_code, &is_last) < 0 || (at > 0 && line_code != code))
			return -1;
		code = line_code;
		at += (size_t)line;
	}
	fill(reply_r, bytes, at, code);
	return (ssize_t)at;
}

/* --- EHLO ------------------------------------------------------------------------------------------------------ */

static struct smtp_text take_word(struct smtp_text *line)
{
	const char *end;
	struct smtp_text word;

	while (line->length > 0 && *line->bytes == ' ') {
		line->bytes++;
		line->length--;
	}
	end = line->length > 0 ? memchr(line->bytes, ' ', line->length) : NULL;
	word = (struct smtp_text){line->bytes, end != NULL ? (size_t)(end - line->bytes) : line->length};
	line->bytes += word.length;
	line->length -= word.length;
	return word;
}

static bool word_is(struct smtp_text word, const char *name)
{
	return word.length == strlen(name) && strncasecmp(word.bytes, name, word.length) == 0;
}

/* More digits than a size can have say nothing. */
static uint64_t read_size(struct smtp_text word)
{
	uint64_t size = 0;

	for (size_t i = 0; i < word.length; i++) {
		if (!is_digit(word.bytes[i]) || i == 18)
			return 0;
		size = size * 10 + (uint64_t)(word.bytes[i] - '0');
	}
	return size;
}

static void read_capability(struct smtp_text line, struct smtp_capabilities *capabilities)
{
	static const struct { const char *name; unsigned capability; } plain[] = {
		{"STARTTLS", SMTP_CAP_STARTTLS}, {"8BITMIME", SMTP_CAP_8BITMIME}, {"SMTPUTF8", SMTP_CAP_SMTPUTF8},
		{"PIPELINING", SMTP_CAP_PIPELINING}, {"SIZE", SMTP_CAP_SIZE},
	};
	struct smtp_text name = take_word(&line), word;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (word_is(name, plain[i].name))
			capabilities->set |= plain[i].capability;
	if (word_is(name, "SIZE"))
		capabilities->size_max = read_size(take_word(&line));
	if (word_is(name, "AUTH"))
		while ((word = take_word(&line)).length > 0)
			if (word_is(word, "PLAIN"))
				capabilities->set |= SMTP_CAP_AUTH_PLAIN;
}

void smtp_capabilities_parse(const struct smtp_reply *reply, struct smtp_capabilities *capabilities_r)
{
	struct smtp_text rest = reply->lines, line;

	*capabilities_r = (struct smtp_capabilities){0};
	smtp_reply_line(&rest, &line);
	while (smtp_reply_line(&rest, &line))
		read_capability(line, capabilities_r);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* History in plain text: lines that begin with '>'. */
#include "connectors/mail/history.h"

#include "connectors/mail/header.h"

enum {
	LINE_MAX_BYTES = 300, /* of a line that says who wrote something */
	DASHES = 5,
	UNDERSCORES = 20      /* Outlook draws 32 of them over the fields of the mail that it repeats */
};

/* --- single lines ---------------------------------------------------------------------------------------------- */

static bool has(struct slice in, const char *word)
{
	size_t length = strlen(word);

	for (; in.length >= length; in.at++, in.length--)
		if (strncasecmp(in.at, word, length) == 0)
			return true;
	return false;
}

bool history_is_separator(struct slice line)
{
	static const char *const words[] = {"original message", "original appointment", "urspr\xc3\xbcngliche nachricht",
		"message d'origine", "message d\xe2\x80\x99origine", "mensaje original", "mensagem original", "messaggio originale",
		"oorspronkelijk bericht", "ursprungligt meddelande", "oprindelig meddelelse", "opprinnelig melding",
		"alkuper\xc3\xa4inen viesti", "wiadomo\xc5\x9b\xc4\x87 oryginalna",
		"\xd0\x98\xd1\x81\xd1\x85\xd0\xbe\xd0\xb4\xd0\xbd\xd0\xbe\xd0\xb5 \xd1\x81\xd0\xbe\xd0\xbe\xd0\xb1\xd1\x89\xd0\xb5\xd0\xbd\xd0\xb8\xd0\xb5", /* Russian */
		"\xe5\x8e\x9f\xe5\xa7\x8b\xe9\x82\xae\xe4\xbb\xb6", /* Chinese */
		"\xe5\x85\x83\xe3\x81\xae\xe3\x83\xa1\xe3\x83\x83\xe3\x82\xbb\xe3\x83\xbc\xe3\x82\xb8"}; /* Japanese */

	line = slice_trim(line);
	if (line.length > LINE_MAX_BYTES || line.length < 2 * DASHES || memcmp(line.at, "-----", DASHES) != 0 ||
	    memcmp(line.at + line.length - DASHES, "-----", DASHES) != 0)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (has(line, words[i]))
			return true;
	return false;
}

bool history_is_attribution(struct slice line)
{
	static const char wide_colon[] = "\xef\xbc\x9a";

	line = slice_trim(line);
	if (line.length < 4 || line.length > LINE_MAX_BYTES)
		return false;
	return line.at[line.length - 1] == ':' || memcmp(line.at + line.length - 3, wide_colon, 3) == 0;
}

/* "From: Alice": what Outlook repeats of a mail's fields, in whatever language. */
static bool is_field(struct slice line)
{
	const char *colon = line.length > 0 ? memchr(line.at, ':', line.length < 40 ? line.length : 40) : NULL;

	return colon != NULL && colon > line.at && colon + 1 < line.at + line.length && colon[1] == ' ';
}

static bool is_underscores(struct slice line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.at[i] != '_')
			return false;
	return line.length >= UNDERSCORES;
}

/* A line of underscores with two fields behind it. */
static bool is_outlooks_line(struct slice line, struct slice rest)
{
	if (!is_underscores(line))
		return false;
	do
		line = slice_trim(header_take_line(&rest));
	while (line.length == 0 && rest.length > 0);
	return is_field(line) && is_field(header_take_line(&rest));
}

static bool has_digit(struct slice line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.at[i] >= '0' && line.at[i] <= '9')
			return true;
	return false;
}

/* --- the text -------------------------------------------------------------------------------------------------- */

struct scan {
	struct slice text;
	const char *end;                 /* of what is no history by a separator */
	int blocks;                      /* of quoted lines, … */
	const char *begin_of_last, *end_of_last; /* … with who wrote it */
	struct slice last, before_last;  /* lines of text, the second directly before the first or empty */
	bool in_block, in_signature, ends_with_text;
};

/* Two lines where a mailer has wrapped one: the date stands in the first. */
static const char *begin_of_attribution(const struct scan *scan, const char *block)
{
	if (!history_is_attribution(scan->last))
		return block;
	return scan->before_last.length > 0 && has_digit(scan->before_last) && !has_digit(scan->last) ? scan->before_last.at
		: scan->last.at;
}

static void take_quoted(struct scan *scan, struct slice line)
{
	if (!scan->in_block) {
		scan->blocks++;
		scan->begin_of_last = begin_of_attribution(scan, line.at);
	}
	scan->in_block = true;
	scan->in_signature = scan->ends_with_text = false;
	scan->end_of_last = line.at + line.length;
	scan->last = scan->before_last = slice_of(NULL, 0);
}

static void take_written(struct scan *scan, struct slice line)
{
	bool is_next = scan->last.length > 0 && scan->last.at + scan->last.length == line.at;

	scan->in_block = false;
	scan->in_signature |= slice_is(slice_trim(line), "--");
	scan->ends_with_text |= !scan->in_signature;
	scan->before_last = is_next ? scan->last : slice_of(NULL, 0);
	scan->last = line;
}

static void scan_text(struct scan *scan)
{
	struct slice rest = scan->text;

	while (rest.length > 0) {
		struct slice line = header_take_line(&rest), words = slice_trim(line);

		if (history_is_separator(line) || is_outlooks_line(words, rest)) {
			scan->end = line.at;
			return;
		}
		if (*line.at == '>')
			take_quoted(scan, line);
		else if (words.length > 0)
			take_written(scan, line);
	}
}

void history_drop_from_text(struct buffer *out, struct slice text)
{
	struct scan scan = {.text = text, .end = text.at + text.length};

	if (text.length == 0)
		return;
	scan_text(&scan);
	if (scan.blocks > 0 && (scan.blocks == 1 || !scan.ends_with_text)) {
		buffer_append(out, text.at, (size_t)(scan.begin_of_last - text.at));
		buffer_append(out, scan.end_of_last, (size_t)(scan.end - scan.end_of_last));
	} else {
		buffer_append(out, text.at, (size_t)(scan.end - text.at));
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoded words. Adjacent ones are joined before conversion, because mailers cut characters in two. */
#include "connectors/mail/words.h"

#include "connectors/mail/charset.h"
#include "connectors/mail/transfer.h"
#include "lib/core/utf8.h"

enum {
	WORD_MAX = 4096,      /* RFC 2047 says 75; mailers that do not fold put a whole subject into one */
	WORD_CHARSET_MAX = 64 /* longer than any name */
};

struct word {
	struct slice charset, text;
	char encoding; /* 'q', 'b' */
	const char *end;
};

struct decoder {
	struct buffer *out;
	const char *end;
	const char *next_close;  /* the next "?=" that was found: each is searched once */
	struct slice charset;    /* of the octets not yet converted */
	struct buffer octets;
};

/* The first "?=" from here on; NULL: there is none. */
static const char *close_after(struct decoder *decoder, const char *from)
{
	if (decoder->next_close == NULL || decoder->next_close < from) {
		decoder->next_close = memmem(from, (size_t)(decoder->end - from), "?=", 2);
		if (decoder->next_close == NULL)
			decoder->next_close = decoder->end;
	}
	return decoder->next_close < decoder->end ? decoder->next_close : NULL;
}

/* Is there an encoded word at the "=?"? */
static bool read_word(struct decoder *decoder, const char *at, struct word *word_r)
{
	size_t left = (size_t)(decoder->end - at - 2);
	const char *charset_end = memchr(at + 2, '?', left < WORD_CHARSET_MAX ? left : WORD_CHARSET_MAX);
	const char *text, *close, *language;

	if (charset_end == NULL || charset_end == at + 2 || decoder->end - charset_end < 4 || charset_end[2] != '?')
		return false;
	word_r->encoding = charset_end[1] | 0x20;
	if (word_r->encoding != 'q' && word_r->encoding != 'b')
		return false;
	text = charset_end + 3;
	close = close_after(decoder, text);
	if (close == NULL || close - text > WORD_MAX)
		return false;
	word_r->charset = slice_of(at + 2, (size_t)(charset_end - at - 2));
	language = memchr(word_r->charset.at, '*', word_r->charset.length);
	if (language != NULL)
		word_r->charset.length = (size_t)(language - word_r->charset.at);
	word_r->text = slice_of(text, (size_t)(close - text));
	word_r->end = close + 2;
	return true;
}

/* One line: what would break it becomes a space, folding disappears. */
static void append_line(struct buffer *out, const char *text, size_t length)
{
	size_t start = out->length;

	utf8_append_xml(out, text, length);
	for (size_t i = start; i < out->length; i++)
		if ((unsigned char)out->data[i] < ' ')
			out->data[i] = ' ';
}

static void flush_octets(struct decoder *decoder)
{
	struct buffer text = BUFFER_EMPTY;

	if (decoder->octets.length == 0)
		return;
	charset_append(&text, decoder->charset, slice_of(decoder->octets.data, decoder->octets.length));
	append_line(decoder->out, text.data, text.length);
	buffer_release(&text);
	buffer_release(&decoder->octets);
}

static void take_word(struct decoder *decoder, const struct word *word)
{
	if (decoder->charset.length != word->charset.length
		|| strncasecmp(decoder->charset.at, word->charset.at, word->charset.length) != 0)
		flush_octets(decoder);
	decoder->charset = word->charset;
	if (word->encoding == 'b')
		transfer_append(&decoder->octets, TRANSFER_BASE64, word->text);
	else
		transfer_append_q(&decoder->octets, word->text);
}

/* Text between words: raw, in one line. */
static void take_plain(struct decoder *decoder, const char *from, const char *to)
{
	struct buffer line = BUFFER_EMPTY, text = BUFFER_EMPTY;

	flush_octets(decoder);
	for (; from < to; from++)
		if (*from != '\r' && *from != '\n')
			buffer_append_byte(&line, *from == '\t' ? ' ' : (uint8_t)*from);
	if (line.length > 0)
		charset_append(&text, slice_string(""), slice_of(line.data, line.length));
	append_line(decoder->out, text.data, text.length);
	buffer_release(&line);
	buffer_release(&text);
}

static bool is_all_blank(const char *from, const char *to)
{
	while (from < to && slice_is_blank(*from))
		from++;
	return from == to;
}

static bool is_simple(struct slice raw)
{
	for (size_t i = 0; i < raw.length; i++)
		if ((unsigned char)raw.at[i] < ' ' || (unsigned char)raw.at[i] >= 0x7f
			|| (raw.at[i] == '=' && i + 1 < raw.length && raw.at[i + 1] == '?'))
			return false;
	return true;
}

void words_append(struct buffer *out, struct slice raw)
{
	raw = slice_cut(raw, WORDS_TEXT_MAX);
	if (is_simple(raw)) {
		buffer_append(out, raw.at, raw.length);
		return;
	}
	struct decoder decoder = {.out = out, .end = raw.at + raw.length}; /* not empty: that is simple */
	const char *plain = raw.at, *at = raw.at;
	bool after_word = false;

	while (decoder.end - at >= 2 && (at = memmem(at, (size_t)(decoder.end - at), "=?", 2)) != NULL) {
		struct word word;

		if (!read_word(&decoder, at, &word)) {
			at += 2;
			continue;
		}
		if (plain < at && !(after_word && is_all_blank(plain, at)))
			take_plain(&decoder, plain, at);
		take_word(&decoder, &word);
		after_word = true;
		plain = at = word.end;
	}
	if (plain < decoder.end)
		take_plain(&decoder, plain, decoder.end);
	flush_octets(&decoder);
	buffer_release(&decoder.octets); /* words without a text leave room */
}

char *words_decode(struct arena *arena, struct slice raw)
{
	struct buffer text = BUFFER_EMPTY;
	char *result;

	if (is_simple(raw) && raw.length <= WORDS_TEXT_MAX)
		return arena_strndup(arena, raw.at != NULL ? raw.at : "", raw.length);
	words_append(&text, raw);
	result = arena_strndup(arena, text.data != NULL ? text.data : "", text.length);
	buffer_release(&text);
	return result;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses: one pass, one address at a time, nothing nested. */
#include "connectors/mail/address.h"

#include "connectors/mail/words.h"
#include "lib/core/buffer.h"

/* One address while it is collected. */
struct collector {
	struct buffer phrase;  /* what stands outside < > and ( ) */
	struct buffer comment;
	struct buffer angle;
	bool has_at;           /* there is an '@' in the phrase */
	bool has_angle;
	bool quotes_are_broken; /* one never closed: none is looked for any more, or each would be, to the end */
	bool is_full;
	bool names_only;
	struct buffer *out;
	void (*found)(struct slice address, void *); /* NULL: a text is made; else that gets them */
	void *data;
};

static void append_unfolded(struct buffer *to, char byte)
{
	if (byte != '\r' && byte != '\n')
		buffer_append_byte(to, byte == '\t' ? ' ' : (uint8_t)byte);
}

static void append_to_phrase(struct collector *collector, char byte)
{
	append_unfolded(&collector->phrase, byte);
	collector->has_at = collector->has_at || byte == '@';
}

static void forget_phrase(struct collector *collector)
{
	buffer_release(&collector->phrase);
	collector->has_at = false;
}

/* From the opening quote to what follows the closing one; a quote that never closes is an ordinary character. */
static const char *take_quoted(struct collector *collector, const char *at, const char *end)
{
	const char *close = at + 1;

	while (!collector->quotes_are_broken && close < end && *close != '"')
		close += *close == '\\' && close + 1 < end ? 2 : 1;
	if (collector->quotes_are_broken || close >= end) {
		collector->quotes_are_broken = true;
		buffer_append_byte(&collector->phrase, ' ');
		return at + 1;
	}
	for (at++; at < close; at++) {
		if (*at == '\\')
			at++;
		append_to_phrase(collector, *at);
	}
	return close + 1;
}

/* Comments nest; an open one goes to the end. */
static const char *take_comment(struct collector *collector, const char *at, const char *end)
{
	size_t depth = 0;

	do {
		if (*at == '(' && depth++ == 0)
			continue;
		if (*at == ')' && --depth == 0)
			continue;
		if (*at == '\\' && at + 1 < end)
			at++;
		append_unfolded(&collector->comment, *at);
	} while (++at < end && depth > 0);
	return at;
}

static const char *take_angle(struct collector *collector, const char *at, const char *end)
{
	collector->has_angle = true;
	buffer_release(&collector->angle);
	for (at++; at < end && *at != '>'; at++) {
		if (*at == ':' && collector->angle.length > 0 && collector->angle.data[0] == '@')
			buffer_release(&collector->angle); /* a source route, RFC 5322 section 4.4 */
		else if (!slice_is_blank(*at))
			buffer_append_byte(&collector->angle, (uint8_t)*at);
	}
	return at < end ? at + 1 : at;
}

static void append_quoted(struct buffer *out, const struct buffer *name)
{
	buffer_append_byte(out, '"');
	for (size_t i = 0; i < name->length; i++) {
		if (name->data[i] == '"' || name->data[i] == '\\')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, (uint8_t)name->data[i]);
	}
	buffer_append_byte(out, '"');
}

static void append_address(struct collector *collector, const struct buffer *name, const struct buffer *address)
{
	struct buffer *out = collector->out;

	if (collector->names_only) {
		const struct buffer *shown = name->length > 0 ? name : address;

		if (out->length > 0)
			buffer_append_string(out, "; ");
		buffer_append(out, shown->data, shown->length);
		return;
	}
	if (out->length > 0)
		buffer_append_string(out, ", ");
	if (name->length > 0)
		append_quoted(out, name);
	if (address->length > 0) {
		buffer_append_string(out, name->length > 0 ? " <" : "");
		buffer_append(out, address->data, address->length);
		buffer_append_string(out, name->length > 0 ? ">" : "");
	}
}

static struct slice trimmed(const struct buffer *buffer)
{
	return slice_trim(slice_of(buffer->data, buffer->length));
}

static void forget(struct collector *collector)
{
	forget_phrase(collector);
	buffer_release(&collector->comment);
	buffer_release(&collector->angle);
	collector->has_angle = false;
}

static bool is_bare(const struct collector *collector, struct slice phrase)
{
	return !collector->has_angle && phrase.length > 0 && collector->has_at;
}

static void tell(struct collector *collector)
{
	struct slice phrase = trimmed(&collector->phrase);
	struct slice address = is_bare(collector, phrase) ? phrase : trimmed(&collector->angle);

	if (address.length > 0)
		collector->found(address, collector->data);
	forget(collector);
}

/* The collected address goes out, unless the text would become too long. */
static void finish(struct collector *collector)
{
	if (collector->found != NULL) {
		tell(collector);
		return;
	}
	struct buffer name = BUFFER_EMPTY, address = BUFFER_EMPTY;
	struct slice phrase = trimmed(&collector->phrase), comment = trimmed(&collector->comment);
	bool bare = is_bare(collector, phrase);
	size_t before = collector->out->length;

	words_append(&address, bare ? phrase : trimmed(&collector->angle));
	words_append(&name, bare || phrase.length == 0 ? comment : phrase);
	if (name.length > 0 && name.length == address.length && memcmp(name.data, address.data, name.length) == 0)
		buffer_release(&name); /* "a@b" <a@b> */
	if (name.length + address.length > 0)
		append_address(collector, &name, &address);
	if (collector->out->length > ADDRESS_TEXT_MAX) {
		buffer_truncate(collector->out, before);
		collector->is_full = true;
	}
	buffer_release(&name);
	buffer_release(&address);
	forget(collector);
}

/* Takes one character, or one quoted string, comment or < >. */
static const char *take_piece(struct collector *collector, const char *at, const char *end)
{
	switch (*at) {
	case '"': return take_quoted(collector, at, end);
	case '(': return take_comment(collector, at, end);
	case '<': return take_angle(collector, at, end);
	case ':': /* the name of a group, unless it is one of the broken forms with @ before it */
		if (!collector->has_at)
			forget_phrase(collector);
		return at + 1;
	case ',':
	case ';': finish(collector); return at + 1;
	default: append_to_phrase(collector, *at); return at + 1;
	}
}

void address_each(struct slice value, void (*found)(struct slice address, void *), void *data)
{
	struct collector collector = {.found = found, .data = data};
	const char *at = value.at != NULL ? value.at : "", *end = at + value.length;

	while (at < end)
		at = take_piece(&collector, at, end);
	tell(&collector);
}

static char *read_list(struct arena *arena, struct slice value, bool names_only)
{
	struct buffer out = BUFFER_EMPTY;
	struct collector collector = {.names_only = names_only, .out = &out};
	const char *at = value.at != NULL ? value.at : "", *end = at + value.length;
	char *text;

	/* All of a list that fits is read; encoded, a text takes up to six times its room. */
	if (value.length > 8 * ADDRESS_TEXT_MAX)
		end = at + 8 * ADDRESS_TEXT_MAX;
	while (at < end && !collector.is_full)
		at = take_piece(&collector, at, end);
	finish(&collector);
	text = arena_strndup(arena, out.data != NULL ? out.data : "", out.length);
	buffer_release(&out);
	return text;
}

char *address_list(struct arena *arena, struct slice value)
{
	return read_list(arena, value, false);
}

char *address_names(struct arena *arena, struct slice value)
{
	return read_list(arena, value, true);
}

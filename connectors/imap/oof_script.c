/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The script for who is out of office. */
#include "connectors/imap/oof_script.h"

#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "connectors/mail/html.h"
#include "connectors/mail/transfer.h"
#include "lib/core/utf8.h"
#include "lib/managesieve/response.h"

#define FIRST_LINE "# belfry-oof 1 "
#define KEPT_LINE "#: "
#define BOUNDARY "belfry-oof" /* base64 has no '-' */

enum { DIGEST_BYTES = 32, DIGEST_DIGITS = 2 * DIGEST_BYTES, LINE_OCTETS = 57 /* 76 characters: RFC 2045 section 6.8 */ };

typedef Belfry__Connector__Oof oof_t;
typedef Belfry__Connector__OofMessage message_t;

/* --- pieces ---------------------------------------------------------------------------------------------------- */

static void append_base64(struct buffer *out, const char *before, const void *octets, size_t length)
{
	const uint8_t *at = octets;

	for (size_t count; length > 0; at += count, length -= count) {
		count = length < LINE_OCTETS ? length : LINE_OCTETS;
		buffer_append_string(out, before);
		buffer_grow(out, (size_t)EVP_EncodeBlock((unsigned char *)buffer_reserve(out, LINE_OCTETS * 2), at, (int)count));
		buffer_append_string(out, "\r\n");
	}
}

/* Of the script without its CRs: some servers keep their own line ends. */
static void append_digest(struct buffer *out, struct slice script)
{
	struct buffer text = BUFFER_EMPTY;
	uint8_t digest[DIGEST_BYTES];

	for (size_t i = 0; i < script.length; i++)
		if (script.at[i] != '\r')
			buffer_append_byte(&text, (uint8_t)script.at[i]);
	EVP_Digest(buffer_string(&text), text.length, digest, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof digest; i++)
		buffer_printf(out, "%02x", digest[i]);
	buffer_release(&text);
}

/* A quoted string (RFC 5228 section 2.4.2), with CRLF for whatever line ends the text has. */
static void append_quoted(struct buffer *out, const char *text)
{
	struct buffer clean = BUFFER_EMPTY;

	utf8_append_xml(&clean, text, strlen(text));
	buffer_append_byte(out, '"');
	for (size_t i = 0; i < clean.length; i++) {
		char byte = clean.data[i];

		if (byte == '\r' && i + 1 < clean.length && clean.data[i + 1] == '\n')
			continue;
		if (byte == '\r' || byte == '\n') {
			buffer_append_string(out, "\r\n");
			continue;
		}
		if (byte == '"' || byte == '\\')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, (uint8_t)byte);
	}
	buffer_append_byte(out, '"');
	buffer_release(&clean);
}

static void append_part(struct buffer *out, const char *subtype, const struct buffer *text)
{
	buffer_printf(out, "--" BOUNDARY "\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		subtype);
	append_base64(out, "", text->data, text->length);
}

/* An entity (RFC 5230 section 4.6) for those who read HTML and those who do not. */
static void append_alternatives(struct buffer *out, const char *html)
{
	struct buffer whole = BUFFER_EMPTY, plain = BUFFER_EMPTY;

	utf8_append_xml(&whole, html, strlen(html));
	html_to_text(&plain, slice_of(whole.data, whole.length));
	buffer_append_string(out, "\"Content-Type: multipart/alternative; boundary=" BOUNDARY "\r\n\r\n");
	append_part(out, "plain", &plain);
	append_part(out, "html", &whole);
	buffer_append_string(out, "--" BOUNDARY "--\r\n\"");
	buffer_release(&whole);
	buffer_release(&plain);
}

/* --- what is answered to whom ---------------------------------------------------------------------------------- */

static bool is_sent(const message_t *message)
{
	return message != NULL && message->enabled && message->text[0] != '\0';
}

static bool is_on(const oof_t *oof)
{
	return oof->state != BELFRY__CONNECTOR__OOF_STATE__OOF_OFF && (is_sent(oof->internal) || is_sent(oof->unknown));
}

static bool is_timed(const oof_t *oof)
{
	return oof->state == BELFRY__CONNECTOR__OOF_STATE__OOF_TIMED && (oof->start_s != 0 || oof->end_s != 0);
}

bool oof_script_fits(const Belfry__Oof__Kept *kept)
{
	const message_t *const messages[] = {kept->oof->internal, kept->oof->known, kept->oof->unknown};

	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		if (messages[i] != NULL && strlen(messages[i]->text) > OOF_SCRIPT_TEXT_MAX)
			return false;
	return true;
}

unsigned oof_script_needs(const Belfry__Oof__Kept *kept)
{
	unsigned needs = 0;

	if (kept->oof->state != BELFRY__CONNECTOR__OOF_STATE__OOF_OFF && kept->former[0] != '\0')
		needs |= MANAGESIEVE_CAN_INCLUDE;
	if (is_on(kept->oof))
		needs |= MANAGESIEVE_CAN_VACATION | MANAGESIEVE_CAN_ENVELOPE;
	if (is_on(kept->oof) && is_timed(kept->oof))
		needs |= MANAGESIEVE_CAN_DATE | MANAGESIEVE_CAN_RELATIONAL;
	return needs;
}

static void append_require(struct buffer *out, unsigned needs)
{
	static const struct { unsigned capability; const char *name; } names[] = {
		{MANAGESIEVE_CAN_VACATION, "vacation"}, {MANAGESIEVE_CAN_ENVELOPE, "envelope"}, {MANAGESIEVE_CAN_DATE, "date"},
		{MANAGESIEVE_CAN_RELATIONAL, "relational"}, {MANAGESIEVE_CAN_INCLUDE, "include"},
	};
	const char *before = "require [";

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!(needs & names[i].capability))
			continue;
		buffer_printf(out, "%s\"%s\"", before, names[i].name);
		before = ", ";
	}
	if (needs != 0)
		buffer_append_string(out, "];\r\n");
}

/* The zone is cut off, which compares right whatever form the server gives it (RFC 5260 section 4.2). */
static void append_bound(struct buffer *out, const char *relation, uint64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm tm;

	if (time_s == 0 || gmtime_r(&time, &tm) == NULL || tm.tm_year > 8099)
		return;
	buffer_printf(out, ", currentdate :zone \"+0000\" :value \"%s\" \"iso8601\" \"%04d-%02d-%02dT%02d:%02d:%02d\"", relation,
		tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void append_vacation(struct buffer *out, const message_t *message, const char *user)
{
	if (!is_sent(message))
		return;
	buffer_printf(out, "\t\tvacation :days %d :addresses [", OOF_SCRIPT_DAYS);
	append_quoted(out, user);
	buffer_append_string(out, message->is_html ? "] :mime " : "] ");
	if (message->is_html)
		append_alternatives(out, message->text);
	else
		append_quoted(out, message->text);
	buffer_append_string(out, ";\r\n");
}

static void append_answers(struct buffer *out, const oof_t *oof, const char *user)
{
	const char *at = strchr(user, '@');

	buffer_append_string(out, "if allof(true");
	if (is_timed(oof)) {
		append_bound(out, "ge", oof->start_s);
		append_bound(out, "lt", oof->end_s);
	}
	buffer_append_string(out, ") {\r\n\tif envelope :domain :is \"from\" ");
	append_quoted(out, at != NULL ? at + 1 : "");
	buffer_append_string(out, " {\r\n");
	append_vacation(out, oof->internal, user);
	buffer_append_string(out, "\t} else {\r\n");
	append_vacation(out, oof->unknown, user);
	buffer_append_string(out, "\t}\r\n}\r\n");
}

/* --- the script ------------------------------------------------------------------------------------------------ */

static void append_kept(struct buffer *out, const Belfry__Oof__Kept *kept)
{
	struct buffer packed = BUFFER_EMPTY;
	size_t length = belfry__oof__kept__get_packed_size(kept);

	belfry__oof__kept__pack(kept, (uint8_t *)buffer_reserve(&packed, length));
	append_base64(out, KEPT_LINE, packed.data, length);
	buffer_release(&packed);
}

void oof_script_write(struct buffer *script, const Belfry__Oof__Kept *kept, const char *user, unsigned can)
{
	struct buffer rest = BUFFER_EMPTY;
	bool includes = kept->former[0] != '\0' && (can & MANAGESIEVE_CAN_INCLUDE);

	buffer_append_string(&rest, "# Out of office, as set from a phone. Belfry wrote this and reads it again; once it is\r\n"
		"# changed by others it is left alone.\r\n");
	append_kept(&rest, kept);
	append_require(&rest, oof_script_needs(kept) | (includes ? MANAGESIEVE_CAN_INCLUDE : 0));
	if (is_on(kept->oof))
		append_answers(&rest, kept->oof, user);
	if (includes) {
		buffer_append_string(&rest, "include :personal :optional ");
		append_quoted(&rest, kept->former);
		buffer_append_string(&rest, ";\r\n");
	}
	buffer_append_string(script, FIRST_LINE);
	append_digest(script, slice_of(rest.data, rest.length));
	buffer_append_string(script, "\r\n");
	buffer_append(script, rest.data, rest.length);
	buffer_release(&rest);
}

static struct slice behind(struct slice slice, size_t length)
{
	return slice_of(slice.at + length, slice.length - length);
}

/* Takes a line, without its end, from the front. */
static bool take_line(struct slice *rest, struct slice *line_r)
{
	const char *end = rest->length == 0 ? NULL : memchr(rest->at, '\n', rest->length);

	if (end == NULL)
		return false;
	*line_r = slice_trim(slice_of(rest->at, (size_t)(end - rest->at)));
	*rest = behind(*rest, (size_t)(end - rest->at) + 1);
	return true;
}

static bool is_as_written(struct slice first, struct slice rest)
{
	size_t before = strlen(FIRST_LINE);
	struct buffer digest = BUFFER_EMPTY;
	bool is;

	if (!slice_begins(first, FIRST_LINE) || first.length != before + DIGEST_DIGITS)
		return false;
	append_digest(&digest, rest);
	is = memcmp(digest.data, first.at + before, DIGEST_DIGITS) == 0;
	buffer_release(&digest);
	return is;
}

/* The lines of what was kept stand before the first that is no comment: behind it begins what others have written. */
Belfry__Oof__Kept *oof_script_read(struct slice script, struct arena *arena)
{
	struct buffer packed = BUFFER_EMPTY;
	Belfry__Oof__Kept *kept;
	struct slice line;

	if (!take_line(&script, &line) || !is_as_written(line, script))
		return NULL;
	while (take_line(&script, &line) && slice_begins(line, "#"))
		if (slice_begins(line, KEPT_LINE))
			transfer_append(&packed, TRANSFER_BASE64, behind(line, strlen(KEPT_LINE)));
	kept = belfry__oof__kept__unpack(arena_protobuf(arena), packed.length, (const uint8_t *)buffer_string(&packed));
	buffer_release(&packed);
	return kept == NULL || kept->oof == NULL || !oof_script_fits(kept) ? NULL : kept;
}

bool oof_script_answers(struct slice script)
{
	static const char *const extensions[] = {
		"\"vacation\"", "\"vacation-seconds\"",
		"\"reject\"", "\"ereject\"", /* not with vacation: RFC 5230 section 4.7 */
		"\"include\"",               /* who knows what */
	};

	for (; script.length > 0; script = behind(script, 1))
		for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
			if (slice_begins(script, extensions[i]))
				return true;
	return false;
}

message_t *oof_script_message_as(const message_t *message, bool html, struct arena *arena)
{
	message_t *as = arena_alloc(arena, sizeof *as);
	struct buffer text = BUFFER_EMPTY;

	belfry__connector__oof_message__init(as);
	if (message == NULL)
		return as;
	*as = *message;
	if (as->is_html == html || as->text[0] == '\0')
		return as;
	(html ? html_from_text : html_to_text)(&text, slice_string(message->text));
	as->text = arena_strndup(arena, buffer_string(&text), text.length);
	as->is_html = html;
	buffer_release(&text);
	return as;
}

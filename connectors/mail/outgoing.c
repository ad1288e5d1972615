/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of a mail that is to be sent. */
#include "connectors/mail/outgoing.h"

#include "connectors/mail/address.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header.h"
#include "lib/core/buffer.h"

/* The header while it is read. */
struct reading {
	struct outgoing *outgoing;
	struct buffer blind, fields, content;
	bool has_from, has_date, says_reply;
	struct error *error;
	enum outgoing_fault fault;
};

static void set_fault(struct reading *reading, enum outgoing_fault fault, const char *why)
{
	if (reading->fault != OUTGOING_FINE)
		return;
	reading->fault = fault;
	error_set(reading->error, "%s", why);
}

/* --- fields written anew --------------------------------------------------------------------------------------- */

static bool is_control(char byte)
{
	return ((unsigned char)byte < ' ' && byte != '\t') || byte == 0x7f;
}

/* A value keeps its folds; any other control character is a space, so that no line begins that was not one. */
static void append_value(struct buffer *out, struct slice value)
{
	for (bool is_first = true; value.length > 0; is_first = false) {
		const char *end = memchr(value.at, '\n', value.length);
		struct slice line = slice_of(value.at, end != NULL ? (size_t)(end - value.at) : value.length);
		size_t taken = line.length + (end != NULL);

		if (line.length > 0 && line.at[line.length - 1] == '\r')
			line.length--;
		if (slice_trim(line).length > 0) {
			buffer_append_string(out, is_first ? "" : "\r\n");
			for (size_t i = 0; i < line.length; i++)
				buffer_append_byte(out, is_control(line.at[i]) ? ' ' : (uint8_t)line.at[i]);
		}
		value = slice_of(value.at + taken, value.length - taken);
	}
}

static void append_field(struct buffer *out, const struct header_field *field)
{
	buffer_append(out, field->name.at, field->name.length);
	buffer_append_string(out, ": ");
	append_value(out, field->value);
	buffer_append_string(out, "\r\n");
}

/* --- addresses ------------------------------------------------------------------------------------------------- */

/* What can stand between < > of a command, and is nothing else there. */
static bool is_address(struct slice address)
{
	for (size_t i = 0; i < address.length; i++)
		if ((unsigned char)address.at[i] <= ' ' || strchr("<>\x7f", address.at[i]) != NULL)
			return false;
	return address.length > 0 && address.length <= OUTGOING_ADDRESS_MAX;
}

static void sender_found(struct slice address, void *data)
{
	struct reading *reading = data;
	struct outgoing *outgoing = reading->outgoing;

	if (outgoing->sender == NULL && is_address(address))
		outgoing->sender = arena_strndup(outgoing->arena, address.at, address.length);
}

static bool is_known(const struct outgoing *outgoing, struct slice address)
{
	for (size_t i = 0; i < outgoing->recipient_count; i++)
		if (strlen(outgoing->recipients[i]) == address.length &&
		    memcmp(outgoing->recipients[i], address.at, address.length) == 0)
			return true;
	return false;
}

static void recipient_found(struct slice address, void *data)
{
	struct reading *reading = data;
	struct outgoing *outgoing = reading->outgoing;

	if (!is_address(address)) {
		set_fault(reading, OUTGOING_BAD, "one of the recipients is no address");
		return;
	}
	if (is_known(outgoing, address))
		return;
	if (outgoing->recipient_count == OUTGOING_RECIPIENTS_MAX) {
		set_fault(reading, OUTGOING_TOO_MANY, "more recipients than one mail may have");
		return;
	}
	outgoing->recipients[outgoing->recipient_count++] = arena_strndup(outgoing->arena, address.at, address.length);
}

/* --- the fields ------------------------------------------------------------------------------------------------ */

/* <left@right>, nothing in it that IMAP or a header would take for something else. */
static bool is_message_id(struct slice value)
{
	if (value.length < 3 || value.length > OUTGOING_MESSAGE_ID_MAX || value.at[0] != '<' ||
	    value.at[value.length - 1] != '>')
		return false;
	for (size_t i = 1; i + 1 < value.length; i++)
		if ((unsigned char)value.at[i] <= ' ' || (unsigned char)value.at[i] >= 0x7f || strchr("<>\"\\", value.at[i]) != NULL)
			return false;
	return true;
}

static void take_from(struct reading *reading, const struct header_field *field)
{
	if (reading->has_from)
		set_fault(reading, OUTGOING_BAD, "it has two senders");
	reading->has_from = true;
	address_each(field->value, sender_found, reading);
	append_field(&reading->fields, field);
}

static void take_recipients(struct reading *reading, const struct header_field *field)
{
	address_each(field->value, recipient_found, reading);
	append_field(slice_is(field->name, "Bcc") ? &reading->blind : &reading->fields, field);
}

/* A second one, or one that is none, is dropped: the name by which the mail is found again must be the right one. */
static void take_message_id(struct reading *reading, const struct header_field *field)
{
	struct outgoing *outgoing = reading->outgoing;

	if (outgoing->message_id == NULL && is_message_id(field->value))
		outgoing->message_id = arena_strndup(outgoing->arena, field->value.at, field->value.length);
}

static void take_date(struct reading *reading, const struct header_field *field)
{
	if (!reading->has_date)
		append_field(&reading->fields, field);
	reading->has_date = true;
}

static void take_content(struct reading *reading, const struct header_field *field)
{
	append_field(&reading->content, field);
}

/* What only a server writes, and MIME-Version, which has one value: we write it. */
static void drop(struct reading *reading, const struct header_field *field)
{
	(void)reading;
	(void)field;
}

static void take_field(struct reading *reading, const struct header_field *field)
{
	static const struct {
		const char *name;
		void (*take)(struct reading *, const struct header_field *);
	} known[] = {
		{"From", take_from}, {"To", take_recipients}, {"Cc", take_recipients}, {"Bcc", take_recipients},
		{"Message-ID", take_message_id}, {"Date", take_date}, {"MIME-Version", drop}, {"Return-Path", drop},
		{"Received", drop},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (slice_is(field->name, known[i].name)) {
			known[i].take(reading, field);
			return;
		}
	if (slice_begins(field->name, "Content-")) {
		take_content(reading, field);
		return;
	}
	if (slice_is(field->name, "In-Reply-To") || slice_is(field->name, "References"))
		reading->says_reply = true;
	append_field(&reading->fields, field);
}

/* What the mail did not say itself. */
static void complete(struct reading *reading, const char *message_id, int64_t now_s)
{
	struct outgoing *outgoing = reading->outgoing;

	if (outgoing->message_id == NULL)
		outgoing->message_id = arena_strdup(outgoing->arena, message_id);
	buffer_printf(&reading->fields, "Message-ID: %s\r\n", outgoing->message_id);
	if (!reading->has_date) {
		buffer_append_string(&reading->fields, "Date: ");
		date_append(&reading->fields, now_s);
		buffer_append_string(&reading->fields, "\r\n");
	}
	buffer_append_string(&reading->fields, "MIME-Version: 1.0\r\n");
	if (outgoing->sender == NULL)
		set_fault(reading, OUTGOING_BAD, "it does not say whom it is from");
	if (outgoing->recipient_count == 0)
		set_fault(reading, OUTGOING_NO_RECIPIENT, "it names no recipient");
}

static struct slice keep(struct arena *arena, struct buffer *buffer)
{
	struct slice kept = slice_of(arena_strndup(arena, buffer_string(buffer), buffer->length), buffer->length);

	buffer_release(buffer);
	return kept;
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

/* -1: the header does not end within what a header may have. */
static int cut(struct outgoing *outgoing)
{
	struct slice rest = slice_cut(outgoing->mail, OUTGOING_HEADER_MAX);
	struct header_field field;

	while (header_next(&rest, &field))
		;
	if (rest.length == 0 && outgoing->mail.length > OUTGOING_HEADER_MAX)
		return -1;
	size_t length = (size_t)(rest.at - outgoing->mail.at);
	outgoing->header = slice_of(outgoing->mail.at, length);
	outgoing->body = slice_of(rest.at, outgoing->mail.length - length);
	return 0;
}

static void put_together(struct outgoing *outgoing)
{
	const struct slice pieces[] = {outgoing->fields, outgoing->content, slice_string("\r\n"), outgoing->body};

	memcpy(outgoing->pieces, pieces, sizeof pieces);
	outgoing->piece_count = sizeof pieces / sizeof *pieces;
}

enum outgoing_fault outgoing_read(struct arena *arena, struct slice mail, const char *message_id, int64_t now_s,
	struct outgoing *outgoing_r, struct error *error_r)
{
	struct reading reading = {.outgoing = outgoing_r, .error = error_r};
	struct header_field field;

	*outgoing_r = (struct outgoing){.arena = arena, .mail = mail};
	outgoing_r->recipients = arena_alloc(arena, OUTGOING_RECIPIENTS_MAX * sizeof *outgoing_r->recipients);
	if (cut(outgoing_r) < 0) {
		error_set(error_r, "its header has more than %d kB", OUTGOING_HEADER_MAX / 1024);
		return OUTGOING_BAD;
	}
	for (struct slice rest = outgoing_r->header; header_next(&rest, &field);)
		take_field(&reading, &field);
	complete(&reading, message_id, now_s);
	outgoing_r->says_reply = reading.says_reply;
	outgoing_r->blind = keep(arena, &reading.blind);
	outgoing_r->fields = keep(arena, &reading.fields);
	outgoing_r->content = keep(arena, &reading.content);
	put_together(outgoing_r);
	return reading.fault;
}

/* --- the original ---------------------------------------------------------------------------------------------- */

enum { REFERENCES_MAX = 900 }; /* the line stays below the 998 characters of RFC 5322 section 2.1.1 */

void outgoing_refer(struct outgoing *outgoing, struct slice original)
{
	struct slice rest = slice_cut(original, OUTGOING_HEADER_MAX), id = slice_of(NULL, 0), before = slice_of(NULL, 0);
	struct arena *arena = outgoing->arena;
	struct header_field field;

	while (header_next(&rest, &field))
		if (slice_is(field.name, "Message-ID"))
			id = field.value;
		else if (slice_is(field.name, "References"))
			before = slice_string(header_unfold(arena, field.value));
	if (outgoing->says_reply || !is_message_id(id))
		return;
	if (before.length + id.length > REFERENCES_MAX)
		before.length = 0;
	outgoing->fields = slice_string(arena_printf(arena, "%sIn-Reply-To: %.*s\r\nReferences: %.*s%s%.*s\r\n",
		outgoing->fields.at, (int)id.length, id.at, (int)before.length, before.length == 0 ? "" : before.at,
		before.length == 0 ? "" : " ", (int)id.length, id.at));
	put_together(outgoing);
}

/* --- what it is made of ---------------------------------------------------------------------------------------- */

static bool is_8bit(struct slice bytes)
{
	for (size_t i = 0; i < bytes.length; i++)
		if ((unsigned char)bytes.at[i] >= 0x80)
			return true;
	return false;
}

bool outgoing_header_is_8bit(const struct outgoing *outgoing)
{
	return is_8bit(outgoing->fields) || is_8bit(outgoing->content);
}

bool outgoing_is_8bit(const struct outgoing *outgoing)
{
	for (size_t i = 0; i < outgoing->piece_count; i++)
		if (is_8bit(outgoing->pieces[i]))
			return true;
	return false;
}

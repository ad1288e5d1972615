/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of mailboxes on the wire and back. */
#include "connectors/imap/mailbox_name.h"

#include <stdbool.h>
#include <string.h>

#include "connectors/imap/utf7.h"
#include "lib/core/utf8.h"

/* All ASCII that can be printed stands for itself. */
static bool is_direct(uint32_t point, bool is_first)
{
	(void)is_first;
	return point < 0x7f;
}

static int encode(struct buffer *wire, const char *name, size_t length)
{
	return utf7_encode(wire, name, length, is_direct);
}

int mailbox_name_encode(struct buffer *wire, const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > MAILBOX_NAME_MAX)
		return -1;
	if (*name != MAILBOX_NAME_RAW)
		return encode(wire, name, length);
	buffer_append(wire, name + 1, length - 1);
	return strpbrk(name, "\r\n") == NULL ? 0 : -1;
}

int mailbox_name_quote(struct buffer *command, const char *name)
{
	struct buffer wire = BUFFER_EMPTY;
	int result = mailbox_name_encode(&wire, name);

	buffer_append_byte(command, '"');
	for (size_t i = 0; i < wire.length; i++) {
		if (wire.data[i] == '"' || wire.data[i] == '\\')
			buffer_append_byte(command, '\\');
		buffer_append_byte(command, (uint8_t)wire.data[i]);
	}
	buffer_append_byte(command, '"');
	buffer_release(&wire);
	return result;
}

void mailbox_name_decode(struct buffer *name, const char *wire, size_t length)
{
	struct buffer again = BUFFER_EMPTY;
	size_t before = name->length;
	bool same;

	if (length == 0)
		return;
	same = utf7_decode(name, wire, length) && name->length > before && encode(&again, name->data + before, name->length - before) == 0
		&& again.length == length && memcmp(again.data, wire, length) == 0;
	buffer_release(&again);
	if (same)
		return;
	buffer_truncate(name, before);
	buffer_append_byte(name, MAILBOX_NAME_RAW);
	buffer_append(name, wire, length);
}

void mailbox_name_display(struct buffer *display, const char *name)
{
	struct buffer decoded = BUFFER_EMPTY;
	bool is_raw = *name == MAILBOX_NAME_RAW;
	const char *text = is_raw ? name + 1 : name;

	if (is_raw && utf7_decode(&decoded, text, strlen(text)))
		utf8_append_xml(display, decoded.data, decoded.length);
	else
		utf8_append_xml(display, text, strlen(text));
	buffer_release(&decoded);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mail's octets. The first byte chooses what is wished; whatever comes out must be packable: valid UTF-8 in every
 * string, bodies within what was wished. As text of MIME each part decodes to what it was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mail/header.h"
#include "connectors/mail/mail.h"
#include "connectors/mail/mime_text.h"
#include "lib/core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
	assert(utf8_is_valid(text, strlen(text)));
}

static void check_mail(const Belfry__Connector__Mail *mail)
{
	const char *const texts[] = {mail->from, mail->to, mail->cc, mail->reply_to, mail->subject, mail->thread_topic,
		mail->display_to, mail->sender, mail->message_id, mail->in_reply_to, mail->references, mail->message_class};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check(texts[i]);
	for (size_t i = 0; i < mail->n_attachments; i++) {
		const Belfry__Connector__Attachment *attachment = mail->attachments[i];
		check(attachment->name);
		check(attachment->content_type);
		check(attachment->content_id);
		check(attachment->content_location);
		assert(*attachment->name != '\0' && strchr(attachment->name, '/') == NULL);
	}
}

static void check_body(const Belfry__Connector__Body *body, const Belfry__Connector__BodyWish *wish)
{
	assert(!wish->has_truncate || body->data.len <= wish->truncate);
	assert(body->truncated || body->data.len == body->full_size);
	assert(utf8_is_valid((const char *)body->data.data, body->data.len));
	if (body->type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		assert(utf8_xml_prefix((const char *)body->data.data, body->data.len) == body->data.len);
	check(body->preview);
}

static void read_mail(const char *octets, size_t length, uint8_t choice)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes = &wish;
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT, part = BELFRY__CONNECTOR__BODY__INIT;
	struct arena *arena = arena_create(0);

	wish.type = (choice & 3) == 3 ? BELFRY__CONNECTOR__BODY_TYPE__MIME : (Belfry__Connector__BodyType)(1 + (choice & 1));
	wish.has_truncate = (choice & 4) != 0;
	wish.truncate = choice >> 3;
	wish.all_or_none = (choice & 8) != 0;
	wish.preview = choice & 0xf0;
	mail_read(arena, octets, length, &wishes, 1, choice % 3, &mail, &body);
	check_mail(&mail);
	check_body(&body, &wish);
	mail_read_part(arena, octets, length, &wish, &part);
	if (!part.too_large)
		check_body(&part, &wish);
	arena_free(&arena);
}

/* --- MIME as text ---------------------------------------------------------------------------------------------- */

static bool is_text(struct slice bytes)
{
	return utf8_xml_prefix(bytes.at, bytes.length) == bytes.length;
}

/* A multipart without parts may not be encoded. */
static bool is_encodable(const struct mime_part *part)
{
	struct slice header = part->header;
	struct header_field field;

	while (header_next(&header, &field))
		if (slice_is(field.name, "content-type") && slice_begins(field.value, "multipart/"))
			return false;
	return true;
}

/* Nothing is promised of what is signed, of mails with too many parts, and where the lines between the parts are no
 * text: lost bytes may make two of them the same, or one of another line. */
static bool is_promised(const struct mime_part *root, struct slice octets)
{
	const char *at = octets.at;
	int count = 0;

	for (const struct mime_part *part = root; part != NULL; part = mime_next(root, part), count++) {
		const char *body = part->header.at + part->header.length;

		if (mime_is(part, "multipart", "signed") || mime_is(part, "multipart", "encrypted") || mime_is(part, "message", NULL))
			return false;
		if (!is_text(slice_of(at, (size_t)(body - at))))
			return false;
		if (part->first == NULL && !is_encodable(part) && !is_text(part->body))
			return false;
		at = part->first != NULL ? body : part->body.at + part->body.length;
	}
	return count < MIME_PARTS_MAX && is_text(slice_of(at, (size_t)(octets.at + octets.length - at)));
}

static void assert_same(const struct mime_part *one, const struct mime_part *other)
{
	struct buffer first = BUFFER_EMPTY, second = BUFFER_EMPTY;

	transfer_append(&first, one->transfer, one->body);
	transfer_append(&second, other->transfer, other->body);
	assert(first.length == second.length && (first.length == 0 || memcmp(first.data, second.data, first.length) == 0));
	buffer_release(&first);
	buffer_release(&second);
}

static void assert_nothing_is_lost(struct arena *arena, struct slice octets, struct slice text)
{
	const struct mime_part *before = mime_parse(arena, octets.at, octets.length), *root_before = before;
	const struct mime_part *after = mime_parse(arena, text.at, text.length), *root_after = after;

	if (!is_promised(before, octets))
		return;
	while (before != NULL && after != NULL) {
		if (before->first == NULL)
			assert_same(before, after);
		before = mime_next(root_before, before);
		after = mime_next(root_after, after);
	}
	assert(before == NULL && after == NULL);
}

static void make_text(const char *octets, size_t length)
{
	struct arena *arena = arena_create(0);
	struct mime_text text = {.take = NULL};

	mime_text_make(&text, arena, mime_parse(arena, octets, length), slice_of(octets, length));
	assert(is_text(slice_of(text.made.data, text.made.length)));
	if (is_text(slice_of(octets, length)))
		assert(text.made.length == length && (length == 0 || memcmp(text.made.data, octets, length) == 0));
	assert_nothing_is_lost(arena, slice_of(octets, length), slice_of(text.made.data, text.made.length));
	buffer_release(&text.made);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact;

	if (size == 0)
		return 0;
	exact = malloc(size - 1); /* exactly, so that a read behind the end is seen */
	memcpy(exact, data + 1, size - 1);
	read_mail(exact, size - 1, data[0]);
	make_text(exact, size - 1);
	free(exact);
	return 0;
}

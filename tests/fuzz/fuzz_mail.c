/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mail's octets. The first byte chooses what is wished; whatever comes out must be packable: valid UTF-8 in every
 * string, bodies within what was wished.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/mail/mail.h"
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
	if (body->type != BELFRY__CONNECTOR__BODY_TYPE__MIME)
		assert(utf8_is_valid((const char *)body->data.data, body->data.len));
	check(body->preview);
}

static void read_mail(const char *octets, size_t length, uint8_t choice)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes = &wish;
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	struct arena *arena = arena_create(0);

	wish.type = (choice & 3) == 3 ? BELFRY__CONNECTOR__BODY_TYPE__MIME : (Belfry__Connector__BodyType)(1 + (choice & 1));
	wish.has_truncate = (choice & 4) != 0;
	wish.truncate = choice >> 3;
	wish.all_or_none = (choice & 8) != 0;
	wish.preview = choice & 0xf0;
	mail_read(arena, octets, length, &wishes, 1, choice % 3, &mail, &body);
	check_mail(&mail);
	check_body(&body, &wish);
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
	free(exact);
	return 0;
}

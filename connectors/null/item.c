/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An item of the null connector as Fetch answers it. */
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "connectors/contract.h"
#include "connectors/null/store.h"
#include "lib/core/utf8.h"

enum { CONVERSATION_ID_BYTES = 16, CONVERSATION_INDEX_BYTES = 5 };

static Belfry__Connector__BodyType native_of(const struct null_item *item)
{
	return item->html != NULL ? BELFRY__CONNECTOR__BODY_TYPE__HTML : BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
}

/* --- a body in each form --------------------------------------------------------------------------------------- */

static char *as_html(const char *text, struct arena *arena)
{
	struct buffer html = BUFFER_EMPTY;

	buffer_append_string(&html, "<html><body><pre>");
	for (const char *at = text; *at != '\0'; at++)
		switch (*at) {
		case '<': buffer_append_string(&html, "&lt;"); break;
		case '&': buffer_append_string(&html, "&amp;"); break;
		default: buffer_append_byte(&html, (uint8_t)*at);
		}
	buffer_append_string(&html, "</pre></body></html>");
	char *whole = arena_strndup(arena, html.data, html.length);
	buffer_release(&html);
	return whole;
}

static char *as_mime(const struct null_item *item, struct arena *arena)
{
	return arena_printf(arena, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s", item->from, item->to,
		item->subject, item->message_id, item->html != NULL ? "html" : "plain", item->html != NULL ? item->html : item->text);
}

static char *body_text(const struct null_item *item, Belfry__Connector__BodyType type, struct arena *arena)
{
	if (type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		return as_mime(item, arena);
	if (type == BELFRY__CONNECTOR__BODY_TYPE__HTML)
		return item->html != NULL ? item->html : as_html(item->text, arena);
	return item->text;
}

/* --- which body ------------------------------------------------------------------------------------------------ */

struct choice {
	const struct null_item *item;
	const Belfry__Connector__Fetch *fetch;
	struct arena *arena;
	bool may_be_nothing; /* a wish for all or nothing counts although it gets nothing */
};

static bool gets_something(const struct choice *choice, const Belfry__Connector__BodyWish *wish)
{
	return choice->may_be_nothing || !wish->has_truncate || !wish->all_or_none ||
		strlen(body_text(choice->item, wish->type, choice->arena)) <= wish->truncate;
}

static const Belfry__Connector__BodyWish *wish_of(const struct choice *choice, Belfry__Connector__BodyType type)
{
	for (size_t i = 0; i < choice->fetch->n_wishes; i++)
		if (choice->fetch->wishes[i]->type == type && gets_something(choice, choice->fetch->wishes[i]))
			return choice->fetch->wishes[i];
	return NULL;
}

static bool may_be_mime(const struct null_item *item, uint32_t mime_support)
{
	return mime_support == 2 || (mime_support == 1 && strncmp(item->message_class, "IPM.Note.SMIME", 14) == 0);
}

/* MIME where it was asked for and allowed, else what the item is, else what it can be made. NULL: no body wanted. */
static const Belfry__Connector__BodyWish *choose(const struct choice *choice)
{
	const Belfry__Connector__BodyType order[] = {native_of(choice->item), BELFRY__CONNECTOR__BODY_TYPE__PLAIN,
		BELFRY__CONNECTOR__BODY_TYPE__HTML, BELFRY__CONNECTOR__BODY_TYPE__MIME};
	const Belfry__Connector__BodyWish *wish = wish_of(choice, BELFRY__CONNECTOR__BODY_TYPE__MIME);

	if (wish != NULL && may_be_mime(choice->item, choice->fetch->mime_support))
		return wish;
	wish = NULL;
	for (size_t i = 0; wish == NULL && i < sizeof order / sizeof order[0]; i++)
		wish = wish_of(choice, order[i]);
	return wish;
}

static int into_memfd(const char *bytes, size_t length)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, length) != (ssize_t)length) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The first characters of a text. */
static char *preview(const char *text, uint32_t characters, struct arena *arena)
{
	size_t at = 0, length = strlen(text);

	for (; characters > 0 && at < length; characters--) {
		int size = utf8_character(text + at, length - at);
		at += (size_t)(size > 0 ? size : -size);
	}
	return arena_strndup(arena, text, at);
}

static Belfry__Connector__Body *body_with(const struct null_item *item, const Belfry__Connector__BodyWish *wish,
	Belfry__Connector__BodyType type, char *text, struct arena *arena)
{
	Belfry__Connector__Body *body = arena_alloc(arena, sizeof *body);
	size_t length = strlen(text);

	belfry__connector__body__init(body);
	body->type = type;
	body->native = native_of(item);
	body->full_size = length;
	if (wish->has_truncate && length > wish->truncate) {
		body->truncated = true;
		length = wish->all_or_none ? 0 : wish->truncate;
		length -= utf8_incomplete_tail(text, length);
	}
	if (wish->preview > 0)
		body->preview = preview(item->text, wish->preview, arena);
	body->data = (ProtobufCBinaryData){length, (uint8_t *)text};
	return body;
}

static Belfry__Connector__Body *body_of(const struct null_item *item, const Belfry__Connector__BodyWish *wish,
	struct arena *arena, int *fd_r)
{
	Belfry__Connector__Body *body = body_with(item, wish, wish->type, body_text(item, wish->type, arena), arena);

	if (body->data.len > CONNECTOR_INLINE_MAX && (*fd_r = into_memfd((char *)body->data.data, body->data.len)) >= 0) {
		body->in_descriptor = true;
		body->data.len = 0;
	}
	return body;
}

static Belfry__Connector__Body *part_of(const struct null_item *item, const Belfry__Connector__BodyWish *wish,
	struct arena *arena)
{
	const char *quoted = item->in_reply_to[0] != '\0' ? strstr(item->text, "> ") : NULL; /* of the others, to the end */
	const char *own = quoted == NULL ? item->text : arena_strndup(arena, item->text, (size_t)(quoted - item->text));
	char *html = item->html != NULL ? item->html : as_html(own, arena);
	Belfry__Connector__Body *part = body_with(item, wish, BELFRY__CONNECTOR__BODY_TYPE__HTML, html, arena);

	part->too_large = part->data.len > CONNECTOR_INLINE_MAX;
	if (part->too_large)
		part->data.len = 0;
	return part;
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

static uint64_t hash(const char *text, uint64_t value)
{
	for (; *text != '\0'; text++) /* FNV-1a */
		value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return value;
}

/* A reply names it. */
const char *null_item_root(const struct null_item *item)
{
	return item->in_reply_to[0] != '\0' ? item->in_reply_to : item->message_id;
}

static ProtobufCBinaryData conversation_of(const struct null_item *item, struct arena *arena)
{
	const char *root = null_item_root(item);
	uint64_t halves[2] = {hash(root, UINT64_C(0xcbf29ce484222325)), hash(root, 1)};
	uint8_t *id = arena_alloc(arena, CONVERSATION_ID_BYTES);

	memcpy(id, halves, CONVERSATION_ID_BYTES);
	return (ProtobufCBinaryData){CONVERSATION_ID_BYTES, id};
}

/* The first five bytes of a Windows FILETIME without its lowest: MS-ASEMAIL, ConversationIndex. */
static ProtobufCBinaryData index_of(const struct null_item *item, struct arena *arena)
{
	uint64_t ticks = (item->received_s + UINT64_C(11644473600)) * 10000000;
	uint8_t *index = arena_alloc(arena, CONVERSATION_INDEX_BYTES);

	for (int i = 0; i < CONVERSATION_INDEX_BYTES; i++)
		index[i] = (uint8_t)(ticks >> (56 - 8 * i));
	return (ProtobufCBinaryData){CONVERSATION_INDEX_BYTES, index};
}

static char *topic_of(const struct null_item *item)
{
	char *topic = item->subject;

	while (strncasecmp(topic, "Re: ", 4) == 0 || strncasecmp(topic, "Fw: ", 4) == 0)
		topic += 4;
	return topic;
}

static void attach(Belfry__Connector__Mail *mail, const struct null_item *item, struct arena *arena)
{
	if (item->attachment_name == NULL)
		return;
	mail->attachments = arena_alloc(arena, sizeof *mail->attachments);
	mail->attachments[0] = arena_alloc(arena, sizeof *mail->attachments[0]);
	mail->n_attachments = 1;
	belfry__connector__attachment__init(mail->attachments[0]);
	mail->attachments[0]->name = item->attachment_name;
	mail->attachments[0]->part = (char *)"2";
	mail->attachments[0]->size = 4;
	mail->attachments[0]->content_type = item->attachment_type != NULL ? item->attachment_type
		: (char *)"application/octet-stream";
	mail->attachments[0]->method = 1;
}

static const char attachment[] = "gong"; /* everybody's content */

Belfry__Connector__Status null_item_part(const struct null_item *item, const Belfry__Connector__FetchPart *asked,
	Belfry__Connector__Part *part, int *fd_r)
{
	uint64_t size = sizeof attachment - 1, last = asked->has_range && asked->last < size ? asked->last : size - 1;
	uint8_t encoded[4 * sizeof attachment];

	if (item == NULL || item->attachment_name == NULL || strcmp(asked->part, "2") != 0)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (item->is_bad)
		return BELFRY__CONNECTOR__STATUS__BAD_ITEM;
	part->content_type = item->attachment_type != NULL ? item->attachment_type : (char *)"application/octet-stream";
	part->size = size;
	part->first = asked->has_range ? asked->first : 0;
	if (part->first > last)
		return BELFRY__CONNECTOR__STATUS__LIMIT;
	part->count = last + 1 - part->first;
	int length = EVP_EncodeBlock(encoded, (const uint8_t *)attachment + part->first, (int)part->count);
	*fd_r = asked->base64 ? into_memfd((const char *)encoded, (size_t)length)
		: into_memfd(attachment + part->first, part->count);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static void label(Belfry__Connector__Mail *mail, const struct null_item *item, struct arena *arena)
{
	const char *rest = item->keywords;
	char *keyword;

	while ((keyword = null_keyword_next(&rest, arena)) != NULL) {
		char **list = arena_alloc(arena, (mail->n_keywords + 1) * sizeof *list);
		if (mail->n_keywords > 0)
			memcpy(list, mail->keywords, mail->n_keywords * sizeof *list);
		list[mail->n_keywords++] = keyword;
		mail->keywords = list;
	}
}

static Belfry__Connector__Mail *mail_of(const struct null_item *item, struct arena *arena)
{
	Belfry__Connector__Mail *mail = arena_alloc(arena, sizeof *mail);

	belfry__connector__mail__init(mail);
	mail->from = item->from;
	mail->to = mail->display_to = item->to;
	mail->cc = item->cc;
	mail->subject = item->subject;
	mail->thread_topic = topic_of(item);
	mail->received_s = mail->sent_s = item->received_s;
	mail->importance = 1;
	mail->message_class = item->message_class;
	mail->content_class = (char *)"urn:content-classes:message";
	mail->codepage = 65001;
	mail->message_id = item->message_id;
	mail->in_reply_to = item->in_reply_to;
	mail->conversation_id = conversation_of(item, arena);
	mail->conversation_index = index_of(item, arena);
	attach(mail, item, arena);
	label(mail, item, arena);
	return mail;
}

Belfry__Connector__Item *null_item_fetched(const struct null_item *item, const Belfry__Connector__Fetch *fetch,
	struct arena *arena, int *fd_r)
{
	Belfry__Connector__Item *fetched = arena_alloc(arena, sizeof *fetched);
	struct choice choice = {item, fetch, arena, false};
	const Belfry__Connector__BodyWish *wish = choose(&choice);

	choice.may_be_nothing = true;
	if (wish == NULL)
		wish = choose(&choice);
	belfry__connector__item__init(fetched);
	*fd_r = -1;
	fetched->id = item->id;
	if (item->is_bad) {
		fetched->status = BELFRY__CONNECTOR__STATUS__BAD_ITEM;
		return fetched;
	}
	fetched->flags = item->flags;
	fetched->mail = mail_of(item, arena);
	if (wish != NULL)
		fetched->body = body_of(item, wish, arena, fd_r);
	if (fetch->part != NULL)
		fetched->part = part_of(item, fetch->part, arena);
	return fetched;
}

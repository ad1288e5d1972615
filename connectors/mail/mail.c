/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fields of a mail. */
#include "connectors/mail/mail.h"

#include "connectors/mail/address.h"
#include "connectors/mail/attachment.h"
#include "connectors/mail/class.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header.h"
#include "connectors/mail/mime_text.h"
#include "connectors/mail/thread.h"
#include "connectors/mail/words.h"

enum {
	IDS_MAX = 16 * 1024,   /* of References: some mailers never cut it */
	CODEPAGE_UTF8 = 65001  /* what bodies and fields are given in */
};

enum field { FROM, SENDER, TO, CC, REPLY_TO, SUBJECT, DATE, MESSAGE_ID, IN_REPLY_TO, REFERENCES, IMPORTANCE, X_PRIORITY,
	FIELDS };

static const char *const field_names[FIELDS] = {"from", "sender", "to", "cc", "reply-to", "subject", "date",
	"message-id", "in-reply-to", "references", "importance", "x-priority"};

/* The first of each. */
static void find_fields(struct slice header, struct slice values_r[FIELDS])
{
	struct header_field field;

	memset(values_r, 0, FIELDS * sizeof *values_r);
	while (header_next(&header, &field))
		for (int i = 0; i < FIELDS; i++)
			if (values_r[i].at == NULL && slice_is(field.name, field_names[i])) {
				values_r[i] = field.value;
				break;
			}
}

/* 0 low, 1 normal, 2 high. */
static unsigned importance_of(const struct slice values[FIELDS])
{
	struct slice words = values[IMPORTANCE], digits = values[X_PRIORITY];

	if (slice_is(words, "high") || slice_is(words, "low"))
		return slice_is(words, "high") ? 2 : 0;
	if (words.length == 0 && digits.length > 0 && *digits.at >= '1' && *digits.at <= '5')
		return *digits.at < '3' ? 2 : *digits.at > '3' ? 0 : 1;
	return 1;
}

static void fill_thread(struct arena *arena, const struct slice values[FIELDS], Belfry__Connector__Mail *mail_r)
{
	struct thread_source source = {
		.message_id = slice_cut(values[MESSAGE_ID], IDS_MAX),
		.in_reply_to = slice_cut(values[IN_REPLY_TO], IDS_MAX),
		.references = slice_cut(values[REFERENCES], IDS_MAX),
		.topic = mail_r->thread_topic,
	};

	mail_r->message_id = words_decode(arena, source.message_id);
	mail_r->in_reply_to = words_decode(arena, source.in_reply_to);
	mail_r->references = words_decode(arena, source.references);
	mail_r->conversation_id.data = arena_alloc(arena, THREAD_ID_BYTES);
	mail_r->conversation_id.len = THREAD_ID_BYTES;
	thread_id(&source, mail_r->conversation_id.data);
	mail_r->conversation_index.len = thread_index(arena, &source, &mail_r->conversation_index.data);
}

void mail_fill(struct arena *arena, const struct mime_part *root, const struct body_plan *plan,
	Belfry__Connector__Mail *mail_r)
{
	struct slice values[FIELDS];

	find_fields(root->header, values);
	mail_r->from = address_list(arena, values[FROM]);
	mail_r->sender = address_list(arena, values[SENDER]);
	mail_r->to = address_list(arena, values[TO]);
	mail_r->cc = address_list(arena, values[CC]);
	mail_r->reply_to = address_list(arena, values[REPLY_TO]);
	mail_r->display_to = address_names(arena, values[TO]);
	mail_r->subject = words_decode(arena, values[SUBJECT]);
	mail_r->thread_topic = (char *)thread_topic(mail_r->subject);
	mail_r->sent_s = date_parse(values[DATE]);
	mail_r->importance = importance_of(values);
	mail_r->message_class = (char *)class_of(arena, root);
	mail_r->content_class = "urn:content-classes:message";
	mail_r->codepage = CODEPAGE_UTF8;
	fill_thread(arena, values, mail_r);
	attachment_list(arena, root, plan, mail_r);
}

/* The whole mail as text; where it is that already it is not copied. */
static struct slice mime_of(struct arena *arena, const struct mime_part *root, struct slice octets)
{
	struct mime_text text = {.made = BUFFER_EMPTY};

	if (!mime_text_is_needed(octets))
		return octets;
	mime_text_make(&text, arena, root, octets);
	octets = slice_of(arena_strndup(arena, text.made.data != NULL ? text.made.data : "", text.made.length), text.made.length);
	buffer_release(&text.made);
	return octets;
}

static void fill_body(struct arena *arena, const struct mime_part *root, struct slice octets,
	const struct body_plan *plan, Belfry__Connector__Body *body_r)
{
	belfry__connector__body__init(body_r);
	if (plan->type == BELFRY__CONNECTOR__BODY_TYPE__MIME) {
		struct slice mime = mime_of(arena, root, octets);
		body_fill_mime(arena, plan, mime, mime.length, body_r);
	} else {
		body_fill(arena, plan, body_r);
	}
}

void mail_read(struct arena *arena, const char *octets, size_t length, Belfry__Connector__BodyWish *const *wishes,
	size_t count, unsigned mime_support, Belfry__Connector__Mail *mail_r, Belfry__Connector__Body *body_r)
{
	struct mime_part *root = mime_parse(arena, octets, length);
	struct body_plan plan;

	body_choose(root, wishes, count, mime_support, &plan);
	mail_fill(arena, root, &plan, mail_r);
	do
		fill_body(arena, root, slice_of(octets, length), &plan, body_r);
	while (body_choose_other(root, wishes, count, mime_support, body_r, &plan));
}

void mail_read_part(struct arena *arena, const char *octets, size_t length, const Belfry__Connector__BodyWish *wish,
	Belfry__Connector__Body *part_r)
{
	struct body_plan plan;

	body_choose_part(mime_parse(arena, octets, length), wish, &plan);
	body_fill(arena, &plan, part_r);
}

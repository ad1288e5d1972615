/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Listing attachments with names, numbers and sizes. */
#include "connectors/mail/attachment.h"

#include "connectors/mail/header.h"
#include "connectors/mail/words.h"

static bool is_within(const struct mime_part *part, const char *multipart)
{
	return part->parent != NULL && mime_is(part->parent, "multipart", multipart);
}

/* A form of the text that nobody is shown: text/enriched beside plain and HTML. An invitation is something else. */
static bool is_other_form(const struct mime_part *part)
{
	return is_within(part, "alternative") && mime_is(part, "text", NULL) && part->disposition_params == NULL
		&& !mime_is(part, "text", "calendar");
}

static bool is_attachment(const struct mime_part *part, const struct body_plan *plan)
{
	return !mime_is(part, "multipart", NULL) && !body_has(plan, part) && !is_other_form(part);
}

/* A phone chooses the program by the end of the name. */
static const char *ending_of(const struct mime_part *part)
{
	static const struct { const char *type, *subtype, *ending; } endings[] = {
		{"message", "rfc822", ".eml"}, {"text", "plain", ".txt"}, {"text", "html", ".html"},
		{"text", "calendar", ".ics"}, {"text", "vcard", ".vcf"}, {"text", "x-vcard", ".vcf"}, {"image", "jpeg", ".jpg"},
		{"image", "png", ".png"}, {"image", "gif", ".gif"}, {"application", "pdf", ".pdf"},
		{"application", "pkcs7-signature", ".p7s"}, {"application", "ms-tnef", ".dat"}, {"message", "delivery-status", ".txt"},
		{"text", "rfc822-headers", ".txt"},
	};

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (mime_is(part, endings[i].type, endings[i].subtype))
			return endings[i].ending;
	return "";
}

/* The subject of a mail within the mail; NULL when it has none or is not loaded. */
static char *embedded_subject(struct arena *arena, const struct mime_part *part)
{
	struct slice rest = part->body;
	struct header_field field;

	if (!part->is_loaded || !mime_is(part, "message", "rfc822"))
		return NULL;
	while (header_next(&rest, &field))
		if (slice_is(field.name, "subject") && field.value.length > 0)
			return words_decode(arena, slice_cut(field.value, 512));
	return NULL;
}

static char *name_of(struct arena *arena, const struct mime_part *part, const char *number)
{
	char *name = mime_part_name(arena, part);

	if (name == NULL || *name == '\0')
		name = embedded_subject(arena, part);
	if (name == NULL)
		return arena_printf(arena, "attachment-%s%s", number, ending_of(part));
	if (mime_is(part, "message", "rfc822") && strchr(name, '.') == NULL)
		name = arena_printf(arena, "%s.eml", name);
	for (char *at = name; *at != '\0'; at++)
		if (*at == '/' || *at == '\\')
			*at = '_'; /* never a path on the phone */
	return name;
}

static Belfry__Connector__Attachment *describe(struct arena *arena, const struct mime_part *part)
{
	Belfry__Connector__Attachment *attachment = arena_alloc(arena, sizeof *attachment);

	belfry__connector__attachment__init(attachment);
	attachment->part = mime_part_number(arena, part);
	attachment->name = name_of(arena, part, attachment->part);
	attachment->size = transfer_decoded_size(part->transfer, part->size);
	attachment->content_type = words_decode(arena, slice_string(arena_printf(arena, "%.*s/%.*s",
		(int)slice_cut(part->type, 100).length, part->type.at, (int)slice_cut(part->subtype, 100).length, part->subtype.at)));
	attachment->content_id = words_decode(arena, part->content_id);
	attachment->content_location = words_decode(arena, part->content_location);
	attachment->is_inline = part->content_id.length > 0
		&& (part->disposition == MIME_DISPOSITION_INLINE || is_within(part, "related"));
	attachment->method = mime_is(part, "message", "rfc822") ? ATTACHMENT_EMBEDDED : ATTACHMENT_NORMAL;
	return attachment;
}

void attachment_list(struct arena *arena, const struct mime_part *root, const struct body_plan *plan,
	Belfry__Connector__Mail *mail_r)
{
	size_t count = 0;

	for (const struct mime_part *part = root; part != NULL; part = mime_next(root, part))
		count += is_attachment(part, plan);
	if (count == 0)
		return;
	mail_r->attachments = arena_alloc(arena, count * sizeof *mail_r->attachments);
	for (const struct mime_part *part = root; part != NULL; part = mime_next(root, part))
		if (is_attachment(part, plan))
			mail_r->attachments[mail_r->n_attachments++] = describe(arena, part);
}

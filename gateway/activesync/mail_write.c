/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mail as ActiveSync shows it (MS-ASEMAIL, MS-ASAIRS). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/activesync/date_time.h"
#include "gateway/activesync/sync.h"

enum { ADDRESSES_MAX = 32768 }; /* characters of To and From (MS-ASEMAIL 2.2.2.75, Email.xsd); bytes are fewer */
enum { FLAG_NONE = 0, FLAG_ACTIVE = 2 };

/* As text_element, but cut at a character so that the schema's bound holds; an absent value is left out. */
static void write_text(struct wbxml_writer *writer, uint16_t tag, const char *text, size_t max)
{
	size_t length = strlen(text);

	if (length == 0)
		return;
	if (length > max)
		for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
			length--;
	wbxml_writer_text_element_n(writer, tag, text, length);
}

/* A device may name the elements that it wants (Schema); NULL: all. */
static bool is_wanted(const struct mail_form *form, uint16_t tag)
{
	return form->schema == NULL || wbxml_node_child(form->schema, tag) != NULL;
}

static void write_property(const struct mail_form *form, struct wbxml_writer *writer, uint16_t tag, const char *text,
	size_t max)
{
	if (is_wanted(form, tag))
		write_text(writer, tag, text, max);
}

static void write_number(const struct mail_form *form, struct wbxml_writer *writer, uint16_t tag, int64_t number)
{
	if (is_wanted(form, tag))
		wbxml_writer_number_element(writer, tag, number);
}

static void write_flag(struct wbxml_writer *writer, uint32_t flags)
{
	if (!(flags & BELFRY__CONNECTOR__FLAG__FLAGGED)) {
		wbxml_writer_empty_element(writer, AS_EMAIL_FLAG);
		return;
	}
	wbxml_writer_start(writer, AS_EMAIL_FLAG);
	wbxml_writer_number_element(writer, AS_EMAIL_STATUS, FLAG_ACTIVE);
	wbxml_writer_text_element(writer, AS_EMAIL_FLAGTYPE, "Flag for follow up");
	wbxml_writer_end(writer);
}

/* An empty one says that there are none (MS-ASEMAIL 2.2.2.16). */
static void write_categories(struct wbxml_writer *writer, char *const *names, size_t count)
{
	if (count == 0) {
		wbxml_writer_empty_element(writer, AS_EMAIL_CATEGORIES);
		return;
	}
	wbxml_writer_start(writer, AS_EMAIL_CATEGORIES);
	for (size_t i = 0; i < count && i < SYNC_LABEL_NAMES_MAX; i++)
		write_text(writer, AS_EMAIL_CATEGORY, names[i], SYNC_LABEL_NAME_MAX);
	wbxml_writer_end(writer);
}

/* MS-ASEMAIL 2.2.2.44. Backends know neither whether a reply went to all nor what came last: a reply counts more. */
static int verb_of(uint32_t flags)
{
	enum { UNKNOWN = 0, REPLY_TO_SENDER = 1, FORWARD = 3 };

	return flags & BELFRY__CONNECTOR__FLAG__ANSWERED ? REPLY_TO_SENDER
		: flags & BELFRY__CONNECTOR__FLAG__FORWARDED ? FORWARD : UNKNOWN;
}

void mail_write_change(struct request *request, const struct sync_state *state, uint64_t item)
{
	struct wbxml_writer *writer = &request->writer;
	const struct sync_label *label = sync_labels_find(&state->labels, item);
	uint32_t flags = sync_state_flags(state, item);

	wbxml_writer_number_element(writer, AS_EMAIL_READ, (flags & BELFRY__CONNECTOR__FLAG__SEEN) != 0);
	write_flag(writer, flags);
	if (!state->shows_all)
		return;
	write_categories(writer, label == NULL ? NULL : label->names, label == NULL ? 0 : label->count);
	if (!ranges_has(&state->told.verbs, item))
		return;
	wbxml_writer_number_element(writer, AS_EMAIL2_LASTVERBEXECUTED, verb_of(flags));
	if (verb_of(flags) != 0) /* when is nobody's to say: when it was seen */
		date_time_write(writer, AS_EMAIL2_LASTVERBEXECUTIONTIME, state->record->told_at_s);
}

static void write_envelope(const struct mail_form *form, struct wbxml_writer *writer, const Belfry__Connector__Mail *mail,
	uint32_t flags)
{
	write_property(form, writer, AS_EMAIL_TO, mail->to, ADDRESSES_MAX);
	write_property(form, writer, AS_EMAIL_CC, mail->cc, ADDRESSES_MAX);
	write_property(form, writer, AS_EMAIL_FROM, mail->from, ADDRESSES_MAX);
	write_property(form, writer, AS_EMAIL_SUBJECT, mail->subject, ADDRESSES_MAX);
	write_property(form, writer, AS_EMAIL_REPLYTO, mail->reply_to, ADDRESSES_MAX);
	if (is_wanted(form, AS_EMAIL_DATERECEIVED))
		date_time_write(writer, AS_EMAIL_DATERECEIVED, mail->received_s);
	write_property(form, writer, AS_EMAIL_DISPLAYTO, mail->display_to, ADDRESSES_MAX);
	write_property(form, writer, AS_EMAIL_THREADTOPIC, mail->thread_topic, ADDRESSES_MAX);
	write_number(form, writer, AS_EMAIL_IMPORTANCE, mail->importance <= 2 ? mail->importance : 1);
	write_number(form, writer, AS_EMAIL_READ, (flags & BELFRY__CONNECTOR__FLAG__SEEN) != 0);
}

/* Our name of an attachment: item and part, so that it can be found again without a state. */
static void write_attachment(struct wbxml_writer *writer, const Belfry__Connector__Attachment *attachment,
	const char *server_id)
{
	char reference[128];

	snprintf(reference, sizeof reference, "%s:%s", server_id, attachment->part);
	wbxml_writer_start(writer, AS_AIRSYNCBASE_ATTACHMENT);
	write_text(writer, AS_AIRSYNCBASE_DISPLAYNAME, attachment->name[0] == '\0' ? "attachment" : attachment->name, 1024);
	wbxml_writer_text_element(writer, AS_AIRSYNCBASE_FILEREFERENCE, reference);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_METHOD, attachment->method == 0 ? 1 : attachment->method);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, (int64_t)attachment->size);
	write_text(writer, AS_AIRSYNCBASE_CONTENTID, attachment->content_id, 1024);
	write_text(writer, AS_AIRSYNCBASE_CONTENTLOCATION, attachment->content_location, 1024);
	if (attachment->is_inline)
		wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ISINLINE, 1);
	wbxml_writer_end(writer);
}

static void write_attachments(struct wbxml_writer *writer, const Belfry__Connector__Mail *mail, const char *server_id)
{
	if (mail->n_attachments == 0)
		return;
	wbxml_writer_start(writer, AS_AIRSYNCBASE_ATTACHMENTS);
	for (size_t i = 0; i < mail->n_attachments; i++)
		write_attachment(writer, mail->attachments[i], server_id);
	wbxml_writer_end(writer);
}

void mail_write_file(struct request *request, struct http_response *response, uint16_t tag, int fd)
{
	struct stat status;
	int own = dup(fd);

	if (own < 0 || fstat(own, &status) < 0 || status.st_size == 0) {
		if (own >= 0)
			close(own);
		return;
	}
	wbxml_writer_start(&request->writer, tag);
	wbxml_writer_text_open(&request->writer);
	http_response_bytes(response, &request->body);
	http_response_file(response, own, 0, (size_t)status.st_size);
	wbxml_writer_text_close(&request->writer);
	wbxml_writer_end(&request->writer);
}

/* The connector has made it text without NUL (connectors/contract.h), so the file goes out as it is. */
static void write_data(struct request *request, const struct mail_form *form, const Belfry__Connector__Body *body, int fd)
{
	bool is_file = body->in_descriptor && fd >= 0;

	if (form->parts != NULL)
		item_parts_write(form->parts, &request->writer, body->data.data, body->data.len, is_file ? fd : -1);
	else if (is_file)
		mail_write_file(request, form->response, AS_AIRSYNCBASE_DATA, fd);
	else if (body->data.len != 0)
		wbxml_writer_text_element_n(&request->writer, AS_AIRSYNCBASE_DATA, (const char *)body->data.data, body->data.len);
}

static void write_body(struct request *request, const struct mail_form *form, const Belfry__Connector__Body *body, int fd)
{
	struct wbxml_writer *writer = &request->writer;

	wbxml_writer_start(writer, AS_AIRSYNCBASE_BODY);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TYPE, body->type);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, (int64_t)body->full_size);
	/* With MIME it is always said (MS-ASCMD 2.2.3.110.3). */
	if (body->truncated || body->type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TRUNCATED, body->truncated);
	write_data(request, form, body, fd);
	if (request->version >= 140)
		write_text(writer, AS_AIRSYNCBASE_PREVIEW, body->preview, 1024);
	wbxml_writer_end(writer);
}

/* Only what is new in the mail (MS-ASAIRS 2.2.2.10). One that is too large, or that this connector does not make, has a
 * status that tells the device to take the body. */
static void write_body_part(struct wbxml_writer *writer, const Belfry__Connector__Body *part)
{
	enum { SUCCESS = 1, PART_TOO_LARGE = 176 };
	bool is_there = part != NULL && !part->too_large;

	wbxml_writer_start(writer, AS_AIRSYNCBASE_BODYPART);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_STATUS, is_there ? SUCCESS : PART_TOO_LARGE);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TYPE, BELFRY__CONNECTOR__BODY_TYPE__HTML);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, part == NULL ? 0 : (int64_t)part->full_size);
	if (is_there && part->truncated)
		wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TRUNCATED, 1);
	if (is_there && part->data.len != 0)
		wbxml_writer_text_element_n(writer, AS_AIRSYNCBASE_DATA, (const char *)part->data.data, part->data.len);
	if (part != NULL)
		write_text(writer, AS_AIRSYNCBASE_PREVIEW, part->preview, 1024);
	wbxml_writer_end(writer);
}

static void write_conversation(const struct mail_form *form, struct wbxml_writer *writer, const Belfry__Connector__Mail *mail)
{
	if (mail->conversation_id.len != 0 && is_wanted(form, AS_EMAIL2_CONVERSATIONID))
		wbxml_writer_opaque_element(writer, AS_EMAIL2_CONVERSATIONID, mail->conversation_id.data,
			mail->conversation_id.len);
	if (mail->conversation_index.len != 0 && is_wanted(form, AS_EMAIL2_CONVERSATIONINDEX))
		wbxml_writer_opaque_element(writer, AS_EMAIL2_CONVERSATIONINDEX, mail->conversation_index.data,
			mail->conversation_index.len);
}

/* What kind of mail it is. */
static void write_kind(const struct mail_form *form, struct wbxml_writer *writer, const Belfry__Connector__Item *item,
	unsigned version)
{
	const Belfry__Connector__Mail *mail = item->mail;

	write_property(form, writer, AS_EMAIL_MESSAGECLASS, mail->message_class[0] == '\0' ? "IPM.Note" : mail->message_class, 256);
	write_number(form, writer, AS_EMAIL_INTERNETCPID, mail->codepage == 0 ? 65001 : mail->codepage);
	if (is_wanted(form, AS_EMAIL_FLAG))
		write_flag(writer, item->flags);
	write_property(form, writer, AS_EMAIL_CONTENTCLASS,
		mail->content_class[0] == '\0' ? "urn:content-classes:message" : mail->content_class, 256);
	if (version >= 140 && is_wanted(form, AS_EMAIL_CATEGORIES))
		write_categories(writer, mail->keywords, mail->n_keywords);
	if (item->body != NULL && item->body->native != BELFRY__CONNECTOR__BODY_TYPE__BODY_NONE)
		write_number(form, writer, AS_AIRSYNCBASE_NATIVEBODYTYPE, item->body->native);
}

void mail_write(struct request *request, const struct mail_form *form, const Belfry__Connector__Item *item,
	const char *server_id, int fd)
{
	struct wbxml_writer *writer = &request->writer;
	const Belfry__Connector__Mail *mail = item->mail;

	write_envelope(form, writer, mail, item->flags);
	if (is_wanted(form, AS_AIRSYNCBASE_ATTACHMENTS))
		write_attachments(writer, mail, server_id);
	if (item->body != NULL && item->body->type != BELFRY__CONNECTOR__BODY_TYPE__BODY_NONE &&
	    is_wanted(form, AS_AIRSYNCBASE_BODY))
		write_body(request, form, item->body, fd);
	if (form->with_part && request->version >= 141 && is_wanted(form, AS_AIRSYNCBASE_BODYPART))
		write_body_part(writer, item->part);
	write_kind(form, writer, item, request->version);
	if (request->version >= 140) {
		write_conversation(form, writer, mail);
		if (strcmp(mail->sender, mail->from) != 0) /* on behalf of From (MS-ASEMAIL 2.2.2.68) */
			write_property(form, writer, AS_EMAIL2_SENDER, mail->sender, ADDRESSES_MAX);
		if (verb_of(item->flags) != 0)
			write_number(form, writer, AS_EMAIL2_LASTVERBEXECUTED, verb_of(item->flags));
	}
}

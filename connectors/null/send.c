/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Send: what is handed in goes nowhere, but is counted, and kept in Sent where that is asked for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/mail/address.h"
#include "connectors/mail/header.h"
#include "connectors/mail/outgoing.h"
#include "connectors/mail/words.h"
#include "connectors/null/store.h"
#include "lib/core/mem.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

enum { READ_BYTES = 64 * 1024 };

/* --- what was handed in ---------------------------------------------------------------------------------------- */

struct null_submission *null_submission(const struct null_store *store, const char *message_id)
{
	struct null_submission *submission;

	HASH_FIND(hh, store->submissions, message_id, strlen(message_id), submission);
	return submission;
}

static void hand_in(struct null_store *store, struct null_user *user, const char *message_id)
{
	struct null_submission *submission = null_submission(store, message_id);

	user->submitted++;
	if (submission != NULL)
		return;
	submission = mem_alloc(sizeof *submission + strlen(message_id) + 1);
	strcpy(submission->message_id, message_id);
	HASH_ADD(hh, store->submissions, message_id, strlen(message_id), submission);
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

static struct slice read_mail(const Belfry__Connector__Send *asked, int fd, struct buffer *octets)
{
	ssize_t got;

	if (!asked->in_descriptor)
		return slice_of((const char *)asked->mime.data, asked->mime.len);
	lseek(fd, 0, SEEK_SET);
	while ((got = read(fd, buffer_reserve(octets, READ_BYTES), READ_BYTES)) > 0)
		buffer_grow(octets, (size_t)got);
	return slice_of(octets->data, octets->length);
}

static struct null_mail mail_of(const struct outgoing *outgoing, struct arena *arena)
{
	struct null_mail mail = {.message_id = outgoing->message_id, .subject = "", .flags = BELFRY__CONNECTOR__FLAG__SEEN};
	struct slice rest = outgoing->fields;
	struct header_field field;

	while (header_next(&rest, &field))
		if (slice_is(field.name, "From"))
			mail.from = address_list(arena, field.value);
		else if (slice_is(field.name, "To"))
			mail.to = address_list(arena, field.value);
		else if (slice_is(field.name, "Cc"))
			mail.cc = address_list(arena, field.value);
		else if (slice_is(field.name, "Subject"))
			mail.subject = words_decode(arena, field.value);
	mail.text = arena_strndup(arena, outgoing->body.at == NULL ? "" : outgoing->body.at, outgoing->body.length);
	return mail;
}

/* --- the original ---------------------------------------------------------------------------------------------- */

static struct null_item *original_of(struct null_mailboxes *mailboxes, const Belfry__Connector__Send *asked,
	struct null_collection **collection_r)
{
	struct null_collection *collection = *collection_r = null_collection(mailboxes, asked->collection);

	if (collection == NULL || (asked->validity != 0 && asked->validity != collection->validity))
		return NULL;
	return null_item(collection, asked->item);
}

static void mark(struct null_store *store, struct null_user *user, const Belfry__Connector__Send *asked)
{
	struct null_collection *collection;
	struct null_item *item = original_of(null_mailboxes_own(store, user), asked, &collection);

	if (item == NULL)
		return;
	null_item_flag(collection, item, asked->kind == BELFRY__CONNECTOR__ORIGINAL__REPLIED
		? BELFRY__CONNECTOR__FLAG__ANSWERED : BELFRY__CONNECTOR__FLAG__FORWARDED, 0);
	null_changed(store, user, collection);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static Belfry__Connector__Status status_of(enum outgoing_fault fault)
{
	switch (fault) {
	case OUTGOING_FINE: return STATUS(OK);
	case OUTGOING_NO_RECIPIENT: return STATUS(NO_RECIPIENT);
	case OUTGOING_TOO_MANY: return STATUS(NOT_SENT);
	case OUTGOING_BAD: break;
	}
	return STATUS(BAD_MAIL);
}

static void keep(struct null_store *store, const struct null_user *user, const struct outgoing *outgoing,
	struct arena *arena)
{
	const struct null_mailboxes *mailboxes = null_mailboxes_of(store, user);
	const struct null_collection *sent = null_collection_of_role(mailboxes, BELFRY__CONNECTOR__ROLE__SENT);
	struct null_mail mail = mail_of(outgoing, arena);

	if (sent != NULL)
		null_deliver(store, user->name, sent->name, &mail);
}

Belfry__Connector__Status null_send(struct null_store *store, struct null_user *user, const Belfry__Connector__Send *asked,
	int fd, struct arena *arena)
{
	struct buffer octets = BUFFER_EMPTY;
	struct outgoing outgoing;
	struct null_collection *collection;
	struct error error;
	Belfry__Connector__Status status = status_of(outgoing_read(arena, read_mail(asked, fd, &octets), asked->message_id,
		loop_wall_s(store->loop), &outgoing, &error));
	bool has_original = asked->kind != BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE;

	if (status == STATUS(OK) && asked->again && null_submission(store, outgoing.message_id) != NULL) {
		buffer_release(&octets);
		return STATUS(OK);
	}
	if (status == STATUS(OK) && has_original && !asked->replace &&
	    original_of(null_mailboxes_own(store, user), asked, &collection) == NULL)
		status = STATUS(NOT_FOUND);
	if (status == STATUS(OK)) {
		hand_in(store, user, outgoing.message_id);
		if (asked->save)
			keep(store, user, &outgoing, arena);
		if (has_original)
			mark(store, user, asked);
	}
	buffer_release(&octets);
	return status;
}

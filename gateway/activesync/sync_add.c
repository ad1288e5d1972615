/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One mail that is new to the device. */
#include <stdio.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"

void sync_write_mail(struct request *request, const Belfry__Connector__Item *item, const char *server_id, int fd)
{
	const struct mail_form form = {.response = &((struct sync_work *)request->work)->response,
		.with_part = sync_job_now(request)->state.record->options->part != NULL};

	mail_write(request, &form, item, server_id, fd);
}

/* An item that cannot be read is shown as what it is: the folder goes on, and the user knows. */
static void write_bad_item(struct request *request)
{
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	Belfry__Connector__Item item = BELFRY__CONNECTOR__ITEM__INIT;
	static char text[] = "This message is damaged and cannot be shown here. It is unchanged on the server.";

	mail.subject = "(unreadable message)";
	mail.importance = 1;
	mail.received_s = (uint64_t)loop_wall_s(request->engine->host.loop);
	body.type = body.native = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	body.data.data = (uint8_t *)text;
	body.data.len = body.full_size = sizeof text - 1;
	item.mail = &mail;
	item.body = &body;
	item.flags = BELFRY__CONNECTOR__FLAG__SEEN;
	sync_write_mail(request, &item, "", -1);
}

/* Is there for its conversation only (MS-ASCMD 2.2.3.36.2): its preview is told, and its text left out. */
static bool is_outside(struct request *request, const Belfry__Connector__Item *item)
{
	const Belfry__Activesync__Options *options = sync_job_now(request)->state.record->options;

	return options->conversations && item->body != NULL &&
		item->mail->received_s + SYNC_FILTER_SLACK_S < sync_filter_since_s(request, options->filter);
}

static void write_without_text(struct request *request, const Belfry__Connector__Item *item, const char *server_id)
{
	Belfry__Connector__Item bare = *item;
	Belfry__Connector__Body body = *item->body;

	body.truncated = body.full_size != 0;
	body.data.len = 0;
	body.in_descriptor = false;
	bare.body = &body;
	bare.part = NULL;
	sync_write_mail(request, &bare, server_id, -1);
}

void sync_write_add(struct request *request, const Belfry__Connector__Item *item, int fd)
{
	struct sync_job *job = sync_job_now(request);
	char server_id[64];

	if (item->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND) { /* expunged between survey and fetch */
		sync_state_untell(&job->state, item->id);
		return;
	}
	snprintf(server_id, sizeof server_id, "%s:%llu", job->collection_id, (unsigned long long)item->id);
	sync_open_commands(request);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_ADD);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, server_id);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
	bool is_good = item->status == BELFRY__CONNECTOR__STATUS__OK && item->mail != NULL;
	if (is_good && is_outside(request, item))
		write_without_text(request, item, server_id);
	else if (is_good)
		sync_write_mail(request, item, server_id, fd);
	else
		write_bad_item(request);
	wbxml_writer_end(&request->writer);
	wbxml_writer_end(&request->writer);
	if (sync_state_added(&job->state, item->id, is_good ? item->flags : BELFRY__CONNECTOR__FLAG__SEEN))
		job->changed = true; /* given again, it may have other flags than the first time */
	if (is_good && sync_state_label(&job->state, item->id, item->mail->keywords, item->mail->n_keywords, request->arena))
		job->changed = true;
	if (sync_state_note_bad(&job->state, item->id, !is_good))
		job->changed = true;
}

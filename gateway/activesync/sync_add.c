/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One mail that is new to the device. */
#include <stdio.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"

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
	mail_write(request, &(struct mail_form){NULL}, &item, "", -1);
}

/* What is new in a mail against its conversation (MS-ASCON) is not worked out here: a device that asks for it is told to
 * take the whole body, which stands beside: "the message part is too large" (MS-ASAIRS 2.2.2.37). */
static void write_body_part(struct request *request)
{
	const Belfry__Activesync__Options *options = sync_job_now(request)->state.record->options;
	enum { PART_TOO_LARGE = 176 };

	if (request->version < 141 || options->body_part == 0)
		return;
	wbxml_writer_start(&request->writer, AS_AIRSYNCBASE_BODYPART);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_STATUS, PART_TOO_LARGE);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_TYPE, options->body_part);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, 0);
	wbxml_writer_end(&request->writer);
}

void sync_write_mail(struct request *request, const Belfry__Connector__Item *item, const char *server_id, int fd)
{
	const struct mail_form form = {.response = &((struct sync_work *)request->work)->response};

	mail_write(request, &form, item, server_id, fd);
	write_body_part(request);
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
	if (is_good)
		sync_write_mail(request, item, server_id, fd);
	else
		write_bad_item(request);
	wbxml_writer_end(&request->writer);
	wbxml_writer_end(&request->writer);
	if (sync_state_added(&job->state, item->id, is_good ? item->flags : BELFRY__CONNECTOR__FLAG__SEEN))
		job->changed = true; /* given again, it may have other flags than the first time */
	if (sync_state_note_bad(&job->state, item->id, !is_good))
		job->changed = true;
}

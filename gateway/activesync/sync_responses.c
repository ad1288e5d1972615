/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of the device's commands: failures, and mails that it fetches by name. */
#include <stdio.h>

#include "gateway/activesync/sync.h"

/* What the device asked for by Fetch (MS-ASCMD 2.2.3.67.2): part of Responses, in full. */
void sync_write_fetched(struct request *request, const Belfry__Connector__Item *item, int fd)
{
	bool is_good = item->status == BELFRY__CONNECTOR__STATUS__OK && item->mail != NULL;
	char server_id[64];

	snprintf(server_id, sizeof server_id, "%s:%llu", sync_job_now(request)->collection_id, (unsigned long long)item->id);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_FETCH);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, server_id);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, is_good ? SYNC_STATUS_SUCCESS
		: item->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ? SYNC_STATUS_NOT_FOUND : SYNC_STATUS_CONVERSION);
	if (is_good) {
		wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
		sync_write_mail(request, item, server_id, fd);
		wbxml_writer_end(&request->writer);
	}
	wbxml_writer_end(&request->writer);
}

static void write_failure(struct request *request, const struct sync_command *command)
{
	static const uint16_t tags[] = {
		[SYNC_COMMAND_CHANGE] = AS_AIRSYNC_CHANGE, [SYNC_COMMAND_DELETE] = AS_AIRSYNC_DELETE,
		[SYNC_COMMAND_ADD] = AS_AIRSYNC_ADD, [SYNC_COMMAND_FETCH] = AS_AIRSYNC_FETCH,
	};
	bool is_add = command->kind == SYNC_COMMAND_ADD;

	wbxml_writer_start(&request->writer, tags[command->kind]);
	wbxml_writer_text_element(&request->writer, is_add ? AS_AIRSYNC_CLIENTID : AS_AIRSYNC_SERVERID,
		is_add ? command->client_id : command->server_id);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, command->status);
	wbxml_writer_end(&request->writer);
}

/* Commands is over: Responses begins, with what failed, and what is fetched follows. A success is not mentioned. */
void sync_begin_responses(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	if (job->commands_open)
		wbxml_writer_end(&request->writer);
	job->in_responses = true;
	job->items = arena_alloc(request->arena, (job->command_count + 1) * sizeof *job->items);
	job->item_count = job->item_next = 0;
	wbxml_writer_start(&request->writer, AS_AIRSYNC_RESPONSES);
	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].kind == SYNC_COMMAND_FETCH && job->commands[i].status == SYNC_STATUS_SUCCESS)
			job->items[job->item_count++] = job->commands[i].item;
		else if (job->commands[i].status != SYNC_STATUS_SUCCESS)
			write_failure(request, &job->commands[i]);
}

bool sync_has_responses(const struct sync_job *job)
{
	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].kind == SYNC_COMMAND_FETCH || job->commands[i].status != SYNC_STATUS_SUCCESS)
			return true;
	return false;
}

/* What is fetched by name and has no room any more is to be asked for again. */
void sync_refuse_rest(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	for (; job->item_next < job->item_count; job->item_next++) {
		wbxml_writer_start(&request->writer, AS_AIRSYNC_FETCH);
		sync_write_server_id(request, job->items[job->item_next]);
		wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, SYNC_STATUS_RETRY);
		wbxml_writer_end(&request->writer);
	}
}

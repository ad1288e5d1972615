/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of a collection's answer that needs no bodies: what is gone, and how mails are seen. */
#include <stdio.h>

#include "gateway/activesync/sync.h"

void sync_open_commands(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	if (!job->commands_open)
		wbxml_writer_start(&request->writer, AS_AIRSYNC_COMMANDS);
	job->commands_open = true;
}

void sync_write_server_id(struct request *request, uint64_t item)
{
	char text[64];

	snprintf(text, sizeof text, "%s:%llu", sync_job_now(request)->collection_id, (unsigned long long)item);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, text);
}

static void write_removals(struct request *request, const struct ranges *items, uint16_t tag)
{
	for (size_t i = 0; i < items->count; i++)
		for (uint64_t item = items->list[i].first; item <= items->list[i].last; item++) {
			sync_open_commands(request);
			wbxml_writer_start(&request->writer, tag);
			sync_write_server_id(request, item);
			wbxml_writer_end(&request->writer);
		}
}

static void write_changes(struct request *request, const struct sync_job *job)
{
	const struct ranges *items = &job->state.told.changes;

	for (size_t i = 0; i < items->count; i++)
		for (uint64_t item = items->list[i].first; item <= items->list[i].last; item++) {
			sync_open_commands(request);
			wbxml_writer_start(&request->writer, AS_AIRSYNC_CHANGE);
			sync_write_server_id(request, item);
			wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
			mail_write_change(request, &job->state, item);
			wbxml_writer_end(&request->writer);
			wbxml_writer_end(&request->writer);
		}
}

static void list_adds(struct request *request, struct sync_job *job)
{
	const struct ranges *adds = &job->state.told.adds;

	job->items = arena_alloc(request->arena, (ranges_size(adds) + 1) * sizeof *job->items);
	for (size_t i = adds->count; i-- > 0;)
		for (uint64_t item = adds->list[i].last; item >= adds->list[i].first; item--)
			job->items[job->item_count++] = item;
}

void sync_tell(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	sync_write_head(request, job);
	write_removals(request, &job->state.told.deletes, AS_AIRSYNC_DELETE);
	write_removals(request, &job->state.told.soft_deletes, AS_AIRSYNC_SOFTDELETE);
	write_changes(request, job);
	list_adds(request, job);
	sync_fetch_next(request);
}

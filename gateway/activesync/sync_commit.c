/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device relies on once it has the answer: durable before the answer leaves. */
#include <string.h>

#include "gateway/activesync/sync.h"

/* The key of the answer: the next one, unless nothing has changed, or the answer is a repetition. */
uint32_t sync_next_key(const struct sync_job *job)
{
	const Belfry__Activesync__Sync *record = job->state.record;

	return job->key_is == SYNC_KEY_REPEATED || !job->changed ? record->key : record->key + 1;
}

static Belfry__Activesync__Applied *applied(struct request *request, const struct sync_command *command)
{
	Belfry__Activesync__Applied *applied = arena_alloc(request->arena, sizeof *applied);

	belfry__activesync__applied__init(applied);
	applied->digest = command->digest;
	applied->status = (uint32_t)command->status;
	applied->removed = command->kind == SYNC_COMMAND_DELETE;
	if (command->status == SYNC_STATUS_SUCCESS && (applied->removed || command->kind == SYNC_COMMAND_CHANGE))
		applied->item = command->item;
	if ((command->status == SYNC_STATUS_SERVER_ERROR || command->status == SYNC_STATUS_NO_ROOM) && applied->removed)
		applied->item = command->item; /* it is added anew: who has forgotten to have removed it removes it first */
	return applied;
}

static void note_applied(struct request *request, struct sync_job *job)
{
	Belfry__Activesync__Sync *record = job->state.record;
	size_t kept = job->key_is == SYNC_KEY_REPEATED ? record->n_applied : 0;
	Belfry__Activesync__Applied **all = arena_alloc(request->arena, (kept + job->command_count + 1) * sizeof *all);

	if (kept != 0)
		memcpy(all, record->applied, kept * sizeof *all);
	for (size_t i = 0; i < job->command_count && kept < SYNC_COMMANDS_MAX * 2; i++)
		all[kept++] = applied(request, &job->commands[i]);
	record->applied = all;
	record->n_applied = kept;
}

static Belfry__Role__Write *write_state(struct request *request, struct sync_job *job)
{
	job->state.record->key = sync_next_key(job);
	note_applied(request, job);
	sync_state_pack(&job->state, &job->packed);
	return request_write(request, arena_printf(request->arena, "sync/%u", job->id), &job->state.record->base);
}

/* Where the device stands now, for its next Ping. NULL: as before, or where news are that it did not want yet. */
static Belfry__Role__Write *write_position(struct request *request, struct sync_job *job)
{
	Belfry__Activesync__At at = BELFRY__ACTIVESYNC__AT__INIT;
	Belfry__Role__Position unknown = BELFRY__ROLE__POSITION__INIT;

	bool is_surveyed = job->key_is == SYNC_KEY_CURRENT && (job->wants_changes || job->has_all);
	if (job->key_is != SYNC_KEY_INITIAL && !is_surveyed && !job->owes)
		return NULL;
	at.name = (char *)job->name;
	at.position = !is_surveyed || job->state.told.more ? &unknown : &job->position;
	return request_rewrite(request, arena_printf(request->arena, "position/%u", job->id), &at.base);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	sync_committed(data);
}

/* Two Syncs of a device at once, of different collections: each keeps its state, and one of them is not the last. */
static void tried(const Belfry__Role__Committed *done, void *data)
{
	struct request *request = data;
	struct sync_work *work = request->work;

	work->is_forgotten = done->status != BELFRY__ROLE__STATUS__OK;
	if (!work->is_forgotten || work->write_count == 0)
		sync_committed(request);
	else
		request_commit(request, work->writes, work->write_count, committed);
}

/* A request that is over and over the same gets the device nowhere; so does one that starts a collection anew. */
static bool gets_further(struct request *request, const struct sync_job *job, bool moves_position)
{
	const struct sync_told *told = &job->state.told;

	if (job->key_is == SYNC_KEY_INITIAL)
		return request_record(request, arena_printf(request->arena, "sync/%u", job->id)) == NULL;
	return job->key_is == SYNC_KEY_CURRENT && (moves_position || job->command_count != 0 || told->adds.count != 0 ||
		told->changes.count != 0 || told->deletes.count != 0 || told->soft_deletes.count != 0);
}

static void gather(struct request *request, struct sync_work *work)
{
	Belfry__Role__Write *write;

	work->writes = arena_alloc(request->arena, (work->job_count * 2 + 1) * sizeof *work->writes);
	for (size_t i = 0; i < work->job_count; i++) {
		struct sync_job *job = &work->jobs[i];
		if (job->status != SYNC_STATUS_SUCCESS)
			continue;
		if (job->changed)
			work->writes[work->write_count++] = write_state(request, job);
		write = write_position(request, job);
		if (write != NULL)
			work->writes[work->write_count++] = write;
		request->gets_further |= gets_further(request, job, write != NULL);
	}
}

void sync_commit(struct request *request)
{
	struct sync_work *work = request->work;
	Belfry__Role__Write *kept = sync_keep(request);

	gather(request, work);
	if (kept != NULL) {
		work->writes[work->write_count] = kept;
		request_commit_try(request, work->writes, work->write_count + 1, tried);
	} else if (work->write_count != 0) {
		request_commit(request, work->writes, work->write_count, committed);
	} else {
		sync_committed(request);
	}
}

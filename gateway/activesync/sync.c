/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sync (MS-ASCMD 2.2.1.21): one request from its reading to its commit. */
#include "gateway/activesync/sync.h"

#include <stdio.h>
#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/park.h"

/* --- reading --------------------------------------------------------------------------------------------------- */

static int refuse(struct sync_work *work, int status, uint32_t limit)
{
	work->limit = limit;
	return status;
}

/* The window of the whole request, and how long it may be held. */
static int read_bounds(struct request *request, struct sync_work *work)
{
	const struct activesync_settings *limits = &request->engine->settings->limits;
	uint32_t window = limits->window_max, minutes = 0, seconds = 0;
	enum wbxml_value wait = wbxml_node_number(request->root, AS_AIRSYNC_WAIT, &minutes);
	enum wbxml_value heartbeat = wbxml_node_number(request->root, AS_AIRSYNC_HEARTBEATINTERVAL, &seconds);

	if (wbxml_node_number(request->root, AS_AIRSYNC_WINDOWSIZE, &window) == WBXML_VALUE_BAD)
		return SYNC_STATUS_PROTOCOL_ERROR;
	work->window = window == 0 || window > limits->window_max ? limits->window_max : window;
	if (wait == WBXML_VALUE_MISSING && heartbeat == WBXML_VALUE_MISSING)
		return 0;
	if (wait != WBXML_VALUE_MISSING && heartbeat != WBXML_VALUE_MISSING)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (wait != WBXML_VALUE_GOOD && heartbeat != WBXML_VALUE_GOOD)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (heartbeat == WBXML_VALUE_GOOD && seconds < limits->heartbeat_min_s)
		return refuse(work, SYNC_STATUS_WAIT, limits->heartbeat_min_s);
	if (heartbeat == WBXML_VALUE_GOOD && seconds > limits->heartbeat_max_s)
		return refuse(work, SYNC_STATUS_WAIT, limits->heartbeat_max_s);
	if (wait == WBXML_VALUE_GOOD && minutes > limits->heartbeat_max_s / 60)
		return refuse(work, SYNC_STATUS_WAIT, limits->heartbeat_max_s / 60);
	if (wait == WBXML_VALUE_GOOD && minutes * 60 < limits->heartbeat_min_s)
		return refuse(work, SYNC_STATUS_WAIT, (limits->heartbeat_min_s + 59) / 60);
	work->wait_s = wait == WBXML_VALUE_GOOD ? minutes * 60 : seconds;
	return 0;
}

static int read_jobs(struct request *request, struct sync_work *work)
{
	const struct wbxml_node *collections = wbxml_node_child(request->root, AS_AIRSYNC_COLLECTIONS);
	unsigned count = wbxml_node_count(collections, AS_AIRSYNC_COLLECTION);
	const struct wbxml_node *node = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);

	/* An empty or partial request repeats what we do not keep: it is to be sent in full. */
	if (request->root == NULL || wbxml_node_child(request->root, AS_AIRSYNC_PARTIAL) != NULL)
		return SYNC_STATUS_INCOMPLETE;
	if (count == 0)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (count > SYNC_COLLECTIONS_MAX)
		return refuse(work, SYNC_STATUS_TOO_MANY, SYNC_COLLECTIONS_MAX);
	work->jobs = arena_alloc(request->arena, count * sizeof *work->jobs);
	for (; node != NULL; node = wbxml_node_next(node)) {
		int status = sync_request_read(request, &work->jobs[work->job_count], node);
		if (status != 0)
			return status;
		for (size_t i = 0; i < work->job_count; i++)
			if (strcmp(work->jobs[i].collection_id, work->jobs[work->job_count].collection_id) == 0)
				return SYNC_STATUS_PROTOCOL_ERROR; /* one collection twice */
		work->job_count++;
	}
	return read_bounds(request, work);
}

static void release_work(struct request *request)
{
	struct sync_work *work = request->work;

	http_response_release(&work->response);
	for (size_t i = 0; i < work->job_count; i++) {
		sync_state_release(&work->jobs[i].state);
		ranges_release(&work->jobs[i].present);
		ranges_release(&work->jobs[i].existing);
		ranges_release(&work->jobs[i].readable);
		buffer_release(&work->jobs[i].packed);
	}
}

int sync_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders", hierarchy[] = HIERARCHY_RECORD;
	bool is_new = false;
	struct sync_work *work = request->work = arena_alloc(request->arena, sizeof *work);

	work->response = HTTP_RESPONSE(200);
	request->release = release_work;
	work->status = read_jobs(request, work);
	if (work->status != 0)
		return work->limit == 0 ? work->status : 0; /* a bound is told by sync_run() */
	begin->locks = arena_alloc(request->arena, work->job_count * sizeof *begin->locks);
	begin->keys = arena_alloc(request->arena, (work->job_count * 2 + 2) * sizeof *begin->keys);
	for (size_t i = 0; i < work->job_count; i++) {
		char *key = arena_printf(request->arena, "sync/%u", work->jobs[i].id);
		begin->locks[begin->n_locks++] = key;
		begin->keys[begin->n_keys++] = key;
		begin->keys[begin->n_keys++] = arena_printf(request->arena, "position/%u", work->jobs[i].id);
		is_new = is_new || work->jobs[i].key.number == 0;
	}
	if (is_new)
		begin->keys[begin->n_keys++] = folders;
	if (work->wait_s != 0)
		begin->keys[begin->n_keys++] = hierarchy;
	return 0;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static void write_collection(struct request *request, const struct sync_job *job, const char *key)
{
	wbxml_writer_start(&request->writer, AS_AIRSYNC_COLLECTION);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SYNCKEY, key);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_COLLECTIONID, job->collection_id);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, job->status);
}

/* The key of the answer: the next one, unless nothing has changed, or the answer is a repetition. */
static uint32_t next_number(const struct sync_job *job)
{
	const Belfry__Activesync__Sync *record = job->state.record;

	return job->key_is == SYNC_KEY_REPEATED || !job->changed ? record->key : record->key + 1;
}

void sync_write_head(struct request *request, struct sync_job *job)
{
	char key[SYNC_KEY_TEXT];

	sync_key_format(job->state.record->series, next_number(job), key);
	write_collection(request, job, key);
	if (job->state.told.more)
		wbxml_writer_empty_element(&request->writer, AS_AIRSYNC_MOREAVAILABLE);
}

static void write_failed(struct request *request, const struct sync_job *job)
{
	const char *key = wbxml_node_text(job->node, AS_AIRSYNC_SYNCKEY);

	write_collection(request, job, job->status == SYNC_STATUS_INVALID_KEY || strlen(key) > 64 ? "0" : key);
	wbxml_writer_end(&request->writer);
}

/* --- commit ---------------------------------------------------------------------------------------------------- */

static Belfry__Activesync__Applied *applied(struct request *request, const struct sync_command *command)
{
	Belfry__Activesync__Applied *applied = arena_alloc(request->arena, sizeof *applied);

	belfry__activesync__applied__init(applied);
	applied->digest = command->digest;
	applied->status = (uint32_t)command->status;
	applied->removed = command->kind == SYNC_COMMAND_DELETE;
	if (command->status == SYNC_STATUS_SUCCESS && (applied->removed || command->kind == SYNC_COMMAND_CHANGE))
		applied->item = command->item;
	if (command->status == SYNC_STATUS_SERVER_ERROR && applied->removed)
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
	job->state.record->key = next_number(job);
	note_applied(request, job);
	sync_state_pack(&job->state, &job->packed);
	return request_write(request, arena_printf(request->arena, "sync/%u", job->id), &job->state.record->base);
}

/* Where the device stands now, for its next Ping. NULL: as before, or where news are that it did not want yet. */
static Belfry__Role__Write *write_position(struct request *request, struct sync_job *job)
{
	Belfry__Activesync__At at = BELFRY__ACTIVESYNC__AT__INIT;
	const char *key = arena_printf(request->arena, "position/%u", job->id);
	const Belfry__Role__Record *record = request_record(request, key);
	Belfry__Role__Position unknown = BELFRY__ROLE__POSITION__INIT;

	bool is_surveyed = job->key_is == SYNC_KEY_CURRENT && (job->wants_changes || job->has_all);
	if (job->key_is != SYNC_KEY_INITIAL && !is_surveyed && !job->owes)
		return NULL;
	at.name = (char *)job->name;
	at.position = !is_surveyed || job->state.told.more ? &unknown : &job->position;
	Belfry__Role__Write *write = request_write(request, key, &at.base);
	bool same = record != NULL && record->value.len == write->value.len &&
		memcmp(record->value.data, write->value.data, write->value.len) == 0;
	return same ? NULL : write;
}

static const char *describe(struct request *request, const struct sync_work *work)
{
	uint64_t adds = 0, changes = 0, deletes = 0;
	size_t commands = 0, failed = 0;

	for (size_t i = 0; i < work->job_count; i++) {
		const struct sync_job *job = &work->jobs[i];
		failed += job->status != SYNC_STATUS_SUCCESS;
		commands += job->command_count;
		if (job->status != SYNC_STATUS_SUCCESS)
			continue;
		adds += ranges_size(&job->state.told.adds);
		changes += ranges_size(&job->state.told.changes);
		deletes += ranges_size(&job->state.told.deletes) + ranges_size(&job->state.told.soft_deletes);
	}
	return arena_printf(request->arena, "status=1 collections=%zu failed=%zu adds=%llu changes=%llu deletes=%llu "
		"commands=%zu", work->job_count, failed, (unsigned long long)adds, (unsigned long long)changes,
		(unsigned long long)deletes, commands);
}

static void finish(struct request *request)
{
	struct sync_work *work = request->work;

	if (sync_wait(request))
		return;
	request->result = describe(request, work);
	wbxml_writer_end(&request->writer); /* Collections */
	wbxml_writer_end(&request->writer); /* Sync */
	wbxml_writer_finish(&request->writer);
	http_response_bytes(&work->response, &request->body);
	struct http_response response = work->response;
	work->response = HTTP_RESPONSE(200); /* what is released with the work is empty */
	request_answer_response(request, &response);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	finish(data);
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

static void commit(struct request *request)
{
	struct sync_work *work = request->work;
	Belfry__Role__Write **writes = arena_alloc(request->arena, work->job_count * 2 * sizeof *writes), *write;
	size_t count = 0;

	for (size_t i = 0; i < work->job_count; i++) {
		struct sync_job *job = &work->jobs[i];
		if (job->status != SYNC_STATUS_SUCCESS)
			continue;
		if (job->changed)
			writes[count++] = write_state(request, job);
		write = write_position(request, job);
		if (write != NULL)
			writes[count++] = write;
		request->gets_further |= gets_further(request, job, write != NULL);
	}
	if (count == 0)
		finish(request);
	else
		request_commit(request, writes, count, committed);
}

/* --- running --------------------------------------------------------------------------------------------------- */

static void run_next(struct request *request)
{
	struct sync_work *work = request->work;

	if (work->job_at == work->job_count)
		commit(request);
	else
		sync_job_run(request);
}

void sync_job_done(struct request *request)
{
	struct sync_work *work = request->work;
	struct sync_job *job = &work->jobs[work->job_at++];

	if (job->status != SYNC_STATUS_SUCCESS)
		write_failed(request, job);
	run_next(request);
}

/* MS-ASCMD 2.2.3.97 */
static void answer_limit(struct request *request, int status, uint32_t limit)
{
	request->result = arena_printf(request->arena, "status=%d limit=%u", status, limit);
	request_begin_answer(request);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, status);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_LIMIT, limit);
	request_answer(request);
}

void sync_run(struct request *request)
{
	struct sync_work *work = request->work;

	if (work->status != 0) {
		answer_limit(request, work->status, work->limit);
		return;
	}
	for (size_t i = 0; i < work->job_count; i++)
		sync_request_resolve(request, &work->jobs[i]);
	request_begin_answer(request);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_COLLECTIONS);
	run_next(request);
}

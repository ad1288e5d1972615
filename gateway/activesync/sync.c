/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sync (MS-ASCMD 2.2.1.21): one request from its reading to its answer. */
#include "gateway/activesync/sync.h"

#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/park.h"

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

/* What the jobs need of the store, alone. */
static void name_records(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders", hierarchy[] = HIERARCHY_RECORD, kept[] = SYNC_KEPT_RECORD;
	const struct sync_work *work = request->work;
	bool is_new = false;

	begin->locks = arena_alloc(request->arena, (work->job_count + 1) * sizeof *begin->locks);
	begin->keys = arena_alloc(request->arena, (work->job_count * 2 + 3) * sizeof *begin->keys);
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
	if (!work->repeats)
		begin->keys[begin->n_keys++] = kept; /* else it has been read */
}

int sync_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char kept[] = SYNC_KEPT_RECORD, *keys[] = {kept};
	struct sync_work *work = request->work = arena_alloc(request->arena, sizeof *work);

	work->response = HTTP_RESPONSE(200);
	request->release = release_work;
	work->status = sync_read(request, work);
	if (work->status != 0)
		return work->limit == 0 ? work->status : 0; /* a bound is told by sync_run() */
	if (!work->repeats) {
		name_records(request, begin);
		return 0;
	}
	begin->keys = keys;
	begin->n_keys = 1;
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

void sync_write_head(struct request *request, struct sync_job *job)
{
	char key[SYNC_KEY_TEXT];

	sync_key_format(job->state.record->series, sync_next_key(job), key);
	write_collection(request, job, key);
	if (job->state.told.more)
		wbxml_writer_empty_element(&request->writer, AS_AIRSYNC_MOREAVAILABLE);
}

static void write_failed(struct request *request, const struct sync_job *job)
{
	bool is_key = job->status != SYNC_STATUS_INVALID_KEY && strlen(job->key_text) <= SYNC_KEY_MAX;

	write_collection(request, job, is_key ? job->key_text : "0");
	wbxml_writer_end(&request->writer);
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

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

bool sync_is_quiet(const struct sync_job *job)
{
	return job->status == SYNC_STATUS_SUCCESS && job->key_is == SYNC_KEY_CURRENT && !job->changed && !job->state.told.more &&
		!sync_has_responses(job);
}

/* Nothing to tell of any collection is told by no document at all (MS-ASCMD 2.2.1.21.2). The device may then ask by none,
 * so this request must be known. */
static bool is_empty(const struct sync_work *work)
{
	if (work->is_forgotten)
		return false;
	for (size_t i = 0; i < work->job_count; i++)
		if (!sync_is_quiet(&work->jobs[i]))
			return false;
	return true;
}

void sync_committed(struct request *request)
{
	struct sync_work *work = request->work;

	if (sync_wait(request))
		return;
	request->result = describe(request, work);
	if (is_empty(work)) {
		request_answer_empty(request);
		return;
	}
	wbxml_writer_end(&request->writer); /* Collections */
	wbxml_writer_end(&request->writer); /* Sync */
	wbxml_writer_finish(&request->writer);
	http_response_bytes(&work->response, &request->body);
	struct http_response response = work->response;
	work->response = HTTP_RESPONSE(200); /* what is released with the work is empty */
	request_answer_response(request, &response);
}

/* --- running --------------------------------------------------------------------------------------------------- */

static void run_next(struct request *request)
{
	struct sync_work *work = request->work;

	if (work->job_at == work->job_count)
		sync_commit(request);
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

static void run_jobs(struct request *request)
{
	struct sync_work *work = request->work;

	for (size_t i = 0; i < work->job_count; i++)
		sync_request_resolve(request, &work->jobs[i]);
	request_begin_answer(request);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_COLLECTIONS);
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
	Belfry__Role__Begin begin = BELFRY__ROLE__BEGIN__INIT;

	if (work->status == 0 && work->repeats)
		work->status = sync_complete(request, work);
	if (work->status != 0 && work->limit != 0)
		answer_limit(request, work->status, work->limit);
	else if (work->status != 0)
		request_answer_status(request, work->status);
	else if (!work->repeats)
		run_jobs(request);
	else {
		name_records(request, &begin);
		request_begin(request, &begin, run_jobs);
	}
}

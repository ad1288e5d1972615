/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a Sync asks for: what its document says, and for an empty or a partial one what the last one said. */
#include <string.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"

static int refuse(struct sync_work *work, int status, uint32_t limit)
{
	work->limit = limit;
	return status;
}

/* --- how much, how long ---------------------------------------------------------------------------------------- */

/* In seconds; a bound that is passed is told in the unit of the element (MS-ASCMD 2.2.3.97). */
static int read_wait(struct request *request, struct sync_work *work)
{
	const struct activesync_settings *limits = &request->engine->settings->limits;
	uint32_t minutes = 0, seconds = 0;
	enum wbxml_value wait = wbxml_node_number(request->root, AS_AIRSYNC_WAIT, &minutes);
	enum wbxml_value heartbeat = wbxml_node_number(request->root, AS_AIRSYNC_HEARTBEATINTERVAL, &seconds);

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

static int read_window(struct request *request, struct sync_work *work)
{
	uint32_t asked = 0;
	enum wbxml_value value = wbxml_node_number(request->root, AS_AIRSYNC_WINDOWSIZE, &asked);

	work->has_window = value != WBXML_VALUE_MISSING;
	work->window_asked = sync_window(request, asked);
	return value == WBXML_VALUE_BAD ? SYNC_STATUS_PROTOCOL_ERROR : 0;
}

/* --- the collections ------------------------------------------------------------------------------------------- */

static bool has_job(const struct sync_work *work, const char *collection_id)
{
	for (size_t i = 0; i < work->job_count; i++)
		if (strcmp(work->jobs[i].collection_id, collection_id) == 0)
			return true;
	return false;
}

static int read_jobs(struct request *request, struct sync_work *work)
{
	const struct wbxml_node *collections = wbxml_node_child(request->root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *node = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
	unsigned count = wbxml_node_count(collections, AS_AIRSYNC_COLLECTION);

	if (count > SYNC_COLLECTIONS_MAX)
		return refuse(work, SYNC_STATUS_TOO_MANY, SYNC_COLLECTIONS_MAX);
	work->jobs = arena_alloc(request->arena, (count + 1) * sizeof *work->jobs);
	for (; node != NULL; node = wbxml_node_next(node)) {
		struct sync_job *job = &work->jobs[work->job_count];
		int status = sync_request_read(request, job, node);
		if (status == 0 && has_job(work, job->collection_id))
			status = SYNC_STATUS_PROTOCOL_ERROR; /* one collection twice */
		if (status != 0)
			return status;
		work->job_count++;
	}
	return 0;
}

/* --- the document ---------------------------------------------------------------------------------------------- */

/* ApplicationData and Supported are the business of their classes. */
static bool is_opened(uint16_t tag)
{
	return tag != AS_AIRSYNC_APPLICATIONDATA && tag != AS_AIRSYNC_SUPPORTED;
}

/* A tag that no code page has. The tree is at most WBXML_DEPTH_MAX deep. */
static bool has_unknown(const struct wbxml_node *node)
{
	if (!node->known)
		return true;
	for (const struct wbxml_node *child = is_opened(node->tag) ? node->first_child : NULL; child != NULL; child = child->next)
		if (has_unknown(child))
			return true;
	return false;
}

/* Partial alone says nothing (MS-ASCMD 2.2.3.131). */
static bool says_nothing(const struct sync_work *work)
{
	return work->job_count == 0 && !(work->repeats && (work->wait_s != 0 || work->has_window));
}

int sync_read(struct request *request, struct sync_work *work)
{
	work->repeats = request->root == NULL || wbxml_node_child(request->root, AS_AIRSYNC_PARTIAL) != NULL;
	int status = request->root != NULL && has_unknown(request->root) ? SYNC_STATUS_PROTOCOL_ERROR : read_jobs(request, work);
	if (status == 0)
		status = read_window(request, work);
	if (status == 0)
		status = read_wait(request, work);
	if (status == 0 && request->root != NULL && says_nothing(work))
		status = SYNC_STATUS_PROTOCOL_ERROR;
	work->window = work->window_asked;
	return status;
}

/* --- what the last one said ------------------------------------------------------------------------------------ */

static void recall_job(struct request *request, struct sync_job *job, const char *id,
	const Belfry__Activesync__SyncCollection *kept)
{
	char key[SYNC_KEY_TEXT];

	sync_key_format(kept->series, kept->key, key);
	job->collection_id = id;
	job->id = kept->id;
	job->key = (struct sync_key){kept->series, kept->key};
	job->key_text = arena_strdup(request->arena, key);
	job->window = sync_window(request, kept->window);
	job->wants_changes = !kept->no_changes;
}

/* The admin may have changed the bounds since. */
static uint32_t recall_wait(const struct request *request, uint32_t wait_s)
{
	const struct activesync_settings *limits = &request->engine->settings->limits;

	if (wait_s != 0 && wait_s < limits->heartbeat_min_s)
		return limits->heartbeat_min_s;
	return wait_s > limits->heartbeat_max_s ? limits->heartbeat_max_s : wait_s;
}

/* Those that the request does not name. */
static void recall_jobs(struct request *request, struct sync_work *work, const Belfry__Activesync__SyncRequest *kept)
{
	struct sync_job *jobs = arena_alloc(request->arena, (work->job_count + kept->n_collections) * sizeof *jobs);
	size_t count = work->job_count;

	if (count != 0)
		memcpy(jobs, work->jobs, count * sizeof *jobs);
	for (size_t i = 0; i < kept->n_collections; i++) {
		const char *id = arena_printf(request->arena, "%u", kept->collections[i]->id);
		if (!has_job(work, id))
			recall_job(request, &jobs[count++], id, kept->collections[i]);
	}
	work->jobs = jobs;
	work->job_count = count;
}

int sync_complete(struct request *request, struct sync_work *work)
{
	const Belfry__Activesync__SyncRequest *kept = sync_kept(request);

	if (kept == NULL)
		return SYNC_STATUS_INCOMPLETE;
	recall_jobs(request, work, kept);
	if (work->job_count > SYNC_COLLECTIONS_MAX)
		return refuse(work, SYNC_STATUS_TOO_MANY, SYNC_COLLECTIONS_MAX);
	if (!work->has_window)
		work->window_asked = sync_window(request, kept->window);
	if (work->wait_s == 0)
		work->wait_s = recall_wait(request, kept->wait_s);
	work->window = work->window_asked;
	return 0;
}

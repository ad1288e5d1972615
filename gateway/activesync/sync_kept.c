/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The last Sync of a device, as an empty or a partial one repeats it (MS-ASCMD 2.2.1.21.1, 2.2.3.131): record "request".
 * It is kept by reference, at most SYNC_COLLECTIONS_MAX collections of some 20 bytes: their options are in their states.
 * The keys are those of the request and not of its answer: an empty request whose answer was lost comes again, and
 * has to mean then what it meant before.
 */
#include "gateway/activesync/sync.h"

const Belfry__Activesync__SyncRequest *sync_kept(const struct request *request)
{
	const Belfry__Activesync__SyncRequest *kept = request_unpack(request, SYNC_KEPT_RECORD,
		&belfry__activesync__sync_request__descriptor);

	return kept == NULL || kept->n_collections > SYNC_COLLECTIONS_MAX ? NULL : kept;
}

/* A first Sync is not repeated: it would begin anew. What has failed is: its answer may be lost, and nobody else tells the
 * device that the folder is gone, or is to be synchronised anew. */
static bool is_kept(const struct sync_job *job)
{
	return job->key.number != 0;
}

static bool has_succeeded(const struct sync_work *work)
{
	for (size_t i = 0; i < work->job_count; i++)
		if (work->jobs[i].status == SYNC_STATUS_SUCCESS)
			return true;
	return false;
}

static Belfry__Activesync__SyncCollection *keep_job(struct request *request, const struct sync_job *job)
{
	Belfry__Activesync__SyncCollection *kept = arena_alloc(request->arena, sizeof *kept);

	belfry__activesync__sync_collection__init(kept);
	kept->id = job->id;
	kept->series = job->key.series;
	kept->key = job->key.number;
	kept->window = job->window;
	kept->no_changes = !job->wants_changes;
	return kept;
}

Belfry__Role__Write *sync_keep(struct request *request)
{
	const struct sync_work *work = request->work;
	Belfry__Activesync__SyncRequest kept = BELFRY__ACTIVESYNC__SYNC_REQUEST__INIT;

	if (!has_succeeded(work))
		return NULL; /* it is to come again as it is */
	kept.collections = arena_alloc(request->arena, (work->job_count + 1) * sizeof *kept.collections);
	for (size_t i = 0; i < work->job_count; i++)
		if (is_kept(&work->jobs[i]))
			kept.collections[kept.n_collections++] = keep_job(request, &work->jobs[i]);
	kept.wait_s = work->wait_s;
	kept.window = work->window_asked;
	if (kept.n_collections != 0)
		return request_rewrite(request, SYNC_KEPT_RECORD, &kept.base);
	return request_record(request, SYNC_KEPT_RECORD) == NULL ? NULL : request_remove(request, SYNC_KEPT_RECORD);
}

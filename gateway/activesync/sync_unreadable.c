/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Items that the connector could not read when they were told: a worker had crashed on them, or the backend was in
 * trouble. Asked for again, without bodies, in each Sync that has other news: a phone that comes for nothing costs
 * the backend nothing, and whatever is really broken is answered out of the connector's quarantine.
 */
#include <unistd.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"

static void looked(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = sync_job_now(request);
	const Belfry__Connector__Item *item = response->fetched == NULL ? NULL : response->fetched->item;

	if (fd >= 0)
		close(fd);
	if (response->status == BELFRY__CONNECTOR__STATUS__OK && item != NULL && item->status == BELFRY__CONNECTOR__STATUS__OK &&
	    ranges_has(&job->state.bad, item->id))
		ranges_add(&job->readable, item->id, item->id);
	if (!is_last)
		return;
	ranges_subtract(&job->present, &job->present, &job->readable);
	ranges_subtract(&job->existing, &job->existing, &job->readable);
	sync_job_plan(request);
}

static void list(struct request *request, const struct ranges *bad, Belfry__Connector__Fetch *fetch)
{
	fetch->ids = arena_alloc(request->arena, SYNC_BAD_MAX * sizeof *fetch->ids);
	for (size_t i = 0; i < bad->count; i++)
		for (uint64_t item = bad->list[i].first; item <= bad->list[i].last; item++)
			fetch->ids[fetch->n_ids++] = item;
}

void sync_look_at_unreadable(struct request *request)
{
	struct sync_job *job = sync_job_now(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;

	if (job->state.bad.count == 0 || ranges_equal(&job->present, &job->state.has)) {
		sync_job_plan(request);
		return;
	}
	fetch.collection = (char *)job->name;
	fetch.validity = job->state.record->validity;
	list(request, &job->state.bad, &fetch);
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, looked);
}

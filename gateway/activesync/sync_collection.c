/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One collection of a Sync, in order of time:
 *
 *	(look for conflicts) ──▶ apply ──▶ survey ──▶ (survey without the filter) ──▶ (look at unreadable) ──▶ plan ──┐
 *	repeated request: (look for conflicts) ──▶ apply what is new in it ──────────────────────────────────────────┤
 *	                                                                              head ──▶ fetch … ──▶ done ◀──┘
 */
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"
#include "lib/core/log.h"

struct sync_job *sync_job_now(struct request *request)
{
	struct sync_work *work = request->work;

	return &work->jobs[work->job_at];
}

/* The connector cannot: what that means for this collection. */
static int status_of(const struct sync_job *job, Belfry__Connector__Status status)
{
	switch (status) {
	case BELFRY__CONNECTOR__STATUS__STALE: /* ids mean other mails now: start anew, if there are any */
		return job->state.has.count != 0 ? SYNC_STATUS_INVALID_KEY : SYNC_STATUS_RETRY;
	case BELFRY__CONNECTOR__STATUS__NOT_FOUND: return SYNC_STATUS_HIERARCHY;
	default: return SYNC_STATUS_RETRY;
	}
}

void sync_job_fail(struct request *request, const Belfry__Connector__Response *response)
{
	struct sync_job *job = sync_job_now(request);

	job->status = status_of(job, response->status);
	job->changed = false;
	log_info(LOG_ACTIVESYNC, "user=%s device=%s collection=%s not synchronised: connector status=%d %s",
		log_quote(request->user), log_quote(request->device), log_quote(job->name), response->status,
		log_quote(response->reason));
	sync_job_done(request);
}

void sync_job_run(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	if (job->status == 0 && loop_now_ms(request->engine->host.loop) - request->started_ms >= SYNC_TIME_MAX_MS)
		job->status = SYNC_STATUS_RETRY;
	if (job->status != 0) {
		sync_job_done(request);
		return;
	}
	job->status = SYNC_STATUS_SUCCESS;
	if (job->key_is != SYNC_KEY_INITIAL) {
		sync_look_for_conflicts(request);
		return;
	}
	job->changed = true;
	sync_write_head(request, job);
	wbxml_writer_end(&request->writer);
	sync_job_done(request);
}

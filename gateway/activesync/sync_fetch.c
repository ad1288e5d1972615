/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Items of a collection's answer, batch by batch: those that are new, and after them those that are fetched by name. */
#include <unistd.h>

#include "gateway/activesync/sync.h"

static void end(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	if (!job->in_responses && sync_has_responses(job)) {
		sync_begin_responses(request);
		sync_fetch_next(request);
		return;
	}
	if (job->in_responses || job->commands_open)
		wbxml_writer_end(&request->writer);
	if (job->is_cut)
		wbxml_writer_empty_element(&request->writer, AS_AIRSYNC_MOREAVAILABLE);
	wbxml_writer_end(&request->writer);
	sync_job_done(request);
}

/* The answer is full: what was not fetched is told the next time. */
static void cut(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	for (size_t i = job->item_next; i < job->item_count; i++)
		sync_state_untell(&job->state, job->items[i]);
	job->item_count = job->item_next;
	job->is_cut = !job->state.told.more; /* the head has not said it */
	job->state.told.more = true;
	end(request);
}

static void fetched(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;

	if (response->status != BELFRY__CONNECTOR__STATUS__OK) {
		if (fd >= 0)
			close(fd);
		request_answer_retry(request, response->reason); /* half an answer is none */
		return;
	}
	if (response->fetched != NULL && response->fetched->item != NULL)
		(sync_job_now(request)->in_responses ? sync_write_fetched : sync_write_add)(request, response->fetched->item, fd);
	if (fd >= 0) {
		((struct sync_work *)request->work)->files++;
		close(fd);
	}
	if (is_last)
		sync_fetch_next(request);
}

void sync_fetch_next(struct request *request)
{
	struct sync_work *work = request->work;
	struct sync_job *job = sync_job_now(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;
	const Belfry__Activesync__Options *options = job->state.record->options;

	if (job->item_next == job->item_count) {
		end(request);
		return;
	}
	bool is_full = request->body.length + work->response.length > SYNC_ANSWER_BYTES || work->files > SYNC_ANSWER_FILES;
	if (is_full && job->in_responses) {
		sync_refuse_rest(request);
		end(request);
		return;
	}
	if (is_full && job->key_is != SYNC_KEY_REPEATED) { /* given again it holds what it held the first time */
		cut(request);
		return;
	}
	fetch.collection = (char *)job->name;
	fetch.validity = job->state.record->validity;
	fetch.ids = job->items + job->item_next;
	fetch.n_ids = job->item_count - job->item_next < SYNC_FETCH_BATCH ? job->item_count - job->item_next
									   : SYNC_FETCH_BATCH;
	job->item_next += fetch.n_ids;
	fetch.wishes = sync_wishes(request, options, job->in_responses);
	fetch.n_wishes = options->n_bodies;
	fetch.part = sync_part_wish(request, options, job->in_responses);
	fetch.mime_support = options->mime_support;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, fetched);
}

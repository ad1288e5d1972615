/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in a collection, and from that the plan: what the answer tells. */
#include <string.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"

void sync_job_plan(struct request *request)
{
	struct sync_work *work = request->work;
	struct sync_job *job = sync_job_now(request);
	uint64_t window = job->window < work->window ? job->window : work->window;
	struct sync_told *told = &job->state.told;

	if (sync_state_plan(&job->state, &job->present, job->is_filtered ? &job->existing : NULL, job->item_flags,
		job->item_flag_count, &job->names, window))
		job->changed = true;
	if (told->verbs.count != 0)
		job->state.record->told_at_s = (uint64_t)loop_wall_s(request->engine->host.loop);
	if (job->readable.count != 0)
		told->more = true; /* they are to come back */
	work->window -= ranges_size(&told->adds) + ranges_size(&told->changes) + ranges_size(&told->deletes) +
		ranges_size(&told->soft_deletes);
	if (!told->owes_flags) /* else the next survey has to say them again */
		job->state.record->token = job->position.token;
	sync_tell(request);
}

/* The survey's message is gone when the plan is made. */
static Belfry__Connector__ItemFlags *copy_flags(struct request *request, const Belfry__Connector__ItemFlags *from)
{
	Belfry__Connector__ItemFlags *flags = arena_alloc(request->arena, sizeof *flags);

	belfry__connector__item_flags__init(flags);
	flags->id = from->id;
	flags->flags = from->flags;
	flags->n_keywords = from->n_keywords;
	if (from->n_keywords == 0)
		return flags;
	flags->keywords = arena_alloc(request->arena, from->n_keywords * sizeof *flags->keywords);
	memcpy(flags->keywords, from->keywords, from->n_keywords * sizeof *flags->keywords);
	return flags;
}

static void take_names(struct request *request, struct sync_job *job, const Belfry__Connector__Surveyed *survey)
{
	job->names = (struct sync_names){.count = survey->n_keywords, .arena = request->arena};
	job->names.list = arena_alloc(request->arena, (survey->n_keywords + 1) * sizeof *job->names.list);
	for (size_t i = 0; i < survey->n_keywords; i++)
		job->names.list[i] = arena_strdup(request->arena, survey->keywords[i]);
}

static void take_survey(struct request *request, struct sync_job *job, const Belfry__Connector__Surveyed *survey)
{
	belfry__role__position__init(&job->position);
	if (survey->position != NULL) {
		job->position.validity = survey->position->validity;
		job->position.next = survey->position->next;
		job->position.token = survey->position->token;
	}
	job->state.record->validity = job->position.validity;
	job->item_flags = arena_alloc(request->arena, (survey->n_changed + 1) * sizeof *job->item_flags);
	for (size_t i = 0; i < survey->n_changed; i++) {
		if (!ranges_has(&job->state.has, survey->changed[i]->id))
			continue; /* new to the device: its flags come with it */
		job->item_flags[job->item_flag_count++] = copy_flags(request, survey->changed[i]);
	}
	take_names(request, job, survey);
}

void sync_take_ranges(struct ranges *ranges, const Belfry__Connector__Ranges *list)
{
	for (size_t i = 0; list != NULL && i + 1 < list->n_bounds; i += 2)
		if (list->bounds[i] != 0 && list->bounds[i] <= list->bounds[i + 1] && list->bounds[i + 1] < INT64_MAX)
			ranges_add(ranges, list->bounds[i], list->bounds[i + 1]);
}

static void surveyed_all(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = sync_job_now(request);

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		sync_job_fail(request, response);
		return;
	}
	sync_take_ranges(&job->existing, response->surveyed->present);
	job->is_filtered = true;
	sync_look_at_unreadable(request);
}

/* Something left the filter's window: is it deleted, or only older? */
static bool has_vanished(struct sync_job *job)
{
	struct ranges gone = RANGES_EMPTY;

	ranges_subtract(&gone, &job->state.has, &job->present);
	bool any = gone.count != 0;
	ranges_release(&gone);
	return any;
}

static void surveyed(const Belfry__Connector__Response *, int fd, bool is_last, void *data);

/* The mailbox was made anew, and the device has nothing of the old one: it need not know. */
static bool survey_anew(struct request *request)
{
	struct sync_job *job = sync_job_now(request);
	Belfry__Activesync__Sync *record = job->state.record;

	if (job->state.has.count != 0 || record->validity == 0)
		return false;
	record->validity = record->token = 0;
	job->changed = true;
	sync_ask_survey(request, false, surveyed);
	return true;
}

/* What the device wanted is done: only its position stays behind. */
static void tell_unsurveyed(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	sync_state_plan(&job->state, &job->state.has, NULL, NULL, 0, NULL, 0);
	sync_tell(request);
}

/* GetChanges 0. But a device that has all there is stands where its own commands have brought the collection, and they
 * are not to ring its next Ping. */
static void tell_nothing(struct request *request)
{
	struct sync_job *job = sync_job_now(request);
	struct sync_told *told = &job->state.told;

	sync_state_plan(&job->state, &job->present, NULL, job->item_flags, job->item_flag_count, &job->names, 0);
	job->has_all = !told->more;
	told->more = false;
	if (job->has_all)
		job->state.record->token = job->position.token;
	sync_tell(request);
}

static void surveyed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = sync_job_now(request);

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__STALE && survey_anew(request))
		return;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		if (job->wants_changes)
			sync_job_fail(request, response);
		else
			tell_unsurveyed(request);
		return;
	}
	take_survey(request, job, response->surveyed);
	sync_take_ranges(&job->present, response->surveyed->present);
	if (!job->wants_changes)
		tell_nothing(request);
	else if (job->state.record->options->filter != 0 && has_vanished(job))
		sync_ask_survey(request, true, surveyed_all);
	else
		sync_look_at_unreadable(request);
}

/* MS-ASCMD 2.2.3.68.2: FilterType to the first second that counts, at midnight so that it does not move all day. */
uint64_t sync_filter_since_s(const struct request *request, uint32_t filter)
{
	static const unsigned days[] = {0, 1, 3, 7, 14, 31, 92, 183};
	uint64_t now_s = (uint64_t)loop_wall_s(request->engine->host.loop);

	return filter == 0 ? 0 : now_s - now_s % 86400 - days[filter] * 86400ull;
}

void sync_filter_survey(const struct request *request, const Belfry__Activesync__Options *options,
	Belfry__Connector__Survey *survey)
{
	survey->received_since_s = options == NULL ? 0 : sync_filter_since_s(request, options->filter);
	survey->conversations = survey->received_since_s != 0 && options->conversations;
}

void sync_ask_survey(struct request *request, bool all, connector_answered *answered)
{
	struct sync_job *job = sync_job_now(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Survey message = BELFRY__CONNECTOR__SURVEY__INIT;

	message.collection = (char *)job->name;
	message.validity = job->state.record->validity;
	message.since_token = all ? job->position.token : job->state.record->token;
	if (!all)
		sync_filter_survey(request, job->state.record->options, &message);
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY;
	question.survey = &message;
	request_ask(request, &question, answered);
}

void sync_survey(struct request *request)
{
	sync_ask_survey(request, false, surveyed);
}

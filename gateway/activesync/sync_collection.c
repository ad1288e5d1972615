/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One collection of a Sync, in order of time:
 *
 *	apply ──▶ survey ──▶ (survey without the filter) ──▶ (look at unreadable) ──▶ plan ──▶ head ──▶ fetch … ──▶ done
 *	repeated request: apply what is new in it ──▶ head ──▶ fetch … ──▶ done
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/sync.h"
#include "lib/core/log.h"

static struct sync_job *job_of(struct request *request)
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

static void fail(struct request *request, const Belfry__Connector__Response *response)
{
	struct sync_job *job = job_of(request);

	job->status = status_of(job, response->status);
	job->changed = false;
	log_info(LOG_ACTIVESYNC, "user=%s device=%s collection=%s not synchronised: connector status=%d %s",
		log_quote(request->user), log_quote(request->device), log_quote(job->name), response->status,
		log_quote(response->reason));
	sync_job_done(request);
}

/* --- fetch ----------------------------------------------------------------------------------------------------- */

static void fetch_next(struct request *);

static void open_commands(struct request *request)
{
	struct sync_job *job = job_of(request);

	if (!job->commands_open)
		wbxml_writer_start(&request->writer, AS_AIRSYNC_COMMANDS);
	job->commands_open = true;
}

static void write_server_id(struct request *request, uint64_t item)
{
	char text[64];

	snprintf(text, sizeof text, "%s:%llu", job_of(request)->collection_id, (unsigned long long)item);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, text);
}

/* An item that cannot be read is shown as what it is: the folder goes on, and the user knows. */
static void write_bad_item(struct request *request)
{
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	Belfry__Connector__Item item = BELFRY__CONNECTOR__ITEM__INIT;
	static char text[] = "This message is damaged and cannot be shown here. It is unchanged on the server.";

	mail.subject = "(unreadable message)";
	mail.importance = 1;
	mail.received_s = (uint64_t)loop_wall_s(request->engine->host.loop);
	body.type = body.native = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	body.data.data = (uint8_t *)text;
	body.data.len = body.full_size = sizeof text - 1;
	item.mail = &mail;
	item.body = &body;
	item.flags = BELFRY__CONNECTOR__FLAG__SEEN;
	mail_write(request, &(struct mail_form){NULL}, &item, "", -1);
}

/* What is new in a mail against its conversation (MS-ASCON) is not worked out here: a device that asks for it is told to
 * take the whole body, which stands beside: "the message part is too large" (MS-ASAIRS 2.2.2.37). */
static void write_body_part(struct request *request)
{
	const Belfry__Activesync__Options *options = job_of(request)->state.record->options;
	enum { PART_TOO_LARGE = 176 };

	if (request->version < 141 || options->body_part == 0)
		return;
	wbxml_writer_start(&request->writer, AS_AIRSYNCBASE_BODYPART);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_STATUS, PART_TOO_LARGE);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_TYPE, options->body_part);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNCBASE_ESTIMATEDDATASIZE, 0);
	wbxml_writer_end(&request->writer);
}

static void write_mail(struct request *request, const Belfry__Connector__Item *item, const char *server_id, int fd)
{
	const struct mail_form form = {.response = &((struct sync_work *)request->work)->response};

	mail_write(request, &form, item, server_id, fd);
	write_body_part(request);
}

static void write_add(struct request *request, const Belfry__Connector__Item *item, int fd)
{
	struct sync_job *job = job_of(request);
	char server_id[64];

	if (item->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND) { /* expunged between survey and fetch */
		sync_state_untell(&job->state, item->id);
		return;
	}
	snprintf(server_id, sizeof server_id, "%s:%llu", job->collection_id, (unsigned long long)item->id);
	open_commands(request);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_ADD);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, server_id);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
	bool is_good = item->status == BELFRY__CONNECTOR__STATUS__OK && item->mail != NULL;
	if (is_good)
		write_mail(request, item, server_id, fd);
	else
		write_bad_item(request);
	wbxml_writer_end(&request->writer);
	wbxml_writer_end(&request->writer);
	if (sync_state_added(&job->state, item->id, is_good ? item->flags : BELFRY__CONNECTOR__FLAG__SEEN))
		job->changed = true; /* given again, it may have other flags than the first time */
	if (sync_state_note_bad(&job->state, item->id, !is_good))
		job->changed = true;
}

/* What the device asked for by Fetch (MS-ASCMD 2.2.3.67.2): part of Responses, in full. */
static void write_fetched(struct request *request, const Belfry__Connector__Item *item, int fd)
{
	bool is_good = item->status == BELFRY__CONNECTOR__STATUS__OK && item->mail != NULL;
	char server_id[64];

	snprintf(server_id, sizeof server_id, "%s:%llu", job_of(request)->collection_id, (unsigned long long)item->id);
	wbxml_writer_start(&request->writer, AS_AIRSYNC_FETCH);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_SERVERID, server_id);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, is_good ? SYNC_STATUS_SUCCESS
		: item->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ? SYNC_STATUS_NOT_FOUND : SYNC_STATUS_CONVERSION);
	if (is_good) {
		wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
		write_mail(request, item, server_id, fd);
		wbxml_writer_end(&request->writer);
	}
	wbxml_writer_end(&request->writer);
}

static void write_failure(struct request *request, const struct sync_command *command)
{
	static const uint16_t tags[] = {
		[SYNC_COMMAND_CHANGE] = AS_AIRSYNC_CHANGE, [SYNC_COMMAND_DELETE] = AS_AIRSYNC_DELETE,
		[SYNC_COMMAND_ADD] = AS_AIRSYNC_ADD, [SYNC_COMMAND_FETCH] = AS_AIRSYNC_FETCH,
	};
	bool is_add = command->kind == SYNC_COMMAND_ADD;

	wbxml_writer_start(&request->writer, tags[command->kind]);
	wbxml_writer_text_element(&request->writer, is_add ? AS_AIRSYNC_CLIENTID : AS_AIRSYNC_SERVERID,
		is_add ? command->client_id : command->server_id);
	wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, command->status);
	wbxml_writer_end(&request->writer);
}

/* Commands is over: Responses begins, with what failed, and what is fetched follows. A success is not mentioned. */
static void begin_responses(struct request *request)
{
	struct sync_job *job = job_of(request);

	if (job->commands_open)
		wbxml_writer_end(&request->writer);
	job->in_responses = true;
	job->items = arena_alloc(request->arena, (job->command_count + 1) * sizeof *job->items);
	job->item_count = job->item_next = 0;
	wbxml_writer_start(&request->writer, AS_AIRSYNC_RESPONSES);
	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].kind == SYNC_COMMAND_FETCH && job->commands[i].status == SYNC_STATUS_SUCCESS)
			job->items[job->item_count++] = job->commands[i].item;
		else if (job->commands[i].status != SYNC_STATUS_SUCCESS)
			write_failure(request, &job->commands[i]);
}

static bool has_responses(const struct sync_job *job)
{
	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].kind == SYNC_COMMAND_FETCH || job->commands[i].status != SYNC_STATUS_SUCCESS)
			return true;
	return false;
}

static void end_job(struct request *request)
{
	struct sync_job *job = job_of(request);

	if (!job->in_responses && has_responses(job)) {
		begin_responses(request);
		fetch_next(request);
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
	struct sync_job *job = job_of(request);

	for (size_t i = job->item_next; i < job->item_count; i++)
		sync_state_untell(&job->state, job->items[i]);
	job->item_count = job->item_next;
	job->is_cut = !job->state.told.more; /* the head has not said it */
	job->state.told.more = true;
	end_job(request);
}

/* What is fetched by name and has no room any more is to be asked for again. */
static void refuse_rest(struct request *request)
{
	struct sync_job *job = job_of(request);

	for (; job->item_next < job->item_count; job->item_next++) {
		wbxml_writer_start(&request->writer, AS_AIRSYNC_FETCH);
		write_server_id(request, job->items[job->item_next]);
		wbxml_writer_number_element(&request->writer, AS_AIRSYNC_STATUS, SYNC_STATUS_RETRY);
		wbxml_writer_end(&request->writer);
	}
	end_job(request);
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
		(job_of(request)->in_responses ? write_fetched : write_add)(request, response->fetched->item, fd);
	if (fd >= 0) {
		((struct sync_work *)request->work)->files++;
		close(fd);
	}
	if (is_last)
		fetch_next(request);
}

/* What the device fetches by name comes whole (MS-ASCMD 2.2.3.67.2): it was cut before, which is why. */
Belfry__Connector__BodyWish **sync_wishes(struct request *request, const Belfry__Activesync__Options *options, bool whole)
{
	Belfry__Connector__BodyWish **all = arena_alloc(request->arena, (options->n_bodies + 1) * sizeof *all);

	for (size_t i = 0; i < options->n_bodies; i++) {
		const Belfry__Activesync__BodyPreference *from = options->bodies[i];
		all[i] = arena_alloc(request->arena, sizeof **all);
		belfry__connector__body_wish__init(all[i]);
		all[i]->type = (Belfry__Connector__BodyType)from->type;
		all[i]->truncate = from->truncation;
		all[i]->has_truncate = from->has_truncation && !whole;
		all[i]->all_or_none = from->all_or_none;
		all[i]->preview = from->preview;
	}
	return all;
}

static void fetch_next(struct request *request)
{
	struct sync_work *work = request->work;
	struct sync_job *job = job_of(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;
	const Belfry__Activesync__Options *options = job->state.record->options;

	if (job->item_next == job->item_count) {
		end_job(request);
		return;
	}
	bool is_full = request->body.length + work->response.length > SYNC_ANSWER_BYTES || work->files > SYNC_ANSWER_FILES;
	if (is_full && job->in_responses) {
		refuse_rest(request);
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
	fetch.mime_support = options->mime_support;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, fetched);
}

/* --- the told part without bodies ------------------------------------------------------------------------------ */

static void write_removals(struct request *request, const struct ranges *items, uint16_t tag)
{
	for (size_t i = 0; i < items->count; i++)
		for (uint64_t item = items->list[i].first; item <= items->list[i].last; item++) {
			open_commands(request);
			wbxml_writer_start(&request->writer, tag);
			write_server_id(request, item);
			wbxml_writer_end(&request->writer);
		}
}

static void write_changes(struct request *request, const struct sync_job *job)
{
	const struct ranges *items = &job->state.told.changes;

	for (size_t i = 0; i < items->count; i++)
		for (uint64_t item = items->list[i].first; item <= items->list[i].last; item++) {
			open_commands(request);
			wbxml_writer_start(&request->writer, AS_AIRSYNC_CHANGE);
			write_server_id(request, item);
			wbxml_writer_start(&request->writer, AS_AIRSYNC_APPLICATIONDATA);
			mail_write_flags(&request->writer, sync_state_flags(&job->state, item));
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

static void tell(struct request *request)
{
	struct sync_job *job = job_of(request);

	sync_write_head(request, job);
	write_removals(request, &job->state.told.deletes, AS_AIRSYNC_DELETE);
	write_removals(request, &job->state.told.soft_deletes, AS_AIRSYNC_SOFTDELETE);
	write_changes(request, job);
	list_adds(request, job);
	fetch_next(request);
}

/* --- survey ---------------------------------------------------------------------------------------------------- */

void sync_job_plan(struct request *request)
{
	struct sync_work *work = request->work;
	struct sync_job *job = job_of(request);
	uint64_t window = job->window < work->window ? job->window : work->window;
	struct sync_told *told = &job->state.told;

	if (sync_state_plan(&job->state, &job->present, job->is_filtered ? &job->existing : NULL, job->item_flags,
		job->item_flag_count, window))
		job->changed = true;
	if (job->readable.count != 0)
		told->more = true; /* they are to come back */
	work->window -= ranges_size(&told->adds) + ranges_size(&told->changes) + ranges_size(&told->deletes) +
		ranges_size(&told->soft_deletes);
	if (!told->owes_flags) /* else the next survey has to say them again */
		job->state.record->token = job->position.token;
	tell(request);
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
		Belfry__Connector__ItemFlags *flags = arena_alloc(request->arena, sizeof *flags);
		belfry__connector__item_flags__init(flags);
		flags->id = survey->changed[i]->id;
		flags->flags = survey->changed[i]->flags;
		job->item_flags[job->item_flag_count++] = flags;
	}
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
	struct sync_job *job = job_of(request);

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		fail(request, response);
		return;
	}
	sync_take_ranges(&job->existing, response->surveyed->present);
	job->is_filtered = true;
	sync_look_at_unreadable(request);
}

static void survey(struct request *, bool all, connector_answered *);

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
	struct sync_job *job = job_of(request);
	Belfry__Activesync__Sync *record = job->state.record;

	if (job->state.has.count != 0 || record->validity == 0)
		return false;
	record->validity = record->token = 0;
	job->changed = true;
	survey(request, false, surveyed);
	return true;
}

/* What the device wanted is done: only its position stays behind. */
static void tell_unsurveyed(struct request *request)
{
	struct sync_job *job = job_of(request);

	sync_state_plan(&job->state, &job->state.has, NULL, NULL, 0, 0);
	tell(request);
}

/* GetChanges 0. But a device that has all there is stands where its own commands have brought the collection, and they
 * are not to ring its next Ping. */
static void tell_nothing(struct request *request)
{
	struct sync_job *job = job_of(request);
	struct sync_told *told = &job->state.told;

	sync_state_plan(&job->state, &job->present, NULL, job->item_flags, job->item_flag_count, 0);
	job->has_all = !told->more;
	told->more = false;
	if (job->has_all)
		job->state.record->token = job->position.token;
	tell(request);
}

static void surveyed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = job_of(request);

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__STALE && survey_anew(request))
		return;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		if (job->wants_changes)
			fail(request, response);
		else
			tell_unsurveyed(request);
		return;
	}
	take_survey(request, job, response->surveyed);
	sync_take_ranges(&job->present, response->surveyed->present);
	if (!job->wants_changes)
		tell_nothing(request);
	else if (job->state.record->options->filter != 0 && has_vanished(job))
		survey(request, true, surveyed_all);
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

static void survey(struct request *request, bool all, connector_answered *answered)
{
	struct sync_job *job = job_of(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Survey message = BELFRY__CONNECTOR__SURVEY__INIT;

	message.collection = (char *)job->name;
	message.validity = job->state.record->validity;
	message.since_token = all ? job->position.token : job->state.record->token;
	message.received_since_s = all ? 0 : sync_filter_since_s(request, job->state.record->options->filter);
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY;
	question.survey = &message;
	request_ask(request, &question, answered);
}

/* --- apply ----------------------------------------------------------------------------------------------------- */

static void after_commands(struct request *request)
{
	struct sync_job *job = job_of(request);

	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].status == 0) /* Fetch: read when its turn comes */
			job->commands[i].status = SYNC_STATUS_SUCCESS;
	if (job->key_is == SYNC_KEY_REPEATED)
		tell(request);
	else
		survey(request, false, surveyed);
}

static bool is_operation(const struct sync_command *command)
{
	return command->status == 0 && command->kind != SYNC_COMMAND_FETCH;
}

/* The device has done by itself what it tells, whether or not the backend would: it is told again what is not so. A mail
 * that it has removed is added anew; flags are all looked at, as what did not change would not come by itself. */
static void note_applied(struct sync_job *job, struct sync_command *command, Belfry__Connector__Status status)
{
	bool is_gone = status == BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	bool is_refused = status != BELFRY__CONNECTOR__STATUS__OK && !is_gone;

	if (command->kind == SYNC_COMMAND_DELETE)
		sync_state_removed(&job->state, command->item);
	else if (!is_gone)
		sync_state_set(&job->state, command->item, command->set_flags, command->clear_flags);
	if (is_refused)
		command->status = SYNC_STATUS_SERVER_ERROR;
	else
		command->status = is_gone && command->kind != SYNC_COMMAND_DELETE ? SYNC_STATUS_NOT_FOUND : SYNC_STATUS_SUCCESS;
	if (is_refused && command->kind == SYNC_COMMAND_CHANGE)
		job->state.record->token = 0;
	job->owes |= is_refused;
	job->changed = true;
}

/* UNAVAILABLE is no answer: what was done already does not mind to be done again. */
static bool is_complete(const Belfry__Connector__Response *response)
{
	const Belfry__Connector__Applied *applied = response->applied;

	if (response->status != BELFRY__CONNECTOR__STATUS__OK || applied == NULL)
		return false;
	for (size_t i = 0; i < applied->n_results; i++)
		if (applied->results[i] == BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
			return false;
	return true;
}

static void applied(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = job_of(request);
	size_t at = 0;

	(void)fd;
	(void)is_last;
	if (!is_complete(response)) {
		fail(request, response);
		return;
	}
	for (size_t i = 0; i < job->command_count; i++) {
		if (!is_operation(&job->commands[i]))
			continue;
		note_applied(job, &job->commands[i], at < response->applied->n_results ? response->applied->results[at]
			: BELFRY__CONNECTOR__STATUS__UNAVAILABLE);
		at++;
	}
	after_commands(request);
}

static Belfry__Connector__Operation *operation(struct request *request, const struct sync_job *job,
	const struct sync_command *command)
{
	Belfry__Connector__Operation *operation = arena_alloc(request->arena, sizeof *operation);

	belfry__connector__operation__init(operation);
	operation->id = command->item;
	operation->set_flags = command->set_flags;
	operation->clear_flags = command->clear_flags;
	operation->remove = command->kind == SYNC_COMMAND_DELETE;
	operation->to_trash = operation->remove && job->deletes_to_trash;
	return operation;
}

static void apply(struct request *request)
{
	struct sync_job *job = job_of(request);
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Apply message = BELFRY__CONNECTOR__APPLY__INIT;

	message.operations = arena_alloc(request->arena, (job->command_count + 1) * sizeof *message.operations);
	for (size_t i = 0; i < job->command_count; i++)
		if (is_operation(&job->commands[i]))
			message.operations[message.n_operations++] = operation(request, job, &job->commands[i]);
	if (message.n_operations == 0) {
		after_commands(request);
		return;
	}
	message.collection = (char *)job->name;
	message.validity = job->state.record->validity;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_APPLY;
	question.apply = &message;
	request_ask(request, &question, applied);
}

void sync_job_run(struct request *request)
{
	struct sync_job *job = job_of(request);

	if (job->status == 0 && loop_now_ms(request->engine->host.loop) - request->started_ms >= SYNC_TIME_MAX_MS)
		job->status = SYNC_STATUS_RETRY;
	if (job->status != 0) {
		sync_job_done(request);
		return;
	}
	job->status = SYNC_STATUS_SUCCESS;
	if (job->key_is != SYNC_KEY_INITIAL) {
		apply(request);
		return;
	}
	job->changed = true;
	sync_write_head(request, job);
	wbxml_writer_end(&request->writer);
	sync_job_done(request);
}

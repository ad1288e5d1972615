/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the device has done, carried out at the backend. */
#include "gateway/activesync/sync.h"

static void after_commands(struct request *request)
{
	struct sync_job *job = sync_job_now(request);

	for (size_t i = 0; i < job->command_count; i++)
		if (job->commands[i].status == 0) /* Fetch: read when its turn comes */
			job->commands[i].status = SYNC_STATUS_SUCCESS;
	if (job->key_is == SYNC_KEY_REPEATED)
		sync_tell(request);
	else
		sync_survey(request);
}

static bool is_operation(const struct sync_command *command)
{
	return command->status == 0 && command->kind != SYNC_COMMAND_FETCH;
}

/* MS-ASCMD 2.2.3.177.17: no room is told as such. */
static int refused_as(Belfry__Connector__Status status)
{
	return status == BELFRY__CONNECTOR__STATUS__LIMIT ? SYNC_STATUS_NO_ROOM : SYNC_STATUS_SERVER_ERROR;
}

static void note_changed(struct request *request, struct sync_job *job, const struct sync_command *command)
{
	sync_state_set(&job->state, command->item, command->set_flags, command->clear_flags);
	if (command->has_categories)
		sync_state_label(&job->state, command->item, command->categories, command->category_count, request->arena);
}

/* The device has done by itself what it tells, whether or not the backend would: it is told again what is not so. A mail
 * that it has removed is added anew; flags are all looked at, as what did not change would not come by itself. */
static void note_applied(struct request *request, struct sync_job *job, struct sync_command *command,
	Belfry__Connector__Status status)
{
	bool is_gone = status == BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	bool is_refused = status != BELFRY__CONNECTOR__STATUS__OK && !is_gone;

	if (command->kind == SYNC_COMMAND_DELETE)
		sync_state_removed(&job->state, command->item);
	else if (!is_gone)
		note_changed(request, job, command);
	if (is_refused)
		command->status = refused_as(status);
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
	struct sync_job *job = sync_job_now(request);
	size_t at = 0;

	(void)fd;
	(void)is_last;
	if (!is_complete(response)) {
		sync_job_fail(request, response);
		return;
	}
	for (size_t i = 0; i < job->command_count; i++) {
		if (!is_operation(&job->commands[i]))
			continue;
		note_applied(request, job, &job->commands[i], at < response->applied->n_results ? response->applied->results[at]
			: BELFRY__CONNECTOR__STATUS__UNAVAILABLE);
		at++;
	}
	after_commands(request);
}

static bool is_among(const struct sync_command *command, const char *name)
{
	const struct sync_label wanted = {.names = command->categories, .count = command->category_count};

	return sync_labels_has_name(&wanted, name);
}

/* What is another than the device has had; others may have set more, of which it does not know yet. */
static void set_categories(struct request *request, const struct sync_job *job, const struct sync_command *command,
	Belfry__Connector__Operation *operation)
{
	const struct sync_label *before = sync_labels_find(&job->state.labels, command->item);
	size_t count = before == NULL ? 0 : before->count;

	operation->set_keywords = arena_alloc(request->arena, (command->category_count + 1) * sizeof(char *));
	operation->clear_keywords = arena_alloc(request->arena, (count + 1) * sizeof(char *));
	for (size_t i = 0; i < command->category_count; i++)
		if (!sync_labels_has_name(before, command->categories[i]))
			operation->set_keywords[operation->n_set_keywords++] = command->categories[i];
	for (size_t i = 0; i < count; i++)
		if (!is_among(command, before->names[i]))
			operation->clear_keywords[operation->n_clear_keywords++] = before->names[i];
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
	if (command->has_categories)
		set_categories(request, job, command, operation);
	return operation;
}

void sync_apply(struct request *request)
{
	struct sync_job *job = sync_job_now(request);
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A device's Change of a mail that the backend has changed, too, since the device's last state (MS-ASCMD 2.2.3.34). What
 * the backend has changed is what a survey since that state says. It is asked for only when the backend is to win, and
 * when it cannot be had, the commands are not applied either.
 */
#include "gateway/activesync/sync.h"
#include "gateway/service/conflict.h"

enum { SHOWN = BELFRY__CONNECTOR__FLAG__SEEN | BELFRY__CONNECTOR__FLAG__FLAGGED };

static bool is_change(const struct sync_command *command)
{
	return command->kind == SYNC_COMMAND_CHANGE && command->status == 0;
}

/* One command after the other: what was carried out is what both know before the next. */
static void judge(struct sync_job *job, uint64_t item, uint32_t now)
{
	uint32_t known = sync_state_flags(&job->state, item);

	for (size_t i = 0; i < job->command_count; i++) {
		struct sync_command *command = &job->commands[i];
		if (!is_change(command) || command->item != item)
			continue;
		const struct conflict_sides sides = {.device = command->set_flags | command->clear_flags, .backend = now ^ known,
			.same = ~(now ^ command->set_flags)};
		if (conflict_drops_device(CONFLICT_BACKEND_WINS, &sides)) {
			command->status = SYNC_STATUS_CONFLICT;
			job->changed = true;
			continue;
		}
		now = (now | command->set_flags) & ~command->clear_flags;
		known = (known | command->set_flags) & ~command->clear_flags;
	}
}

static void surveyed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct sync_job *job = sync_job_now(request);
	const Belfry__Connector__Surveyed *survey = response->surveyed;
	struct ranges items = RANGES_EMPTY;

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || survey == NULL) {
		sync_job_fail(request, response);
		return;
	}
	for (size_t i = 0; i < job->command_count; i++)
		if (is_change(&job->commands[i]))
			ranges_add(&items, job->commands[i].item, job->commands[i].item);
	for (size_t i = 0; i < survey->n_changed; i++)
		if (ranges_has(&items, survey->changed[i]->id))
			judge(job, survey->changed[i]->id, survey->changed[i]->flags & SHOWN);
	ranges_release(&items);
	sync_apply(request);
}

void sync_look_for_conflicts(struct request *request)
{
	struct sync_job *job = sync_job_now(request);
	bool any = false;

	for (size_t i = 0; i < job->command_count; i++)
		any = any || is_change(&job->commands[i]);
	if (any && !job->state.record->options->device_wins)
		sync_ask_survey(request, false, surveyed);
	else
		sync_apply(request);
}

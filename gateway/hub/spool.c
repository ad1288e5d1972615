/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The spool: hints that hooks left while nobody listened. It is in memory (tmpfs), so that a look does not wait for a disk. */
#include <stdlib.h>

#include "gateway/hub/hook.h"
#include "lib/core/mem.h"
#include "lib/model/hint_spool.h"

enum { LOOK_AGAIN_MS = 5 };

struct hub_spool {
	struct hub_hooks *hooks;
	struct hint_spool *spool;
	struct timer look;
};

static void look(struct timer *timer)
{
	struct hub_spool *spool = container_of(timer, struct hub_spool, look);
	struct hint_text text;
	struct hint hint;
	struct hub *hub = spool->hooks->hub;
	int count = 0, taken = 1;
	uid_t from;

	while (count < HOOK_SPOOL_BATCH && (taken = hint_spool_take(spool->spool, loop_wall_s(hub->loop), &text, &hint,
		&from)) == 1) {
		if (*hint.source == '\0')
			hint.source = "spool";
		hub_speaker_says(spool->hooks->speakers, from, &hint);
		count++;
	}
	hub->counters.spool = *hint_spool_counts(spool->spool);
	timer_start(hub->loop, timer, taken == 0 ? HOOK_SPOOL_LOOK_MS : LOOK_AGAIN_MS, look);
}

struct hub_spool *hub_spool_start(struct hub_hooks *hooks, struct error *error_r)
{
	struct hint_spool *opened = hint_spool_open(hooks->hub->settings.spool_folder, error_r);

	if (opened == NULL)
		return NULL;
	struct hub_spool *spool = mem_alloc(sizeof *spool);
	spool->hooks = hooks;
	spool->spool = opened;
	timer_start(hooks->hub->loop, &spool->look, 0, look);
	return spool;
}

void hub_spool_stop(struct hub_spool **owner)
{
	if (*owner == NULL)
		return;
	timer_stop((*owner)->hooks->hub->loop, &(*owner)->look);
	hint_spool_close(&(*owner)->spool);
	free(*owner);
	*owner = NULL;
}

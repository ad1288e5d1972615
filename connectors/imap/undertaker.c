/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/undertaker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { REAP_MS = 50 };

/* Ended, not reaped yet. */
struct leaving {
	struct leaving *next;
	struct death death; /* its strings are ours */
	char *user, *collection;
	int64_t kill_at_ms; /* 0: was killed */
};

struct undertaker {
	struct loop *loop;
	const struct process_ways *ways;
	struct quarantine *quarantine;
	struct leaving *first;
	struct timer reap;
};

/* --- blame ----------------------------------------------------------------------------------------------------- */

static bool was_its_own_doing(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) != 0;
	switch (WTERMSIG(status)) {
	case SIGKILL: case SIGTERM: case SIGINT: case SIGHUP: case SIGQUIT: return false;
	default: return true;
	}
}

static bool is_to_blame(const struct death *death, int status)
{
	if (death->phase == BOARD_IDLE)
		return false;
	switch (death->cause) {
	case DEATH_HUNG: return death->phase == BOARD_PARSING;
	case DEATH_SENSELESS: return true;
	case DEATH_LOST: return was_its_own_doing(status);
	case DEATH_LET_GO: break;
	}
	return false;
}

static void judge(struct undertaker *undertaker, const struct death *death, int status)
{
	if (!is_to_blame(death, status))
		return;
	log_error(LOG_CONNECTOR, "user=%s collection=%s item=%llu worker=%d %s; it is left out from now on",
		log_quote(death->user), log_quote(death->collection), (unsigned long long)death->item, (int)death->pid,
		death->cause == DEATH_HUNG ? "hung" : "died");
	quarantine_add(undertaker->quarantine, death->user, death->collection, death->validity, death->item);
}

/* --- reaping --------------------------------------------------------------------------------------------------- */

static void leaving_free(struct leaving *leaving)
{
	free(leaving->user);
	free(leaving->collection);
	free(leaving);
}

static bool has_left(struct undertaker *undertaker, struct leaving *leaving, int *status_r)
{
	if (leaving->kill_at_ms != 0 && loop_now_ms(undertaker->loop) >= leaving->kill_at_ms) {
		undertaker->ways->kill(leaving->death.pid);
		leaving->kill_at_ms = 0;
	}
	return undertaker->ways->is_gone(leaving->death.pid, false, status_r);
}

static void reap(struct timer *timer)
{
	struct undertaker *undertaker = container_of(timer, struct undertaker, reap);
	int status;

	for (struct leaving **link = &undertaker->first; *link != NULL;) {
		struct leaving *leaving = *link;
		if (!has_left(undertaker, leaving, &status)) {
			link = &leaving->next;
			continue;
		}
		*link = leaving->next;
		judge(undertaker, &leaving->death, status);
		leaving_free(leaving);
	}
	if (undertaker->first != NULL)
		timer_start(undertaker->loop, &undertaker->reap, REAP_MS, reap);
}

void undertaker_take(struct undertaker *undertaker, const struct death *death, int64_t grace_ms)
{
	struct leaving *leaving = mem_alloc(sizeof *leaving);

	leaving->death = *death;
	if (death->phase != BOARD_IDLE) {
		leaving->death.user = leaving->user = mem_strdup(death->user);
		leaving->death.collection = leaving->collection = mem_strdup(death->collection);
	}
	leaving->next = undertaker->first;
	undertaker->first = leaving;
	/* A process whose line broke because it dies has its status already: this does not change it any more. */
	if (grace_ms > 0)
		leaving->kill_at_ms = loop_now_ms(undertaker->loop) + grace_ms;
	else
		undertaker->ways->kill(death->pid);
	timer_start(undertaker->loop, &undertaker->reap, 0, reap);
}

struct undertaker *undertaker_create(struct loop *loop, const struct process_ways *ways, struct quarantine *quarantine)
{
	struct undertaker *undertaker = mem_alloc(sizeof *undertaker);

	*undertaker = (struct undertaker){.loop = loop, .ways = ways, .quarantine = quarantine};
	return undertaker;
}

void undertaker_free(struct undertaker **owner)
{
	struct undertaker *undertaker = *owner;
	int status;

	*owner = NULL;
	if (undertaker == NULL)
		return;
	while (undertaker->first != NULL) {
		struct leaving *leaving = undertaker->first;
		undertaker->first = leaving->next;
		if (leaving->kill_at_ms != 0)
			undertaker->ways->kill(leaving->death.pid);
		undertaker->ways->is_gone(leaving->death.pid, true, &status);
		leaving_free(leaving);
	}
	timer_stop(undertaker->loop, &undertaker->reap);
	free(undertaker);
}

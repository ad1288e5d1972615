/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sees off workers: kills those that do not end by themselves, reaps all, and says which item a death is to be blamed
 * on. What kills a worker by its content does so each time, so the first death that is its own doing (a signal such
 * as SIGSEGV or SIGABRT, a status of failure) puts the item into quarantine; one that came from outside (SIGKILL by
 * an admin or by the kernel, which was short of memory: what one mail takes is bounded) says nothing of any item.
 */
#ifndef BELFRY_CONNECTORS_IMAP_UNDERTAKER_H
#define BELFRY_CONNECTORS_IMAP_UNDERTAKER_H

#include "connectors/imap/process.h"
#include "connectors/imap/quarantine.h"

enum death_cause {
	DEATH_LET_GO,    /* nobody needs it any more */
	DEATH_HUNG,      /* no answer came in time: the item's fault while it was parsed, else the network's */
	DEATH_SENSELESS, /* it answers what makes no sense: something has written over its memory */
	DEATH_LOST       /* its line broke: to be judged by how it died */
};

/* A worker that leaves, and what it was touching then; the strings are copied. */
struct death {
	pid_t pid;
	enum death_cause cause;
	const char *user, *collection; /* not looked at in BOARD_IDLE */
	enum board_phase phase;
	uint64_t validity, item;
};

struct undertaker;

struct undertaker *undertaker_create(struct loop *, const struct process_ways *, struct quarantine *);
/* Kills and waits for all that are still there. */
void undertaker_free(struct undertaker **);
/* It is killed after grace_ms (0: at once), if it has not ended before. */
void undertaker_take(struct undertaker *, const struct death *, int64_t grace_ms);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Between gateway/supervisor.c, which decides, gateway/supervisor_child.c, which makes processes, and
 * gateway/supervisor_pulse.c, which asks whether they live.
 */
#ifndef BELFRY_GATEWAY_SUPERVISOR_INTERNAL_H
#define BELFRY_GATEWAY_SUPERVISOR_INTERNAL_H

#include "gateway/pulse.h"
#include "gateway/supervisor.h"
#include "lib/ipc/link.h"

/* In the order in which they end: nobody before those who talk to it. */
enum child_kind { CHILD_FRONT, CHILD_HUB, CHILD_CONNECTOR, CHILD_KINDS };

struct supervisor;

struct child {
	struct supervisor *supervisor;
	enum child_kind kind;
	unsigned number;          /* front: from 1; connector: index in the configuration */
	pid_t pid;                /* 0: does not run, or runs in this process */
	struct role *role;        /* in this process (belfryd -s) */
	struct link *rein;        /* main's end; of a connector: a link to its place; NULL while it does not run */
	struct pulse pulse;
	struct timer restart;
	int64_t started_ms, backoff_ms;
};

struct supervisor {
	struct loop *loop;
	const struct role_settings *settings;
	struct places *places;
	struct net *net;          /* the places to connect to; belfryd -s: also of the roles in this process */
	struct certificates *certificates;
	struct signals *signals;
	struct child *children;
	size_t child_count;
	bool is_single, is_stopping;
	enum child_kind ending;   /* while stopping: who is to end now */
	struct timer kill_timer, watchdog;
};

/* "front 1", "hub", "connector main": for the log, in a static buffer. */
const char *child_name(const struct child *);
/* Makes the process, or the role in this one. -1 with error_r: try again later. */
int child_start(struct child *, struct error *error_r);
/* The rein's other end says something: that it lives. Or it went away. */
extern const struct link_events child_rein_events;

/* Of a process, from its start on; what runs in this one needs no asking. */
void child_pulse_start(struct child *);

#endif

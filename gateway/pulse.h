/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether a process still turns its loop: it is asked again and again, and what leaves PULSE_MISSES_MAX questions in a
 * row unanswered hangs. Counted are questions, not time: an asker that was itself without the processor, or asleep, for
 * minutes has asked once meanwhile, and blames nobody.
 */
#ifndef BELFRY_GATEWAY_PULSE_H
#define BELFRY_GATEWAY_PULSE_H

#include "lib/core/loop.h"

enum {
	PULSE_MISSES_MAX = 3,      /* no work of ours takes a loop for longer than one interval; a machine that swaps may */
	PULSE_MISSES_STARTING = 30 /* before the first answer: the hub may have a large store to recover */
};

/* Zeroed memory is a stopped one. Owner by container_of. */
struct pulse {
	struct loop *loop;
	int64_t every_ms;
	void (*ask)(struct pulse *);
	void (*hangs)(struct pulse *); /* told once; it is stopped then */
	unsigned unanswered;           /* in a row */
	bool has_answered;             /* ever */
	struct timer next;
};

/* The first question goes out now. every_ms 0: nothing is ever asked. */
void pulse_start(struct loop *, struct pulse *, int64_t every_ms, void (*ask)(struct pulse *),
	void (*hangs)(struct pulse *));
void pulse_stop(struct pulse *);
/* Any sign of life; also from one that is stopped. */
void pulse_answered(struct pulse *);

#endif

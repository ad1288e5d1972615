/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One event loop a role, thin over libev. All time comes from here: a manual loop has no descriptors and a clock
 * that only loop_advance() moves, so that a heartbeat of 59 minutes takes no time in a test and runs are repeatable.
 * Timers and deferred calls are ours (both kinds of loop share them); descriptors are libev's, used by lib/core and
 * lib/net only.
 */
#ifndef BELFRY_LIB_CORE_LOOP_H
#define BELFRY_LIB_CORE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct ev_loop;

struct loop *loop_create(void);
/* wall_s: what loop_wall_s() says at the start. */
struct loop *loop_create_manual(int64_t wall_s);
/* Asserts that no timer is left: every owner undoes its own. */
void loop_free(struct loop **);

/* Runs until loop_stop(). */
void loop_run(struct loop *);
void loop_stop(struct loop *);
/* Manual loop: runs deferred calls and due timers until nothing is left to do now; returns how many ran. */
unsigned loop_settle(struct loop *);
/* Manual loop: moves the clock timer by timer, settling at each. */
void loop_advance(struct loop *, int64_t ms);

/* Monotonic milliseconds since the loop was made; and the wall clock in seconds since 1970. */
int64_t loop_now_ms(const struct loop *);
int64_t loop_wall_s(const struct loop *);
/* CLOCK_MONOTONIC in microseconds, the same in all processes of the machine; of a manual loop its own clock. Never 0. */
uint64_t loop_clock_us(const struct loop *);
bool loop_is_manual(const struct loop *);
/* libev's loop, NULL for a manual one. */
struct ev_loop *loop_ev(struct loop *);

/* A one-shot timer inside its owner. Zeroed memory is a stopped timer. Starting a started timer moves it. */
struct timer {
	int64_t at_ms;
	uint32_t place;                     /* in the heap, from 1; 0: stopped */
	void (*fired)(struct timer *);      /* owner by container_of */
};
void timer_start(struct loop *, struct timer *, int64_t delay_ms, void (*fired)(struct timer *));
void timer_stop(struct loop *, struct timer *);
static inline bool timer_is_started(const struct timer *timer) { return timer->place != 0; }

/* A call made once after the current callback has returned, in the order of asking. Zeroed memory is an idle one. */
struct deferred {
	struct deferred *next, **link;      /* link NULL: idle */
	void (*run)(struct deferred *);
};
void loop_defer(struct loop *, struct deferred *, void (*run)(struct deferred *));
void loop_undefer(struct loop *, struct deferred *);

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif

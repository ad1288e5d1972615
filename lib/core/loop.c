/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One event loop a role: a binary heap of timers and a queue of deferred calls, driven by libev or by hand.
 * One libev timer stands for the earliest of ours.
 */
#include "lib/core/loop.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <ev.h>

#include "lib/core/mem.h"

struct loop {
	struct ev_loop *ev; /* NULL: manual */
	ev_timer wake;      /* fires for the earliest timer */
	ev_prepare before_poll;
	int64_t now_ms;     /* manual: the clock itself */
	int64_t wall_s;     /* manual: wall clock at now_ms == 0 */
	int64_t started_ms; /* CLOCK_MONOTONIC when the loop was made */
	struct timer **heap; /* heap[0] is the earliest */
	uint32_t timers, heap_size;
	struct deferred *first, **last;
	int64_t armed_at_ms; /* what wake stands for; -1: not armed */
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- heap ------------------------------------------------------------------------------------------------------ */

static void heap_put(struct loop *loop, uint32_t place, struct timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place + 1;
}

static void heap_up(struct loop *loop, uint32_t place, struct timer *timer)
{
	while (place > 0) {
		uint32_t parent = (place - 1) / 2;
		if (loop->heap[parent]->at_ms <= timer->at_ms)
			break;
		heap_put(loop, place, loop->heap[parent]);
		place = parent;
	}
	heap_put(loop, place, timer);
}

static void heap_down(struct loop *loop, uint32_t place, struct timer *timer)
{
	for (;;) {
		uint32_t child = place * 2 + 1;
		if (child >= loop->timers)
			break;
		if (child + 1 < loop->timers && loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (loop->heap[child]->at_ms >= timer->at_ms)
			break;
		heap_put(loop, place, loop->heap[child]);
		place = child;
	}
	heap_put(loop, place, timer);
}

void timer_start(struct loop *loop, struct timer *timer, int64_t delay_ms, void (*fired)(struct timer *))
{
	timer_stop(loop, timer);
	if (loop->timers == loop->heap_size) {
		loop->heap_size = loop->heap_size == 0 ? 16 : loop->heap_size * 2;
		loop->heap = mem_realloc(loop->heap, loop->heap_size * sizeof *loop->heap);
	}
	timer->at_ms = loop_now_ms(loop) + (delay_ms < 0 ? 0 : delay_ms);
	timer->fired = fired;
	heap_up(loop, loop->timers++, timer);
}

void timer_stop(struct loop *loop, struct timer *timer)
{
	if (timer->place == 0)
		return;
	uint32_t place = timer->place - 1;
	struct timer *moved = loop->heap[--loop->timers];
	timer->place = 0;
	if (moved == timer)
		return;
	if (place > 0 && loop->heap[(place - 1) / 2]->at_ms > moved->at_ms)
		heap_up(loop, place, moved);
	else
		heap_down(loop, place, moved);
}

/* --- deferred calls -------------------------------------------------------------------------------------------- */

void loop_defer(struct loop *loop, struct deferred *deferred, void (*run)(struct deferred *))
{
	deferred->run = run;
	if (deferred->link != NULL)
		return;
	deferred->next = NULL;
	deferred->link = loop->last;
	*loop->last = deferred;
	loop->last = &deferred->next;
}

void loop_undefer(struct loop *loop, struct deferred *deferred)
{
	if (deferred->link == NULL)
		return;
	*deferred->link = deferred->next;
	if (deferred->next != NULL)
		deferred->next->link = deferred->link;
	else
		loop->last = deferred->link;
	deferred->link = NULL;
}

static unsigned run_deferred(struct loop *loop)
{
	unsigned count = 0;

	while (loop->first != NULL) {
		struct deferred *deferred = loop->first;
		loop_undefer(loop, deferred);
		deferred->run(deferred);
		count++;
	}
	return count;
}

static unsigned run_timers(struct loop *loop)
{
	unsigned count = 0;
	int64_t now_ms = loop_now_ms(loop);

	while (loop->timers > 0 && loop->heap[0]->at_ms <= now_ms) {
		struct timer *timer = loop->heap[0];
		timer_stop(loop, timer);
		timer->fired(timer);
		count++;
		run_deferred(loop);
	}
	return count;
}

/* --- libev ----------------------------------------------------------------------------------------------------- */

static void wake_fired(struct ev_loop *ev, ev_timer *wake, int events)
{
	struct loop *loop = wake->data;

	(void)ev;
	(void)events;
	loop->armed_at_ms = -1;
	run_timers(loop);
}

static void arm_wake(struct loop *loop)
{
	int64_t at_ms = loop->timers > 0 ? loop->heap[0]->at_ms : -1;

	if (at_ms == loop->armed_at_ms)
		return;
	ev_timer_stop(loop->ev, &loop->wake);
	loop->armed_at_ms = at_ms;
	if (at_ms < 0)
		return;
	int64_t delay_ms = at_ms - loop_now_ms(loop);
	ev_timer_set(&loop->wake, delay_ms < 0 ? 0. : (double)delay_ms / 1000. + 0.0005, 0.);
	ev_timer_start(loop->ev, &loop->wake);
}

/* Before each poll: what callbacks deferred runs now, then the earliest timer is armed. */
static void poll_begins(struct ev_loop *ev, ev_prepare *prepare, int events)
{
	struct loop *loop = prepare->data;

	(void)ev;
	(void)events;
	run_deferred(loop);
	arm_wake(loop);
}

struct loop *loop_create_manual(int64_t wall_s)
{
	struct loop *loop = mem_alloc(sizeof *loop);

	loop->wall_s = wall_s;
	loop->last = &loop->first;
	loop->armed_at_ms = -1;
	return loop;
}

struct loop *loop_create(void)
{
	struct loop *loop = loop_create_manual(0);

	loop->ev = ev_loop_new(EVFLAG_AUTO);
	assert(loop->ev != NULL);
	loop->started_ms = monotonic_ms();
	ev_init(&loop->wake, wake_fired);
	loop->wake.data = loop;
	ev_prepare_init(&loop->before_poll, poll_begins);
	loop->before_poll.data = loop;
	ev_prepare_start(loop->ev, &loop->before_poll);
	ev_unref(loop->ev);
	return loop;
}

void loop_free(struct loop **owner)
{
	struct loop *loop = *owner;

	if (loop == NULL)
		return;
	run_deferred(loop); /* streams closed in this turn free themselves */
	assert(loop->timers == 0 && loop->first == NULL);
	if (loop->ev != NULL)
		ev_loop_destroy(loop->ev);
	free(loop->heap);
	free(loop);
	*owner = NULL;
}

void loop_run(struct loop *loop)
{
	ev_ref(loop->ev); /* a role without a watcher still waits to be stopped */
	ev_run(loop->ev, 0);
	ev_unref(loop->ev);
}

void loop_stop(struct loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

unsigned loop_settle(struct loop *loop)
{
	unsigned total = 0, ran;

	do {
		ran = run_deferred(loop) + run_timers(loop);
		total += ran;
	} while (ran != 0);
	return total;
}

void loop_advance(struct loop *loop, int64_t ms)
{
	int64_t until_ms = loop->now_ms + ms;

	loop_settle(loop);
	while (loop->timers > 0 && loop->heap[0]->at_ms <= until_ms) {
		loop->now_ms = loop->heap[0]->at_ms;
		loop_settle(loop);
	}
	loop->now_ms = until_ms;
	loop_settle(loop);
}

int64_t loop_now_ms(const struct loop *loop)
{
	if (loop->ev == NULL)
		return loop->now_ms;
	return monotonic_ms() - loop->started_ms;
}

uint64_t loop_clock_us(const struct loop *loop)
{
	struct timespec now;

	if (loop_is_manual(loop))
		return (uint64_t)loop->now_ms * 1000 + 1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t loop_wall_s(const struct loop *loop)
{
	return loop->ev == NULL ? loop->wall_s + loop->now_ms / 1000 : (int64_t)time(NULL);
}

bool loop_is_manual(const struct loop *loop)
{
	return loop->ev == NULL;
}

struct ev_loop *loop_ev(struct loop *loop)
{
	return loop->ev;
}

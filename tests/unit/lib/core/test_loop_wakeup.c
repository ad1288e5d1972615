/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another thread rings, the loop comes; rings are never lost, though several may be one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "lib/core/loop_wakeup.h"

enum { RINGS = 5000 };

struct ringer {
	struct loop *loop;
	struct loop_wakeup *wakeup;
	atomic_int rung, seen; /* seen: what had been rung when the loop came */
	int woken;
};

static void woken(void *owner)
{
	struct ringer *ringer = owner;

	ringer->woken++;
	ringer->seen = ringer->rung;
	if (ringer->seen == RINGS)
		loop_stop(ringer->loop);
}

static void *ring(void *data)
{
	struct ringer *ringer = data;

	for (int i = 1; i <= RINGS; i++) {
		ringer->rung = i;
		loop_wakeup_ring(ringer->wakeup);
		while (i % 50 == 0 && ringer->seen < i) /* sometimes it waits to be heard: a lost ring hangs here */
			sched_yield();
	}
	return NULL;
}

static void the_loop_comes_after_every_ring_of_another_thread(void **state)
{
	struct ringer ringer = {.loop = loop_create()};
	pthread_t thread;

	(void)state;
	ringer.wakeup = loop_wakeup_create(ringer.loop, woken, &ringer);
	assert_int_equal(pthread_create(&thread, NULL, ring, &ringer), 0);
	loop_run(ringer.loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(ringer.seen, RINGS);
	assert_true(ringer.woken >= RINGS / 50);
	loop_wakeup_free(&ringer.wakeup);
	assert_null(ringer.wakeup);
	loop_free(&ringer.loop);
}

static void a_ring_that_nobody_waited_for_is_gone_with_its_wakeup(void **state)
{
	struct ringer ringer = {.loop = loop_create()};

	(void)state;
	ringer.wakeup = loop_wakeup_create(ringer.loop, woken, &ringer);
	loop_wakeup_ring(ringer.wakeup);
	loop_wakeup_free(&ringer.wakeup);
	assert_int_equal(ringer.woken, 0);
	loop_free(&ringer.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_comes_after_every_ring_of_another_thread),
		cmocka_unit_test(a_ring_that_nobody_waited_for_is_gone_with_its_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

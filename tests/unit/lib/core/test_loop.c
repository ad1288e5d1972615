/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loop with a manual clock: timers in order, deferred calls once, nothing lost when callbacks change both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/core/loop.h"

struct bell {
	struct timer timer;
	struct deferred deferred;
	struct loop *loop;
	int rung;
	int64_t rung_at_ms;
	struct bell *starts;
};

static void rung(struct timer *timer)
{
	struct bell *bell = container_of(timer, struct bell, timer);

	bell->rung++;
	bell->rung_at_ms = loop_now_ms(bell->loop);
	if (bell->starts != NULL)
		timer_start(bell->loop, &bell->starts->timer, 5, rung);
}

static void deferred_rung(struct deferred *deferred)
{
	container_of(deferred, struct bell, deferred)->rung++;
}

static void timers_fire_in_order_of_time(void **state)
{
	enum { COUNT = 200 };
	static struct bell bells[COUNT];
	struct loop *loop = loop_create_manual(1000);

	(void)state;
	srand(7);
	for (int i = 0; i < COUNT; i++) {
		bells[i] = (struct bell){.loop = loop};
		timer_start(loop, &bells[i].timer, rand() % 1000, rung);
	}
	for (int i = 0; i < COUNT; i += 3)
		timer_stop(loop, &bells[i].timer);
	for (int i = 1; i < COUNT; i += 3)
		timer_start(loop, &bells[i].timer, i, rung);
	loop_advance(loop, 1000);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(bells[i].rung, i % 3 == 0 ? 0 : 1);
		if (i % 3 == 1)
			assert_int_equal(bells[i].rung_at_ms, i);
	}
	assert_int_equal(loop_now_ms(loop), 1000);
	assert_int_equal(loop_wall_s(loop), 1001);
	loop_free(&loop);
}

static void a_timer_started_by_a_timer_fires_in_its_own_time(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct bell second = {.loop = loop}, first = {.loop = loop, .starts = &second};

	(void)state;
	timer_start(loop, &first.timer, 59 * 60 * 1000, rung);
	loop_advance(loop, 60 * 60 * 1000);
	assert_int_equal(first.rung, 1);
	assert_int_equal(second.rung_at_ms, 59 * 60 * 1000 + 5);
	loop_free(&loop);
}

static void a_deferred_call_runs_once_however_often_it_is_asked_for(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct bell one = {.loop = loop}, two = {.loop = loop};

	(void)state;
	loop_defer(loop, &one.deferred, deferred_rung);
	loop_defer(loop, &one.deferred, deferred_rung);
	loop_defer(loop, &two.deferred, deferred_rung);
	loop_undefer(loop, &two.deferred);
	loop_settle(loop);
	assert_int_equal(one.rung, 1);
	assert_int_equal(two.rung, 0);
	loop_free(&loop);
}

static void stop_loop(struct timer *timer)
{
	struct bell *bell = container_of(timer, struct bell, timer);

	bell->rung++;
	loop_stop(bell->loop);
}

static void a_real_loop_runs_timers_and_deferred_calls(void **state)
{
	struct loop *loop = loop_create();
	struct bell bell = {.loop = loop};

	(void)state;
	timer_start(loop, &bell.timer, 10, stop_loop);
	loop_defer(loop, &bell.deferred, deferred_rung);
	loop_run(loop);
	assert_int_equal(bell.rung, 2);
	assert_true(loop_now_ms(loop) >= 10);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_time),
		cmocka_unit_test(a_timer_started_by_a_timer_fires_in_its_own_time),
		cmocka_unit_test(a_deferred_call_runs_once_however_often_it_is_asked_for),
		cmocka_unit_test(a_real_loop_runs_timers_and_deferred_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often a device may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/hub/pace.h"
#include "lib/core/log.h"

enum { BURST = 50, PER_MINUTE = 30, TOKEN_MS = 60000 / PER_MINUTE };

static const struct principal alice = {"alice@example.org", "D1"}, other = {"alice@example.org", "D2"};
static unsigned warnings;

static void count_warnings(enum log_level level, const char *line, void *data)
{
	(void)line;
	(void)data;
	warnings += level == LOG_LEVEL_WARNING;
}

struct room {
	struct loop *loop;
	struct pace *pace;
};

static void begin(struct room *room, unsigned per_minute)
{
	warnings = 0;
	log_set_sink(count_warnings, NULL);
	room->loop = loop_create_manual(1700000000);
	room->pace = pace_create(room->loop, BURST, per_minute);
}

static void end(struct room *room)
{
	pace_free(&room->pace);
	loop_free(&room->loop);
	log_set_sink(NULL, NULL);
}

static unsigned take_many(struct room *room, unsigned count)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < count; i++)
		refused += pace_take(room->pace, &alice) != 0;
	return refused;
}

static void a_device_has_its_burst_and_then_its_rate(void **state)
{
	struct room room;

	(void)state;
	begin(&room, PER_MINUTE);
	assert_int_equal(take_many(&room, BURST + 100), 100);
	assert_int_equal(warnings, 1);
	assert_int_equal(pace_take(room.pace, &other), 0);
	loop_advance(room.loop, TOKEN_MS);
	assert_int_equal(take_many(&room, 2), 1);
	end(&room);
}

static void who_waits_as_told_gets_more_than_one_request(void **state)
{
	struct room room;

	(void)state;
	begin(&room, PER_MINUTE);
	take_many(&room, BURST);
	unsigned wait_s = pace_take(room.pace, &alice);
	assert_int_equal(wait_s, PACE_REST_S);
	loop_advance(room.loop, (int64_t)wait_s * 1000);
	assert_int_equal(take_many(&room, 100), 100 - PACE_REST_S * 1000 / TOKEN_MS);
	assert_int_equal(warnings, 2); /* it began anew */
	end(&room);
}

static void who_has_a_slow_rate_waits_for_one_token(void **state)
{
	struct room room;

	(void)state;
	begin(&room, 1);
	take_many(&room, BURST);
	loop_advance(room.loop, 59000);
	assert_int_equal(pace_take(room.pace, &alice), 1);
	loop_advance(room.loop, 1000);
	assert_int_equal(take_many(&room, 2), 1);
	end(&room);
}

static void what_gets_a_device_further_does_not_count(void **state)
{
	struct room room;

	(void)state;
	begin(&room, PER_MINUTE);
	for (int i = 0; i < 10 * BURST; i++) {
		assert_int_equal(pace_take(room.pace, &alice), 0);
		pace_give_back(room.pace, &alice);
	}
	assert_int_equal(take_many(&room, BURST + 1), 1);
	pace_give_back(room.pace, &other); /* of whom nothing is known */
	end(&room);
}

static void nobody_is_remembered_for_long_and_only_so_many_are(void **state)
{
	struct room room;
	char name[16];
	struct principal one = {name, "D1"};

	(void)state;
	begin(&room, PER_MINUTE);
	for (int i = 0; i < PACE_DEVICES_MAX + 1000; i++) {
		snprintf(name, sizeof name, "u%d", i);
		assert_int_equal(pace_take(room.pace, &one), 0);
	}
	assert_int_equal(pace_count(room.pace), PACE_DEVICES_MAX);
	loop_advance(room.loop, TOKEN_MS);
	assert_int_equal(pace_take(room.pace, &alice), 0);
	assert_int_equal(pace_count(room.pace), 1);
	end(&room);
}

static void without_a_rate_nothing_is_counted(void **state)
{
	struct room room;

	(void)state;
	begin(&room, 0);
	assert_int_equal(take_many(&room, 10 * BURST), 0);
	assert_int_equal(pace_count(room.pace), 0);
	end(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_has_its_burst_and_then_its_rate),
		cmocka_unit_test(who_waits_as_told_gets_more_than_one_request),
		cmocka_unit_test(who_has_a_slow_rate_waits_for_one_token),
		cmocka_unit_test(what_gets_a_device_further_does_not_count),
		cmocka_unit_test(nobody_is_remembered_for_long_and_only_so_many_are),
		cmocka_unit_test(without_a_rate_nothing_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

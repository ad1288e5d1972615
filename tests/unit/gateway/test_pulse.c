/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is taken for hanging, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/pulse.h"

enum { EVERY_MS = 10000 };

/* Answers as long as it has answers left. */
struct patient {
	struct pulse pulse;
	unsigned answers, asked, hung;
};

static void ask(struct pulse *pulse)
{
	struct patient *patient = container_of(pulse, struct patient, pulse);

	patient->asked++;
	if (patient->answers == 0)
		return;
	patient->answers--;
	pulse_answered(pulse);
}

static void hangs(struct pulse *pulse)
{
	container_of(pulse, struct patient, pulse)->hung++;
}

static void who_answers_is_left_alone(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct patient patient = {.answers = 1000};

	(void)state;
	pulse_start(loop, &patient.pulse, EVERY_MS, ask, hangs);
	loop_advance(loop, 99 * EVERY_MS);
	assert_int_equal(patient.asked, 100);
	assert_int_equal(patient.hung, 0);
	pulse_stop(&patient.pulse);
	loop_free(&loop);
}

static void who_stops_answering_hangs_after_so_many_questions(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct patient patient = {.answers = 5};

	(void)state;
	pulse_start(loop, &patient.pulse, EVERY_MS, ask, hangs);
	loop_advance(loop, (5 + PULSE_MISSES_MAX) * EVERY_MS - 1);
	assert_int_equal(patient.asked, 5 + PULSE_MISSES_MAX);
	assert_int_equal(patient.hung, 0);
	loop_advance(loop, 1);
	assert_int_equal(patient.hung, 1);
	loop_advance(loop, 100 * EVERY_MS);
	assert_int_equal(patient.hung, 1);
	assert_int_equal(patient.asked, 5 + PULSE_MISSES_MAX);
	loop_free(&loop);
}

static void one_late_answer_counts_for_all(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct patient patient = {.answers = 1};

	(void)state;
	pulse_start(loop, &patient.pulse, EVERY_MS, ask, hangs);
	for (int i = 0; i < 10; i++) {
		loop_advance(loop, PULSE_MISSES_MAX * EVERY_MS);
		pulse_answered(&patient.pulse);
	}
	assert_int_equal(patient.hung, 0);
	pulse_stop(&patient.pulse);
	loop_free(&loop);
}

static void who_has_never_answered_is_given_time(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct patient patient = {.answers = 0};

	(void)state;
	pulse_start(loop, &patient.pulse, EVERY_MS, ask, hangs);
	loop_advance(loop, PULSE_MISSES_STARTING * EVERY_MS - 1);
	assert_int_equal(patient.hung, 0);
	loop_advance(loop, 1);
	assert_int_equal(patient.hung, 1);
	/* started again: anew */
	pulse_start(loop, &patient.pulse, EVERY_MS, ask, hangs);
	loop_advance(loop, PULSE_MISSES_STARTING * EVERY_MS - 1);
	assert_int_equal(patient.hung, 1);
	pulse_stop(&patient.pulse);
	loop_free(&loop);
}

static void without_an_interval_nobody_is_asked(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct patient patient = {.answers = 0};

	(void)state;
	pulse_start(loop, &patient.pulse, 0, ask, hangs);
	loop_advance(loop, 1000 * EVERY_MS);
	assert_int_equal(patient.asked, 0);
	assert_int_equal(patient.hung, 0);
	pulse_stop(&patient.pulse);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_answers_is_left_alone),
		cmocka_unit_test(who_stops_answering_hangs_after_so_many_questions),
		cmocka_unit_test(one_late_answer_counts_for_all),
		cmocka_unit_test(who_has_never_answered_is_given_time),
		cmocka_unit_test(without_an_interval_nobody_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

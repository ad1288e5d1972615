/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions at intervals, and how many in a row went unanswered. */
#include "gateway/pulse.h"

static void beat(struct timer *timer);

static void ask(struct pulse *pulse)
{
	timer_start(pulse->loop, &pulse->next, pulse->every_ms, beat);
	pulse->unanswered++;
	pulse->ask(pulse);
}

static void beat(struct timer *timer)
{
	struct pulse *pulse = container_of(timer, struct pulse, next);

	if (pulse->unanswered >= (pulse->has_answered ? PULSE_MISSES_MAX : PULSE_MISSES_STARTING))
		pulse->hangs(pulse);
	else
		ask(pulse);
}

void pulse_start(struct loop *loop, struct pulse *pulse, int64_t every_ms, void (*question)(struct pulse *),
	void (*hangs)(struct pulse *))
{
	pulse_stop(pulse);
	*pulse = (struct pulse){.loop = loop, .every_ms = every_ms, .ask = question, .hangs = hangs};
	if (every_ms > 0)
		ask(pulse);
}

void pulse_stop(struct pulse *pulse)
{
	if (pulse->loop != NULL)
		timer_stop(pulse->loop, &pulse->next);
}

void pulse_answered(struct pulse *pulse)
{
	pulse->unanswered = 0;
	pulse->has_answered = true;
}

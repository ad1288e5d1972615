/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryctl why: what happened to a phone, in plain words and in the order of time, and where that leaves it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/hub/control.h"
#include "gateway/hub/internal.h"

enum { SENTENCE_MAX = 400 };

struct story {
	struct hub *hub;
	struct buffer *answer;
	unsigned told;
	int64_t last_end_ms;         /* when the phone last stopped waiting; -1: it did not */
	/* "Same" said several times over is one sentence. */
	unsigned same;
	int64_t same_ms;
	char same_collection[96];
};

static int64_t wall_now_ms(const struct hub *hub)
{
	struct timespec now;

	if (loop_is_manual(hub->loop))
		return loop_wall_s(hub->loop) * 1000 + loop_now_ms(hub->loop) % 1000;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void hub_control_time(const struct hub *hub, int64_t at_ms, char text_r[CONTROL_TIME_SIZE])
{
	int64_t wall_ms = wall_now_ms(hub) - (loop_now_ms(hub->loop) - at_ms);
	time_t wall_s = (time_t)(wall_ms / 1000);
	struct tm tm;

	localtime_r(&wall_s, &tm);
	size_t length = strftime(text_r, CONTROL_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text_r + length, CONTROL_TIME_SIZE - length, ".%03d", (int)(wall_ms % 1000));
}

static void tell(struct story *story, int64_t at_ms, const char *device, const char *sentence)
{
	char when[CONTROL_TIME_SIZE];

	hub_control_time(story->hub, at_ms, when);
	buffer_printf(story->answer, "row\t%s\t%s\t%s\n", when, *device == '\0' ? "-" : log_escape(device), sentence);
	story->told++;
}

/* --- one sentence an event -------------------------------------------------------------------------------------------- */

static const char *in_words(const char *collection)
{
	return *collection == '\0' ? "some mailbox" : log_escape(collection);
}

static void hint_sentence(const struct hub_event *event, char *text)
{
	static const char *const fates[] = {
		"", "; nobody waited for that one", "; no phone of this user waited, or had within a minute",
	};

	snprintf(text, SENTENCE_MAX, "%s announced %s in %s (change %s)%s", log_escape(event->source), event->text,
		in_words(event->collection), log_escape(event->id), fates[event->number]);
}

static void asked_sentence(const struct hub_event *event, char *text)
{
	const char *why = strcmp(event->source, "recheck") == 0 ? " (regular recheck)" : "";

	if (event->number > 1)
		snprintf(text, SENTENCE_MAX, "the backend was asked where %s and %u more stand%s", in_words(event->collection),
			event->number - 1, why);
	else
		snprintf(text, SENTENCE_MAX, "the backend was asked where %s stands%s", in_words(event->collection), why);
}

static void different_sentence(const struct hub_event *event, char *text)
{
	const char *collection = in_words(event->collection);

	if (*event->text != '\0')
		snprintf(text, SENTENCE_MAX, "the backend said of %s: %s", collection, event->text);
	else if (strcmp(event->source, "check") == 0)
		snprintf(text, SENTENCE_MAX, "the backend said: %s is not where the phone has it", collection);
	else
		snprintf(text, SENTENCE_MAX, "%s told that %s has changed", log_escape(event->source), collection);
}

static void failed_sentence(const struct hub_event *event, char *text)
{
	if (*event->collection == '\0')
		snprintf(text, SENTENCE_MAX, "the backend could not say: %s", log_escape(event->text));
	else
		snprintf(text, SENTENCE_MAX, "the backend could not say where %s stands: %s", in_words(event->collection),
			log_escape(event->text));
}

static void parked_sentence(const struct hub_event *event, char *text)
{
	if (event->number > 1)
		snprintf(text, SENTENCE_MAX, "the phone began to wait for %s and %u more", in_words(event->collection),
			event->number - 1);
	else
		snprintf(text, SENTENCE_MAX, "the phone began to wait for %s", in_words(event->collection));
}

static void at_once_sentence(const struct hub_event *event, char *text)
{
	if (*event->collection == '\0')
		snprintf(text, SENTENCE_MAX, "the phone asked and was answered at once: %s", event->text);
	else
		snprintf(text, SENTENCE_MAX, "the phone asked and was answered at once: %s had changed before (change %s)",
			in_words(event->collection), log_escape(event->id));
}

static void woken_sentence(const struct hub_event *event, char *text)
{
	if (*event->id != '\0')
		snprintf(text, SENTENCE_MAX, "the phone was rung after %u s: %s changed (change %s, noticed by %s)", event->number,
			in_words(event->collection), log_escape(event->id), log_escape(event->source));
	else
		snprintf(text, SENTENCE_MAX, "the phone was rung after %u s: %s", event->number, event->text);
}

static void answered_sentence(const struct hub_event *event, char *text)
{
	snprintf(text, SENTENCE_MAX, "the front answered %s after %u ms: %s", log_escape(event->collection), event->number,
		log_escape(event->text));
}

static void left_sentence(const struct hub_event *event, char *text)
{
	snprintf(text, SENTENCE_MAX, "the request ended after %u s without news: its heartbeat was over, or the phone hung up",
		event->number);
}

static void expired_sentence(const struct hub_event *event, char *text)
{
	snprintf(text, SENTENCE_MAX, "the request was forgotten after %u s: its front never took it back", event->number);
}

static void orphaned_sentence(const struct hub_event *event, char *text)
{
	snprintf(text, SENTENCE_MAX, "the front that held the request ended; the phone had waited %u s and has to connect again",
		event->number);
}

static void refused_sentence(const struct hub_event *event, char *text)
{
	snprintf(text, SENTENCE_MAX, "a hint was refused: %s", event->text);
}

static void (*const sentences[EVENT_KINDS])(const struct hub_event *, char *text) = {
	[EVENT_HINT] = hint_sentence, [EVENT_HINT_REFUSED] = refused_sentence, [EVENT_ASKED] = asked_sentence,
	[EVENT_DIFFERENT] = different_sentence, [EVENT_FAILED] = failed_sentence, [EVENT_PARKED] = parked_sentence,
	[EVENT_AT_ONCE] = at_once_sentence, [EVENT_WOKEN] = woken_sentence, [EVENT_ANSWERED] = answered_sentence,
	[EVENT_LEFT] = left_sentence, [EVENT_EXPIRED] = expired_sentence, [EVENT_ORPHANED] = orphaned_sentence,
};

/* --- the story -------------------------------------------------------------------------------------------------------- */

static void tell_same(struct story *story)
{
	char text[SENTENCE_MAX];

	if (story->same == 0)
		return;
	if (story->same == 1)
		snprintf(text, sizeof text, "the backend said: %s is where the phone has it", story->same_collection);
	else
		snprintf(text, sizeof text, "the backend said %u times: %s is where the phone has it", story->same,
			story->same_collection);
	story->same = 0;
	tell(story, story->same_ms, "", text);
}

static void note_same(struct story *story, const struct hub_event *event)
{
	const char *collection = in_words(event->collection);

	if (story->same > 0 && strncmp(collection, story->same_collection, sizeof story->same_collection - 1) != 0)
		tell_same(story);
	snprintf(story->same_collection, sizeof story->same_collection, "%s", collection);
	story->same_ms = event->at_ms;
	story->same++;
}

static void tell_event(const struct hub_event *event, void *data)
{
	struct story *story = data;
	char text[SENTENCE_MAX];

	if (event->kind == EVENT_SAME) {
		note_same(story, event);
		return;
	}
	if (event->kind == EVENT_ASKED && story->same > 0)
		return; /* asked again: the answer says so */
	tell_same(story);
	if (event->kind == EVENT_WOKEN || event->kind == EVENT_LEFT || event->kind == EVENT_EXPIRED ||
	    event->kind == EVENT_ORPHANED || event->kind == EVENT_AT_ONCE)
		story->last_end_ms = event->at_ms;
	sentences[event->kind](event, text);
	tell(story, event->at_ms, event->device, text);
}

static void conclude_parked(struct story *story, const struct park *park)
{
	char when[CONTROL_TIME_SIZE];

	hub_control_time(story->hub, (int64_t)(park->since_s - 1) * 1000, when);
	buffer_printf(story->answer, "note\t%s waits since %.19s for %u %s; it will be rung as soon as one changes\n",
		log_escape(park_device(park)), when, park->count, park->count == 1 ? "collection" : "collections");
}

/* Does a phone of that name wait now? */
static bool conclude_user(struct story *story, const struct park_user *user, const char *device)
{
	bool found = false;

	for (const struct park *park = user == NULL ? NULL : user->parks; park != NULL; park = park->next)
		if (device == NULL || strcmp(park_device(park), device) == 0) {
			conclude_parked(story, park);
			found = true;
		}
	return found;
}

static void conclude_connector(struct story *story, const struct hub_instance *instance, const struct park_user *user)
{
	if (!hub_instance_is_up(instance))
		buffer_printf(story->answer, "note\tconnector %s is not connected: only hints that prove news can ring now\n",
			instance->settings->name);
	else if (hub_user_is_hooked(instance, user))
		buffer_printf(story->answer, "note\tconnector %s trusts the hooks of this user: what none announces is found by a recheck "
			"within %u s\n", instance->settings->name, instance->settings->recheck_s);
}

static void conclude(struct story *story, const char *name, const char *device)
{
	struct hub_instance *instance;
	const struct park_user *user = hub_user_find(story->hub, name, &instance);
	char when[CONTROL_TIME_SIZE];
	bool is_full;

	if (conclude_user(story, user, device)) {
		conclude_connector(story, instance, user);
	} else if (story->last_end_ms >= 0) {
		hub_control_time(story->hub, story->last_end_ms, when);
		buffer_printf(story->answer, "note\tnot waiting since %.19s: the phone has not asked since, so it cannot be rung\n",
			when);
	} else {
		size_t size = hub_ring_size(story->hub->ring, &is_full);
		hub_control_time(story->hub, 0, when);
		if (is_full)
			buffer_printf(story->answer, "note\tnot waiting, and not within the last %zu events of all phones\n", size);
		else
			buffer_printf(story->answer, "note\tnot waiting, and has not since the hub started, %.19s\n", when);
	}
}

void hub_why(struct hub *hub, const char *user, const char *device, struct buffer *answer)
{
	struct story story = {.hub = hub, .answer = answer, .last_end_ms = -1};

	buffer_append_string(answer, "table\twhy\ttime\tdevice\twhat\n");
	hub_ring_each(hub->ring, user, device, tell_event, &story);
	tell_same(&story);
	conclude(&story, user, device);
}

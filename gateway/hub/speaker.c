/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may give hints for whom: a trusted user for everybody, any other user of the machine for the mail of his own
 * name, so many a second. Over his rate nothing is lost: one hint a second stands for all that he said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/hook.h"
#include "gateway/hub/names.h"
#include "gateway/service/user.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

struct waiting {
	struct waiting *next;
	char line[];
};

struct speaker {
	UT_hash_handle hh;
	struct hub_speakers *speakers;
	uid_t uid;
	bool is_asked;             /* his name is being looked up */
	char *user;                /* canonical; NULL: not known, or nobody */
	uint32_t named_s;          /* when he was */
	uint32_t complained_s;
	int64_t paid_us;           /* his hints are paid for up to this moment */
	struct timer catch_up;     /* started: he was over his rate */
	struct waiting *waiting, **last;
	unsigned waiting_count;
};

struct hub_speakers {
	struct hub *hub;
	struct hub_names *names;
	struct speaker *by_uid;    /* the longest known first */
};

/* --- refusing ------------------------------------------------------------------------------------------------------ */

static void refused(struct hub *hub, uid_t uid, const char *user, const char *why, uint32_t *complained_s)
{
	hub->counters.hints_refused++;
	if (*complained_s != 0 && hub_now_s(hub) < *complained_s + HOOK_COMPLAIN_S)
		return;
	*complained_s = hub_now_s(hub);
	hub_note(hub, &(struct hub_event){.kind = EVENT_HINT_REFUSED, .user = user, .text = why, .number = uid});
	log_warning(LOG_HOOK, "uid=%u user=%s hint refused: %s", uid, log_quote(user), why);
}

/* Sources are counted and judged by name, so a trusted one has one of these, and invented names push out none. */
static const char *source_of(const char *word)
{
	static const char *const known[] = {"hook", "lua", "spool"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(word, known[i]) == 0)
			return known[i];
	return known[0];
}

static void route_as(struct hub *hub, const char *user, const struct hint *hint, const char *source)
{
	struct hint named = *hint;

	named.source = source;
	hub_route_hint(hub, user, &named);
}

static void route_trusted(struct hub *hub, uid_t uid, const struct hint *hint)
{
	char user[USER_MAX + 1];
	struct error error;

	if (user_canonical(hint->user, hub->settings.default_domain, user, &error) < 0)
		refused(hub, uid, hint->user, error.text, &(uint32_t){0});
	else
		route_as(hub, user, hint, source_of(hint->source));
}

/* --- one who speaks for himself -------------------------------------------------------------------------------------- */

static void catch_up(struct timer *timer)
{
	struct speaker *speaker = container_of(timer, struct speaker, catch_up);
	struct hub *hub = speaker->speakers->hub;

	if (speaker->user != NULL)
		hub_route_hint(hub, speaker->user, &(struct hint){
			.user = speaker->user, .mailbox = "", .event = HINT_MESSAGE_NEW, .id = "", .source = HUB_SOURCE_OWN,
		});
}

/* Within his rate, with a second's worth to spare. */
static bool may_speak_now(struct speaker *speaker)
{
	struct hub *hub = speaker->speakers->hub;
	int64_t now_us = loop_now_ms(hub->loop) * 1000;
	int64_t cost_us = 1000000 / (hub->settings.hook_rate == 0 ? 1 : (int64_t)hub->settings.hook_rate);

	if (timer_is_started(&speaker->catch_up))
		return false;
	if (speaker->paid_us < now_us - 1000000)
		speaker->paid_us = now_us - 1000000;
	speaker->paid_us += cost_us;
	if (speaker->paid_us <= now_us)
		return true;
	timer_start(hub->loop, &speaker->catch_up, 1000, catch_up);
	return false;
}

static void speaks(struct speaker *speaker, const struct hint *hint)
{
	struct hub *hub = speaker->speakers->hub;
	char user[USER_MAX + 1];
	struct error error;

	if (user_canonical(hint->user, hub->settings.default_domain, user, &error) < 0)
		refused(hub, speaker->uid, hint->user, error.text, &speaker->complained_s);
	else if (speaker->user == NULL)
		refused(hub, speaker->uid, user, "this uid has no name, so it speaks for nobody", &speaker->complained_s);
	else if (strcmp(user, speaker->user) != 0)
		refused(hub, speaker->uid, user, "it is another user's mail; delivery users belong in hook.trusted_users",
			&speaker->complained_s);
	else if (may_speak_now(speaker))
		route_as(hub, user, hint, HUB_SOURCE_OWN);
}

static void wait_for_name(struct speaker *speaker, const struct hint *hint)
{
	char line[HINT_LINE_MAX + 1];
	struct error error;
	int length = hint_format(hint, line, &error);

	if (length < 0 || speaker->waiting_count >= HOOK_WAITING_MAX) {
		refused(speaker->speakers->hub, speaker->uid, hint->user, length < 0 ? error.text :
			"too many wait for the name of this uid", &speaker->complained_s);
		return;
	}
	struct waiting *waiting = mem_alloc(sizeof *waiting + (size_t)length + 1);
	memcpy(waiting->line, line, (size_t)length);
	*speaker->last = waiting;
	speaker->last = &waiting->next;
	speaker->waiting_count++;
}

static struct waiting *waiting_take(struct speaker *speaker)
{
	struct waiting *waiting = speaker->waiting;

	speaker->waiting = NULL;
	speaker->last = &speaker->waiting;
	speaker->waiting_count = 0;
	return waiting;
}

static void speaker_named(uid_t uid, const char *name, void *data)
{
	struct hub_speakers *speakers = data;
	char user[USER_MAX + 1];
	struct hint_text text;
	struct speaker *speaker;
	struct hint hint;

	HASH_FIND(hh, speakers->by_uid, &uid, sizeof uid, speaker);
	if (speaker == NULL)
		return;
	free(speaker->user);
	speaker->user = name == NULL || user_canonical(name, speakers->hub->settings.default_domain, user, NULL) < 0 ? NULL :
		mem_strdup(user);
	speaker->is_asked = false;
	speaker->named_s = hub_now_s(speakers->hub);
	for (struct waiting *waiting = waiting_take(speaker), *next; waiting != NULL; waiting = next) {
		next = waiting->next;
		if (hint_parse(waiting->line, strlen(waiting->line), &text, &hint, NULL) == 0)
			speaks(speaker, &hint);
		free(waiting);
	}
}

static void speaker_free(struct speaker *speaker)
{
	for (struct waiting *waiting = waiting_take(speaker), *next; waiting != NULL; waiting = next) {
		next = waiting->next;
		free(waiting);
	}
	timer_stop(speaker->speakers->hub->loop, &speaker->catch_up);
	HASH_DEL(speaker->speakers->by_uid, speaker);
	free(speaker->user);
	free(speaker);
}

static struct speaker *speaker_of(struct hub_speakers *speakers, uid_t uid)
{
	struct speaker *speaker;

	HASH_FIND(hh, speakers->by_uid, &uid, sizeof uid, speaker);
	if (speaker != NULL)
		return speaker;
	if (HASH_COUNT(speakers->by_uid) >= HOOK_SPEAKERS_MAX)
		speaker_free(speakers->by_uid);
	speaker = mem_alloc(sizeof *speaker);
	speaker->speakers = speakers;
	speaker->uid = uid;
	speaker->last = &speaker->waiting;
	speaker->paid_us = INT64_MIN / 2;
	HASH_ADD(hh, speakers->by_uid, uid, sizeof speaker->uid, speaker);
	return speaker;
}

/* --- all --------------------------------------------------------------------------------------------------------------- */

bool hub_speaker_is_trusted(const struct hub_speakers *speakers, uid_t uid)
{
	const struct hub_settings *settings = &speakers->hub->settings;

	for (size_t i = 0; i < settings->trusted_user_count; i++)
		if (settings->trusted_users[i] == uid)
			return true;
	return false;
}

void hub_speaker_says(struct hub_speakers *speakers, uid_t uid, const struct hint *hint)
{
	struct speaker *speaker;

	if (hub_speaker_is_trusted(speakers, uid)) {
		route_trusted(speakers->hub, uid, hint);
		return;
	}
	speaker = speaker_of(speakers, uid);
	if (speaker->named_s != 0 && hub_now_s(speakers->hub) <= speaker->named_s + HOOK_NAME_TTL_S) {
		speaks(speaker, hint);
		return;
	}
	wait_for_name(speaker, hint);
	if (speaker->is_asked)
		return;
	speaker->is_asked = true;
	hub_names_ask(speakers->names, uid);
}

void hub_speaker_babbles(struct hub_speakers *speakers, uid_t uid, const char *why)
{
	uint32_t never = 0;

	refused(speakers->hub, uid, "", why, hub_speaker_is_trusted(speakers, uid) ? &never :
		&speaker_of(speakers, uid)->complained_s);
}

struct hub_speakers *hub_speakers_create(struct hub *hub)
{
	struct hub_speakers *speakers = mem_alloc(sizeof *speakers);

	speakers->hub = hub;
	speakers->names = hub_names_create(hub->loop, hub->settings.user_name, speaker_named, speakers);
	return speakers;
}

void hub_speakers_free(struct hub_speakers **owner)
{
	if (*owner == NULL)
		return;
	while ((*owner)->by_uid != NULL)
		speaker_free((*owner)->by_uid);
	hub_names_free(&(*owner)->names);
	free(*owner);
	*owner = NULL;
}

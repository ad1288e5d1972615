/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Are the hooks of an instance alive? Judged apart for each source that tells of its users' mail (a delivery host is
 * one), so that a dead hook on a small host does not drown in what the big one announces.
 *
 * A user belongs to the source that told of him last. As long as none has he belongs to HUB_SOURCE_NONE, whose verdict
 * is on first words only: a host that is silent from the start has nothing but missed news there.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "lib/core/log.h"

void hub_health_start(struct hub_instance *instance)
{
	for (size_t i = 0; i <= HUB_SOURCES_MAX; i++)
		router_health_start(&instance->health.sources[i], instance->settings->hook == HUB_HOOK_YES);
	instance->health.is_known[HUB_SOURCE_NONE] = true;
}

bool hub_user_is_hooked(const struct hub_instance *instance, const struct park_user *user)
{
	return instance->settings->hook != HUB_HOOK_NO && instance->health.sources[user->source].is_healthy;
}

enum hub_trust hub_instance_trust(const struct hub_instance *instance)
{
	bool is_some = false, is_all = true;

	if (instance->settings->hook == HUB_HOOK_NO)
		return TRUST_NOT_ASKED;
	for (size_t i = 0; i <= HUB_SOURCES_MAX; i++) {
		if (!instance->health.is_known[i])
			continue;
		is_some = is_some || instance->health.sources[i].is_healthy;
		is_all = is_all && instance->health.sources[i].is_healthy;
	}
	return is_all ? TRUST_ALL : is_some ? TRUST_SOME : TRUST_NONE;
}

/* Only those of whom the verdict is another one now are watched anew. */
static void each_wants_watch(struct hub_instance *instance)
{
	for (struct park_user *user = instance->table.users; user != NULL; user = user->hh.next)
		hub_user_want(instance, user, USER_WANT_WATCH);
}

/* --- news ------------------------------------------------------------------------------------------------------------ */

/* The hint of the last news that was missed comes right after: it was slower than a watch, not absent. */
static void amend(struct hub_instance *instance, const struct park_user *user)
{
	struct hub_health *health = &instance->health;

	if (strncmp(health->missed_user, user->name, sizeof health->missed_user - 1) != 0 ||
	    loop_now_ms(instance->hub->loop) - health->missed_ms > HUB_HINT_RECENT_S * 1000)
		return;
	router_health_amend(&health->sources[health->missed_source]);
	health->missed_user[0] = '\0';
}

void hub_health_hinted(struct hub_instance *instance, struct park_user *user, const char *source)
{
	bool is_own = strcmp(source, HUB_SOURCE_OWN) == 0, was_hooked = hub_user_is_hooked(instance, user);
	uint8_t number = hub_source_number(instance->hub, source);

	amend(instance, user);
	user->flags &= (uint8_t)~USER_VOUCHED;
	if (!is_own)
		user->flags |= USER_VOUCHED;
	if (user->source == HUB_SOURCE_NONE && !is_own)
		user->flags |= USER_FIRST_TOLD;
	if (user->source == HUB_SOURCE_NONE || !is_own)
		user->source = number;
	instance->health.is_known[number] = true;
	if (was_hooked != hub_user_is_hooked(instance, user))
		hub_user_want(instance, user, USER_WANT_WATCH);
}

static void announced(struct hub_instance *instance, uint8_t source)
{
	if (!router_health_announced(&instance->health.sources[source]))
		return;
	log_info(LOG_HOOK, "connector=%s source=%s hooks announce what comes: its users are not watched any more",
		instance->settings->name, hub_source_name(instance->hub, source));
	each_wants_watch(instance);
}

void hub_health_announced(struct hub_instance *instance, struct park_user *user)
{
	if (instance->settings->hook == HUB_HOOK_NO || !(user->flags & USER_VOUCHED))
		return;
	announced(instance, user->source);
	if (user->flags & USER_FIRST_TOLD)
		announced(instance, HUB_SOURCE_NONE);
	user->flags &= (uint8_t)~USER_FIRST_TOLD;
}

void hub_health_missed(struct hub_instance *instance, const struct park_user *user)
{
	struct hub_health *health = &instance->health;
	const char *source = hub_source_name(instance->hub, user->source);

	health->missed++;
	instance->hub->counters.missed++;
	hub_source(instance->hub, source)->missed++;
	snprintf(health->missed_user, sizeof health->missed_user, "%s", user->name);
	health->missed_ms = loop_now_ms(instance->hub->loop);
	health->missed_source = user->source;
	if (!router_health_missed(&health->sources[user->source]))
		return;
	log_warning(LOG_HOOK, "connector=%s source=%s hooks are broken: more than %d of the last %d new messages of its users "
		"came without one, the last for user=%s; watching them instead (IDLE, NOTIFY). Look whether the delivery agent "
		"still calls belfry-hook, and whether it may write to the hook's socket", instance->settings->name, source,
		HEALTH_MISSED_MAX, HEALTH_WINDOW, log_quote(user->name));
	each_wants_watch(instance);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/sends.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/imap/recent.h"
#include "lib/core/mem.h"

struct sends {
	struct recent *all; /* enum send_state by user, newline, message id: neither has one */
};

/* What a worker has stays. */
static bool may_go(const void *state)
{
	return !send_is_under_way(*(const enum send_state *)state);
}

struct sends *sends_create(void)
{
	static const struct recent_kind kind = {.value_bytes = sizeof(enum send_state), .max = SENDS_MAX, .may_go = may_go};
	struct sends *sends = mem_alloc(sizeof *sends);

	sends->all = recent_create(&kind);
	return sends;
}

void sends_free(struct sends **owner)
{
	struct sends *sends = *owner;

	*owner = NULL;
	if (sends == NULL)
		return;
	recent_free(&sends->all);
	free(sends);
}

static enum send_state *find(const struct sends *sends, const char *user, const char *message_id)
{
	char *key = mem_printf("%s\n%s", user, message_id);
	enum send_state *state = recent_find(sends->all, key, strlen(key));

	free(key);
	return state;
}

enum send_state sends_state(const struct sends *sends, const char *user, const char *message_id)
{
	const enum send_state *state = find(sends, user, message_id);

	return state == NULL ? SEND_UNKNOWN : *state;
}

void sends_begin(struct sends *sends, const char *user, const char *message_id)
{
	char *key = mem_printf("%s\n%s", user, message_id);
	enum send_state *state = recent_touch(sends->all, key, strlen(key));

	*state = *state == SEND_UNKNOWN ? SEND_UNDER_WAY : SEND_SUBMITTED_UNDER_WAY;
	free(key);
}

void sends_submitted(struct sends *sends, const char *user, const char *message_id)
{
	enum send_state *state = find(sends, user, message_id);

	if (state != NULL)
		*state = SEND_SUBMITTED_UNDER_WAY;
}

void sends_end(struct sends *sends, const char *user, const char *message_id)
{
	enum send_state *state = find(sends, user, message_id);

	if (state == NULL)
		return;
	if (*state == SEND_SUBMITTED_UNDER_WAY)
		*state = SEND_SUBMITTED;
	else
		recent_drop(sends->all, state);
}

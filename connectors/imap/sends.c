/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/sends.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/mem.h"

/* In the order of their beginning: uthash keeps that of insertion. */
struct send {
	UT_hash_handle hh;
	enum send_state state;
	char key[]; /* user, newline, message id: neither has one */
};

struct sends {
	struct send *all;
};

struct sends *sends_create(void)
{
	return mem_alloc(sizeof(struct sends));
}

static void drop(struct sends *sends, struct send *send)
{
	HASH_DELETE(hh, sends->all, send);
	free(send);
}

void sends_free(struct sends **owner)
{
	struct sends *sends = *owner;

	*owner = NULL;
	if (sends == NULL)
		return;
	while (sends->all != NULL)
		drop(sends, sends->all);
	free(sends);
}

static struct send *find(const struct sends *sends, const char *user, const char *message_id)
{
	char *key = mem_printf("%s\n%s", user, message_id);
	struct send *send;

	HASH_FIND(hh, sends->all, key, strlen(key), send);
	free(key);
	return send;
}

enum send_state sends_state(const struct sends *sends, const char *user, const char *message_id)
{
	const struct send *send = find(sends, user, message_id);

	return send == NULL ? SEND_UNKNOWN : send->state;
}

/* The oldest that no worker has. */
static void make_room(struct sends *sends)
{
	struct send *send, *next;

	HASH_ITER(hh, sends->all, send, next) {
		if (HASH_COUNT(sends->all) < SENDS_MAX)
			return;
		if (!send_is_under_way(send->state))
			drop(sends, send);
	}
}

void sends_begin(struct sends *sends, const char *user, const char *message_id)
{
	struct send *send = find(sends, user, message_id);

	if (send != NULL) {
		send->state = SEND_SUBMITTED_UNDER_WAY;
		return;
	}
	make_room(sends);
	send = mem_alloc(sizeof *send + strlen(user) + 1 + strlen(message_id) + 1);
	strcpy(send->key, user);
	strcat(strcat(send->key, "\n"), message_id);
	send->state = SEND_UNDER_WAY;
	HASH_ADD(hh, sends->all, key, strlen(send->key), send);
}

void sends_submitted(struct sends *sends, const char *user, const char *message_id)
{
	struct send *send = find(sends, user, message_id);

	if (send != NULL)
		send->state = SEND_SUBMITTED_UNDER_WAY;
}

void sends_end(struct sends *sends, const char *user, const char *message_id)
{
	struct send *send = find(sends, user, message_id);

	if (send == NULL)
		return;
	if (send->state == SEND_SUBMITTED_UNDER_WAY)
		send->state = SEND_SUBMITTED;
	else
		drop(sends, send);
}

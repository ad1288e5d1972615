/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hints from other machines: signed, within a window of time, each once, and only for users whom the sender serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/hook.h"
#include "gateway/service/user.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/datagram.h"

struct seen_key {
	uint64_t nonce;
	const char *sender;      /* lives with the keys */
};

struct seen {
	UT_hash_handle hh;
	struct seen_key key;
	uint32_t at_s;
};

struct hub_datagrams {
	struct hub_hooks *hooks;
	struct datagrams *datagrams;
	struct seen *seen;       /* the oldest first */
	/* Of strangers; and of known senders, whose mistakes the noise of strangers must not hide. */
	uint32_t strangers_complained_s, senders_complained_s;
};

static void refuse(struct hub_datagrams *datagrams, uint32_t *complained_s, const char *from, const char *user,
	const char *why)
{
	struct hub *hub = datagrams->hooks->hub;

	hub->counters.hints_refused++;
	if (*complained_s != 0 && hub_now_s(hub) < *complained_s + HOOK_COMPLAIN_S)
		return;
	*complained_s = hub_now_s(hub);
	hub_note(hub, &(struct hub_event){.kind = EVENT_HINT_REFUSED, .user = user, .source = "udp", .text = why});
	log_warning(LOG_HOOK, "from=%s user=%s datagram refused: %s", log_quote(from), log_quote(user), why);
}

static void forget(struct hub_datagrams *datagrams, struct seen *seen)
{
	HASH_DEL(datagrams->seen, seen);
	free(seen);
}

/* Old ones go as new ones come; what is out of the window is refused by its time. */
static bool is_seen(struct hub_datagrams *datagrams, const struct hint_signature *signature)
{
	struct seen_key key = {.nonce = signature->nonce, .sender = signature->sender};
	uint32_t now_s = hub_now_s(datagrams->hooks->hub);
	struct seen *seen;

	HASH_FIND(hh, datagrams->seen, &key, sizeof key, seen);
	if (seen != NULL)
		return true;
	while (datagrams->seen != NULL && (datagrams->seen->at_s + 2 * HINT_SIGNED_WINDOW_S < now_s ||
	                                   HASH_COUNT(datagrams->seen) >= HOOK_NONCES_MAX))
		forget(datagrams, datagrams->seen);
	seen = mem_alloc(sizeof *seen);
	seen->key = key;
	seen->at_s = now_s;
	HASH_ADD(hh, datagrams->seen, key, sizeof seen->key, seen);
	return false;
}

void hub_datagrams_take(struct hub_datagrams *datagrams, const void *bytes, size_t length, const char *from)
{
	struct hub *hub = datagrams->hooks->hub;
	const struct hint_keys *keys = hub->settings.hook_keys;
	struct hint_signature signature;
	char user[USER_MAX + 1], source[HUB_SOURCE_SIZE];
	struct hint_text text;
	struct error error;
	struct hint hint;

	if (hint_verify(keys, bytes, length, loop_wall_s(hub->loop), &text, &hint, &signature, &error) < 0) {
		refuse(datagrams, &datagrams->strangers_complained_s, from, "", error.text);
		return;
	}
	if (user_canonical(hint.user, hub->settings.default_domain, user, &error) < 0) {
		refuse(datagrams, &datagrams->senders_complained_s, from, hint.user, error.text);
		return;
	}
	if (!hint_sender_may(keys, signature.sender, user)) {
		refuse(datagrams, &datagrams->senders_complained_s, from, user, "its sender does not serve this user");
		return;
	}
	if (is_seen(datagrams, &signature)) { /* the network, or somebody who listened, brought it again */
		refuse(datagrams, &datagrams->strangers_complained_s, from, user, "it has come before");
		return;
	}
	snprintf(source, sizeof source, "udp:%s", signature.sender);
	hint.source = source;
	hub_route_hint(hub, user, &hint);
}

static void received(const void *bytes, size_t length, const char *from, void *data)
{
	hub_datagrams_take(data, bytes, length, from);
}

struct hub_datagrams *hub_datagrams_start(struct hub_hooks *hooks, struct error *error_r)
{
	struct hub_datagrams *datagrams = mem_alloc(sizeof *datagrams);

	datagrams->hooks = hooks;
	datagrams->datagrams = datagrams_open(hooks->hub->net, "hook-udp", received, datagrams, error_r);
	if (datagrams->datagrams == NULL) {
		free(datagrams);
		return NULL;
	}
	return datagrams;
}

void hub_datagrams_stop(struct hub_datagrams **owner)
{
	struct hub_datagrams *datagrams = *owner;

	if (datagrams == NULL)
		return;
	datagrams_close(&datagrams->datagrams);
	while (datagrams->seen != NULL)
		forget(datagrams, datagrams->seen);
	free(datagrams);
	*owner = NULL;
}

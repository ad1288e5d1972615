/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all roles share: their rein, their end, and becoming a process of their own. */
#include "gateway/role.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/role_internal.h"
#include "gateway/sandbox.h"
#include "gateway/signals.h"
#include "gateway/title.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/link.h"
#include "lib/ipc/trace.h"

enum {
	IDLE_LOOK_MS = 50,      /* how often a drained role looks whether everybody has gone */
	DRAIN_EXTRA_MS = 1000,  /* for the last answers to leave */
	TIDY_MS = 60000         /* how often memory that a storm has left is given back */
};

struct role {
	const struct role_ops *ops;
	void *instance;
	struct loop *loop;
	struct link *rein;
	role_ended *ended;
	void *data;
	struct timer look, tidy;
	int64_t drained_at_ms; /* at the latest */
};

/* --- the rein --------------------------------------------------------------------------------------------------- */

static void look(struct timer *timer)
{
	struct role *role = container_of(timer, struct role, look);

	if (loop_now_ms(role->loop) < role->drained_at_ms && role->ops->is_idle != NULL &&
	    !role->ops->is_idle(role->instance)) {
		timer_start(role->loop, &role->look, IDLE_LOOK_MS, look);
		return;
	}
	role->ended(role->data);
}

static void drain(struct role *role, unsigned over_s)
{
	if (role->ops->drain != NULL)
		role->ops->drain(role->instance, over_s);
	role->drained_at_ms = loop_now_ms(role->loop) + (int64_t)over_s * 1000 + DRAIN_EXTRA_MS;
	timer_start(role->loop, &role->look, 0, look);
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct role *role = owner;
	Belfry__Role__Rein *rein = belfry__role__rein__unpack(NULL, length, body);

	if (fd >= 0)
		close(fd);
	if (rein == NULL)
		return;
	if (rein->body_case == BELFRY__ROLE__REIN__BODY_CERTIFICATE && role->ops->certificate != NULL) {
		role->ops->certificate(role->instance, rein->certificate);
		mem_wipe(rein->certificate->key_pem.data, rein->certificate->key_pem.len);
		mem_wipe(rein->certificate->ticket_keys.data, rein->certificate->ticket_keys.len);
	} else if (rein->body_case == BELFRY__ROLE__REIN__BODY_DRAIN) {
		drain(role, rein->drain->over_s);
	} else if (rein->body_case == BELFRY__ROLE__REIN__BODY_TRACE) {
		trace_apply(rein->trace);
	} else if (rein->body_case == BELFRY__ROLE__REIN__BODY_ALIVE) {
		link_send(link, &rein->base, -1);
	}
	belfry__role__rein__free_unpacked(rein, NULL);
}

static void lost(struct link *link, const char *why, void *owner)
{
	struct role *role = owner;

	(void)link;
	link_close(&role->rein);
	log_info(LOG_MAIN, "main is gone (%s): this role ends", why);
	role->ended(role->data);
}

static const struct link_events rein_events = {.received = received, .lost = lost};

static void tidy(struct timer *timer)
{
	struct role *role = container_of(timer, struct role, tidy);

	mem_give_back();
	timer_start(role->loop, &role->tidy, TIDY_MS, tidy);
}

/* --- start and stop --------------------------------------------------------------------------------------------- */

struct role *role_create(enum role_kind kind, unsigned number, const struct role_settings *settings,
	struct error *error_r)
{
	const struct role_ops *ops = kind == ROLE_HUB ? &role_hub_ops : &role_front_ops;
	void *instance = ops->create(settings, number, error_r);

	if (instance == NULL)
		return NULL;
	struct role *role = mem_alloc(sizeof *role);
	role->ops = ops;
	role->instance = instance;
	return role;
}

int role_start(struct role *role, struct net *net, struct stream *rein, role_ended *ended, void *data,
	struct error *error_r)
{
	role->loop = net_loop(net);
	role->ended = ended;
	role->data = data;
	role->rein = link_create(rein, &rein_events, role);
	timer_start(role->loop, &role->tidy, TIDY_MS, tidy);
	return role->ops->start(role->instance, net, error_r);
}

void role_free(struct role **owner)
{
	struct role *role = *owner;

	if (role == NULL)
		return;
	*owner = NULL;
	if (role->loop != NULL) {
		timer_stop(role->loop, &role->look);
		timer_stop(role->loop, &role->tidy);
	}
	link_close(&role->rein);
	role->ops->free(role->instance);
	free(role);
}

/* --- in a process of its own ------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void role_keep_descriptors(const int *fds, size_t count)
{
	int *kept = mem_dup(fds, count * sizeof *fds), next = 3;

	qsort(kept, count, sizeof *kept, compare);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] > next)
			close_range((unsigned)next, (unsigned)kept[i] - 1, 0);
		next = kept[i] >= next ? kept[i] + 1 : next;
	}
	close_range((unsigned)next, UINT_MAX, 0);
	free(kept);
}

/* The places' descriptors of this role, and its rein; main's loop, and what belongs to others, is closed. */
static void keep_own(enum role_kind kind, struct places *places, int rein)
{
	const struct config *config = places->config;
	size_t count = 0, most = config->listen.count + config->listen_plain.count + config->listen_proxy.count + 8;
	int *kept = mem_alloc_array(most, sizeof *kept);

	kept[count++] = rein;
	if (kind == ROLE_HUB) {
		kept[count++] = places->hub;
		kept[count++] = places->hook;
		kept[count++] = places->control;
		kept[count++] = places->hook_udp;
	} else {
		for (size_t i = 0; i < config->listen.count; i++)
			kept[count++] = places->https[i];
		for (size_t i = 0; i < config->listen_plain.count; i++)
			kept[count++] = places->http[i];
		kept[count++] = places->metrics;
		for (size_t i = 0; i < config->listen_proxy.count; i++)
			kept[count++] = places->proxy[i];
	}
	role_keep_descriptors(kept, count);
	free(kept);
}

/* The hub's files: its store, the spool; and what the libc reads to find the names of users. */
static int enter_hub_sandbox(const struct config *config, struct error *error_r)
{
	char spool[PATH_MAX];
	const struct sandbox_path paths[] = {
		{config->state_dir, true}, {spool, true}, {"/etc", false}, {"/usr/lib", false}, {"/usr/lib64", false},
		{"/lib", false}, {"/lib64", false}, {"/usr/share/zoneinfo", false}, {"/var/lib/sss", false},
		{"/proc/self", false}, {"/sys/devices/system/cpu", false},
	};
	struct sandbox sandbox = {config->user_hub.uid, config->user_hub.gid, paths, sizeof paths / sizeof paths[0],
		SANDBOX_CALLS_HUB};

	places_spool(config, spool, sizeof spool);
	return sandbox_enter(&sandbox, error_r);
}

static int enter_sandbox(enum role_kind kind, const struct config *config, struct error *error_r)
{
	struct sandbox front = {config->user_front.uid, config->user_front.gid, NULL, 0, SANDBOX_CALLS_FRONT};

	return kind == ROLE_HUB ? enter_hub_sandbox(config, error_r) : sandbox_enter(&front, error_r);
}

static void end_loop(void *data)
{
	loop_stop(data);
}

static void signalled(int number, void *data)
{
	if (number == SIGTERM || number == SIGINT)
		loop_stop(data);
}

static void introduce(enum role_kind kind, unsigned number)
{
	char name[32], title[64];

	snprintf(name, sizeof name, kind == ROLE_HUB ? "hub" : "front %u", number);
	snprintf(title, sizeof title, "belfryd: %s", name);
	log_init(name);
	title_set(title);
}

static void fail(const char *why)
{
	log_error(LOG_MAIN, "%s", why);
	_exit(1);
}

_Noreturn void role_live(enum role_kind kind, unsigned number, const struct role_settings *settings,
	struct places *places, int rein)
{
	struct error error;

	signals_reset();
	keep_own(kind, places, rein);
	introduce(kind, number);
	struct role *role = role_create(kind, number, settings, &error);
	if (role == NULL || enter_sandbox(kind, settings->config, &error) < 0)
		fail(error.text);
	struct loop *loop = loop_create();
	struct signals *signals = signals_open(loop, signalled, loop);
	struct net *net = net_create(loop);
	places_give(places, net, kind == ROLE_HUB ? PLACES_HUB : PLACES_FRONT);
	if (role_start(role, net, net_stream(loop, rein), end_loop, loop, &error) < 0)
		fail(error.text);
	loop_run(loop);
	role_free(&role);
	net_free(&net);
	signals_close(&signals);
	loop_free(&loop);
	exit(0);
}

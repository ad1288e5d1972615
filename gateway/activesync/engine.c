/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's face to the front. */
#include <stdlib.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/policy.h"
#include "gateway/activesync/request.h"
#include "lib/core/mem.h"

enum { BODY_MAX = 1024 * 1024 }; /* requests are small; a Sync with a few hundred changes stays under 100 kB */

static void *create(const struct engine_host *host, struct error *error_r)
{
	struct activesync *engine = mem_alloc(sizeof *engine);

	(void)error_r;
	engine->host = *host;
	engine->settings = host->settings;
	policy_digest(&engine->settings->policy, engine->policy_digest);
	engine->parks = parks_create(engine);
	return engine;
}

static void header(void *instance, struct http_exchange *exchange)
{
	request_header(instance, exchange);
}

static void request(void *instance, struct http_exchange *exchange)
{
	request_start(instance, exchange);
}

static void drain(void *instance, unsigned over_s)
{
	parks_drain(((struct activesync *)instance)->parks, over_s);
}

static void destroy(void *instance)
{
	struct activesync *engine = instance;

	while (engine->under_way != NULL)
		request_abandon(engine->under_way);
	parks_free(&engine->parks);
	free(engine);
}

static void woken(void *instance, const Belfry__Role__Wake *wake)
{
	parks_woken(((struct activesync *)instance)->parks, wake);
}

static void hub_returned(void *instance)
{
	parks_hub_returned(((struct activesync *)instance)->parks);
}

const struct engine activesync_engine = {
	.name = "activesync",
	.path = "/Microsoft-Server-ActiveSync",
	.body_max = BODY_MAX,
	.create = create,
	.header = header,
	.request = request,
	.woken = woken,
	.hub_returned = hub_returned,
	.drain = drain,
	.destroy = destroy,
};

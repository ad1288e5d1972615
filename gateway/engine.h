/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The contract of an engine: one device-facing protocol over HTTP. The front finds the engine by the request's path;
 * main holds the table of engines.
 *
 * An engine MUST answer, hold or abandon each request that it is given, exactly once; it MUST NOT block; it MAY be
 * called again for other requests meanwhile. It keeps no state that matters: a front may die at any moment.
 */
#ifndef BELFRY_GATEWAY_ENGINE_H
#define BELFRY_GATEWAY_ENGINE_H

#include <stddef.h>

#include "gateway/service/connector_client.h"
#include "gateway/service/hub_client.h"
#include "lib/core/error.h"
#include "lib/core/loop.h"
#include "lib/http/server.h"

/* An engine's parks (hub_park()) use slots of its own: host.first_slot and the ENGINE_SLOTS - 1 after it. */
enum { ENGINES_MAX = 16, ENGINE_SLOTS = 1 << 16 }; /* 65,536: three times the descriptors of a process */

/* What an engine stands on; all outlive it. */
struct engine_host {
	struct loop *loop;
	struct hub_client *hub;
	struct connector_client *connectors;
	const void *settings;    /* the engine's own struct of settings (its header says which); main fills it */
	unsigned front;          /* number of this front */
	uint32_t first_slot;
};

struct engine {
	const char *name;        /* "activesync" */
	const char *path;        /* serves this path and all below it, in any case: "/Microsoft-Server-ActiveSync" */
	size_t body_max;         /* a longer body is refused with 413 before it is read */
	void *(*create)(const struct engine_host *, struct error *error_r); /* NULL with error_r */
	/* A header has come, before the body: MAY answer at once, e.g. a login that is missing. May be NULL. */
	void (*header)(void *instance, struct http_exchange *);
	void (*request)(void *instance, struct http_exchange *);
	/* The hub wakes a park of one of this engine's slots, or is there again and wants all of them anew. May be NULL
	 * for an engine that parks nothing. */
	void (*woken)(void *instance, const Belfry__Role__Wake *);
	void (*hub_returned)(void *instance);
	/* The front will end: answer what is held within over_s, spread, so that phones come again. May be NULL. */
	void (*drain)(void *instance, unsigned over_s);
	void (*destroy)(void *instance); /* no phone is there any more; exchanges under way are abandoned by it */
};

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Role front: phones come in at the places, their requests go to the engine whose path they name. */
#include "gateway/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "gateway/metrics_page.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/tls.h"

/* Descriptors that are not phones: those told 503, listeners, links, and files on their way from connectors. */
enum { FRONT_OTHER_DESCRIPTORS = HTTP_OVERFLOW_MAX + 512 };

/* All fronts listen at the same sockets. A full one stands back, so that a phone is told 503 only when no front takes
 * it: when somebody was waiting there at each of so many looks. Then it tells so many at most, and stands back again. */
enum { FRONT_LOOK_MS = 50, FRONT_LOOKS = 5, FRONT_TELLS = 64 };

enum { FRONT_COUNTS_MS = 5000 }; /* the hub is told what was counted */

struct front_instance {
	const struct engine *engine;
	void *instance;
};

struct front {
	struct front_settings settings;
	struct hub_client *hub;
	struct connector_client *connectors;
	struct http_server *http;
	struct tls_server_context *tls;
	struct front_instance engines[ENGINES_MAX];
	size_t engine_count;
	struct listener **listeners;
	size_t listener_count;
	struct timer look;         /* started while the front stands back */
	unsigned waited_looks;     /* at which somebody was waiting */
	unsigned tells;            /* how many may still come to be told 503 */
	bool is_draining;
	struct metrics_page *metrics;
	struct timer tell_counts;
};

/* --- requests -------------------------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *root)
{
	size_t length = strlen(root);

	return strncasecmp(path, root, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static void header(struct http_exchange *exchange, void *data)
{
	struct front *front = data;

	for (size_t i = 0; i < front->engine_count; i++) {
		struct front_instance *instance = &front->engines[i];
		if (!is_below(exchange->path, instance->engine->path))
			continue;
		exchange->route = instance;
		exchange->body_max = instance->engine->body_max;
		if (instance->engine->header != NULL)
			instance->engine->header(instance->instance, exchange);
		return;
	}
	http_respond_text(exchange, 404, "Nothing is served at this address.\n");
}

static void request(struct http_exchange *exchange, void *data)
{
	struct front_instance *instance = exchange->route;

	(void)data;
	instance->engine->request(instance->instance, exchange);
}

/* --- the hub --------------------------------------------------------------------------------------------------- */

static void woken(const Belfry__Role__Wake *wake, void *data)
{
	struct front *front = data;
	size_t i = wake->slot / ENGINE_SLOTS;

	if (i < front->engine_count && front->engines[i].engine->woken != NULL)
		front->engines[i].engine->woken(front->engines[i].instance, wake);
}

static void returned(void *data)
{
	struct front *front = data;

	for (size_t i = 0; i < front->engine_count; i++)
		if (front->engines[i].engine->hub_returned != NULL)
			front->engines[i].engine->hub_returned(front->engines[i].instance);
}

static const struct hub_client_events hub_events = {woken, returned};

static void tell_counts(struct timer *timer)
{
	struct front *front = container_of(timer, struct front, tell_counts);
	Belfry__Role__Counts counts = BELFRY__ROLE__COUNTS__INIT;
	struct connector_logins logins;
	struct http_server_counts http;

	http_server_counts(front->http, &http);
	connector_logins(front->connectors, &logins);
	counts.connections = http.connections;
	counts.held = http.held;
	counts.idle = http.idle;
	counts.unsent_bytes = http.answers;
	counts.accepted = http.accepted;
	counts.requests = http.requests;
	counts.refused = http.refused;
	counts.overflowed = http.overflowed;
	counts.answers_refused = http.answers_refused;
	counts.answers_cut = http.answers_cut;
	counts.logins_accepted = logins.accepted;
	counts.logins_refused = logins.refused;
	counts.logins_throttled = logins.throttled;
	counts.logins_failed = logins.failed;
	hub_counts(front->hub, &counts);
	timer_start(net_loop(front->settings.net), &front->tell_counts, FRONT_COUNTS_MS, tell_counts);
}

/* --- standing back while full ---------------------------------------------------------------------------------- */

static void looked(struct timer *);

static void stand_back(struct front *front)
{
	for (size_t i = 0; i < front->listener_count; i++)
		listener_pause(front->listeners[i]);
	front->waited_looks = front->tells = 0;
	timer_start(net_loop(front->settings.net), &front->look, FRONT_LOOK_MS, looked);
}

static void come_forward(struct front *front)
{
	for (size_t i = 0; i < front->listener_count; i++)
		listener_resume(front->listeners[i]);
}

static bool is_waited(const struct front *front)
{
	bool waited = false;

	for (size_t i = 0; i < front->listener_count; i++)
		waited = waited || listener_is_waited(front->listeners[i]);
	return waited;
}

static void looked(struct timer *timer)
{
	struct front *front = container_of(timer, struct front, look);

	if (!http_server_is_full(front->http)) {
		come_forward(front);
		return;
	}
	if (front->tells > 0) { /* fewer came than might have */
		stand_back(front);
		return;
	}
	front->waited_looks = is_waited(front) ? front->waited_looks + 1 : 0;
	if (front->waited_looks == FRONT_LOOKS) {
		front->tells = FRONT_TELLS;
		come_forward(front);
	}
	timer_start(net_loop(front->settings.net), &front->look, FRONT_LOOK_MS, looked);
}

static void accept_phone(struct front *front, struct stream *stream, enum http_from from)
{
	http_server_accept(front->http, stream, from);
	if (front->tells > 0)
		front->tells--;
	if (front->tells == 0 && http_server_is_full(front->http))
		stand_back(front);
}

/* --- listening ------------------------------------------------------------------------------------------------- */

static void accepted_plain(struct stream *stream, void *data)
{
	accept_phone(data, stream, HTTP_FROM_PROXY);
}

static void accepted_proxy(struct stream *stream, void *data)
{
	accept_phone(data, stream, HTTP_FROM_PROXY_PROTOCOL);
}

static void accepted_tls(struct stream *stream, void *data)
{
	struct front *front = data;

	tls_accept(stream, front->tls);
	accept_phone(front, stream, HTTP_FROM_PHONE);
}

static int listen_at(struct front *front, const char *kind, unsigned places, net_accepted *accepted,
	struct error *error_r)
{
	char place[32];

	for (unsigned i = 0; i < places; i++) {
		snprintf(place, sizeof place, "%s/%u", kind, i);
		struct listener *listener = net_listen(front->settings.net, place, accepted, front, error_r);
		if (listener == NULL)
			return -1;
		front->listeners[front->listener_count++] = listener;
	}
	return 0;
}

int front_set_certificate(struct front *front, const void *chain_pem, size_t chain_length, const void *key_pem,
	size_t key_length, const void *ticket_keys, size_t ticket_keys_length, struct error *error_r)
{
	struct tls_server_context *tls = tls_server_context_create(chain_pem, chain_length, key_pem, key_length, ticket_keys,
		ticket_keys_length, error_r);
	bool is_first = front->tls == NULL;

	if (tls == NULL)
		return -1;
	tls_server_context_free(&front->tls);
	front->tls = tls;
	if (!is_first || front->is_draining)
		return 0;
	return listen_at(front, "https", front->settings.https_places, accepted_tls, error_r);
}

/* --- the front ------------------------------------------------------------------------------------------------- */

static unsigned connections_max(const struct front_settings *settings)
{
	struct rlimit descriptors;

	if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
		return settings->connections_max;
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	rlim_t possible = descriptors.rlim_max <= FRONT_OTHER_DESCRIPTORS ? 1 :
		descriptors.rlim_max - FRONT_OTHER_DESCRIPTORS;
	if (settings->connections_max <= possible)
		return settings->connections_max;
	log_warning(LOG_FRONT, "max_connections=%u is cut to %lu: a process here may have only %lu descriptors (LimitNOFILE)",
		settings->connections_max, (unsigned long)possible, (unsigned long)descriptors.rlim_max);
	return (unsigned)possible;
}

static int create_engines(struct front *front, struct error *error_r)
{
	const struct front_settings *settings = &front->settings;

	if (settings->engine_count > ENGINES_MAX)
		return error_set(error_r, "%zu engines; a front has room for %d", settings->engine_count, ENGINES_MAX);
	for (size_t i = 0; i < settings->engine_count; i++) {
		struct engine_host host = {.loop = net_loop(settings->net), .hub = front->hub, .connectors = front->connectors,
			.settings = settings->engines[i].settings, .front = settings->number,
			.first_slot = (uint32_t)i * ENGINE_SLOTS};
		const struct engine *engine = settings->engines[i].engine;
		void *instance = engine->create(&host, error_r);
		if (instance == NULL)
			return -1;
		front->engines[front->engine_count++] = (struct front_instance){engine, instance};
	}
	return 0;
}

struct front *front_create(const struct front_settings *settings, struct error *error_r)
{
	struct front *front = mem_alloc(sizeof *front);
	struct http_server_settings http = {.loop = net_loop(settings->net), .header = header, .request = request,
		.connections_max = connections_max(settings), .has_gzip = settings->has_gzip, .trusted = settings->trusted,
		.trusted_count = settings->trusted_count, .data = front};

	front->settings = *settings;
	front->listeners = mem_alloc_array(settings->https_places + settings->http_places + settings->proxy_places + 1,
		sizeof *front->listeners);
	front->http = http_server_create(&http);
	front->hub = hub_client_create(settings->net, settings->number, &hub_events, front);
	front->connectors = connector_client_create(settings->net, "front", settings->number, settings->connector_timeout_s,
		settings->data);
	if (create_engines(front, error_r) < 0 ||
	    listen_at(front, "http", settings->http_places, accepted_plain, error_r) < 0 ||
	    listen_at(front, "proxy", settings->proxy_places, accepted_proxy, error_r) < 0 ||
	    (settings->has_metrics && (front->metrics = metrics_page_create(settings->net, front->hub, error_r)) == NULL)) {
		front_free(&front);
		return NULL;
	}
	timer_start(http.loop, &front->tell_counts, FRONT_COUNTS_MS, tell_counts);
	return front;
}

static void close_listeners(struct front *front)
{
	timer_stop(net_loop(front->settings.net), &front->look);
	while (front->listener_count > 0)
		listener_close(&front->listeners[--front->listener_count]);
}

void front_drain(struct front *front, unsigned over_s)
{
	front->is_draining = true;
	close_listeners(front);
	metrics_page_free(&front->metrics);
	http_server_drain(front->http);
	for (size_t i = 0; i < front->engine_count; i++)
		if (front->engines[i].engine->drain != NULL)
			front->engines[i].engine->drain(front->engines[i].instance, over_s);
}

void front_counts(const struct front *front, struct http_server_counts *counts_r)
{
	http_server_counts(front->http, counts_r);
}

void front_free(struct front **owner)
{
	struct front *front = *owner;

	if (front == NULL)
		return;
	*owner = NULL;
	close_listeners(front);
	timer_stop(net_loop(front->settings.net), &front->tell_counts);
	metrics_page_free(&front->metrics);
	http_server_free(&front->http);
	while (front->engine_count > 0) {
		struct front_instance *instance = &front->engines[--front->engine_count];
		instance->engine->destroy(instance->instance);
	}
	connector_client_free(&front->connectors);
	hub_client_free(&front->hub);
	tls_server_context_free(&front->tls);
	free(front->listeners);
	free(front);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Role front: accepts phones at all places "https/N", "http/N" and "proxy/N" and hands their requests to engines, by path.
 * Over connections_max a phone is told 503 and when to come again; who is held is never dropped for a newcomer.
 */
#ifndef BELFRY_GATEWAY_FRONT_H
#define BELFRY_GATEWAY_FRONT_H

#include "gateway/engine.h"
#include "lib/core/error.h"
#include "lib/http/server.h"
#include "lib/net/net.h"

struct front;

/* One row of main's table of engines: what it is, and the settings that it is created with. */
struct front_engine {
	const struct engine *engine;
	const void *settings;
};

struct front_settings {
	unsigned number;            /* of this front, from 1 */
	unsigned connections_max;   /* cut to what the limit of descriptors allows */
	unsigned https_places;      /* "https/0" … */
	unsigned http_places;       /* "http/0" …: plain, behind a proxy that does TLS */
	unsigned proxy_places;      /* "proxy/0" …: the same, of proxies that speak the PROXY protocol */
	bool has_gzip;              /* answers are compressed for phones that take it */
	bool has_metrics;           /* "metrics": what Prometheus asks for */
	const struct ip_network *trusted; /* whose X-Forwarded-For is believed; outlives the front */
	size_t trusted_count;
	const struct front_engine *engines;
	size_t engine_count;
	connector_timeout *connector_timeout_s; /* NULL: the usual */
	const void *data;           /* its */
	struct net *net;
};

/* Connects to the hub and, as they are needed, to connectors; creates the engines; listens on the plain places.
 * NULL with error_r. */
struct front *front_create(const struct front_settings *, struct error *error_r);
/* PEM bytes, and keys for session tickets (TLS_TICKET_KEYS_BYTES, lib/net/tls.h, the same in all fronts; 0: none).
 * The TLS places listen from the first certificate on; a later one serves new connections, held ones stay.
 * -1: the old one stays in use. */
int front_set_certificate(struct front *, const void *chain_pem, size_t chain_length, const void *key_pem,
	size_t key_length, const void *ticket_keys, size_t ticket_keys_length, struct error *error_r);
/* Stops listening; answers are the last of their connection; engines answer what they hold, within over_s. */
void front_drain(struct front *, unsigned over_s);
void front_counts(const struct front *, struct http_server_counts *counts_r);
void front_free(struct front **);

#endif

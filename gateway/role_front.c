/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The front as a role. */
#include <stdlib.h>

#include "gateway/role_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/tls.h"

struct front_role {
	const struct role_settings *settings;
	unsigned number;
	struct front *front;
};

static void *create(const struct role_settings *settings, unsigned number, struct error *error_r)
{
	struct front_role *role = mem_alloc(sizeof *role);

	(void)error_r;
	tls_prepare(); /* the sandbox shows no openssl.cnf, where the system says what TLS is good enough */
	role->settings = settings;
	role->number = number;
	return role;
}

static unsigned connector_timeout_s(const char *name, const void *data)
{
	const struct config_connector *connector = config_instance_named(data, name);

	return connector == NULL ? CONNECTOR_TIMEOUT_S : connector->timeout_s;
}

static int start(void *instance, struct net *net, struct error *error_r)
{
	struct front_role *role = instance;
	const struct config *config = role->settings->config;
	struct front_settings front = {
		.number = role->number, .connections_max = config->max_connections, .has_gzip = config->gzip,
		.https_places = (unsigned)config->listen.count, .http_places = (unsigned)config->listen_plain.count,
		.proxy_places = (unsigned)config->listen_proxy.count, .has_metrics = config->metrics != NULL,
		.trusted = config->trusted, .trusted_count = config->trusted_count,
		.engines = role->settings->engines, .engine_count = role->settings->engine_count,
		.connector_timeout_s = connector_timeout_s, .data = config, .net = net,
	};

	role->front = front_create(&front, error_r);
	return role->front == NULL ? -1 : 0;
}

static void certificate(void *instance, const Belfry__Role__Certificate *files)
{
	struct front_role *role = instance;
	struct error error;

	if (front_set_certificate(role->front, files->chain_pem.data, files->chain_pem.len, files->key_pem.data,
		files->key_pem.len, files->ticket_keys.data, files->ticket_keys.len, &error) < 0)
		log_error(LOG_TLS, "the certificate cannot be used: %s", error.text);
}

static void drain(void *instance, unsigned over_s)
{
	front_drain(((struct front_role *)instance)->front, over_s);
}

static bool is_idle(void *instance)
{
	struct http_server_counts counts;

	front_counts(((struct front_role *)instance)->front, &counts);
	return counts.connections == 0;
}

static void free_front(void *instance)
{
	struct front_role *role = instance;

	front_free(&role->front);
	free(role);
}

const struct role_ops role_front_ops = {create, start, certificate, drain, is_idle, free_front};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients of a connector daemon. */
#include "connectors/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/link.h"
#include "lib/ipc/trace.h"

struct service {
	struct listener *listener;
	const struct service_events *events;
	void *owner;
	struct service_client *clients;
	bool knows_backend;
	char *backend_trouble; /* NULL: none */
};

struct service_client {
	struct service *service;
	struct service_client *next, **link_to;
	struct link *link;
	unsigned descriptors; /* passed since all was taken */
	bool traces;          /* it has switched something on: that ends with it */
	bool is_hub;
	int received_fd;      /* with the request that is being passed up; -1: none */
	char name[32]; /* "front 2", for the log */
};

static void client_free(struct service_client *client)
{
	*client->link_to = client->next;
	if (client->next != NULL)
		client->next->link_to = client->link_to;
	link_close(&client->link);
	free(client);
}

static void trace(struct service_client *client, const Belfry__Role__Trace *trace)
{
	client->traces = true;
	trace_apply(trace);
	if (client->service->events->traced != NULL)
		client->service->events->traced(trace, client->service->owner);
}

static void client_lost(struct link *link, const char *why, void *owner)
{
	struct service_client *client = owner;

	(void)link;
	log_trace(LOG_CONNECTOR, NULL, NULL, "client=%s left: %s", log_quote(client->name), why);
	if (client->traces)
		trace(client, &trace_nothing);
	client->service->events->left(client, client->service->owner);
	client_free(client);
}

static void tell_backend(struct service_client *client)
{
	const struct service *service = client->service;
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__Backend backend = BELFRY__CONNECTOR__BACKEND__INIT;

	if (!client->is_hub || !service->knows_backend)
		return;
	backend.up = service->backend_trouble == NULL;
	if (!backend.up)
		backend.trouble = service->backend_trouble;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_BACKEND;
	response.backend = &backend;
	link_send(client->link, &response.base, -1);
}

static void greeted(struct service_client *client, const Belfry__Connector__Hello *hello)
{
	client->is_hub = strcmp(hello->role, "hub") == 0;
	tell_backend(client);
	snprintf(client->name, sizeof client->name, "%.20s %u", hello->role, hello->number);
	log_trace(LOG_CONNECTOR, NULL, NULL, "client=%s came", log_quote(client->name));
}

static void client_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct service_client *client = owner;
	struct arena *arena = arena_create(0);
	Belfry__Connector__Request *request = belfry__connector__request__unpack(arena_protobuf(arena), length, body);

	arena_carry_secrets(arena);
	if (request == NULL) {
		if (fd >= 0)
			close(fd);
		arena_free(&arena);
		client_lost(link, "it sent what is no request", client);
		return;
	}
	client->received_fd = fd;
	if (request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_HELLO)
		greeted(client, request->hello);
	else if (request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_TRACE)
		trace(client, request->trace);
	else
		client->service->events->asked(client, request, client->service->owner);
	if (client->received_fd >= 0)
		close(client->received_fd);
	client->received_fd = -1;
	arena_free(&arena);
}

int service_take_fd(struct service_client *client)
{
	int fd = client->received_fd;

	client->received_fd = -1;
	return fd;
}

static void client_drained(struct link *link, void *owner)
{
	struct service_client *client = owner;

	(void)link;
	client->descriptors = 0;
	if (client->service->events->drained != NULL)
		client->service->events->drained(client, client->service->owner);
}

static const struct link_events client_events = {.received = client_received, .lost = client_lost,
	.drained = client_drained};

static void client_came(struct stream *stream, void *data)
{
	struct service *service = data;
	struct service_client *client = mem_alloc(sizeof *client);

	client->service = service;
	client->received_fd = -1;
	client->next = service->clients;
	client->link_to = &service->clients;
	if (client->next != NULL)
		client->next->link_to = &client->next;
	service->clients = client;
	snprintf(client->name, sizeof client->name, "new");
	client->link = link_create(stream, &client_events, client);
	link_carry_secrets(client->link);
}

struct service *service_listen(struct net *net, const char *place, const struct service_events *events, void *owner,
	struct error *error_r)
{
	struct service *service = mem_alloc(sizeof *service);

	service->events = events;
	service->owner = owner;
	service->listener = net_listen(net, place, client_came, service, error_r);
	if (service->listener == NULL) {
		free(service);
		return NULL;
	}
	return service;
}

void service_close(struct service **owner)
{
	struct service *service = *owner;

	*owner = NULL;
	if (service == NULL)
		return;
	listener_close(&service->listener);
	while (service->clients != NULL)
		client_free(service->clients);
	free(service->backend_trouble);
	free(service);
}

void service_answer(struct service_client *client, const Belfry__Connector__Response *response, int fd)
{
	if (response->id == 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (link_send(client->link, &response->base, fd) < 0)
		service_answer_status(client, response->id, BELFRY__CONNECTOR__STATUS__LIMIT, "the answer is longer than a frame");
}

void service_answer_status(struct service_client *client, uint64_t id, Belfry__Connector__Status status,
	const char *reason)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	response.id = id;
	response.status = status;
	if (reason != NULL)
		response.reason = (char *)reason;
	service_answer(client, &response, -1);
}

void service_tell(struct service_client *client, const Belfry__Connector__Positions *positions)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS;
	response.positions = (Belfry__Connector__Positions *)positions;
	link_send(client->link, &response.base, -1);
}

void service_tell_backend(struct service *service, const char *trouble)
{
	service->knows_backend = true;
	free(service->backend_trouble);
	service->backend_trouble = mem_strdup(trouble);
	for (struct service_client *client = service->clients; client != NULL; client = client->next)
		tell_backend(client);
}

void service_pass(struct service_client *client, const void *packed, size_t length, int fd)
{
	client->descriptors += fd >= 0;
	link_send_packed(client->link, packed, length, fd);
}

bool service_is_clogged(const struct service_client *client)
{
	return link_pending(client->link) > SERVICE_PENDING_MAX || client->descriptors >= SERVICE_DESCRIPTORS_MAX;
}

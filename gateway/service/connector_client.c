/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking connector daemons: one link an instance, made when it is first needed. */
#include "gateway/service/connector_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/service/calls.h"
#include "lib/core/arena.h"
#include "lib/core/mem.h"

struct instance {
	struct instance *next;
	struct connector_client *client;
	struct calls *calls;
	unsigned timeout_s;
	char name[];
};

struct connector_client {
	struct net *net;
	char *role;
	unsigned number;
	connector_timeout *timeout_s;
	const void *data;
	struct instance *instances;
	struct connector_logins logins;
};

struct connector_call {
	struct connector_client *client;
	struct call *call;
	bool is_login;
	connector_answered *answered;
	void *data;
};

static void say_hello(struct calls *calls, void *owner)
{
	struct instance *instance = owner;
	Belfry__Connector__Hello hello = BELFRY__CONNECTOR__HELLO__INIT;
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;

	hello.role = instance->client->role;
	hello.number = instance->client->number;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_HELLO;
	request.hello = &hello;
	calls_send(calls, &request.base, NULL);
}

/* A front is told nothing unasked. */
static int told(const uint8_t *body, size_t length, void *owner)
{
	(void)body;
	(void)length;
	(void)owner;
	return -1;
}

static const struct calls_events calls_events = {.hello = say_hello, .told = told, .carry_secrets = true};

struct connector_client *connector_client_create(struct net *net, const char *role, unsigned number,
	connector_timeout *timeout_s, const void *data)
{
	struct connector_client *client = mem_alloc(sizeof *client);

	*client = (struct connector_client){.net = net, .role = mem_strdup(role), .number = number, .timeout_s = timeout_s,
		.data = data};
	return client;
}

void connector_client_free(struct connector_client **owner)
{
	struct connector_client *client = *owner;

	if (client == NULL)
		return;
	*owner = NULL;
	for (struct instance *instance = client->instances, *next; instance != NULL; instance = next) {
		next = instance->next;
		calls_free(&instance->calls);
		free(instance);
	}
	free(client->role);
	free(client);
}

static struct instance *find_instance(struct connector_client *client, const char *name)
{
	struct instance *instance = client->instances;
	char place[128];

	while (instance != NULL && strcmp(instance->name, name) != 0)
		instance = instance->next;
	if (instance != NULL)
		return instance;
	instance = mem_alloc(sizeof *instance + strlen(name) + 1);
	strcpy(instance->name, name);
	instance->client = client;
	instance->timeout_s = client->timeout_s != NULL ? client->timeout_s(name, client->data) : CONNECTOR_TIMEOUT_S;
	snprintf(place, sizeof place, "connector/%s", name);
	instance->calls = calls_create(client->net, place, &calls_events, instance);
	instance->next = client->instances;
	client->instances = instance;
	return instance;
}

static void count_login(struct connector_logins *logins, Belfry__Connector__Status status)
{
	switch (status) {
	case BELFRY__CONNECTOR__STATUS__OK: logins->accepted++; break;
	case BELFRY__CONNECTOR__STATUS__REFUSED: logins->refused++; break;
	case BELFRY__CONNECTOR__STATUS__THROTTLED: logins->throttled++; break;
	default: logins->failed++; break;
	}
}

void connector_logins(const struct connector_client *client, struct connector_logins *logins_r)
{
	*logins_r = client->logins;
}

static void finish(struct connector_call *call, const Belfry__Connector__Response *response, int fd)
{
	connector_answered *answered = call->answered;
	void *data = call->data;

	if (call->is_login)
		count_login(&call->client->logins, response->status);
	free(call);
	answered(response, fd, true, data);
}

static bool is_more(const Belfry__Connector__Response *response)
{
	if (response->status != BELFRY__CONNECTOR__STATUS__OK)
		return false;
	return (response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_FETCHED && !response->fetched->last) ||
		(response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_SENT && !response->sent->last);
}

static bool came(const uint8_t *body, size_t length, int fd, void *data)
{
	struct connector_call *call = data;
	Belfry__Connector__Response none = BELFRY__CONNECTOR__RESPONSE__INIT;
	struct arena *arena = arena_create(length * 2 + 1024);
	Belfry__Connector__Response *response =
		body == NULL ? NULL : belfry__connector__response__unpack(arena_protobuf(arena), length, body);
	bool more = response != NULL && is_more(response);

	if (more) {
		call->answered(response, fd, false, call->data);
	} else if (response != NULL) {
		finish(call, response, fd);
	} else {
		if (fd >= 0)
			close(fd);
		none.status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
		none.reason = "the connector is not running or does not answer";
		finish(call, &none, -1);
	}
	arena_free(&arena);
	return more;
}

struct connector_call *connector_ask(struct connector_client *client, const char *name,
	Belfry__Connector__Request *request, connector_answered *answered, void *data)
{
	return connector_ask_fd(client, name, request, -1, answered, data);
}

struct connector_call *connector_ask_fd(struct connector_client *client, const char *name,
	Belfry__Connector__Request *request, int fd, connector_answered *answered, void *data)
{
	struct instance *instance = find_instance(client, name);
	struct connector_call *call = mem_alloc(sizeof *call);

	*call = (struct connector_call){.client = client, .answered = answered, .data = data,
		.is_login = request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_LOGIN};
	call->call = calls_begin(instance->calls, (instance->timeout_s + CONNECTOR_MARGIN_S) * 1000ll, came, call);
	request->id = call_id(call->call);
	calls_send_fd(instance->calls, &request->base, fd, call->call);
	return call;
}

void connector_call_cancel(struct connector_call **owner)
{
	struct connector_call *call = *owner;

	*owner = NULL;
	if (call == NULL)
		return;
	call_cancel(&call->call);
	free(call);
}

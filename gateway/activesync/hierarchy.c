/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gateway/activesync/hierarchy.h"

#include <string.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/state.pb-c.h"

void hierarchy_ask(struct request *request, connector_answered *answered)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Check message = BELFRY__CONNECTOR__CHECK__INIT;
	static char hierarchy[] = "", *collections[] = {hierarchy};

	message.user = (char *)request->user;
	message.handle = request->handle;
	message.collections = collections;
	message.n_collections = 1;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_CHECK;
	question.check = &message;
	request_ask_watch(request, &question, answered);
}

bool hierarchy_is_silent(const struct request *request, const Belfry__Connector__Response *response)
{
	return response->status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE &&
		loop_now_ms(request->engine->host.loop) - request->started_ms >= HIERARCHY_SILENCE_MS;
}

Belfry__Role__Position *hierarchy_read(const Belfry__Connector__Response *response, struct arena *arena)
{
	const Belfry__Connector__Positions *told = response->positions;
	Belfry__Role__Position *position;

	if (response->status != BELFRY__CONNECTOR__STATUS__OK || told == NULL || told->n_positions != 1 ||
	    told->positions[0]->status != BELFRY__CONNECTOR__STATUS__OK || told->positions[0]->position == NULL)
		return NULL;
	position = arena_alloc(arena, sizeof *position);
	belfry__role__position__init(position);
	position->validity = told->positions[0]->position->validity;
	position->next = told->positions[0]->position->next;
	position->token = told->positions[0]->position->token;
	return position;
}

Belfry__Role__Write *hierarchy_write(struct request *request, Belfry__Role__Position *position)
{
	const Belfry__Role__Record *record = request_record(request, HIERARCHY_RECORD);
	Belfry__Activesync__At at = BELFRY__ACTIVESYNC__AT__INIT;

	at.position = position;
	Belfry__Role__Write *write = request_write(request, HIERARCHY_RECORD, &at.base);
	bool same = record != NULL && record->value.len == write->value.len &&
		memcmp(record->value.data, write->value.data, write->value.len) == 0;
	return same ? NULL : write;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client of connectors, for tests. */
#include "tests/unit/connectors/asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void backend_told(struct asker *asker, const Belfry__Connector__Backend *backend)
{
	asker->backends++;
	snprintf(asker->trouble, sizeof asker->trouble, "%s", backend->trouble);
	assert_true(backend->up == (*backend->trouble == '\0'));
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct asker *asker = owner;
	Belfry__Connector__Response *answer = belfry__connector__response__unpack(NULL, length, body);

	(void)link;
	assert_non_null(answer);
	if (answer->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_BACKEND) {
		backend_told(asker, answer->backend);
		belfry__connector__response__free_unpacked(answer, NULL);
		return;
	}
	assert_true(asker->count < ASKER_ANSWERS_MAX);
	if (answer->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_LOGGED_IN && answer->logged_in->handle.len > 0) {
		assert_int_equal(answer->logged_in->handle.len, ASKER_HANDLE_BYTES);
		memcpy(asker->handle, answer->logged_in->handle.data, ASKER_HANDLE_BYTES);
	}
	asker->fds[asker->count] = fd;
	asker->answers[asker->count++] = answer;
	if (!loop_is_manual(asker->loop))
		loop_stop(asker->loop);
}

static void lost(struct link *link, const char *why, void *owner)
{
	struct asker *asker = owner;

	(void)link;
	(void)why;
	asker->is_lost = true;
	link_close(&asker->link);
}

static void connecting(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

void asker_connect(struct asker *asker, struct net *net, const char *place, const char *role)
{
	static const struct link_events events = {.received = received, .lost = lost};
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Hello hello = BELFRY__CONNECTOR__HELLO__INIT;

	*asker = (struct asker){.loop = net_loop(net)};
	asker->link = link_create(net_connect(net, place, connecting, NULL), &events, asker);
	hello.role = (char *)role;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_HELLO;
	request.hello = &hello;
	link_send(asker->link, &request.base, -1);
}

void asker_clear(struct asker *asker)
{
	for (unsigned i = 0; i < asker->count; i++) {
		belfry__connector__response__free_unpacked(asker->answers[i], NULL);
		if (asker->fds[i] >= 0)
			close(asker->fds[i]);
	}
	asker->count = 0;
}

void asker_free(struct asker *asker)
{
	asker_clear(asker);
	link_close(&asker->link);
}

uint64_t asker_ask(struct asker *asker, Belfry__Connector__Request *request)
{
	request->id = ++asker->last_id;
	link_send(asker->link, &request->base, -1);
	if (loop_is_manual(asker->loop))
		loop_settle(asker->loop);
	return asker->last_id;
}

Belfry__Connector__Response *asker_answer(const struct asker *asker, uint64_t id, unsigned n)
{
	for (unsigned i = 0; i < asker->count; i++)
		if (asker->answers[i]->id == id && n-- == 0)
			return asker->answers[i];
	return NULL;
}

int asker_status(const struct asker *asker, uint64_t id)
{
	const Belfry__Connector__Response *answer = asker_answer(asker, id, 0);

	return answer == NULL ? -1 : (int)answer->status;
}

static Belfry__Connector__Request with_handle(struct asker *asker, Belfry__Connector__Request__BodyCase kind)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;

	request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, asker->handle};
	request.body_case = kind;
	return request;
}

uint64_t asker_login(struct asker *asker, const char *user, const char *password, const char *address, const char *device)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Login login = BELFRY__CONNECTOR__LOGIN__INIT;

	login.user = (char *)user;
	login.password = (char *)password;
	login.address = (char *)address;
	login.device = (char *)device;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LOGIN;
	request.login = &login;
	return asker_ask(asker, &request);
}

uint64_t asker_send(struct asker *asker, const char *message_id)
{
	Belfry__Connector__Request request = with_handle(asker, BELFRY__CONNECTOR__REQUEST__BODY_SEND);
	Belfry__Connector__Send send = BELFRY__CONNECTOR__SEND__INIT;

	send.in_descriptor = true;
	send.message_id = (char *)message_id;
	request.send = &send;
	request.id = ++asker->last_id;
	link_send(asker->link, &request.base, memfd_create("mail", MFD_CLOEXEC));
	loop_settle(asker->loop);
	return asker->last_id;
}

uint64_t asker_list(struct asker *asker)
{
	Belfry__Connector__Request request = with_handle(asker, BELFRY__CONNECTOR__REQUEST__BODY_LIST);
	Belfry__Connector__ListCollections list = BELFRY__CONNECTOR__LIST_COLLECTIONS__INIT;

	request.list = &list;
	return asker_ask(asker, &request);
}

uint64_t asker_survey(struct asker *asker, const char *collection, uint64_t validity, uint64_t since_token)
{
	Belfry__Connector__Request request = with_handle(asker, BELFRY__CONNECTOR__REQUEST__BODY_SURVEY);
	Belfry__Connector__Survey survey = BELFRY__CONNECTOR__SURVEY__INIT;

	survey.collection = (char *)collection;
	survey.validity = validity;
	survey.since_token = since_token;
	request.survey = &survey;
	return asker_ask(asker, &request);
}

uint64_t asker_fetch(struct asker *asker, const char *collection, const uint64_t *ids, size_t count)
{
	Belfry__Connector__Request request = with_handle(asker, BELFRY__CONNECTOR__REQUEST__BODY_FETCH);
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes[] = {&wish};

	wish.type = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	fetch.collection = (char *)collection;
	fetch.ids = (uint64_t *)ids;
	fetch.n_ids = count;
	fetch.wishes = wishes;
	fetch.n_wishes = 1;
	request.fetch = &fetch;
	return asker_ask(asker, &request);
}

uint64_t asker_flag(struct asker *asker, const char *collection, uint64_t id, uint32_t set, uint32_t clear)
{
	Belfry__Connector__Request request = with_handle(asker, BELFRY__CONNECTOR__REQUEST__BODY_APPLY);
	Belfry__Connector__Apply apply = BELFRY__CONNECTOR__APPLY__INIT;
	Belfry__Connector__Operation operation = BELFRY__CONNECTOR__OPERATION__INIT, *operations[] = {&operation};

	operation.id = id;
	operation.set_flags = set;
	operation.clear_flags = clear;
	apply.collection = (char *)collection;
	apply.operations = operations;
	apply.n_operations = 1;
	request.apply = &apply;
	return asker_ask(asker, &request);
}

static size_t count_names(const char *const *names)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	return count;
}

uint64_t asker_watch(struct asker *asker, const char *user, const char *const *collections, bool hooked)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Watch watch = BELFRY__CONNECTOR__WATCH__INIT;

	watch.user = (char *)user;
	watch.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, asker->handle};
	watch.collections = (char **)collections;
	watch.n_collections = count_names(collections);
	watch.hooked = hooked;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_WATCH;
	request.watch = &watch;
	return asker_ask(asker, &request);
}

uint64_t asker_unwatch(struct asker *asker, const char *user)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Unwatch unwatch = BELFRY__CONNECTOR__UNWATCH__INIT;

	unwatch.user = (char *)user;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_UNWATCH;
	request.unwatch = &unwatch;
	return asker_ask(asker, &request);
}

uint64_t asker_check(struct asker *asker, const char *user, const char *const *collections)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Check check = BELFRY__CONNECTOR__CHECK__INIT;

	check.user = (char *)user;
	check.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, asker->handle};
	check.collections = (char **)collections;
	check.n_collections = count_names(collections);
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_CHECK;
	request.check = &check;
	return asker_ask(asker, &request);
}

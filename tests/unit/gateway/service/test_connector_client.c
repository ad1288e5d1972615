/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a connector is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/service/connector_client.h"
#include "lib/ipc/link.h"

static int answer = -1;

static void answered(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	(void)data;
	assert_int_equal(fd, -1);
	assert_true(is_last);
	answer = (int)response->status;
}

static unsigned timeout_s(const char *instance, const void *data)
{
	return strcmp(instance, "slow") == 0 ? *(const unsigned *)data : 5;
}

/* It takes what is said, and says nothing. */
static void ignore(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

static void accepted(struct stream *stream, void *data)
{
	*(struct stream **)data = stream;
	stream_own(stream, ignore, NULL);
}

static void a_silent_connector_is_waited_for_a_little_longer_than_it_waits_itself(void **state)
{
	static const struct { const char *instance; unsigned seconds; } cases[] = {
		{"quick", 5 + CONNECTOR_MARGIN_S}, {"slow", 600 + CONNECTOR_MARGIN_S},
	};
	const unsigned slow = 600;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct loop *loop = loop_create_manual(1000000);
		struct net *net = net_create_memory(loop);
		struct stream *connector = NULL;
		struct error error;
		struct listener *listener = net_listen(net, i == 0 ? "connector/quick" : "connector/slow", accepted, &connector, &error);
		struct connector_client *client = connector_client_create(net, "front", 1, timeout_s, &slow);
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		Belfry__Connector__ListCollections list = BELFRY__CONNECTOR__LIST_COLLECTIONS__INIT;

		answer = -1;
		request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LIST;
		request.list = &list;
		connector_ask(client, cases[i].instance, &request, answered, NULL);
		loop_advance(loop, cases[i].seconds * 1000 - 1);
		assert_int_equal(answer, -1);
		loop_advance(loop, 1);
		assert_int_equal(answer, BELFRY__CONNECTOR__STATUS__UNAVAILABLE);
		connector_client_free(&client);
		stream_close(&connector);
		listener_close(&listener);
		net_free(&net);
		loop_free(&loop);
	}
}

/* Answers each request with the next of these. */
static const Belfry__Connector__Status statuses[] = {
	BELFRY__CONNECTOR__STATUS__OK, BELFRY__CONNECTOR__STATUS__OK, BELFRY__CONNECTOR__STATUS__REFUSED,
	BELFRY__CONNECTOR__STATUS__THROTTLED, BELFRY__CONNECTOR__STATUS__UNAVAILABLE,
};
enum { STATUSES = sizeof statuses / sizeof *statuses };
static size_t next_status;
static struct link *daemon_link;

static void asked(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	Belfry__Connector__Request *request = belfry__connector__request__unpack(NULL, length, body);
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	(void)fd;
	(void)owner;
	if (request->body_case != BELFRY__CONNECTOR__REQUEST__BODY_HELLO) {
		response.id = request->id;
		response.status = statuses[next_status++ % STATUSES];
		link_send(link, &response.base, -1);
	}
	belfry__connector__request__free_unpacked(request, NULL);
}

static void lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	(void)why;
	(void)owner;
	link_close(&daemon_link);
}

static void accepted_by_daemon(struct stream *stream, void *data)
{
	static const struct link_events events = {.received = asked, .lost = lost};

	(void)data;
	daemon_link = link_create(stream, &events, NULL);
}

static void logins_are_counted_by_their_answers(void **state)
{
	struct loop *loop = loop_create_manual(1000000);
	struct net *net = net_create_memory(loop);
	struct error error;
	struct listener *listener = net_listen(net, "connector/main", accepted_by_daemon, NULL, &error);
	struct connector_client *client = connector_client_create(net, "front", 1, NULL, NULL);
	Belfry__Connector__Login login = BELFRY__CONNECTOR__LOGIN__INIT;
	Belfry__Connector__ListCollections list = BELFRY__CONNECTOR__LIST_COLLECTIONS__INIT;
	struct connector_logins logins;

	(void)state;
	for (int i = 0; i < 2 * STATUSES; i++) {
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		request.body_case = i < STATUSES ? BELFRY__CONNECTOR__REQUEST__BODY_LOGIN : BELFRY__CONNECTOR__REQUEST__BODY_LIST;
		if (i < STATUSES)
			request.login = &login;
		else
			request.list = &list;
		connector_ask(client, "main", &request, answered, NULL);
		loop_settle(loop);
	}
	assert_int_equal(next_status, 2 * STATUSES);
	connector_logins(client, &logins);
	assert_true(logins.accepted == 2 && logins.refused == 1 && logins.throttled == 1 && logins.failed == 1);
	connector_client_free(&client);
	loop_settle(loop);
	link_close(&daemon_link);
	listener_close(&listener);
	loop_settle(loop);
	net_free(&net);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_connector_is_waited_for_a_little_longer_than_it_waits_itself),
		cmocka_unit_test(logins_are_counted_by_their_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

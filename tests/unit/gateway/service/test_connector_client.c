/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long a connector is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/service/connector_client.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_connector_is_waited_for_a_little_longer_than_it_waits_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

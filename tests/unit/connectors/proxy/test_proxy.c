/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The postponing proxy: everything arrives, later, in another order, and alike with the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "connectors/null/mailbox.h"
#include "connectors/proxy/proxy.h"
#include "tests/unit/connectors/asker.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

enum { CHECKS = 20 };

static void note(const char *line, void *data)
{
	buffer_append_string(data, line);
	buffer_append_byte(data, '\n');
}

struct test {
	struct loop *loop;
	struct net *net;
	struct null_store *store;
	struct proxy *proxy;
	struct asker asker;
};

static void start(struct test *test, const struct proxy_options *options)
{
	test->loop = loop_create_manual(0);
	test->net = net_create_memory(test->loop);
	test->store = null_store_create(test->net, "behind", NULL);
	test->proxy = proxy_create(test->net, "connector/null", "behind", options, NULL);
	asker_connect(&test->asker, test->net, "connector/null", "hub");
}

static void finish(struct test *test)
{
	asker_free(&test->asker);
	proxy_free(&test->proxy);
	null_store_free(&test->store);
	loop_settle(test->loop);
	net_free(&test->net);
	loop_free(&test->loop);
}

/* Many requests in one turn; the order of the answers. */
static void ask_many(struct test *test, uint64_t order[CHECKS])
{
	for (uint64_t id = 1; id <= CHECKS; id++) {
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		Belfry__Connector__Check check = BELFRY__CONNECTOR__CHECK__INIT;
		request.id = id;
		request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_CHECK;
		request.check = &check;
		link_send(test->asker.link, &request.base, -1);
	}
	loop_settle(test->loop);
	assert_int_equal(test->asker.count, CHECKS);
	for (int i = 0; i < CHECKS; i++)
		order[i] = test->asker.answers[i]->id;
}

static void answers_overtake_each_other_in_a_repeatable_way(void **state)
{
	const struct proxy_options options = {.least_turns = 1, .most_turns = 7, .seed = 42};
	uint64_t orders[2][CHECKS];
	bool is_ascending = true;

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct test test;
		start(&test, &options);
		ask_many(&test, orders[run]);
		finish(&test);
	}
	assert_memory_equal(orders[0], orders[1], sizeof orders[0]);
	for (int i = 1; i < CHECKS; i++)
		is_ascending &= orders[0][i] > orders[0][i - 1];
	assert_false(is_ascending);
}

static void the_items_of_one_fetch_stay_in_order(void **state)
{
	const struct proxy_options options = {.least_turns = 0, .most_turns = 9, .seed = 7};
	struct test test;
	uint64_t ids[CHECKS];

	(void)state;
	start(&test, &options);
	for (uint64_t i = 0; i < CHECKS; i++)
		ids[i] = null_deliver(test.store, NULL, "INBOX", &(struct null_mail){0});
	asker_login(&test.asker, "alice", "secret", "", "");
	uint64_t id = asker_fetch(&test.asker, "INBOX", ids, CHECKS);
	for (unsigned i = 0; i < CHECKS; i++)
		assert_int_equal(asker_answer(&test.asker, id, i)->fetched->item->id, ids[i]);
	finish(&test);
}

static void what_passes_is_shown(void **state)
{
	struct buffer seen = BUFFER_EMPTY;
	const struct proxy_options options = {.passed = note, .data = &seen};
	struct test test;

	(void)state;
	start(&test, &options);
	asker_login(&test.asker, "alice", "no", "", "");
	assert_string_equal(buffer_string(&seen), "> id=0 hello\n> id=1 login\n< id=1 nothing status=2\n");
	finish(&test);
	buffer_release(&seen);
}

static void a_cut_line_is_noticed_and_can_be_made_anew(void **state)
{
	const struct proxy_options options = {.least_turns = 3};
	struct test test;

	(void)state;
	start(&test, &options);
	loop_settle(test.loop);
	proxy_cut(test.proxy);
	loop_settle(test.loop);
	assert_true(test.asker.is_lost);
	asker_free(&test.asker);
	asker_connect(&test.asker, test.net, "connector/null", "hub");
	assert_int_equal(asker_status(&test.asker, asker_login(&test.asker, "alice", "secret", "", "")), STATUS(OK));
	finish(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_overtake_each_other_in_a_repeatable_way),
		cmocka_unit_test(the_items_of_one_fetch_stay_in_order),
		cmocka_unit_test(what_passes_is_shown),
		cmocka_unit_test(a_cut_line_is_noticed_and_can_be_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

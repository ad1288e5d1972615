/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The null connector keeps the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "connectors/contract.h"
#include "connectors/null/mailbox.h"
#include "lib/core/mem.h"
#include "tests/unit/connectors/asker.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

struct test {
	struct loop *loop;
	struct net *net;
	struct null_store *store;
	struct asker front, hub;
};

static int set_up(void **state)
{
	struct test *test = mem_alloc(sizeof *test);

	test->loop = loop_create_manual(1000000);
	test->net = net_create_memory(test->loop);
	test->store = null_store_create(test->net, "connector/null", NULL);
	asker_connect(&test->front, test->net, "connector/null", "front");
	asker_connect(&test->hub, test->net, "connector/null", "hub");
	loop_settle(test->loop);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	asker_free(&test->front);
	asker_free(&test->hub);
	null_store_free(&test->store);
	loop_settle(test->loop);
	net_free(&test->net);
	loop_free(&test->loop);
	free(test);
	return 0;
}

static void in(struct test *test, const char *user)
{
	assert_int_equal(asker_status(&test->front, asker_login(&test->front, user, "secret", "192.0.2.1", "d")), STATUS(OK));
}

static void a_wrong_password_is_refused_and_a_changed_one_voids_the_handle(void **state)
{
	struct test *test = *state;

	assert_int_equal(asker_status(&test->front, asker_list(&test->front)), STATUS(LOGIN_NEEDED));
	assert_int_equal(asker_status(&test->front, asker_login(&test->front, "alice", "no", "", "")), STATUS(REFUSED));
	in(test, "alice");
	assert_int_equal(asker_status(&test->front, asker_list(&test->front)), STATUS(OK));
	null_user_set_password(test->store, "alice", "new");
	assert_int_equal(asker_status(&test->front, asker_list(&test->front)), STATUS(LOGIN_NEEDED));
	assert_int_equal(asker_status(&test->front, asker_login(&test->front, "alice", "secret", "", "")), STATUS(REFUSED));
	assert_int_equal(asker_status(&test->front, asker_login(&test->front, "alice", "new", "", "")), STATUS(OK));
}

static void the_usual_collections_are_there_and_more_can_be_made(void **state)
{
	struct test *test = *state;
	Belfry__Connector__Response *answer;

	in(test, "alice");
	null_collection_add(test->store, "alice", "INBOX/Bells", BELFRY__CONNECTOR__ROLE__NONE);
	answer = asker_answer(&test->front, asker_list(&test->front), 0);
	assert_int_equal(answer->collections->n_collections, 6);
	assert_string_equal(answer->collections->collections[0]->name, "INBOX");
	assert_int_equal(answer->collections->collections[0]->role, BELFRY__CONNECTOR__ROLE__INBOX);
	assert_string_equal(answer->collections->collections[5]->display_name, "Bells");
	assert_string_equal(answer->collections->collections[5]->parent, "INBOX");
	assert_true(null_collection_remove(test->store, "alice", "INBOX/Bells"));
	in(test, "bob");
	assert_int_equal(asker_answer(&test->front, asker_list(&test->front), 0)->collections->n_collections, 5);
}

static void a_survey_shows_what_is_there_as_ranges(void **state)
{
	struct test *test = *state;
	Belfry__Connector__Surveyed *surveyed;

	for (int i = 0; i < 5; i++)
		null_deliver(test->store, "alice", "INBOX", &(struct null_mail){0});
	null_expunge(test->store, "alice", "INBOX", 3);
	in(test, "alice");
	surveyed = asker_answer(&test->front, asker_survey(&test->front, "INBOX", 0, 0), 0)->surveyed;
	assert_int_equal(surveyed->present->n_bounds, 4);
	assert_memory_equal(surveyed->present->bounds, ((uint64_t[]){1, 2, 4, 5}), 32);
	assert_true(surveyed->flags_complete);
	assert_int_equal(surveyed->n_changed, 4);
	assert_int_equal(surveyed->position->next, 6);
	uint64_t token = surveyed->position->token, validity = surveyed->position->validity;
	null_flag(test->store, "alice", "INBOX", 4, BELFRY__CONNECTOR__FLAG__SEEN, 0);
	surveyed = asker_answer(&test->front, asker_survey(&test->front, "INBOX", validity, token), 0)->surveyed;
	assert_int_equal(surveyed->n_changed, 1);
	assert_int_equal(surveyed->changed[0]->id, 4);
	assert_int_equal(surveyed->changed[0]->flags, BELFRY__CONNECTOR__FLAG__SEEN);
	assert_false(surveyed->flags_complete);
	assert_int_equal(asker_status(&test->front, asker_survey(&test->front, "INBOX", validity + 1, 0)), STATUS(STALE));
	assert_int_equal(asker_status(&test->front, asker_survey(&test->front, "none", 0, 0)), STATUS(NOT_FOUND));
	null_collection_renew(test->store, "alice", "INBOX");
	assert_int_equal(asker_status(&test->front, asker_survey(&test->front, "INBOX", validity, token)), STATUS(STALE));
}

static void fetch_answers_each_item_and_one_bad_one_spoils_none(void **state)
{
	struct test *test = *state;
	char *large = mem_alloc(CONNECTOR_INLINE_MAX + 2);
	struct stat status;

	memset(large, 'x', CONNECTOR_INLINE_MAX + 1);
	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){.subject = "Re: one", .text = "Gr\xc3\xbc\xc3\x9f""e"});
	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){.is_bad = true});
	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){.text = large});
	in(test, "alice");
	uint64_t id = asker_fetch(&test->front, "INBOX", (uint64_t[]){1, 2, 9, 3}, 4);
	Belfry__Connector__Fetched *first = asker_answer(&test->front, id, 0)->fetched;
	assert_string_equal(first->item->mail->subject, "Re: one");
	assert_string_equal(first->item->mail->thread_topic, "one");
	assert_int_equal(first->item->body->data.len, 7);
	assert_false(first->last);
	assert_int_equal(asker_answer(&test->front, id, 1)->fetched->item->status, STATUS(BAD_ITEM));
	assert_int_equal(asker_answer(&test->front, id, 2)->fetched->item->status, STATUS(NOT_FOUND));
	assert_true(asker_answer(&test->front, id, 3)->fetched->item->body->in_descriptor);
	assert_true(asker_answer(&test->front, id, 3)->fetched->last);
	assert_int_equal(fstat(test->front.fds[test->front.count - 1], &status), 0);
	assert_int_equal(status.st_size, CONNECTOR_INLINE_MAX + 1);
	free(large);
}

static void a_body_is_cut_between_characters(void **state)
{
	static const struct { uint64_t truncate; bool all_or_none; size_t length; bool truncated; } cases[] = {
		{0, false, 0, true}, {3, false, 2, true}, {4, false, 4, true}, {7, false, 7, false}, {6, true, 0, true},
	};
	struct test *test = *state;

	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){.text = "Gr\xc3\xbc\xc3\x9f""e"});
	in(test, "alice");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;
		Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes[] = {&wish};
		uint64_t ids[] = {1};
		wish.type = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
		wish.has_truncate = true;
		wish.truncate = cases[i].truncate;
		wish.all_or_none = cases[i].all_or_none;
		wish.preview = 3;
		fetch.collection = (char *)"INBOX";
		fetch.ids = ids;
		fetch.n_ids = fetch.n_wishes = 1;
		fetch.wishes = wishes;
		request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, test->front.handle};
		request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
		request.fetch = &fetch;
		const Belfry__Connector__Body *body = asker_answer(&test->front, asker_ask(&test->front, &request), 0)->fetched->item->body;
		assert_int_equal(body->data.len, cases[i].length);
		assert_int_equal(body->truncated, cases[i].truncated);
		assert_int_equal(body->full_size, 7);
		assert_string_equal(body->preview, "Gr\xc3\xbc");
	}
}

static void an_apply_changes_flags_and_moves_to_the_trash(void **state)
{
	struct test *test = *state;
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Apply apply = BELFRY__CONNECTOR__APPLY__INIT;
	Belfry__Connector__Operation to_trash = BELFRY__CONNECTOR__OPERATION__INIT, gone = to_trash;
	Belfry__Connector__Operation *operations[] = {&to_trash, &gone};

	null_deliver(test->store, NULL, "INBOX", &(struct null_mail){0});
	in(test, "alice");
	assert_int_equal(asker_status(&test->front, asker_flag(&test->front, "INBOX", 1, 1, 0)), STATUS(OK));
	assert_int_equal(null_flags(test->store, "alice", "INBOX", 1), 1);
	assert_int_equal(null_flags(test->store, "bob", "INBOX", 1), 0); /* the template is nobody's own */
	to_trash.id = 1;
	to_trash.remove = to_trash.to_trash = true;
	gone.id = 7;
	apply.collection = (char *)"INBOX";
	apply.operations = operations;
	apply.n_operations = 2;
	request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, test->front.handle};
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_APPLY;
	request.apply = &apply;
	const Belfry__Connector__Applied *applied = asker_answer(&test->front, asker_ask(&test->front, &request), 0)->applied;
	assert_int_equal(applied->n_results, 2);
	assert_int_equal(applied->results[0], STATUS(OK));
	assert_int_equal(applied->results[1], STATUS(NOT_FOUND));
	assert_int_equal(null_count(test->store, "alice", "INBOX"), 0);
	assert_int_equal(null_flags(test->store, "alice", "Trash", 1), 1);
}

static void an_item_that_is_moved_has_its_new_id_also_when_it_is_asked_for_again(void **state)
{
	struct test *test = *state;
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Apply apply = BELFRY__CONNECTOR__APPLY__INIT;
	Belfry__Connector__Operation move = BELFRY__CONNECTOR__OPERATION__INIT, nowhere = move;
	Belfry__Connector__Operation *operations[] = {&nowhere, &move};

	null_deliver(test->store, NULL, "INBOX", &(struct null_mail){.message_id = "<a@x>"});
	null_deliver(test->store, NULL, "Sent", &(struct null_mail){0});
	in(test, "alice");
	move.id = nowhere.id = 1;
	move.move_to = (char *)"Sent";
	move.message_id = (char *)"<a@x>";
	nowhere.move_to = (char *)"None";
	apply.collection = (char *)"INBOX";
	apply.operations = operations;
	apply.n_operations = 2;
	request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, test->front.handle};
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_APPLY;
	request.apply = &apply;
	for (int i = 0; i < 2; i++) {
		const Belfry__Connector__Applied *applied = asker_answer(&test->front, asker_ask(&test->front, &request), 0)->applied;
		assert_int_equal(applied->results[0], i == 0 ? STATUS(UNSUPPORTED) : STATUS(NOT_FOUND));
		assert_int_equal(applied->results[1], STATUS(OK));
		assert_int_equal(applied->moved[1], 2);
		assert_int_equal(null_count(test->store, "alice", "INBOX"), 0);
		assert_int_equal(null_count(test->store, "alice", "Sent"), 2);
	}
}

static void a_watch_tells_each_change_and_with_hooks_none(void **state)
{
	static const char *const inbox[] = {"INBOX", "none", NULL};
	struct test *test = *state;
	Belfry__Connector__Response *told;

	assert_int_equal(asker_status(&test->hub, asker_watch(&test->hub, "alice@example.org", inbox, false)), STATUS(OK));
	told = asker_answer(&test->hub, 0, 0);
	assert_string_equal(told->positions->user, "alice@example.org");
	assert_int_equal(told->positions->positions[1]->status, STATUS(NOT_FOUND));
	asker_clear(&test->hub);
	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){0});
	null_deliver(test->store, "alice", "Sent", &(struct null_mail){0});
	loop_settle(test->loop);
	assert_int_equal(test->hub.count, 1);
	told = asker_answer(&test->hub, 0, 0);
	assert_string_equal(told->positions->user, "alice@example.org");
	assert_int_equal(told->positions->positions[0]->position->next, 2);
	assert_true(null_is_watched(test->store, "alice"));
	asker_watch(&test->hub, "alice@example.org", inbox, true);
	asker_clear(&test->hub);
	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){0});
	loop_settle(test->loop);
	assert_int_equal(test->hub.count, 0);
}

static void check_says_where_it_stands(void **state)
{
	static const char *const names[] = {"INBOX", "none", NULL};
	struct test *test = *state;
	Belfry__Connector__Positions *positions;

	null_deliver(test->store, "alice", "INBOX", &(struct null_mail){0});
	positions = asker_answer(&test->hub, asker_check(&test->hub, "alice@example.org", names), 0)->positions;
	assert_string_equal(positions->source, "check");
	assert_int_equal(positions->positions[0]->position->next, 2);
	assert_int_equal(positions->positions[1]->status, STATUS(NOT_FOUND));
	null_store_set_trouble(test->store, STATUS(UNAVAILABLE));
	assert_int_equal(asker_status(&test->hub, asker_check(&test->hub, "alice", names)), STATUS(UNAVAILABLE));
	assert_int_equal(null_asked(test->store, BELFRY__CONNECTOR__REQUEST__BODY_CHECK), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_wrong_password_is_refused_and_a_changed_one_voids_the_handle),
		TEST(the_usual_collections_are_there_and_more_can_be_made),
		TEST(a_survey_shows_what_is_there_as_ranges),
		TEST(fetch_answers_each_item_and_one_bad_one_spoils_none),
		TEST(a_body_is_cut_between_characters),
		TEST(an_apply_changes_flags_and_moves_to_the_trash),
		TEST(an_item_that_is_moved_has_its_new_id_also_when_it_is_asked_for_again),
		TEST(a_watch_tells_each_change_and_with_hooks_none),
		TEST(check_says_where_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workers: who gets what, and what one that dies, hangs or is refused costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "connectors/imap/pool.h"
#include "connectors/imap/unsettled.h"
#include "lib/core/log.h"
#include "tests/unit/connectors/imap/fixture.h"

enum { TIMEOUT_MS = 30000 };

static const uint64_t items[] = {5, 6, 7};

static void an_answer_is_passed_on_with_the_askers_id(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, "alice@example.org");
	uint64_t id = asker_fetch(&fixture.front, "INBOX", items, 3);
	const Belfry__Worker__WorkerRequest *request = worker_request(&fixture, 0);
	assert_string_equal(request->user, "alice");
	assert_memory_equal(request->password.data, "secret", 6);
	assert_int_equal(request->request->id, id);
	assert_int_equal(request->request->handle.len, 0);
	worker_answer(&fixture, 0, STATUS(OK), false);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_non_null(asker_answer(&fixture.front, id, 1));
	assert_null(asker_answer(&fixture.front, id, 2));
	asker_list(&fixture.front);
	assert_int_equal(fixture.started, 1); /* the same worker, the same session */
	assert_memory_equal(worker_request(&fixture, 0)->session_key.data, request->session_key.data, ACCOUNT_HANDLE_BYTES);
	fixture_stop(&fixture);
}

static void a_busy_worker_holds_nobody_up(void **state)
{
	struct fixture fixture;
	uint64_t ids[4];

	(void)state;
	fixture_start(&fixture, "workers=3\n");
	fixture_login(&fixture, "alice@example.org");
	for (int i = 0; i < 4; i++)
		ids[i] = asker_list(&fixture.front);
	assert_int_equal(fixture.started, POOL_USER_RUNNING_MAX); /* one user does not take all */
	fixture_login(&fixture, "bob@example.org");
	asker_list(&fixture.front);
	assert_int_equal(fixture.started, 3);
	assert_int_equal(worker_of(&fixture, "bob"), 2);
	for (int i = 0; i < 3; i++)
		worker_answer(&fixture, 0, STATUS(OK), true);
	worker_answer(&fixture, 1, STATUS(OK), true);
	for (int i = 0; i < 4; i++)
		assert_int_equal(asker_status(&fixture.front, ids[i]), STATUS(OK));
	fixture_stop(&fixture);
}

static uint64_t ask_search(struct fixture *fixture)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Search search = BELFRY__CONNECTOR__SEARCH__INIT;

	request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, fixture->front.handle};
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SEARCH;
	request.search = &search;
	return asker_ask(&fixture->front, &request);
}

static void searches_leave_workers_to_others(void **state)
{
	static const char *const users[] = {"alice@example.org", "bob@example.org", "carol@example.org"};
	struct fixture fixture;
	uint64_t ids[4];

	(void)state;
	fixture_start(&fixture, "workers=4\n");
	for (int i = 0; i < 3; i++) {
		fixture_login(&fixture, users[i]);
		ids[i] = ask_search(&fixture);
	}
	assert_int_equal(fixture.started, 2); /* half of the workers */
	asker_list(&fixture.front);
	assert_int_equal(fixture.started, 3); /* carol's list does not wait behind her search */
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, ids[0]), STATUS(OK));
	assert_int_equal(asker_status(&fixture.front, ids[2]), -1);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, ids[2]), STATUS(OK)); /* alice's worker has it now */
	ids[2] = ask_search(&fixture);
	ids[3] = ask_search(&fixture); /* carol's second waits for her first */
	worker_answer(&fixture, 1, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, ids[1]), STATUS(OK));
	assert_int_equal(asker_status(&fixture.front, ids[3]), -1);
	fixture_stop(&fixture);
}

static uint64_t ask_set_oof(struct fixture *fixture)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__SetOof set = BELFRY__CONNECTOR__SET_OOF__INIT;

	request.handle = (ProtobufCBinaryData){ASKER_HANDLE_BYTES, fixture->front.handle};
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
	request.set_oof = &set;
	return asker_ask(&fixture->front, &request);
}

static void out_of_office_of_a_user_is_set_one_at_a_time(void **state)
{
	struct fixture fixture;
	uint64_t ids[3];

	(void)state;
	fixture_start(&fixture, "workers=4\n");
	fixture_login(&fixture, "alice@example.org");
	ids[0] = ask_set_oof(&fixture);
	ids[1] = ask_set_oof(&fixture);
	assert_int_equal(fixture.started, 1);
	fixture_login(&fixture, "bob@example.org");
	ids[2] = ask_set_oof(&fixture);
	assert_int_equal(fixture.started, 2);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, ids[0]), STATUS(OK));
	assert_int_equal(asker_status(&fixture.front, ids[1]), -1);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, ids[1]), STATUS(OK));
	assert_int_equal(asker_status(&fixture.front, ids[2]), -1);
	fixture_stop(&fixture);
}

static void of_a_collection_one_apply_runs_at_a_time_in_the_order_they_came(void **state)
{
	struct fixture fixture;
	struct asker other;

	(void)state;
	fixture_start(&fixture, "workers=4\n");
	fixture_login(&fixture, "alice@example.org");
	asker_connect(&other, fixture.net, "connector/imap", "front");
	loop_settle(fixture.loop);
	memcpy(other.handle, fixture.hub.handle, ASKER_HANDLE_BYTES);
	asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	asker_flag(&other, "INBOX", 6, 1, 0);
	asker_flag(&other, "INBOX", 7, 1, 0);
	assert_int_equal(fixture.started, 1);
	asker_survey(&other, "INBOX", 0, 0); /* what only reads does not wait */
	assert_int_equal(fixture.started, 2);
	assert_int_equal(worker_request(&fixture, 1)->request->body_case, BELFRY__CONNECTOR__REQUEST__BODY_SURVEY);
	worker_answer(&fixture, 1, STATUS(OK), true);
	asker_flag(&other, "Sent", 8, 1, 0); /* nor does another collection */
	assert_string_equal(worker_request(&fixture, 1)->request->apply->collection, "Sent");
	worker_answer(&fixture, 1, STATUS(OK), true);
	asker_free(&fixture.front); /* it has died: what it asked for is being done all the same */
	loop_settle(fixture.loop);
	assert_int_equal(fixture.workers[1].count, 2);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(worker_request(&fixture, 0)->request->apply->operations[0]->id, 6);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(worker_request(&fixture, 0)->request->apply->operations[0]->id, 7);
	asker_free(&other);
	fixture_stop(&fixture);
}

static void a_move_that_nobody_saw_the_end_of_is_told_to_who_comes_next(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	assert_int_equal(worker_request(&fixture, 0)->unsettled, 0);
	atomic_store(&fixture.workers[0].board.unsettled, 41);
	worker_die(&fixture, 0, SIGKILL);
	loop_advance(fixture.loop, 4000);
	asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	assert_int_equal(worker_request(&fixture, 1)->unsettled, 41);
	assert_int_equal(worker_request(&fixture, 1)->settle_ms, TIMEOUT_MS / 3 - 4000);
	assert_int_equal(atomic_load(&fixture.workers[1].board.unsettled), 0); /* this one has moved nothing yet */
	atomic_store(&fixture.workers[1].board.unsettled, 43);
	worker_answer(&fixture, 1, STATUS(UNAVAILABLE), true); /* its session was lost */
	asker_flag(&fixture.front, "Sent", 5, 1, 0);
	assert_int_equal(worker_request(&fixture, 1)->unsettled, 0);
	worker_answer(&fixture, 1, STATUS(OK), true);
	asker_survey(&fixture.front, "INBOX", 0, 0);
	assert_int_equal(worker_request(&fixture, 1)->unsettled, 0);
	worker_answer(&fixture, 1, STATUS(OK), true);
	loop_advance(fixture.loop, 60000);
	asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	assert_int_equal(worker_request(&fixture, 1)->unsettled, 41); /* copies of the first may stand there, too */
	assert_int_equal(worker_request(&fixture, 1)->settle_ms, 0);  /* whoever was at it has ended long ago */
	loop_advance(fixture.loop, TIMEOUT_MS + POOL_GRACE_MS);
	loop_advance(fixture.loop, UNSETTLED_KEEP_S * 1000ll);
	fixture_login(&fixture, "alice@example.org");
	asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	assert_int_equal(worker_request(&fixture, 2)->unsettled, 0);
	fixture_stop(&fixture);
}

static void what_was_not_found_is_doubted_in_the_users_lists(void **state)
{
	const uint64_t mail = 7;
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_survey(&fixture.front, "a", 0, 0);
	worker_answer(&fixture, 0, STATUS(NOT_FOUND), true);
	asker_flag(&fixture.front, "b", 5, 1, 0);
	worker_answer(&fixture, 0, STATUS(NOT_FOUND), true);
	asker_survey(&fixture.front, "c", 0, 0);
	worker_answer(&fixture, 0, STATUS(UNAVAILABLE), true);
	asker_fetch(&fixture.front, "d", &mail, 1);
	worker_answer(&fixture, 0, STATUS(NOT_FOUND), true); /* a mail of it */
	worker_die(&fixture, 0, SIGKILL);
	asker_list(&fixture.front);
	assert_int_equal(worker_request(&fixture, 1)->n_doubted, 2);
	assert_string_equal(worker_request(&fixture, 1)->doubted[0], "a");
	assert_string_equal(worker_request(&fixture, 1)->doubted[1], "b");
	worker_answer(&fixture, 1, STATUS(OK), true);
	asker_survey(&fixture.front, "a", 0, 0);
	assert_int_equal(worker_request(&fixture, 1)->n_doubted, 0); /* it is the list that is to be looked at */
	worker_answer(&fixture, 1, STATUS(OK), true);
	fixture_login(&fixture, "bob@example.org");
	asker_list(&fixture.front);
	assert_int_equal(worker_request(&fixture, 1)->n_doubted, 0);
	fixture_stop(&fixture);
}

static void who_waits_too_long_is_told_so(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	loop_advance(fixture.loop, 1000);
	uint64_t waits = asker_list(&fixture.front);
	for (int i = 0; i < 4; i++) { /* the first goes on: each item that comes gives it time */
		loop_advance(fixture.loop, TIMEOUT_MS / 4);
		worker_answer(&fixture, 0, STATUS(OK), false);
	}
	assert_int_equal(asker_status(&fixture.front, waits), STATUS(UNAVAILABLE));
	assert_false(fixture.workers[0].was_killed);
	fixture_stop(&fixture);
}

static void the_time_in_the_queue_counts(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	uint64_t waits = asker_flag(&fixture.front, "INBOX", 5, 1, 0);
	loop_advance(fixture.loop, TIMEOUT_MS / 3);
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(worker_request(&fixture, 0)->timeout_s, TIMEOUT_MS / 3 * 2 / 1000);
	loop_advance(fixture.loop, TIMEOUT_MS / 3 * 2);
	assert_int_equal(asker_status(&fixture.front, waits), -1); /* it may still say so itself */
	loop_advance(fixture.loop, POOL_GRACE_MS);
	assert_int_equal(asker_status(&fixture.front, waits), STATUS(UNAVAILABLE));
	assert_true(fixture.workers[0].was_killed);
	fixture_stop(&fixture);
}

static void an_item_that_a_worker_died_on_is_left_out(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	uint64_t id = asker_fetch(&fixture.front, "INBOX", items, 3);
	worker_answer(&fixture, 0, STATUS(OK), false);
	board_write(&fixture.workers[0].board, BOARD_FETCHING, 7, 6);
	worker_die(&fixture, 0, SIGSEGV);
	assert_int_equal(asker_answer(&fixture.front, id, 1)->status, STATUS(UNAVAILABLE));
	loop_advance(fixture.loop, 1000);
	asker_fetch(&fixture.front, "INBOX", items, 3);
	assert_int_equal(fixture.started, 2);
	assert_int_equal(worker_request(&fixture, 1)->n_quarantined, 1);
	assert_int_equal(worker_request(&fixture, 1)->quarantined[0], 6);
	assert_false(worker_request(&fixture, 1)->careful);
	worker_answer(&fixture, 1, STATUS(OK), true);
	asker_fetch(&fixture.front, "Sent", items, 3);
	assert_int_equal(worker_request(&fixture, 1)->n_quarantined, 0);
	fixture_stop(&fixture);
}

static void when_it_is_not_known_which_item_each_is_fetched_alone(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_fetch(&fixture.front, "INBOX", items, 3);
	board_write(&fixture.workers[0].board, BOARD_FETCHING, 7, 0);
	worker_die(&fixture, 0, SIGSEGV);
	loop_advance(fixture.loop, 1000);
	asker_fetch(&fixture.front, "INBOX", items, 3);
	assert_true(worker_request(&fixture, 1)->careful);
	assert_int_equal(worker_request(&fixture, 1)->n_quarantined, 0);
	worker_answer(&fixture, 1, STATUS(OK), true); /* all went well: the collection is as good as any other */
	asker_fetch(&fixture.front, "INBOX", items, 3);
	assert_false(worker_request(&fixture, 1)->careful);
	fixture_stop(&fixture);
}

static void how_a_worker_died_says_whether_it_was_the_items_fault(void **state)
{
	static const struct { enum board_phase phase; int wait_status; size_t quarantined; } cases[] = {
		{BOARD_PARSING, SIGSEGV, 1}, {BOARD_PARSING, SIGABRT, 1}, {BOARD_PARSING, W_EXITCODE(1, 0), 1},
		{BOARD_PARSING, SIGKILL, 0}, {BOARD_PARSING, SIGTERM, 0}, {BOARD_PARSING, W_EXITCODE(0, 0), 0},
		{BOARD_FETCHING, SIGBUS, 1}, {BOARD_FETCHING, SIGKILL, 0}, {BOARD_IDLE, SIGSEGV, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture fixture;
		fixture_start(&fixture, "workers=1\n");
		fixture_login(&fixture, "alice@example.org");
		asker_fetch(&fixture.front, "INBOX", items, 3);
		board_write(&fixture.workers[0].board, cases[i].phase, 7, 6);
		worker_die(&fixture, 0, cases[i].wait_status);
		loop_advance(fixture.loop, 1000);
		asker_fetch(&fixture.front, "INBOX", items, 3);
		assert_int_equal(worker_request(&fixture, 1)->n_quarantined, cases[i].quarantined);
		fixture_stop(&fixture);
	}
}

static void a_killed_worker_makes_nobody_careful(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_fetch(&fixture.front, "INBOX", items, 3);
	board_write(&fixture.workers[0].board, BOARD_FETCHING, 7, 0);
	worker_die(&fixture, 0, SIGKILL);
	loop_advance(fixture.loop, 1000);
	asker_fetch(&fixture.front, "INBOX", items, 3);
	assert_false(worker_request(&fixture, 1)->careful);
	fixture_stop(&fixture);
}

static void a_worker_that_hangs_is_killed_and_the_network_blames_no_item(void **state)
{
	static const struct { enum board_phase phase; size_t quarantined; } cases[] = {
		{BOARD_IDLE, 0}, {BOARD_FETCHING, 0}, {BOARD_PARSING, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture fixture;
		fixture_start(&fixture, "workers=1\n");
		fixture_login(&fixture, "alice@example.org");
		uint64_t id = asker_fetch(&fixture.front, "INBOX", items, 3);
		board_write(&fixture.workers[0].board, cases[i].phase, 7, 6);
		loop_advance(fixture.loop, TIMEOUT_MS);
		assert_int_equal(asker_status(&fixture.front, id), -1);
		loop_advance(fixture.loop, POOL_GRACE_MS);
		assert_int_equal(asker_status(&fixture.front, id), STATUS(UNAVAILABLE));
		assert_true(fixture.workers[0].was_killed);
		asker_fetch(&fixture.front, "INBOX", items, 3);
		assert_int_equal(worker_request(&fixture, 1)->n_quarantined, cases[i].quarantined);
		fixture_stop(&fixture);
	}
}

static void workers_that_die_at_once_are_started_ever_more_slowly(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	for (int i = 0; i < 600; i++) { /* a minute */
		asker_list(&fixture.front);
		if (fixture.started > 0 && fixture.workers[fixture.started - 1].link != NULL)
			worker_die(&fixture, fixture.started - 1, SIGSEGV);
		loop_advance(fixture.loop, 100);
		asker_clear(&fixture.front);
	}
	assert_in_range(fixture.started, 5, 12);
	fixture_stop(&fixture);
}

static void a_worker_without_work_is_let_go(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "worker_idle_s=60\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	worker_answer(&fixture, 0, STATUS(OK), true);
	loop_advance(fixture.loop, 59000);
	assert_non_null(fixture.workers[0].link);
	loop_advance(fixture.loop, 2000);
	assert_null(fixture.workers[0].link);
	assert_false(fixture.workers[0].was_killed); /* it ended by itself when its line did */
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	assert_int_equal(fixture.started, 2);
	fixture_stop(&fixture);
}

static void a_refused_login_in_a_worker_voids_it_everywhere(void **state)
{
	static const char *const inbox[] = {"INBOX", NULL};
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=2\n");
	fixture_login(&fixture, "alice@example.org");
	asker_watch(&fixture.hub, "alice@example.org", inbox, false);
	uint64_t first = asker_list(&fixture.front), second = asker_list(&fixture.front), third = asker_list(&fixture.front);
	asker_clear(&fixture.hub);
	worker_answer_login(&fixture, 0, BELFRY__WORKER__OUTCOME__REFUSED);
	assert_int_equal(asker_status(&fixture.front, first), STATUS(LOGIN_NEEDED));
	assert_int_equal(asker_status(&fixture.front, third), STATUS(LOGIN_NEEDED)); /* it waited */
	assert_int_equal(worker_request(&fixture, 1)->forget.len, ACCOUNT_HANDLE_BYTES);
	assert_int_equal(asker_answer(&fixture.hub, 0, 0)->positions->status, STATUS(LOGIN_NEEDED));
	assert_int_equal(fixture.backend.connected, 0);
	assert_int_equal(asker_status(&fixture.front, asker_list(&fixture.front)), STATUS(LOGIN_NEEDED));
	assert_int_equal(asker_status(&fixture.front, second), -1);
	fixture_stop(&fixture);
	assert_int_equal(secret_count(), 0);
}

static void queues_are_bounded(void **state)
{
	struct fixture fixture;
	unsigned limited = 0;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	for (unsigned i = 0; i < POOL_USER_WAITING_MAX + 10; i++)
		limited += asker_status(&fixture.front, asker_list(&fixture.front)) == STATUS(LIMIT);
	assert_int_equal(limited, 9); /* one runs */
	fixture_stop(&fixture);
}

static void a_front_that_leaves_frees_the_worker_for_others(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	asker_list(&fixture.front);
	asker_free(&fixture.front);
	asker_connect(&fixture.front, fixture.net, "connector/imap", "front");
	loop_settle(fixture.loop);
	worker_answer(&fixture, 0, STATUS(OK), true); /* to nobody */
	memcpy(fixture.front.handle, fixture.hub.handle, ASKER_HANDLE_BYTES);
	uint64_t id = asker_list(&fixture.front);
	assert_int_equal(fixture.workers[0].count, 2); /* what waited went with the front */
	worker_answer(&fixture, 0, STATUS(OK), true);
	assert_int_equal(asker_status(&fixture.front, id), STATUS(OK));
	fixture_stop(&fixture);
}

static void a_front_that_does_not_read_slows_its_worker_only(void **state)
{
	struct fixture fixture;
	struct asker other;
	uint8_t *large = calloc(1, SERVICE_PENDING_MAX / 4);
	Belfry__Worker__WorkerResponse message = BELFRY__WORKER__WORKER_RESPONSE__INIT;

	(void)state;
	fixture_start(&fixture, "workers=2\n");
	fixture_login(&fixture, "alice@example.org");
	link_pause(fixture.front.link);
	asker_fetch(&fixture.front, "INBOX", items, 3);
	message.id = worker_request(&fixture, 0)->id;
	message.response = (ProtobufCBinaryData){SERVICE_PENDING_MAX / 4, large};
	for (int i = 0; i < 40; i++) {
		link_send(fixture.workers[0].link, &message.base, -1);
		loop_settle(fixture.loop);
	}
	assert_true(link_pending(fixture.workers[0].link) > 8 * SERVICE_PENDING_MAX); /* it waits before the daemon */
	loop_advance(fixture.loop, 2 * TIMEOUT_MS);
	assert_false(fixture.workers[0].was_killed);
	asker_connect(&other, fixture.net, "connector/imap", "front");
	loop_settle(fixture.loop);
	memcpy(other.handle, fixture.hub.handle, ASKER_HANDLE_BYTES);
	uint64_t id = asker_list(&other);
	worker_answer(&fixture, 1, STATUS(OK), true);
	assert_int_equal(asker_status(&other, id), STATUS(OK));
	asker_free(&other);
	fixture_stop(&fixture);
	free(large);
}

static void switch_trace(struct fixture *fixture, const char *subsystem, const char *user, bool on)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Role__Trace trace = BELFRY__ROLE__TRACE__INIT;

	trace.subsystem = (char *)(uintptr_t)subsystem;
	trace.user = (char *)(uintptr_t)user;
	trace.on = on;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_TRACE;
	request.trace = &trace;
	link_send(fixture->hub.link, &request.base, -1);
	loop_settle(fixture->loop);
}

/* What the worker was told of the trace, in one line. */
static const char *traced_in(const struct fixture *fixture, unsigned worker)
{
	static char text[256];
	const struct fake_worker *fake = &fixture->workers[worker];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < fake->count; i++)
		if (fake->requests[i]->trace != NULL)
			at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s ", fake->requests[i]->trace->on ? "+" : "-",
				fake->requests[i]->trace->subsystem, fake->requests[i]->trace->user);
	return text;
}

static void workers_of_now_and_later_trace_until_the_hub_is_gone(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=2\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	assert_string_equal(worker_request(&fixture, 0)->canonical, "alice@example.org");
	switch_trace(&fixture, "imap", "", true);
	switch_trace(&fixture, "", "bob@example.org", true);
	assert_true(log_traced(LOG_IMAP, NULL, NULL));
	asker_list(&fixture.front);
	assert_string_equal(traced_in(&fixture, 0), "+imap +bob@example.org ");
	assert_string_equal(traced_in(&fixture, 1), "+imap +bob@example.org ");
	switch_trace(&fixture, "imap", "", false);
	assert_string_equal(traced_in(&fixture, 1), "+imap +bob@example.org -imap ");
	link_close(&fixture.hub.link);
	loop_settle(fixture.loop);
	assert_string_equal(traced_in(&fixture, 1), "+imap +bob@example.org -imap -all* ");
	assert_false(log_traced(LOG_IMAP, "bob@example.org", NULL));
	fixture_stop(&fixture);
}

/* --- mails that are sent --------------------------------------------------------------------------------------- */

static void the_same_mail_waits_for_its_first_request(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=4\n");
	fixture_login(&fixture, "alice@example.org");
	uint64_t first = asker_send(&fixture.front, "<1@x>"), again = asker_send(&fixture.front, "<1@x>");
	assert_int_equal(fixture.started, 1);
	assert_int_equal(fixture.workers[0].descriptors, 1);
	uint64_t other = asker_send(&fixture.front, "<2@x>");
	assert_int_equal(fixture.started, 2);
	worker_answer_sent(&fixture, 1, true, true);
	assert_int_equal(asker_status(&fixture.front, other), STATUS(OK));
	worker_answer_sent(&fixture, 0, false, false); /* it goes on */
	assert_int_equal(fixture.workers[0].count, 1);
	worker_answer_sent(&fixture, 0, true, true);
	assert_int_equal(asker_status(&fixture.front, first), STATUS(OK));
	assert_int_equal(fixture.workers[0].count, 2);
	assert_int_equal(fixture.workers[0].descriptors, 2);
	assert_true(worker_request(&fixture, 0)->submitted);
	worker_answer_sent(&fixture, 0, true, true);
	assert_int_equal(asker_status(&fixture.front, again), STATUS(OK));
	fixture_login(&fixture, "bob@example.org");
	asker_send(&fixture.front, "<1@x>"); /* another's is another */
	assert_false(worker_request(&fixture, (unsigned)worker_of(&fixture, "bob"))->submitted);
	fixture_stop(&fixture);
}

static void what_was_handed_in_is_known_after_the_workers_death(void **state)
{
	struct fixture fixture;

	(void)state;
	for (int was_submitted = 0; was_submitted < 2; was_submitted++) {
		fixture_start(&fixture, "workers=1\n");
		fixture_login(&fixture, "alice@example.org");
		uint64_t id = asker_send(&fixture.front, "<1@x>");
		assert_false(worker_request(&fixture, 0)->submitted);
		worker_answer_sent(&fixture, 0, was_submitted == 1, false);
		worker_die(&fixture, 0, SIGKILL);
		assert_int_equal(asker_answer(&fixture.front, id, 1)->status, STATUS(UNAVAILABLE));
		loop_advance(fixture.loop, 1000);
		asker_send(&fixture.front, "<1@x>");
		assert_int_equal(worker_request(&fixture, 1)->submitted, was_submitted);
		fixture_stop(&fixture);
	}
}

static void a_front_that_leaves_does_not_stop_its_mail(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=2\n");
	fixture_login(&fixture, "alice@example.org");
	asker_send(&fixture.front, "<1@x>");
	asker_free(&fixture.front);
	asker_connect(&fixture.front, fixture.net, "connector/imap", "front");
	loop_settle(fixture.loop);
	memcpy(fixture.front.handle, fixture.hub.handle, ASKER_HANDLE_BYTES);
	uint64_t again = asker_send(&fixture.front, "<1@x>");
	assert_int_equal(fixture.started, 1); /* it waits */
	worker_answer_sent(&fixture, 0, true, true);
	assert_true(worker_request(&fixture, 0)->submitted);
	worker_answer_sent(&fixture, 0, true, true);
	assert_int_equal(asker_status(&fixture.front, again), STATUS(OK));
	fixture_stop(&fixture);
}

static void mails_leave_workers_for_those_who_read(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=4\n");
	fixture_login(&fixture, "alice@example.org");
	asker_send(&fixture.front, "<1@x>");
	fixture_login(&fixture, "bob@example.org");
	asker_send(&fixture.front, "<2@x>");
	fixture_login(&fixture, "carol@example.org");
	asker_send(&fixture.front, "<3@x>");
	assert_int_equal(fixture.started, 2);
	asker_list(&fixture.front);
	assert_int_equal(fixture.started, 3);
	worker_answer_sent(&fixture, 0, true, true);
	assert_string_equal(worker_request(&fixture, 0)->request->send->message_id, "<3@x>");
	fixture_stop(&fixture);
}

static void a_mail_that_no_worker_takes_is_deferred(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "workers=1\n");
	fixture_login(&fixture, "alice@example.org");
	asker_list(&fixture.front);
	uint64_t id = asker_send(&fixture.front, "<1@x>");
	for (int i = 0; i < 5; i++) {
		loop_advance(fixture.loop, TIMEOUT_MS / 4);
		worker_answer(&fixture, 0, STATUS(OK), false);
	}
	assert_int_equal(asker_status(&fixture.front, id), STATUS(DEFERRED));
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_passed_on_with_the_askers_id),
		cmocka_unit_test(a_busy_worker_holds_nobody_up),
		cmocka_unit_test(searches_leave_workers_to_others),
		cmocka_unit_test(out_of_office_of_a_user_is_set_one_at_a_time),
		cmocka_unit_test(of_a_collection_one_apply_runs_at_a_time_in_the_order_they_came),
		cmocka_unit_test(a_move_that_nobody_saw_the_end_of_is_told_to_who_comes_next),
		cmocka_unit_test(what_was_not_found_is_doubted_in_the_users_lists),
		cmocka_unit_test(who_waits_too_long_is_told_so),
		cmocka_unit_test(the_time_in_the_queue_counts),
		cmocka_unit_test(an_item_that_a_worker_died_on_is_left_out),
		cmocka_unit_test(when_it_is_not_known_which_item_each_is_fetched_alone),
		cmocka_unit_test(how_a_worker_died_says_whether_it_was_the_items_fault),
		cmocka_unit_test(a_killed_worker_makes_nobody_careful),
		cmocka_unit_test(a_worker_that_hangs_is_killed_and_the_network_blames_no_item),
		cmocka_unit_test(workers_that_die_at_once_are_started_ever_more_slowly),
		cmocka_unit_test(a_worker_without_work_is_let_go),
		cmocka_unit_test(a_refused_login_in_a_worker_voids_it_everywhere),
		cmocka_unit_test(queues_are_bounded),
		cmocka_unit_test(a_front_that_leaves_frees_the_worker_for_others),
		cmocka_unit_test(a_front_that_does_not_read_slows_its_worker_only),
		cmocka_unit_test(workers_of_now_and_later_trace_until_the_hub_is_gone),
		cmocka_unit_test(the_same_mail_waits_for_its_first_request),
		cmocka_unit_test(what_was_handed_in_is_known_after_the_workers_death),
		cmocka_unit_test(a_front_that_leaves_does_not_stop_its_mail),
		cmocka_unit_test(mails_leave_workers_for_those_who_read),
		cmocka_unit_test(a_mail_that_no_worker_takes_is_deferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

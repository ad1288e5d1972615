/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The watch half by the clock: NOTIFY, IDLE, polling, hooks, reconnects, and who is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "connectors/contract.h"
#include "connectors/imap/watch.h"
#include "lib/core/log.h"
#include "tests/unit/connectors/imap/fixture.h"

static const char alice[] = "alice@example.org";
static const char *const inbox[] = {"INBOX", NULL};
static const char *const both[] = {"Sent", "INBOX", NULL};
static const char with_idle[] = "IMAP4rev1 IDLE";

/* How many Positions were told unasked. */
static unsigned told(const struct fixture *fixture)
{
	unsigned count = 0;

	while (asker_answer(&fixture->hub, 0, count) != NULL)
		count++;
	return count;
}

static const Belfry__Connector__Positions *last_told(const struct fixture *fixture)
{
	assert_true(told(fixture) > 0);
	return asker_answer(&fixture->hub, 0, told(fixture) - 1)->positions;
}

static void watching(struct fixture *fixture, const char *settings, const char *capabilities, const char *const *boxes)
{
	fixture_start(fixture, settings);
	fixture->backend.capabilities = capabilities;
	fixture_login(fixture, alice);
	assert_int_equal(asker_status(&fixture->hub, asker_watch(&fixture->hub, alice, boxes, false)), STATUS(OK));
	assert_int_equal(told(fixture), 1);
}

static void notify_tells_of_every_collection_by_one_session(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, both);
	assert_int_equal(last_told(&fixture)->n_positions, 2);
	assert_int_equal(fake_imap_idling(&fixture.backend), 1);
	fake_imap_deliver(&fixture.backend, "Sent");
	assert_int_equal(told(&fixture), 2);
	assert_string_equal(last_told(&fixture)->source, "notify");
	assert_string_equal(last_told(&fixture)->positions[0]->collection, "Sent");
	assert_int_equal(last_told(&fixture)->positions[0]->position->next, 2);
	assert_int_equal(last_told(&fixture)->positions[0]->position->token, 3);
	unsigned statuses = fixture.backend.statuses;
	loop_advance(fixture.loop, 3600 * 1000);
	assert_int_equal(fixture.backend.statuses, statuses); /* an hour without a question */
	fixture_stop(&fixture);
}

static const char *const with_hierarchy[] = {"INBOX", "", NULL};

static uint64_t hierarchy_token_of(const Belfry__Connector__Positions *positions, size_t at)
{
	assert_string_equal(positions->positions[at]->collection, "");
	assert_int_equal(positions->positions[at]->status, STATUS(OK));
	assert_int_not_equal(positions->positions[at]->position->token, 0);
	return positions->positions[at]->position->token;
}

static void notify_tells_of_the_hierarchy(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, with_hierarchy);
	uint64_t before = hierarchy_token_of(last_told(&fixture), 1);
	fake_imap_create(&fixture.backend, "Work");
	assert_int_equal(told(&fixture), 2);
	assert_string_equal(last_told(&fixture)->source, "notify");
	assert_int_equal(last_told(&fixture)->n_positions, 1);
	assert_true(hierarchy_token_of(last_told(&fixture), 0) != before);
	unsigned lists = fixture.backend.lists;
	fake_imap_deliver(&fixture.backend, "INBOX");
	assert_int_equal(told(&fixture), 3);
	loop_advance(fixture.loop, 3600 * 1000);
	assert_int_equal(fixture.backend.lists, lists);
	fixture_stop(&fixture);
}

static void without_notify_the_hierarchy_is_looked_at_by_checks_only(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "poll_s=30\n", with_idle, with_hierarchy);
	uint64_t before = hierarchy_token_of(last_told(&fixture), 1);
	unsigned lists = fixture.backend.lists;
	fake_imap_deliver(&fixture.backend, "INBOX");
	assert_string_equal(last_told(&fixture)->source, "idle");
	fake_imap_create(&fixture.backend, "Work");
	loop_advance(fixture.loop, 3600 * 1000);
	assert_int_equal(fixture.backend.lists, lists);
	const Belfry__Connector__Response *answer =
		asker_answer(&fixture.hub, asker_check(&fixture.hub, alice, with_hierarchy), 0);
	assert_true(hierarchy_token_of(answer->positions, 1) != before);
	fixture_stop(&fixture);
}

static void idle_tells_of_one_and_the_others_are_polled_ever_more_rarely(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "poll_s=30\npoll_most_s=300\n", with_idle, both);
	fake_imap_deliver(&fixture.backend, "INBOX");
	assert_string_equal(last_told(&fixture)->source, "idle");
	unsigned before = fixture.backend.statuses;
	loop_advance(fixture.loop, 3600 * 1000);
	assert_in_range(fixture.backend.statuses - before, 8, 30); /* every 300 s, by chance from half to one and a half */
	fake_imap_deliver(&fixture.backend, "Sent");
	unsigned seconds = 0, count = told(&fixture);
	while (told(&fixture) == count && seconds++ < 450)
		loop_advance(fixture.loop, 1000);
	assert_string_equal(last_told(&fixture)->source, "poll");
	assert_string_equal(last_told(&fixture)->positions[0]->collection, "Sent");
	before = fixture.backend.statuses;
	loop_advance(fixture.loop, 46 * 1000);
	assert_true(fixture.backend.statuses > before); /* something happens there: soon again */
	fixture_stop(&fixture);
}

static void a_server_that_announces_nothing_is_polled(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "poll_s=10\n", "IMAP4rev1", both);
	fake_imap_deliver(&fixture.backend, "INBOX");
	assert_int_equal(told(&fixture), 1);
	loop_advance(fixture.loop, 30 * 1000);
	assert_int_equal(told(&fixture), 2);
	assert_string_equal(last_told(&fixture)->source, "poll");
	fixture_stop(&fixture);
}

static void without_modseq_a_flag_is_news_too(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "poll_s=1\n", "IMAP4rev1", inbox);
	fake_imap_deliver(&fixture.backend, "INBOX");
	loop_advance(fixture.loop, 3000);
	assert_int_equal(told(&fixture), 2);
	fixture.backend.boxes[0].unseen = 0;
	loop_advance(fixture.loop, 3000);
	assert_int_equal(told(&fixture), 3);
	fixture_stop(&fixture);
}

static void what_idle_may_have_lost_is_found_by_a_second_look(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", with_idle, inbox);
	fixture.backend.boxes[0].next = 2; /* and nothing is announced */
	loop_advance(fixture.loop, WATCH_LOOK_MS + 100);
	assert_int_equal(told(&fixture), 2);
	unsigned before = fixture.backend.statuses;
	loop_advance(fixture.loop, WATCH_LOOK_MS + 100);
	assert_int_equal(fixture.backend.statuses, before + 1);
	loop_advance(fixture.loop, 3600 * 1000);
	assert_int_equal(fixture.backend.statuses, before + 1);
	fixture_stop(&fixture);
}

static void a_lost_session_comes_back_and_tells_where_it_stands(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	fake_imap_drop(&fixture.backend);
	fixture.backend.boxes[0].next = 9;
	loop_settle(fixture.loop);
	assert_int_equal(asker_status(&fixture.hub, asker_check(&fixture.hub, alice, inbox)), STATUS(UNAVAILABLE));
	loop_advance(fixture.loop, 1500);
	assert_int_equal(told(&fixture), 2);
	assert_int_equal(last_told(&fixture)->positions[0]->position->next, 9);
	fixture_stop(&fixture);
}

static void a_server_that_is_away_is_tried_ever_more_rarely(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	fixture.backend.is_down = true;
	fake_imap_drop(&fixture.backend);
	unsigned before = fixture.backend.connections;
	loop_advance(fixture.loop, 3600 * 1000);
	assert_in_range(fixture.backend.connections - before, 12, 40);
	fixture.backend.is_down = false;
	loop_advance(fixture.loop, 450 * 1000);
	assert_int_equal(told(&fixture), 2);
	fixture_stop(&fixture);
}

static void a_dead_session_is_noticed_by_its_silence(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	fixture.backend.is_silent = true;
	loop_advance(fixture.loop, 4 * 60 * 1000 + 29 * 1000);
	assert_int_equal(fixture.backend.connections, 2); /* the login's and this one */
	fixture.backend.is_silent = false;
	loop_advance(fixture.loop, 5000);
	assert_int_equal(fixture.backend.connections, 3);
	assert_int_equal(told(&fixture), 2);
	fixture_stop(&fixture);
}

static void many_sessions_do_not_come_back_all_at_once(void **state)
{
	struct fixture fixture;
	char user[40];

	(void)state;
	fixture_start(&fixture, "watch_as=master\nmaster_user=m\nmaster_password=secret\nlogins_max=5\n");
	for (int i = 0; i < 100; i++) {
		snprintf(user, sizeof user, "user%d@example.org", i);
		asker_watch(&fixture.hub, user, inbox, false);
		asker_clear(&fixture.hub);
	}
	assert_int_equal(fake_imap_idling(&fixture.backend), 100);
	fixture.backend.most_logging_in = 0;
	fake_imap_drop(&fixture.backend);
	loop_advance(fixture.loop, 10000);
	assert_int_equal(fake_imap_idling(&fixture.backend), 100);
	assert_in_range(fixture.backend.most_logging_in, 1, 5);
	fixture_stop(&fixture);
}

static void with_hooks_a_session_lives_for_a_check_and_a_while(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "linger_s=60\n");
	fixture_login(&fixture, alice);
	asker_watch(&fixture.hub, alice, inbox, true);
	loop_advance(fixture.loop, 600 * 1000);
	assert_int_equal(fixture.backend.connections, 1);
	for (int i = 0; i < 5; i++) {
		const Belfry__Connector__Response *answer = asker_answer(&fixture.hub, asker_check(&fixture.hub, alice, both), 0);
		assert_int_equal(answer->positions->n_positions, 2);
		assert_string_equal(answer->positions->source, "check");
		assert_string_equal(answer->positions->positions[0]->collection, "Sent");
		loop_advance(fixture.loop, 59 * 1000);
	}
	assert_int_equal(fixture.backend.connections, 2);
	assert_int_equal(fixture.backend.connected, 1);
	loop_advance(fixture.loop, 2000);
	assert_int_equal(fixture.backend.connected, 0);
	assert_int_equal(fixture.backend.logouts, 2);
	assert_int_equal(told(&fixture), 0);
	fixture_stop(&fixture);
}

static void a_check_is_answered_with_what_was_read_after_it(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	uint64_t ids[2];
	for (int i = 0; i < 2; i++) {
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		Belfry__Connector__Check check = BELFRY__CONNECTOR__CHECK__INIT;
		check.user = (char *)alice;
		check.collections = (char **)inbox;
		check.n_collections = 1;
		request.id = ids[i] = 1000 + (uint64_t)i;
		request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_CHECK;
		request.check = &check;
		link_send(fixture.hub.link, &request.base, -1);
	}
	unsigned before = fixture.backend.statuses;
	loop_settle(fixture.loop);
	assert_int_equal(asker_status(&fixture.hub, ids[0]), STATUS(OK));
	assert_int_equal(asker_status(&fixture.hub, ids[1]), STATUS(OK));
	assert_int_equal(fixture.backend.statuses - before, 2); /* the second did not take the first's answer */
	fixture_stop(&fixture);
}

static void a_check_that_takes_too_long_is_answered(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, alice);
	fixture.backend.is_silent = true;
	uint64_t id = asker_check(&fixture.hub, alice, inbox);
	loop_advance(fixture.loop, 29000);
	assert_int_equal(asker_status(&fixture.hub, id), -1);
	loop_advance(fixture.loop, 1000);
	assert_int_equal(asker_status(&fixture.hub, id), STATUS(UNAVAILABLE));
	fixture_stop(&fixture);
}

static void a_hub_that_stays_away_is_watched_for_no_longer(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	asker_free(&fixture.hub);
	loop_advance(fixture.loop, (CONNECTOR_ORPHAN_S - 1) * 1000);
	assert_int_equal(fake_imap_idling(&fixture.backend), 1);
	loop_advance(fixture.loop, 2000);
	assert_int_equal(fixture.backend.connected, 0);
	asker_connect(&fixture.hub, fixture.net, "connector/imap", "hub");
	fixture_stop(&fixture);
}

static void a_hub_that_comes_back_is_told_where_all_stands(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	asker_free(&fixture.hub);
	asker_connect(&fixture.hub, fixture.net, "connector/imap", "hub");
	loop_advance(fixture.loop, 30000);
	memcpy(fixture.hub.handle, fixture.front.handle, ASKER_HANDLE_BYTES);
	asker_watch(&fixture.hub, alice, inbox, false);
	assert_int_equal(told(&fixture), 1);
	loop_advance(fixture.loop, CONNECTOR_ORPHAN_S * 1000);
	assert_int_equal(fake_imap_idling(&fixture.backend), 1);
	assert_int_equal(fixture.backend.connections, 2);
	fixture_stop(&fixture);
}

static void a_password_is_kept_while_watched_and_wiped_after(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "linger_s=1\n", NULL, inbox);
	loop_advance(fixture.loop, 7200 * 1000);
	assert_int_equal(secret_count(), 1);
	fake_imap_drop(&fixture.backend);
	loop_advance(fixture.loop, 5000);
	assert_int_equal(fake_imap_idling(&fixture.backend), 1); /* still able to log in again */
	asker_unwatch(&fixture.hub, alice);
	loop_advance(fixture.loop, (ACCOUNT_UNUSED_S + 70) * 1000);
	assert_int_equal(secret_count(), 0);
	fixture_stop(&fixture);
}

static void a_refused_password_ends_the_watch_and_says_so(void **state)
{
	struct fixture fixture;

	(void)state;
	watching(&fixture, "", NULL, inbox);
	fixture.backend.password = "changed";
	fake_imap_drop(&fixture.backend);
	loop_advance(fixture.loop, 2000);
	assert_int_equal(last_told(&fixture)->status, STATUS(LOGIN_NEEDED));
	assert_int_equal(last_told(&fixture)->n_positions, 0);
	assert_int_equal(secret_count(), 0);
	unsigned before = fixture.backend.connections;
	loop_advance(fixture.loop, 3600 * 1000);
	assert_int_equal(fixture.backend.connections, before);
	assert_int_equal(asker_status(&fixture.front, asker_list(&fixture.front)), STATUS(LOGIN_NEEDED));
	fixture_stop(&fixture);
}

/* Who is unwatched still has the mailbox selected that IDLE was for. */
static void a_check_after_an_unwatch_is_not_answered_from_an_old_view(void **state)
{
	struct fixture fixture;
	uint64_t id;

	(void)state;
	watching(&fixture, "linger_s=60\n", with_idle, inbox);
	asker_unwatch(&fixture.hub, alice);
	fixture.backend.is_view_late = true;
	for (unsigned next = 2; next < 4; next++) {
		fake_imap_deliver(&fixture.backend, "INBOX");
		id = asker_check(&fixture.hub, alice, inbox);
		assert_int_equal(asker_status(&fixture.hub, id), STATUS(OK));
		assert_int_equal(asker_answer(&fixture.hub, id, 0)->positions->positions[0]->position->next, next);
	}
	assert_int_equal(fixture.backend.logins, 2); /* the phone's, and one session for all of it */
	fixture_stop(&fixture);
}

static void count_full(enum log_level level, const char *line, void *data)
{
	*(unsigned *)data += level == LOG_LEVEL_WARNING && strstr(line, "sessions_max=1 is reached") != NULL;
}

static void sessions_are_bounded_and_a_line_a_minute_says_so(void **state)
{
	struct fixture fixture;
	unsigned lines = 0;

	(void)state;
	log_set_sink(count_full, &lines);
	fixture_start(&fixture, "watch_as=master\nmaster_user=m\nmaster_password=secret\nsessions_max=1\n");
	assert_int_equal(asker_status(&fixture.hub, asker_watch(&fixture.hub, alice, inbox, false)), STATUS(OK));
	assert_int_equal(asker_status(&fixture.hub, asker_watch(&fixture.hub, "bob@example.org", inbox, false)), STATUS(LIMIT));
	assert_int_equal(asker_status(&fixture.hub, asker_check(&fixture.hub, "bob@example.org", inbox)), STATUS(LIMIT));
	assert_int_equal(asker_status(&fixture.hub, asker_watch(&fixture.hub, "bob@example.org", inbox, true)), STATUS(OK));
	assert_int_equal(lines, 1);
	loop_advance(fixture.loop, WATCH_FULL_LOG_MS);
	assert_int_equal(asker_status(&fixture.hub, asker_check(&fixture.hub, "bob@example.org", inbox)), STATUS(LIMIT));
	assert_int_equal(lines, 2);
	log_set_sink(NULL, NULL);
	fixture_stop(&fixture);
}

static void a_master_watches_with_nobodys_password(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "watch_as=master\nmaster_user=m\nmaster_password=secret\n");
	asker_watch(&fixture.hub, alice, inbox, false);
	assert_int_equal(told(&fixture), 1);
	assert_string_equal(fixture.backend.last_user, "alice");
	assert_int_equal(secret_count(), 0);
	fixture_stop(&fixture);
}

static void count_line(enum log_level level, const char *text, void *data)
{
	struct buffer *lines = data;

	(void)level;
	buffer_printf(lines, "%s\n", text);
}

static void a_master_that_is_refused_is_told_at_once(void **state)
{
	struct fixture fixture;
	struct buffer lines = BUFFER_EMPTY;

	(void)state;
	fixture_start(&fixture, "watch_as=master\nmaster_user=m\nmaster_password=wrong\nhost=localhost\nport=1143\n");
	log_set_sink(count_line, &lines);
	assert_int_equal(fixture.hub.backends, 0); /* nobody has been there */
	uint64_t check = asker_check(&fixture.hub, alice, inbox);
	assert_int_equal(asker_status(&fixture.hub, check), STATUS(UNAVAILABLE));
	assert_non_null(strstr(asker_answer(&fixture.hub, check, 0)->reason, "localhost:1143: refuses master_user m: "));
	assert_non_null(strstr(fixture.hub.trouble, "localhost:1143: refuses master_user m: "));
	assert_non_null(strstr(buffer_string(&lines), "backend localhost:1143: refuses master_user"));
	check = asker_check(&fixture.hub, alice, inbox); /* within the back-off */
	assert_non_null(strstr(asker_answer(&fixture.hub, check, 0)->reason, "refuses master_user"));
	/* A phone's own login does not make that good, a master's does. */
	fixture_login(&fixture, alice);
	assert_non_null(strstr(fixture.hub.trouble, "refuses master_user"));
	fixture.backend.password = "wrong";
	asker_check(&fixture.hub, "bob@example.org", inbox);
	assert_string_equal(fixture.hub.trouble, "");
	assert_non_null(strstr(buffer_string(&lines), "backend localhost:1143 lets the master user in"));
	log_set_sink(NULL, NULL);
	buffer_release(&lines);
	fixture_stop(&fixture);
}

static void a_backend_that_is_away_is_told_with_its_name(void **state)
{
	struct fixture fixture;
	struct asker late;

	(void)state;
	fixture_start(&fixture, "watch_as=master\nmaster_user=m\nmaster_password=secret\nhost=localhost\nport=1143\n");
	fixture.backend.is_down = true;
	uint64_t login = asker_login(&fixture.front, alice, "secret", "192.0.2.1", "d");
	assert_int_equal(asker_status(&fixture.front, login), STATUS(UNAVAILABLE));
	assert_memory_equal(asker_answer(&fixture.front, login, 0)->reason, "localhost:1143: ", 16);
	assert_memory_equal(fixture.hub.trouble, "localhost:1143: ", 16);
	assert_int_equal(fixture.front.backends, 0); /* told to the hub alone */
	asker_connect(&late, fixture.net, "connector/imap", "hub");
	loop_settle(fixture.loop);
	assert_string_equal(late.trouble, fixture.hub.trouble);
	fixture.backend.is_down = false;
	fixture_login(&fixture, alice);
	assert_string_equal(fixture.hub.trouble, "");
	assert_int_equal(late.backends, 2);
	asker_free(&late);
	fixture_stop(&fixture);
}

static void names_that_no_mailbox_can_have_are_not_found(void **state)
{
	static const char *const odd[] = {"\x01", "IN\r\nBOX", "\xff", "INBOX", NULL};
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, alice);
	const Belfry__Connector__Response *answer = asker_answer(&fixture.hub, asker_check(&fixture.hub, alice, odd), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer->positions->positions[i]->status, STATUS(NOT_FOUND));
	assert_int_equal(answer->positions->positions[3]->status, STATUS(OK));
	assert_int_equal(asker_status(&fixture.hub, asker_watch(&fixture.hub, alice, odd, false)), STATUS(OK));
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notify_tells_of_every_collection_by_one_session),
		cmocka_unit_test(notify_tells_of_the_hierarchy),
		cmocka_unit_test(without_notify_the_hierarchy_is_looked_at_by_checks_only),
		cmocka_unit_test(idle_tells_of_one_and_the_others_are_polled_ever_more_rarely),
		cmocka_unit_test(a_server_that_announces_nothing_is_polled),
		cmocka_unit_test(without_modseq_a_flag_is_news_too),
		cmocka_unit_test(what_idle_may_have_lost_is_found_by_a_second_look),
		cmocka_unit_test(a_lost_session_comes_back_and_tells_where_it_stands),
		cmocka_unit_test(a_server_that_is_away_is_tried_ever_more_rarely),
		cmocka_unit_test(a_dead_session_is_noticed_by_its_silence),
		cmocka_unit_test(many_sessions_do_not_come_back_all_at_once),
		cmocka_unit_test(with_hooks_a_session_lives_for_a_check_and_a_while),
		cmocka_unit_test(a_check_is_answered_with_what_was_read_after_it),
		cmocka_unit_test(a_check_that_takes_too_long_is_answered),
		cmocka_unit_test(a_hub_that_stays_away_is_watched_for_no_longer),
		cmocka_unit_test(a_hub_that_comes_back_is_told_where_all_stands),
		cmocka_unit_test(a_password_is_kept_while_watched_and_wiped_after),
		cmocka_unit_test(a_refused_password_ends_the_watch_and_says_so),
		cmocka_unit_test(a_check_after_an_unwatch_is_not_answered_from_an_old_view),
		cmocka_unit_test(sessions_are_bounded_and_a_line_a_minute_says_so),
		cmocka_unit_test(a_master_watches_with_nobodys_password),
		cmocka_unit_test(a_master_that_is_refused_is_told_at_once),
		cmocka_unit_test(a_backend_that_is_away_is_told_with_its_name),
		cmocka_unit_test(names_that_no_mailbox_can_have_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

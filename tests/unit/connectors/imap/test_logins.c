/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logins: what is remembered, for how long, what the backend is spared, and what voids it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "connectors/contract.h"
#include "connectors/imap/account.h"
#include "connectors/imap/throttle.h"
#include "tests/unit/connectors/imap/fixture.h"

static uint64_t login(struct fixture *fixture, const char *user, const char *password)
{
	return asker_login(&fixture->front, user, password, "192.0.2.1", "phone");
}

static void a_login_is_remembered_for_its_time_and_no_longer(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, "alice@example.org");
	assert_string_equal(fixture.backend.last_user, "alice");
	loop_advance(fixture.loop, (CONNECTOR_LOGIN_TTL_S - 1) * 1000);
	fixture_login(&fixture, "alice@example.org");
	assert_int_equal(fixture.backend.logins, 1);
	loop_advance(fixture.loop, 1000);
	fixture_login(&fixture, "alice@example.org");
	assert_int_equal(fixture.backend.logins, 2);
	assert_int_equal(fixture.backend.connected, 0);
	fixture_stop(&fixture);
}

static void the_backend_may_know_users_by_their_full_name(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "login=full\n");
	fixture_login(&fixture, "alice@example.org");
	assert_string_equal(fixture.backend.last_user, "alice@example.org");
	fixture_stop(&fixture);
}

static void many_devices_at_once_are_one_login_at_the_backend(void **state)
{
	struct fixture fixture;
	uint64_t ids[10];

	(void)state;
	fixture_start(&fixture, "");
	fixture.backend.is_silent = true; /* so that they meet */
	for (int i = 0; i < 10; i++)
		ids[i] = login(&fixture, "alice@example.org", "secret");
	assert_int_equal(fixture.backend.connections, 1);
	loop_advance(fixture.loop, 29000);
	assert_int_equal(asker_status(&fixture.front, ids[0]), -1);
	loop_advance(fixture.loop, 1000);
	for (int i = 0; i < 10; i++)
		assert_int_equal(asker_status(&fixture.front, ids[i]), STATUS(UNAVAILABLE));
	fixture_stop(&fixture);
}

static void a_backend_in_trouble_is_no_wrong_password(void **state)
{
	static const char *const answers[] = {"NO [UNAVAILABLE] later", "NO [LIMIT] too many", "BAD what", NULL};
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	for (int i = 0; answers[i] != NULL; i++) {
		fixture.backend.login_refusal = answers[i];
		assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(UNAVAILABLE));
	}
	fixture.backend.is_down = true;
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(UNAVAILABLE));
	fixture.backend.is_down = false;
	fixture.backend.login_refusal = "NO no";
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(REFUSED));
	fixture_stop(&fixture);
}

static void only_so_many_log_in_at_once_and_the_rest_waits_its_turn(void **state)
{
	struct fixture fixture;
	char user[40];

	(void)state;
	fixture_start(&fixture, "logins_max=3\n");
	for (uint64_t i = 1; i <= 20; i++) {
		Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
		Belfry__Connector__Login asked = BELFRY__CONNECTOR__LOGIN__INIT;
		snprintf(user, sizeof user, "user%d@example.org", (int)i);
		asked.user = user;
		asked.password = (char *)"secret";
		request.id = i;
		request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LOGIN;
		request.login = &asked;
		link_send(fixture.front.link, &request.base, -1);
	}
	loop_settle(fixture.loop);
	assert_int_equal(fixture.backend.most_logging_in, 3);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(asker_status(&fixture.front, i), STATUS(OK));
	fixture_stop(&fixture);
}

/* How many of the last so many requests have this status. */
static unsigned answered_with(const struct fixture *fixture, unsigned requests, int status)
{
	unsigned count = 0;

	for (uint64_t id = fixture->front.last_id; requests-- > 0; id--)
		count += asker_status(&fixture->front, id) == status;
	return count;
}

static void many_guesses_at_once_are_as_few_as_one_after_the_other(void **state)
{
	struct fixture fixture;
	char password[32];

	(void)state;
	fixture_start(&fixture, "");
	fixture.backend.holds_refusals = true;
	for (int i = 0; i < 200; i++) {
		snprintf(password, sizeof password, "guess %d", i);
		login(&fixture, "alice@example.org", password);
	}
	assert_int_equal(fixture.backend.connections, THROTTLE_FREE);
	assert_int_equal(answered_with(&fixture, 200, STATUS(THROTTLED)), 200 - THROTTLE_FREE);
	assert_int_equal(asker_status(&fixture.front, asker_login(&fixture.front, "alice@example.org", "secret",
		"198.51.100.1", "laptop")), STATUS(OK));
	fixture_login(&fixture, "bob@example.org");
	fake_imap_refuse(&fixture.backend);
	uint64_t last = login(&fixture, "alice@example.org", "one more");
	assert_int_equal(asker_status(&fixture.front, last), STATUS(THROTTLED));
	assert_memory_equal(asker_answer(&fixture.front, last, 0)->reason, "too many wrong passwords", 24);
	fixture_stop(&fixture);
}

static void a_password_that_was_right_is_not_slowed_down_and_pardons_no_guesses(void **state)
{
	struct fixture fixture;
	char password[32];

	(void)state;
	fixture_start(&fixture, "");
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(OK));
	for (int i = 0; i < THROTTLE_FREE; i++) {
		snprintf(password, sizeof password, "guess %d", i);
		assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", password)), STATUS(REFUSED));
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(OK));
		loop_advance(fixture.loop, CONNECTOR_LOGIN_TTL_S * 1000); /* the next one is asked of the backend */
	}
	assert_int_equal(fixture.backend.logins, 2);
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "guess again")), STATUS(REFUSED));
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(OK));
	assert_int_equal(fixture.backend.logins, 3);
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "guess once more")),
		STATUS(THROTTLED));
	fixture_stop(&fixture);
}

static void who_guesses_for_many_users_keeps_nobody_else_waiting(void **state)
{
	struct fixture fixture;
	char user[40];
	uint64_t bob;

	(void)state;
	fixture_start(&fixture, "logins_max=3\n");
	fixture.backend.holds_refusals = true;
	for (int i = 0; i < 200; i++) {
		snprintf(user, sizeof user, "user%d@example.org", i);
		login(&fixture, user, "guess");
	}
	bob = asker_login(&fixture.front, "bob@example.org", "secret", "198.51.100.1", "phone");
	assert_int_equal(asker_status(&fixture.front, bob), -1);
	fake_imap_refuse(&fixture.backend);
	assert_int_equal(asker_status(&fixture.front, bob), STATUS(OK));
	while (fixture.backend.connected > 0)
		fake_imap_refuse(&fixture.backend);
	assert_in_range(fixture.backend.connections, THROTTLE_ADDRESS_FREE, THROTTLE_ADDRESS_FREE + 3 + 1);
	assert_int_equal(answered_with(&fixture, 201, STATUS(THROTTLED)), 201 - fixture.backend.connections);
	fixture_stop(&fixture);
}

static void a_new_password_has_the_old_one_asked_about(void **state)
{
	struct fixture fixture;
	uint8_t old[ASKER_HANDLE_BYTES];

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, "alice@example.org");
	memcpy(old, fixture.front.handle, sizeof old);
	fixture.backend.password = "new";
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "new")), STATUS(OK));
	assert_memory_not_equal(fixture.front.handle, old, sizeof old);
	memcpy(fixture.front.handle, old, sizeof old);
	assert_int_equal(asker_status(&fixture.front, asker_list(&fixture.front)), STATUS(LOGIN_NEEDED));
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "secret")), STATUS(REFUSED));
	assert_int_equal(secret_count(), 1);
	fixture_stop(&fixture);
	assert_int_equal(secret_count(), 0);
}

static void a_wrong_password_does_not_void_the_right_one(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, "alice@example.org");
	for (int i = 0; i < 3; i++)
		assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", "wrong")), STATUS(REFUSED));
	assert_int_equal(fixture.backend.connections, 2); /* the same wrong one is not asked about again and again */
	asker_list(&fixture.front);
	assert_int_equal(worker_of(&fixture, "alice"), 0);
	fixture_login(&fixture, "alice@example.org");
	assert_int_equal(fixture.backend.logins, 1);
	fixture_stop(&fixture);
}

static void a_handle_is_good_for_an_hour_and_an_unused_password_is_wiped(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture_login(&fixture, "alice@example.org");
	for (int i = 0; i < 7; i++) {
		loop_advance(fixture.loop, 500 * 1000);
		asker_list(&fixture.front);
		worker_answer(&fixture, (unsigned)worker_of(&fixture, "alice"), STATUS(OK), true);
	}
	assert_int_equal(secret_count(), 1);
	loop_advance(fixture.loop, 200 * 1000);
	assert_int_equal(asker_status(&fixture.front, asker_list(&fixture.front)), STATUS(LOGIN_NEEDED));
	loop_advance(fixture.loop, (ACCOUNT_UNUSED_S + 60) * 1000);
	assert_int_equal(secret_count(), 0);
	fixture_stop(&fixture);
}

static void names_and_passwords_that_cannot_be_are_refused_at_once(void **state)
{
	struct fixture fixture;
	char overlong[SECRET_BYTES_MAX + 2];

	(void)state;
	fixture_start(&fixture, "");
	memset(overlong, 'x', sizeof overlong - 1);
	overlong[sizeof overlong - 1] = '\0';
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "alice@example.org", overlong)), STATUS(REFUSED));
	assert_int_equal(asker_status(&fixture.front, login(&fixture, overlong, "secret")), STATUS(REFUSED));
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "", "secret")), STATUS(REFUSED));
	assert_int_equal(asker_status(&fixture.front, login(&fixture, "@example.org", "secret")), STATUS(REFUSED));
	assert_int_equal(fixture.backend.connections, 0);
	fixture_stop(&fixture);
}

static void a_front_that_leaves_is_not_answered(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_start(&fixture, "");
	fixture.backend.is_silent = true;
	login(&fixture, "alice@example.org", "secret");
	asker_free(&fixture.front);
	loop_settle(fixture.loop);
	loop_advance(fixture.loop, 60000);
	asker_connect(&fixture.front, fixture.net, "connector/imap", "front");
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_remembered_for_its_time_and_no_longer),
		cmocka_unit_test(the_backend_may_know_users_by_their_full_name),
		cmocka_unit_test(many_devices_at_once_are_one_login_at_the_backend),
		cmocka_unit_test(a_backend_in_trouble_is_no_wrong_password),
		cmocka_unit_test(only_so_many_log_in_at_once_and_the_rest_waits_its_turn),
		cmocka_unit_test(many_guesses_at_once_are_as_few_as_one_after_the_other),
		cmocka_unit_test(a_password_that_was_right_is_not_slowed_down_and_pardons_no_guesses),
		cmocka_unit_test(who_guesses_for_many_users_keeps_nobody_else_waiting),
		cmocka_unit_test(a_new_password_has_the_old_one_asked_about),
		cmocka_unit_test(a_wrong_password_does_not_void_the_right_one),
		cmocka_unit_test(a_handle_is_good_for_an_hour_and_an_unused_password_is_wiped),
		cmocka_unit_test(names_and_passwords_that_cannot_be_are_refused_at_once),
		cmocka_unit_test(a_front_that_leaves_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every action on every object, by every kind of principal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/service/access.h"

#define ALICE "alice@example.org"
#define BOB "bob@example.org"

static const struct object objects[] = {
	{.user = ALICE},
	{.user = ALICE, .device = "PHONE"},
	{.user = ALICE, .collection = "INBOX"},
	{.user = ALICE, .collection = "INBOX", .item = 7},
};
enum { OBJECTS = sizeof objects / sizeof objects[0] };

static const struct principal own = {ALICE, "PHONE"}, other_device = {ALICE, "TABLET"}, no_device = {ALICE, ""},
	same_device_of_another = {BOB, "PHONE"}, looks_like_admin = {"", ""};

/* A letter for each object: y or n. */
struct expectation { enum action action; const char *may; };

static void expect(const struct principal *principal, const struct expectation expected[ACTIONS])
{
	for (int i = 0; i < ACTIONS; i++) {
		assert_int_equal(expected[i].action, i);
		for (int n = 0; n < OBJECTS; n++)
			if (principal_may(principal, (enum action)i, &objects[n]) != (expected[i].may[n] == 'y'))
				fail_msg("\"%s\" \"%s\", action %d, object %d", principal->user, principal->device, i, n);
	}
}

/*                                                                           user, device, collection, item */
static void a_device_acts_on_its_own_records_and_its_users_mail(void **state)
{
	(void)state;
	expect(&own, (const struct expectation[]){{ACTION_LOG_IN, "ynnn"}, {ACTION_READ, "yyyy"}, {ACTION_CHANGE, "yyyy"},
		{ACTION_SEND, "ynnn"}, {ACTION_WAIT, "ynyn"}, {ACTION_KICK, "nnnn"}, {ACTION_FORGET, "nnnn"}});
}

static void another_device_of_the_user_has_the_mail_but_not_the_records(void **state)
{
	static const struct expectation expected[] = {{ACTION_LOG_IN, "ynnn"}, {ACTION_READ, "ynyy"},
		{ACTION_CHANGE, "ynyy"}, {ACTION_SEND, "ynnn"}, {ACTION_WAIT, "ynyn"}, {ACTION_KICK, "nnnn"},
		{ACTION_FORGET, "nnnn"}};

	(void)state;
	expect(&other_device, expected);
	expect(&no_device, expected);
}

static void another_user_may_nothing(void **state)
{
	static const struct expectation nothing[] = {{ACTION_LOG_IN, "nnnn"}, {ACTION_READ, "nnnn"}, {ACTION_CHANGE, "nnnn"},
		{ACTION_SEND, "nnnn"}, {ACTION_WAIT, "nnnn"}, {ACTION_KICK, "nnnn"}, {ACTION_FORGET, "nnnn"}};

	(void)state;
	expect(&same_device_of_another, nothing);
	expect(&looks_like_admin, nothing);
}

static void the_admin_ends_waiting_and_forgets_devices_and_reads_no_mail(void **state)
{
	(void)state;
	expect(&principal_admin, (const struct expectation[]){{ACTION_LOG_IN, "nnnn"}, {ACTION_READ, "nnnn"},
		{ACTION_CHANGE, "nnnn"}, {ACTION_SEND, "nnnn"}, {ACTION_WAIT, "nnnn"}, {ACTION_KICK, "yynn"},
		{ACTION_FORGET, "nynn"}});
}

static void what_is_nothing_is_nobodys(void **state)
{
	static const struct object nothing[] = {
		{.user = NULL}, {.user = ""}, {.user = "", .device = ""}, {.user = "", .collection = "INBOX"},
		{.user = ALICE, .collection = ""}, {.user = ALICE, .collection = "", .item = 7}, {.user = ALICE, .item = 7},
	};
	static const struct principal *const principals[] = {&own, &no_device, &looks_like_admin, &principal_admin};

	(void)state;
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		for (size_t n = 0; n < sizeof principals / sizeof principals[0]; n++)
			for (int action = 0; action < ACTIONS; action++)
				assert_false(principal_may(principals[n], (enum action)action, &nothing[i]));
}

static void names_are_compared_as_bytes_to_their_end(void **state)
{
	const struct object records = {.user = ALICE, .device = "PHONE"};

	(void)state;
	assert_false(principal_may(&(struct principal){"Alice@example.org", "PHONE"}, ACTION_READ, &records));
	assert_false(principal_may(&(struct principal){ALICE ".evil", "PHONE"}, ACTION_READ, &records));
	assert_false(principal_may(&(struct principal){ALICE, "PHON"}, ACTION_READ, &records));
	assert_false(principal_may(&(struct principal){ALICE, "PHONE2"}, ACTION_READ, &records));
	assert_true(principal_may(&no_device, ACTION_CHANGE, &(struct object){.user = ALICE, .device = ""}));
	assert_false(principal_may(&own, ACTION_CHANGE, &(struct object){.user = ALICE, .device = ""}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_acts_on_its_own_records_and_its_users_mail),
		cmocka_unit_test(another_device_of_the_user_has_the_mail_but_not_the_records),
		cmocka_unit_test(another_user_may_nothing),
		cmocka_unit_test(the_admin_ends_waiting_and_forgets_devices_and_reads_no_mail),
		cmocka_unit_test(what_is_nothing_is_nobodys),
		cmocka_unit_test(names_are_compared_as_bytes_to_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

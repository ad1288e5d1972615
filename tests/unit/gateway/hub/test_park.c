/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The park table as memory: what is known, what differs, and how small a parked device is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/hub/park.h"

static struct position at(uint32_t next)
{
	return (struct position){.token = next, .validity = 7, .next = next};
}

static struct park *park_in(struct park_table *table, struct park_user *user, const char *device, const char *collection,
	struct position position)
{
	return park_add(table, user, &(struct park_request){
		.device = device, .collections = &collection, .positions = &position, .count = 1,
	});
}

static enum park_verdict verdict(struct park_table *table, struct park_user *user, const char *collection, uint32_t next)
{
	struct position position = at(next);

	return park_compare(table, user, collection, &position);
}

static void only_what_is_known_and_newer_than_the_device_is_news(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *park = park_in(&table, user, "D1", "INBOX", at(5));
	uint32_t inbox = park_name_find(&table, "INBOX");

	(void)state;
	assert_int_equal(verdict(&table, user, "INBOX", 5), PARK_UNSURE);
	assert_false(park_learn(&table, user, inbox, at(5), true));
	assert_int_equal(verdict(&table, user, "INBOX", 5), PARK_SAME);
	assert_int_equal(verdict(&table, user, "INBOX", 4), PARK_CHANGED);
	assert_int_equal(verdict(&table, user, "INBOX", 6), PARK_CHANGED);
	park_age(user); /* the device has changed something: what is known may be older */
	assert_int_equal(verdict(&table, user, "INBOX", 6), PARK_UNSURE);
	assert_int_equal(verdict(&table, user, "INBOX", 4), PARK_CHANGED); /* but a message that it lacks is there */
	assert_int_equal(verdict(&table, user, "Work", 1), PARK_UNSURE);
	assert_int_equal(park_compare(&table, user, "INBOX", &(struct position){0}), PARK_CHANGED);
	assert_true(park_learn(&table, user, inbox, at(6), true));
	park_remove(&table, &park);
	park_user_free(&table, &user);
	park_table_release(&table);
}

static void a_proof_is_remembered_as_the_least(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *park = park_in(&table, user, "D1", "INBOX", at(5));
	uint32_t inbox = park_name_find(&table, "INBOX");
	struct position least = {.validity = 7, .next = 8};

	(void)state;
	assert_true(park_learn_at_least(&table, user, inbox, least));
	assert_int_equal(verdict(&table, user, "INBOX", 7), PARK_CHANGED);
	assert_int_equal(verdict(&table, user, "INBOX", 8), PARK_UNSURE);
	assert_int_equal(verdict(&table, user, "INBOX", 9), PARK_UNSURE);
	park_remove(&table, &park);
	assert_non_null(park_known(user, inbox));
	park_learn(&table, user, inbox, at(8), true);
	assert_int_equal(verdict(&table, user, "INBOX", 8), PARK_SAME);
	assert_false(park_learn_at_least(&table, user, inbox, (struct position){.validity = 7, .next = 8}));
	assert_int_equal(verdict(&table, user, "INBOX", 8), PARK_SAME);
	park_user_free(&table, &user);
	park_table_release(&table);
}

static void a_proof_is_good_for_one_answer(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *park = park_in(&table, user, "D1", "INBOX", at(5));
	uint32_t inbox = park_name_find(&table, "INBOX");

	(void)state;
	park_learn_at_least(&table, user, inbox, (struct position){.validity = 7, .next = 8});
	park_spend_proof(&table, user, inbox);
	assert_int_equal(verdict(&table, user, "INBOX", 5), PARK_UNSURE); /* now the backend has to be asked */
	park_learn(&table, user, inbox, at(5), true);
	park_spend_proof(&table, user, inbox); /* that was no proof: it stays */
	assert_int_equal(verdict(&table, user, "INBOX", 5), PARK_SAME);
	park_remove(&table, &park);
	park_user_free(&table, &user);
	park_table_release(&table);
}

static void devices_in_one_position_share_it_and_differ_one_by_one(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *first = park_in(&table, user, "D1", "INBOX", at(5));
	struct park *second = park_in(&table, user, "D2", "INBOX", at(5));
	struct park *third = park_in(&table, user, "D3", "INBOX", at(6));
	uint32_t inbox = park_name_find(&table, "INBOX");

	(void)state;
	assert_int_equal(first->cells[0], second->cells[0]);
	assert_int_not_equal(first->cells[0], third->cells[0]);
	assert_true(park_learn(&table, user, inbox, at(6), true));
	assert_true(user->cells[first->cells[0]].flags & PARK_DIFFERS);
	assert_false(user->cells[third->cells[0]].flags & PARK_DIFFERS);
	assert_ptr_equal(park_find(user, "D2", 0), second);
	assert_null(park_find(user, "D2", 1));
	assert_string_equal(park_device(third), "D3");
	park_remove(&table, &second);
	park_remove(&table, &first);
	park_remove(&table, &third);
	park_user_free(&table, &user);
	park_table_release(&table);
}

static void folded_positions_are_still_compared_but_prove_nothing(void **state)
{
	Belfry__Role__Position wire = BELFRY__ROLE__POSITION__INIT;

	(void)state;
	wire.validity = UINT64_MAX;
	wire.next = 5;
	struct position a = position_pack(&wire);
	wire.next = 6;
	struct position b = position_pack(&wire);
	assert_false(position_is_same(&a, &b));
	assert_true(position_is_same(&b, &b));
	assert_false(position_has_news(&b, &a));
	assert_true(position_is_unknown(&(struct position){0}));
	assert_false(position_is_same(&(struct position){0}, &(struct position){0}));
}

/* One user a device, as a worst case; names as long as phones and connectors make them. */
static size_t bytes_parked(size_t users, size_t collections)
{
	struct park_table table = {0};
	struct park_user *last = NULL;
	const char *names[PARK_COLLECTIONS_MAX];
	static char text[PARK_COLLECTIONS_MAX][32];
	struct position positions[PARK_COLLECTIONS_MAX];
	char name[64];

	for (size_t i = 0; i < collections; i++) {
		snprintf(text[i], sizeof text[i], "Folder %zu", i);
		names[i] = text[i];
		positions[i] = at((uint32_t)i + 10);
	}
	for (size_t i = 0; i < users; i++) {
		snprintf(name, sizeof name, "user%07zu@mail.example.org", i);
		last = park_user_create(&table, name);
		assert_non_null(park_add(&table, last, &(struct park_request){
			.device = "ApplDMQJ2F3LG5VJ0123456789ABCDEF", .handle = "0123456789abcdef", .handle_length = 16,
			.collections = names, .positions = positions, .count = collections,
		}));
		for (size_t j = 0; j < collections; j++) /* a backend that stands there too costs nothing */
			park_learn(&table, last, park_name_find(&table, names[j]), positions[j], true);
	}
	size_t bytes = table.bytes + HASH_OVERHEAD(hh, table.users) - users * sizeof(UT_hash_handle) +
		users * sizeof(struct park *) /* the front's slot */;
	struct park_user *user, *next;
	HASH_ITER(hh, table.users, user, next) {
		struct park *park = user->parks;
		park_remove(&table, &park);
		park_user_free(&table, &user);
	}
	park_table_release(&table);
	return bytes;
}

static void a_parked_device_is_small(void **state)
{
	static const size_t collections[] = {1, 3, 30, 300};

	(void)state;
	for (size_t i = 0; i < sizeof collections / sizeof *collections; i++) {
		size_t users = collections[i] == 300 ? 100 : 1000;
		size_t bytes = bytes_parked(users, collections[i]);
		print_message("%zu collections: %zu bytes a park\n", collections[i], bytes / users);
		assert_true(bytes <= users * (PARK_BYTES + collections[i] * PARK_COLLECTION_BYTES));
	}
}

/* The same user wakes and parks again for months: nothing may grow. */
static void waking_and_parking_again_leaves_nothing_behind(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *park;
	size_t before = 0;

	(void)state;
	for (uint32_t next = 1; next < 1000; next++) {
		park = park_in(&table, user, "D1", "INBOX", at(next));
		uint32_t inbox = park_name_find(&table, "INBOX");
		park_learn(&table, user, inbox, at(next), true);
		park_flag(user, 0, PARK_WATCHED, 0);
		if (next == 10)
			before = table.bytes;
		if (next % 3 == 0)
			park_learn_at_least(&table, user, inbox, (struct position){.validity = 7, .next = next + 1});
		if (next % 5 == 0)
			park_forget(user);
		park_learn(&table, user, inbox, at(next + 1), true);
		park_remove(&table, &park);
		if (next % 7 == 0)
			park_tidy(&table, user);
	}
	park = park_in(&table, user, "D1", "INBOX", at(1000));
	assert_int_equal(table.bytes, before);
	park_remove(&table, &park);
	assert_false(park_tidy(&table, user));
	assert_true(park_has(user, park_name_find(&table, "INBOX")));
	park_tidy(&table, user);
	assert_int_equal(park_name_find(&table, "INBOX"), 0);
	park_user_free(&table, &user);
	park_table_release(&table);
}

static void too_many_positions_of_one_user_are_refused(void **state)
{
	struct park_table table = {0};
	struct park_user *user = park_user_create(&table, "alice@example.org");
	struct park *park;
	uint32_t i = 0;

	(void)state;
	while ((park = park_in(&table, user, "D", "INBOX", at(++i))) != NULL)
		continue;
	assert_int_equal(i, PARK_CELLS_MAX + 1);
	while (user->parks != NULL) {
		park = user->parks;
		park_remove(&table, &park);
	}
	park_user_free(&table, &user);
	park_table_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_known_and_newer_than_the_device_is_news),
		cmocka_unit_test(a_proof_is_remembered_as_the_least),
		cmocka_unit_test(a_proof_is_good_for_one_answer),
		cmocka_unit_test(devices_in_one_position_share_it_and_differ_one_by_one),
		cmocka_unit_test(folded_positions_are_still_compared_but_prove_nothing),
		cmocka_unit_test(a_parked_device_is_small),
		cmocka_unit_test(waking_and_parking_again_leaves_nothing_behind),
		cmocka_unit_test(too_many_positions_of_one_user_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

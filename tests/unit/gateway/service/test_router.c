/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of routing as tables, and the verdict on hooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/service/router.h"
#include "gateway/service/router_health.h"

static void only_new_items_of_the_same_validity_prove_news(void **state)
{
	static const struct {
		enum hint_event event;
		uint64_t validity, uid;
		struct position device;
		bool proves;
	} cases[] = {
		{HINT_MESSAGE_NEW, 7, 17, {1, 7, 17}, true},
		{HINT_MESSAGE_NEW, 7, 18, {1, 7, 17}, true},
		{HINT_MESSAGE_APPEND, 7, 17, {1, 7, 17}, true},
		{HINT_ITEM_NEW, 7, 17, {1, 7, 17}, true},
		{HINT_MESSAGE_NEW, 7, 16, {1, 7, 17}, false},
		{HINT_MESSAGE_NEW, 8, 17, {1, 7, 17}, false},
		{HINT_MESSAGE_NEW, 0, 17, {1, 7, 17}, false},
		{HINT_MESSAGE_NEW, 7, 0, {1, 7, 17}, false},
		{HINT_FLAGS_SET, 7, 17, {1, 7, 17}, false},
		{HINT_MESSAGE_EXPUNGE, 7, 17, {1, 7, 17}, false},
		{HINT_MAILBOX_RENAME, 7, 17, {1, 7, 17}, false},
		{HINT_MESSAGE_NEW, 7, 17, {1, 7, 0}, false},
		{HINT_MESSAGE_NEW, 7, 17, {1, 0, 0}, false},
		{HINT_MESSAGE_NEW, 7, 17, {1, POSITION_FOLDED, POSITION_FOLDED}, false},
		{HINT_MESSAGE_NEW, POSITION_FOLDED, 17, {1, POSITION_FOLDED, 1}, false},
		{HINT_MESSAGE_NEW, 7, UINT64_MAX, {1, 7, 17}, false},
		{HINT_MESSAGE_NEW, 7, UINT32_MAX - 2, {1, 7, 17}, true},
		{HINT_MESSAGE_NEW, 7, UINT32_MAX - 1, {1, 7, 17}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct hint hint = {.event = cases[i].event, .uidvalidity = cases[i].validity, .uid = cases[i].uid};
		if (router_hint_proves(&hint, &cases[i].device) != cases[i].proves)
			fail_msg("case %zu", i);
	}
}

static void each_number_of_a_position_counts(void **state)
{
	static const struct position base = {5, 7, 17};
	static const struct position others[] = {{6, 7, 17}, {5, 8, 17}, {5, 7, 18}, {0, 0, 0}};

	(void)state;
	assert_true(position_is_same(&base, &base));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(position_is_same(&base, &others[i]));
	assert_true(position_has_news(&others[2], &base));
	assert_false(position_has_news(&base, &others[2]));
	assert_false(position_has_news(&others[0], &base));
	assert_true(position_has_reached(&others[2], &base));
	assert_true(position_has_reached(&base, &base));
	assert_false(position_has_reached(&base, &others[2]));
	struct position packed = position_pack(NULL);
	assert_true(position_is_unknown(&packed));
}

static void delays_are_those_of_the_design(void **state)
{
	(void)state;
	assert_int_equal(router_retry_ms(0), 50);
	assert_int_equal(router_retry_ms(1), 500);
	assert_int_equal(router_retry_ms(2), 5000);
	assert_int_equal(router_retry_ms(3), -1);
	assert_int_equal(router_backoff_ms(0), 1000);
	assert_int_equal(router_backoff_ms(5), 32000);
	assert_int_equal(router_backoff_ms(6), 60000);
	assert_int_equal(router_backoff_ms(1000), 60000);
}

static void hooks_are_broken_when_too_many_of_the_last_news_were_missed(void **state)
{
	struct router_health health;

	(void)state;
	router_health_start(&health, true);
	for (int i = 0; i < 10; i++) { /* one in eight is another client's APPEND */
		assert_false(router_health_missed(&health));
		for (int j = 0; j < 7; j++)
			assert_false(router_health_announced(&health));
	}
	for (int i = 0; i < HEALTH_WINDOW; i++)
		router_health_announced(&health);
	for (int i = 0; i < HEALTH_MISSED_MAX; i++)
		assert_false(router_health_missed(&health));
	router_health_amend(&health); /* its hint was only late */
	assert_false(router_health_missed(&health));
	assert_true(router_health_missed(&health));
	assert_false(health.is_healthy);
	assert_false(router_health_missed(&health)); /* told once */
}

static void broken_hooks_have_to_prove_themselves_longer_each_time(void **state)
{
	struct router_health health;
	unsigned needed = HEALTH_ANNOUNCED_MIN;

	(void)state;
	router_health_start(&health, true);
	for (int times = 0; times < 10; times++) {
		while (!router_health_missed(&health))
			continue;
		needed = needed * 2 > HEALTH_ANNOUNCED_MOST ? HEALTH_ANNOUNCED_MOST : needed * 2;
		for (unsigned i = 1; i < needed; i++)
			assert_false(router_health_announced(&health));
		assert_true(router_health_announced(&health));
	}
	assert_int_equal(needed, HEALTH_ANNOUNCED_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_new_items_of_the_same_validity_prove_news),
		cmocka_unit_test(each_number_of_a_position_counts),
		cmocka_unit_test(delays_are_those_of_the_design),
		cmocka_unit_test(hooks_are_broken_when_too_many_of_the_last_news_were_missed),
		cmocka_unit_test(broken_hooks_have_to_prove_themselves_longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

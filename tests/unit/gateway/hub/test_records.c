/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Begin, Commit and Release as a front sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/gateway/hub/try_hub.h"

static Belfry__Role__Principal principal_of(const char *user, const char *device)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;

	principal.user = (char *)(uintptr_t)user;
	principal.device = (char *)(uintptr_t)device;
	return principal;
}

/* Sends; the answer may come later. */
static uint64_t begin_send(struct try_hub *try, struct try_front *front, const char *device, const char *lock, const char *key)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Principal principal = principal_of("alice@example.org", device);
	Belfry__Role__Begin begin = BELFRY__ROLE__BEGIN__INIT;
	char *locks[] = {(char *)(uintptr_t)lock}, *keys[] = {(char *)(uintptr_t)key};

	begin.principal = &principal;
	begin.locks = locks;
	begin.n_locks = lock != NULL;
	begin.keys = keys;
	begin.n_keys = key != NULL;
	message.id = ++front->last_id;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_BEGIN;
	message.begin = &begin;
	try_front_send(try, front, &message);
	return message.id;
}

static const Belfry__Role__Begun *begun(struct try_front *front)
{
	const Belfry__Role__FromHub *message = try_front_next(front);

	return message == NULL || message->body_case != BELFRY__ROLE__FROM_HUB__BODY_BEGUN ? NULL : message->begun;
}

static const Belfry__Role__Begun *begin(struct try_hub *try, struct try_front *front, const char *device, const char *lock,
	const char *key)
{
	begin_send(try, front, device, lock, key);
	return begun(front);
}

static const Belfry__Role__Committed *commit(struct try_hub *try, struct try_front *front, const char *device,
	uint64_t transaction, bool keep, const char *key, uint64_t revision, const char *value)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Principal principal = principal_of("alice@example.org", device);
	Belfry__Role__Commit body = BELFRY__ROLE__COMMIT__INIT;
	Belfry__Role__Write write = BELFRY__ROLE__WRITE__INIT, *writes[] = {&write};

	write.key = (char *)(uintptr_t)key;
	write.revision = revision;
	write.value = (ProtobufCBinaryData){strlen(value), (uint8_t *)(uintptr_t)value};
	body.principal = &principal;
	body.transaction = transaction;
	body.keep = keep;
	body.writes = writes;
	body.n_writes = 1;
	message.id = ++front->last_id;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_COMMIT;
	message.commit = &body;
	try_front_send(try, front, &message);
	const Belfry__Role__FromHub *answer = try_front_next(front);
	assert_non_null(answer);
	assert_int_equal(answer->id, message.id);
	assert_int_equal(answer->body_case, BELFRY__ROLE__FROM_HUB__BODY_COMMITTED);
	return answer->committed;
}

static void release(struct try_hub *try, struct try_front *front, uint64_t transaction)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Release body = BELFRY__ROLE__RELEASE__INIT;

	body.transaction = transaction;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_RELEASE;
	message.release = &body;
	try_front_send(try, front, &message);
}

static void what_was_committed_is_read_and_a_stale_writer_conflicts(void **state)
{
	struct try_hub try;
	struct try_front front;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	const Belfry__Role__Begun *first = begin(&try, &front, "D1", "sync", "sync/1");
	assert_non_null(first);
	assert_int_equal(first->status, BELFRY__ROLE__STATUS__OK);
	assert_int_not_equal(first->transaction, 0);
	assert_int_equal(first->n_records, 1);
	assert_int_equal(first->records[0]->revision, 0);
	const Belfry__Role__Committed *done = commit(&try, &front, "D1", first->transaction, false, "sync/1", 0, "bell");
	assert_int_equal(done->status, BELFRY__ROLE__STATUS__OK);
	assert_int_equal(done->n_revisions, 1);
	assert_int_equal(commit(&try, &front, "D1", 0, false, "sync/1", 0, "late")->status, BELFRY__ROLE__STATUS__CONFLICT);
	const Belfry__Role__Begun *second = begin(&try, &front, "D1", NULL, "sync/1");
	assert_int_equal(second->transaction, 0);
	assert_int_equal(second->records[0]->revision, done->revisions[0]);
	assert_memory_equal(second->records[0]->value.data, "bell", 4);
	struct hub_counters counters;
	hub_count(try.hub, &counters);
	assert_int_equal(counters.begins, 2);
	assert_int_equal(counters.commits, 2);
	assert_int_equal(counters.conflicts, 1);
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static void a_lock_is_waited_for_until_commit_release_or_the_end_of_the_front(void **state)
{
	struct try_hub try;
	struct try_front a, b;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &a);
	try_front_connect(&try, &b);
	const Belfry__Role__Begun *first = begin(&try, &a, "D1", "sync", "sync/1");
	begin_send(&try, &b, "D1", "sync", "sync/1");
	assert_null(begun(&b));
	commit(&try, &a, "D1", first->transaction, true, "sync/1", 0, "one");
	assert_null(begun(&b)); /* keep */
	commit(&try, &a, "D1", first->transaction, false, "sync/2", 0, "two");
	const Belfry__Role__Begun *second = begun(&b);
	assert_non_null(second);
	assert_memory_equal(second->records[0]->value.data, "one", 3); /* the result of who was first */

	begin_send(&try, &a, "D1", "sync", NULL);
	assert_null(begun(&a));
	release(&try, &b, second->transaction);
	assert_non_null(begun(&a));

	begin_send(&try, &b, "D1", "sync", NULL);
	assert_null(begun(&b));
	try_front_close(&try, &a);
	assert_non_null(begun(&b));
	try_front_close(&try, &b);
	assert_int_equal(locks_count(try.hub->locks), 0);
	try_hub_stop(&try);
}

static void a_transaction_is_its_fronts_and_its_principals(void **state)
{
	struct try_hub try;
	struct try_front a, b;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &a);
	try_front_connect(&try, &b);
	uint64_t transaction = begin(&try, &a, "D1", "sync", NULL)->transaction;
	assert_int_equal(commit(&try, &b, "D1", transaction, false, "k", 0, "v")->status, BELFRY__ROLE__STATUS__CONFLICT);
	assert_int_equal(commit(&try, &a, "D2", transaction, false, "k", 0, "v")->status, BELFRY__ROLE__STATUS__CONFLICT);
	release(&try, &b, transaction);
	assert_int_equal(commit(&try, &a, "D1", transaction, false, "k", 0, "v")->status, BELFRY__ROLE__STATUS__OK);
	assert_int_equal(commit(&try, &a, "D1", transaction, false, "l", 0, "v")->status, BELFRY__ROLE__STATUS__CONFLICT);
	try_front_close(&try, &a);
	try_front_close(&try, &b);
	try_hub_stop(&try);
}

static void a_user_has_max_devices_and_no_more(void **state)
{
	struct try_hub try; /* 3 devices */
	struct try_front front;
	char device[8];

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	for (int i = 1; i <= 3; i++) {
		snprintf(device, sizeof device, "D%d", i);
		assert_int_equal(begin(&try, &front, device, NULL, "device")->status, BELFRY__ROLE__STATUS__OK);
		assert_int_equal(commit(&try, &front, device, 0, false, "device", 0, "x")->status, BELFRY__ROLE__STATUS__OK);
	}
	assert_int_equal(begin(&try, &front, "D4", NULL, "device")->status, BELFRY__ROLE__STATUS__LIMIT);
	assert_int_equal(commit(&try, &front, "D4", 0, false, "device", 0, "x")->status, BELFRY__ROLE__STATUS__LIMIT);
	assert_true(try_warning(&try, "device=D4 refused"));
	assert_int_equal(begin(&try, &front, "D3", NULL, "device")->status, BELFRY__ROLE__STATUS__OK);
	const Belfry__Role__Begun *locked = begin(&try, &front, "D4", "sync", "device");
	assert_int_equal(locked->status, BELFRY__ROLE__STATUS__LIMIT);
	assert_int_equal(locked->transaction, 0);
	assert_int_equal(locks_count(try.hub->locks), 0);
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static void a_store_that_cannot_answer_is_unavailable_and_gives_the_locks_back(void **state)
{
	struct try_hub try;
	struct try_front front;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	store_memory_refuse(try.store, 0);
	const Belfry__Role__Begun *refused = begin(&try, &front, "D1", "sync", "sync/1");
	assert_int_equal(refused->status, BELFRY__ROLE__STATUS__UNAVAILABLE);
	assert_int_equal(locks_count(try.hub->locks), 0);
	assert_int_equal(commit(&try, &front, "D1", 0, false, "k", 0, "v")->status, BELFRY__ROLE__STATUS__UNAVAILABLE);
	store_memory_refuse(try.store, UINT32_MAX);
	assert_int_equal(commit(&try, &front, "D1", 0, false, "k", 0, "v")->status, BELFRY__ROLE__STATUS__OK);
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static void too_many_waiters_are_told_to_come_again(void **state)
{
	struct try_hub try;
	struct try_front front;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	for (int i = 0; i <= LOCK_WAITERS_MAX; i++)
		begin_send(&try, &front, "D1", "sync", NULL);
	assert_non_null(begun(&front));
	assert_null(begun(&front));
	begin_send(&try, &front, "D1", "sync", NULL);
	assert_int_equal(begun(&front)->status, BELFRY__ROLE__STATUS__UNAVAILABLE);
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static void a_hub_that_stops_under_way_leaves_nothing(void **state)
{
	struct try_hub try;
	struct try_front front;

	(void)state;
	try_hub_start(&try);
	store_memory_postpone(try.store, 3);
	try_front_connect(&try, &front);
	begin_send(&try, &front, "D1", "sync", "device");
	begin_send(&try, &front, "D1", "sync", "device");
	hub_stop(&try.hub);
	loop_settle(try.loop);
	assert_true(front.is_lost);
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static void a_front_that_breaks_the_form_is_cut_off(void **state)
{
	struct try_hub try;
	struct try_front front;
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Begin body = BELFRY__ROLE__BEGIN__INIT;

	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_BEGIN;
	message.begin = &body;
	try_front_send(&try, &front, &message);
	assert_true(front.is_lost);
	assert_true(try_warning(&try, "a Begin for nobody"));
	try_front_connect(&try, &front);
	link_send_packed(front.link, (const uint8_t *)"\xff\xff", 2, -1);
	loop_settle(try.loop);
	assert_true(front.is_lost);
	assert_true(try_warning(&try, "a frame that is no message"));
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_committed_is_read_and_a_stale_writer_conflicts),
		cmocka_unit_test(a_lock_is_waited_for_until_commit_release_or_the_end_of_the_front),
		cmocka_unit_test(a_transaction_is_its_fronts_and_its_principals),
		cmocka_unit_test(a_user_has_max_devices_and_no_more),
		cmocka_unit_test(a_store_that_cannot_answer_is_unavailable_and_gives_the_locks_back),
		cmocka_unit_test(too_many_waiters_are_told_to_come_again),
		cmocka_unit_test(a_hub_that_stops_under_way_leaves_nothing),
		cmocka_unit_test(a_front_that_breaks_the_form_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

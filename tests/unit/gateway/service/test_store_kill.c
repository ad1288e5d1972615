/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A process that commits is killed at any moment, again and again; whoever opens the store after it finds everything
 * that was answered, and nothing half.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/service/store_db.h"
#include "gateway/service/store_open.h"
#include "lib/core/mem.h"
#include "tests/unit/gateway/service/try_store.h"

enum {
	ROUNDS = 25,
	DEVICES = 24,          /* that commit at the same time */
	LIFE_MAX_MS = 160,     /* of a child */
	VALUE_MAX = 6000       /* some fit a page, some do not */
};

/* --- the child -------------------------------------------------------------------------------------------------- */

struct child {
	struct loop *loop;
	struct store *store;
	int answers; /* the pipe */
};

/* Commits 1, 2, 3 …: number n makes x/n and y/n and changes `last`, all in one transaction. */
struct device {
	struct child *child;
	char user[32];
	uint32_t number;
	uint32_t index;
	uint64_t last_revision;
};

struct answer {
	uint32_t device, number;
};

static size_t length_of(uint32_t number)
{
	return number * 2654435761u % VALUE_MAX + sizeof number;
}

static void value_make(uint8_t value[VALUE_MAX + 8], uint32_t number)
{
	memset(value, (int)number, VALUE_MAX + 8);
	memcpy(value, &number, sizeof number);
}

static void device_commit(struct device *device);

static void device_committed(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct device *device = data;
	struct answer answer = {device->index, device->number};

	if (status != STORE_OK || count != 3 || write(device->child->answers, &answer, sizeof answer) != sizeof answer)
		_exit(1);
	device->last_revision = revisions[2];
	device_commit(device);
}

static void device_commit(struct device *device)
{
	static uint8_t value[VALUE_MAX + 8];
	uint32_t number = ++device->number;
	char x[16], y[16];

	value_make(value, number);
	snprintf(x, sizeof x, "x/%u", number);
	snprintf(y, sizeof y, "y/%u", number);
	const struct store_write writes[] = {
		{.key = x, .value = value, .length = length_of(number)},
		{.key = y, .value = value, .length = length_of(number)},
		{.key = "last", .revision = device->last_revision, .value = value, .length = sizeof number},
	};
	store_commit(device->child->store, &(struct principal){device->user, "PHONE1"}, writes, 3, device_committed, device);
}

static void child_run(const char *folder, int round, int answers)
{
	struct child child = {.loop = loop_create(), .answers = answers};
	struct store_settings settings = {.folder = folder, .checkpoint_s = 1, .cache_bytes = 1024 * 1024};
	static struct device devices[DEVICES];
	struct error error;

	child.store = store_open(child.loop, &settings, &error);
	if (child.store == NULL) {
		fprintf(stderr, "%s\n", error.text);
		_exit(2);
	}
	for (uint32_t i = 0; i < DEVICES; i++) {
		devices[i] = (struct device){.child = &child, .index = i};
		snprintf(devices[i].user, sizeof devices[i].user, "round%d.user%u", round, i);
		device_commit(&devices[i]);
	}
	loop_run(child.loop);
}

/* --- the parent ------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Lets a child live for a while and kills it; keeps the highest number that each device had answered. */
static void live_and_die(const char *folder, int round, uint32_t answered[DEVICES])
{
	int pipes[2], status;
	struct answer answer;

	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(pipes[0]);
		child_run(folder, round, pipes[1]);
		_exit(0);
	}
	close(pipes[1]);
	int64_t until_ms = 0; /* the clock runs from the first answer on; one life in five ends before it */
	int life_ms = rand() % LIFE_MAX_MS;
	bool early = round % 5 == 4, killed = false;
	if (early)
		until_ms = now_ms() + life_ms / 5;
	memset(answered, 0, DEVICES * sizeof *answered);
	for (;;) {
		struct pollfd readable = {.fd = pipes[0], .events = POLLIN};
		if (!killed && until_ms != 0 && now_ms() >= until_ms) {
			assert_int_equal(kill(child, SIGKILL), 0);
			killed = true;
		}
		if (poll(&readable, 1, 1) == 0)
			continue;
		ssize_t got = read(pipes[0], &answer, sizeof answer);
		if (got == 0)
			break;
		assert_int_equal(got, sizeof answer);
		assert_true(answer.device < DEVICES && answer.number == answered[answer.device] + 1);
		answered[answer.device] = answer.number;
		if (until_ms == 0)
			until_ms = now_ms() + life_ms;
	}
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void record_is_whole(const struct store_record *record, uint32_t number)
{
	static uint8_t value[VALUE_MAX + 8];

	value_make(value, number);
	assert_int_equal(record->length, length_of(number));
	assert_memory_equal(record->value, value, record->length);
}

/* Both records of each number up to `last`, none after it, and `last` is at least what was answered. */
static uint32_t check_device(struct try *try, const char *user, uint32_t answered)
{
	uint32_t last = 0;
	char key[16];

	assert_int_equal(try_get(try, user, "PHONE1", "last"), STORE_OK);
	if (try->records[0].revision != 0)
		memcpy(&last, try->records[0].value, sizeof last);
	assert_true(last == answered || last == answered + 1);
	for (uint32_t number = 1; number <= last + 1; number++)
		for (const char *kind = "xy"; *kind != '\0'; kind++) {
			snprintf(key, sizeof key, "%c/%u", *kind, number);
			assert_int_equal(try_get(try, user, "PHONE1", key), STORE_OK);
			assert_true((try->records[0].revision != 0) == (number <= last));
			if (number <= last)
				record_is_whole(&try->records[0], number);
		}
	return last;
}

static void what_was_answered_is_there_after_each_kill_and_nothing_is_half(void **state)
{
	static uint32_t answered[ROUNDS][DEVICES];
	struct try *try = try_create(TRY_DISK);
	uint32_t there = 0, lost = 0;
	char user[32];

	(void)state;
	srand(5);
	for (int round = 0; round < ROUNDS; round++) {
		store_close(&try->store);
		live_and_die(try->folder, round, answered[round]);
		try_reopen(try);
		for (uint32_t i = 0; i < DEVICES; i++) {
			snprintf(user, sizeof user, "round%d.user%u", round, i);
			uint32_t last = check_device(try, user, answered[round][i]);
			there += last;
			lost += last - answered[round][i];
			answered[round][i] = last;
		}
	}
	for (int round = 0; round < ROUNDS; round += 7) /* and what was there stays there */
		for (uint32_t i = 0; i < DEVICES; i++) {
			snprintf(user, sizeof user, "round%d.user%u", round, i);
			assert_int_equal(check_device(try, user, answered[round][i]), answered[round][i]);
		}
	print_message("%d kills, %u commits there, %u of them not answered\n", ROUNDS, there, lost);
	assert_true(there > 0);
	try_free(&try);
}

static struct store_key key_of(const char *name)
{
	struct store_key key = {.length = strlen(name)};

	memcpy(key.bytes, name, key.length);
	return key;
}

static void write_row(struct store_table *table, const char *name, bool remove)
{
	struct store_key key = key_of(name);
	uint64_t revision;

	if (table->begin(table) < 0 || (remove ? table->remove(table, &key) : table->put(table, &key, "x", 1, &revision)) < 0 ||
	    table->end(table) < 0)
		_exit(1);
}

static void read_row(struct store_table *table, const char *name)
{
	struct store_key key = key_of(name);
	struct store_row row;

	if (table->seek(table, &key, &row) != 1)
		_exit(1);
}

/* Dies without closing anything: what a kill leaves of it is what the log says. */
static void remove_what_was_read_last_and_die(const char *folder)
{
	struct error error;
	struct store_db *db = store_db_open(folder, 1 << 20, &error);
	struct store_table *table = db == NULL ? NULL : store_db_table(db);

	if (db == NULL)
		_exit(1);
	write_row(table, "a", false);
	write_row(table, "b", false);
	read_row(table, "a");
	write_row(table, "a", true);
	read_row(table, "a"); /* it finds b */
	write_row(table, "a", false);
	if (store_db_flush(db) == 0)
		raise(SIGKILL);
	_exit(1);
}

static void what_is_removed_where_a_reader_stood_does_not_damage_the_store(void **state)
{
	struct try *try = try_create(TRY_DISK);
	int status;

	(void)state;
	store_close(&try->store);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		remove_what_was_read_last_and_die(try->folder);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	try_reopen(try); /* asserts that it can */
	try_free(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_answered_is_there_after_each_kill_and_nothing_is_half),
		cmocka_unit_test(what_is_removed_where_a_reader_stood_does_not_damage_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

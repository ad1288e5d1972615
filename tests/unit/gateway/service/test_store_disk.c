/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What only a store on a disk has to stand: a full disk, I/O errors, damage, a second process, power cuts, backups.
 * fdatasync, write and pwrite are ours here, also for Berkeley DB: they fail when a test wants, and they know what has
 * reached the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <db.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/service/store_open.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "tests/unit/gateway/service/try_store.h"

#define ALICE "alice@example.org"
#define PHONE "PHONE1"

/* Berkeley DB loses 300 bytes in an opening that finds no room (in __env_remove_env); test_store has no such excuse. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libdb-5.3.so";
}

/* --- the disk --------------------------------------------------------------------------------------------------- */

static atomic_int write_fails, sync_fails_once; /* with this errno; 0: works */
static atomic_uint syncs;

/* Files by inode, and how much of each is known to be on the disk. */
static pthread_mutex_t synced_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct { ino_t inode; off_t size; } synced[256];
static size_t synced_count;

static void keep_synced(const struct stat *status)
{
	size_t i = 0;

	pthread_mutex_lock(&synced_mutex);
	while (i < synced_count && synced[i].inode != status->st_ino)
		i++;
	assert_true(i < sizeof synced / sizeof *synced);
	synced[i].inode = status->st_ino;
	synced[i].size = status->st_size;
	if (i == synced_count)
		synced_count++;
	pthread_mutex_unlock(&synced_mutex);
}

static off_t synced_size(ino_t inode)
{
	off_t size = 0;

	pthread_mutex_lock(&synced_mutex);
	for (size_t i = 0; i < synced_count; i++)
		if (synced[i].inode == inode)
			size = synced[i].size;
	pthread_mutex_unlock(&synced_mutex);
	return size;
}

int fdatasync(int file)
{
	struct stat status;
	int fails = atomic_exchange(&sync_fails_once, 0);

	if (fails != 0) {
		errno = fails;
		return -1;
	}
	assert_int_equal(fstat(file, &status), 0);
	if (syscall(SYS_fdatasync, file) < 0)
		return -1;
	keep_synced(&status);
	syncs++;
	return 0;
}

static bool write_fails_on(int file)
{
	struct stat status;

	return write_fails != 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

ssize_t write(int file, const void *bytes, size_t length)
{
	if (!write_fails_on(file))
		return syscall(SYS_write, file, bytes, length);
	errno = write_fails;
	return -1;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at)
{
	if (!write_fails_on(file))
		return syscall(SYS_pwrite64, file, bytes, length, at);
	errno = write_fails;
	return -1;
}

/* --- what is logged --------------------------------------------------------------------------------------------- */

static char logged[4096];

static void keep_line(enum log_level level, const char *line, void *data)
{
	size_t length = strlen(logged);

	(void)data;
	snprintf(logged + length, sizeof logged - length, "%d %s\n", level, line);
}

/* Every test says what it expects to be logged; nothing else may be. */
static void logged_is(const char *part)
{
	if (part == NULL)
		assert_string_equal(logged, "");
	else if (strstr(logged, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, logged);
	logged[0] = '\0';
}

static int make_store(void **state)
{
	log_set_sink(keep_line, NULL);
	*state = try_create(TRY_DISK);
	return 0;
}

static int end_store(void **state)
{
	struct try *try = *state;

	write_fails = sync_fails_once = 0;
	try_free(&try);
	logged_is(NULL);
	return 0;
}

static void value_is(struct try *try, const char *key, const char *value)
{
	assert_int_equal(try_get(try, ALICE, PHONE, key), STORE_OK);
	assert_true(try->records[0].revision != 0);
	assert_int_equal(try->records[0].length, strlen(value));
	assert_memory_equal(try->records[0].value, value, strlen(value));
}

/* --- durable ---------------------------------------------------------------------------------------------------- */

static void a_commit_is_on_the_disk_before_it_is_answered(void **state)
{
	struct try *try = *state;
	char key[16];

	for (int i = 0; i < 50; i++) {
		unsigned before = syncs;
		snprintf(key, sizeof key, "%d", i);
		assert_int_equal(try_put(try, ALICE, PHONE, key, 0, "value"), STORE_OK);
		assert_true(syncs > before);
	}
}

static void a_read_or_a_conflict_needs_no_flush(void **state)
{
	struct try *try = *state;

	assert_int_equal(try_put(try, ALICE, PHONE, "a", 0, "value"), STORE_OK);
	unsigned before = syncs;
	assert_int_equal(try_get(try, ALICE, PHONE, "a"), STORE_OK);
	assert_int_equal(try_put(try, ALICE, PHONE, "a", 0, "value"), STORE_CONFLICT);
	assert_int_equal(syncs, before);
}

struct crowd {
	struct try *try;
	unsigned count, ok;
	bool all;
	void (*each)(struct crowd *, unsigned number); /* after an answer that was OK */
	struct member { struct crowd *crowd; unsigned number; } members[2000];
	bool done[2000];
};

static void crowd_answered(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct member *member = data;
	struct crowd *crowd = member->crowd;

	(void)revisions;
	(void)count;
	crowd->count--;
	if (status == STORE_OK) {
		crowd->ok++;
		crowd->done[member->number] = true;
		if (crowd->each != NULL)
			crowd->each(crowd, member->number);
	}
	crowd->all = crowd->count == 0;
	loop_stop(crowd->try->loop);
}

/* Member n writes two records, x/n and y/n, in one transaction. */
static void crowd_ask(struct crowd *crowd, unsigned from, unsigned count)
{
	static char value[3000];
	char x[16], y[16];

	memset(value, 'v', sizeof value);
	for (unsigned i = from; i < from + count; i++) {
		snprintf(x, sizeof x, "x/%u", i);
		snprintf(y, sizeof y, "y/%u", i);
		struct store_write writes[] = {
			{.key = x, .value = value, .length = 10 + i},
			{.key = y, .value = value, .length = 10 + i},
		};
		crowd->members[i] = (struct member){crowd, i};
		crowd->count++;
		crowd->all = false;
		store_commit(crowd->try->store, &(struct principal){ALICE, PHONE}, writes, 2, crowd_answered, &crowd->members[i]);
	}
}

static struct crowd *crowd_create(struct try *try)
{
	struct crowd *crowd = mem_alloc(sizeof *crowd);

	crowd->try = try;
	return crowd;
}

/* Whether both records are there, or none. */
static bool crowd_has(struct try *try, unsigned number)
{
	char key[16];
	bool has[2];

	for (int i = 0; i < 2; i++) {
		snprintf(key, sizeof key, "%c/%u", 'x' + i, number);
		assert_int_equal(try_get(try, ALICE, PHONE, key), STORE_OK);
		has[i] = try->records[0].revision != 0;
		if (has[i])
			assert_int_equal(try->records[0].length, 10 + number);
	}
	assert_true(has[0] == has[1]);
	return has[0];
}

static void many_commits_share_few_flushes(void **state)
{
	struct crowd *crowd = crowd_create(*state);
	unsigned before = syncs;

	crowd_ask(crowd, 0, 1000);
	try_wait(*state, &crowd->all);
	assert_int_equal(crowd->ok, 1000);
	assert_true(syncs - before < 500);
	free(crowd);
}

/* --- power cuts ------------------------------------------------------------------------------------------------- */

struct cut {
	char folder[96];
	bool done[2000]; /* answered before the cut */
};

static void copy_file(const char *from, const char *to, off_t size)
{
	char bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(in >= 0 && out >= 0);
	while (size > 0) {
		ssize_t got = read(in, bytes, size < (off_t)sizeof bytes ? (size_t)size : sizeof bytes);
		if (got <= 0)
			break;
		assert_int_equal(write(out, bytes, (size_t)got), got);
		size -= got;
	}
	close(in);
	close(out);
}

/* A copy of the store as a power cut would leave it: of each log file what was synced. Pages of the records may be on
 * the disk sooner than they were asked to, so these are copied as they are. */
static void cut_power(const char *folder, const char *copy)
{
	DIR *files = opendir(folder);
	struct dirent *file;
	struct stat status;

	assert_int_equal(mkdir(copy, 0700), 0);
	while ((file = readdir(files)) != NULL) {
		if (file->d_name[0] == '.')
			continue;
		char *from = mem_printf("%s/%s", folder, file->d_name), *to = mem_printf("%s/%s", copy, file->d_name);
		assert_int_equal(stat(from, &status), 0);
		copy_file(from, to, strncmp(file->d_name, "log.", 4) == 0 ? synced_size(status.st_ino) : status.st_size);
		free(from);
		free(to);
	}
	closedir(files);
}

enum { CUTS = 6, CUT_EVERY = 300 };
static struct cut cuts[CUTS];

static void cut_sometimes(struct crowd *crowd, unsigned number)
{
	struct cut *cut = &cuts[number / CUT_EVERY];

	if (number % CUT_EVERY != CUT_EVERY / 2 || number / CUT_EVERY >= CUTS)
		return;
	memcpy(cut->done, crowd->done, sizeof cut->done);
	snprintf(cut->folder, sizeof cut->folder, "%s/cut%u", crowd->try->folder, number);
	cut_power(crowd->try->folder, cut->folder);
}

static void what_was_answered_survives_a_power_cut(void **state)
{
	struct try *try = *state, *after = mem_alloc(sizeof *after);
	struct crowd *crowd = crowd_create(try);

	memset(cuts, 0, sizeof cuts);
	crowd->each = cut_sometimes;
	for (unsigned i = 0; i < CUTS * CUT_EVERY; i += 30) {
		crowd_ask(crowd, i, 30);
		if (i % 90 == 0)
			try_wait(try, &crowd->all);
		if (i == 900) { /* so that a checkpoint lies between the cuts */
			try_wait(try, &crowd->all);
			try_reopen(try);
		}
	}
	try_wait(try, &crowd->all);
	for (int i = 0; i < CUTS; i++) {
		struct error error = {""};
		*after = (struct try){.kind = TRY_DISK, .loop = try->loop};
		after->store = store_open(after->loop, &(struct store_settings){.folder = cuts[i].folder}, &error);
		assert_string_equal(error.text, "");
		unsigned there = 0, answered = 0;
		for (unsigned number = 0; number < CUTS * CUT_EVERY; number++) {
			bool has = crowd_has(after, number);
			assert_true(has || !cuts[i].done[number]);
			there += has;
			answered += cuts[i].done[number];
		}
		assert_true(answered > (unsigned)i * CUT_EVERY && there < CUTS * CUT_EVERY);
		store_close(&after->store);
		arena_free(&after->arena);
	}
	free(after);
	free(crowd);
}

/* --- a disk that fails ------------------------------------------------------------------------------------------ */

static void a_full_disk_refuses_everything_until_there_is_room(void **state)
{
	struct try *try = *state;

	try->reopen_s = 1;
	try_reopen(try);
	assert_int_equal(try_put(try, ALICE, PHONE, "kept", 0, "value"), STORE_OK);
	write_fails = ENOSPC;
	assert_int_equal(try_put(try, ALICE, PHONE, "lost", 0, "value"), STORE_UNAVAILABLE);
	logged_is("make room");
	assert_int_equal(try_get(try, ALICE, PHONE, "kept"), STORE_UNAVAILABLE);
	assert_int_equal(try_page(try, NULL, "kept", NULL, 1), STORE_UNAVAILABLE);
	assert_int_equal(try_put(try, ALICE, PHONE, "lost", 0, "value"), STORE_UNAVAILABLE);
	logged_is(NULL);
	write_fails = 0;
	while (try_get(try, ALICE, PHONE, "kept") == STORE_UNAVAILABLE)
		usleep(50000);
	logged_is("available again");
	value_is(try, "kept", "value");
	assert_int_equal(try_put(try, ALICE, PHONE, "next", 0, "value"), STORE_OK);
	try_reopen(try);
	value_is(try, "kept", "value");
	value_is(try, "next", "value");
}

static void a_transaction_that_does_not_fit_the_log_buffer_can_meet_a_full_disk_too(void **state)
{
	struct try *try = *state;
	char *value = mem_alloc(STORE_VALUE_MAX);
	const struct store_write writes[] = {
		{.key = "a", .value = value, .length = STORE_VALUE_MAX},
		{.key = "b", .value = value, .length = STORE_VALUE_MAX},
		{.key = "c", .value = value, .length = STORE_VALUE_MAX},
	};

	try->reopen_s = 1;
	try_reopen(try);
	write_fails = ENOSPC;
	assert_int_equal(try_commit(try, ALICE, PHONE, writes, 3), STORE_UNAVAILABLE);
	logged_is("make room");
	write_fails = 0;
	while (try_scan(try, ALICE, PHONE, "") == STORE_UNAVAILABLE)
		usleep(50000);
	logged_is("available again");
	assert_int_equal(try->count, 0);
	assert_int_equal(try_commit(try, ALICE, PHONE, writes, 3), STORE_OK);
	free(value);
}

static void a_disk_that_is_still_full_is_tried_again_and_again(void **state)
{
	struct try *try = *state;

	try->reopen_s = 1;
	try_reopen(try);
	assert_int_equal(try_put(try, ALICE, PHONE, "kept", 0, "value"), STORE_OK);
	write_fails = EDQUOT;
	assert_int_equal(try_put(try, ALICE, PHONE, "lost", 0, "value"), STORE_UNAVAILABLE);
	logged_is("make room");
	while (logged[0] == '\0') {
		assert_int_equal(try_get(try, ALICE, PHONE, "kept"), STORE_UNAVAILABLE);
		usleep(50000);
	}
	logged_is("cannot open the store");
	write_fails = 0;
	while (try_get(try, ALICE, PHONE, "kept") == STORE_UNAVAILABLE)
		usleep(50000);
	logged_is("available again");
	value_is(try, "kept", "value");
}

static void a_lost_write_is_not_believed_when_the_next_sync_succeeds(void **state)
{
	struct try *try = *state;

	try->reopen_s = 1;
	try_reopen(try);
	assert_int_equal(try_put(try, ALICE, PHONE, "kept", 0, "value"), STORE_OK);
	sync_fails_once = EIO;
	assert_int_equal(try_put(try, ALICE, PHONE, "lost", 0, "value"), STORE_UNAVAILABLE);
	logged_is("look after the disk");
	usleep(1100000);
	assert_int_equal(try_put(try, ALICE, PHONE, "next", 0, "value"), STORE_UNAVAILABLE);
	logged_is(NULL);
	try_reopen(try);
	value_is(try, "kept", "value");
	assert_int_equal(try_put(try, ALICE, PHONE, "next", 0, "value"), STORE_OK);
}

static void all_of_a_batch_that_was_not_flushed_is_refused(void **state)
{
	struct try *try = *state;
	struct crowd *crowd = crowd_create(try);

	sync_fails_once = EIO;
	crowd_ask(crowd, 0, 500);
	try_wait(try, &crowd->all);
	assert_int_equal(crowd->ok, 0);
	logged_is("look after the disk");
	try_reopen(try);
	for (unsigned i = 0; i < 500; i++)
		crowd_has(try, i); /* never one half */
	free(crowd);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static void cannot_open(struct try *try, const char *why)
{
	struct error error = {""};
	struct store *store = store_open(try->loop, &(struct store_settings){.folder = try->folder}, &error);

	assert_null(store);
	if (strstr(error.text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
}

static void the_folder_is_for_its_owner_only(void **state)
{
	struct try *try = *state;
	char *folder = mem_strdup(try->folder);
	struct error error = {""};
	struct stat status;
	struct dirent *file;

	store_close(&try->store);
	snprintf(try->folder, sizeof try->folder, "%s/new", folder);
	umask(0);
	struct store *store = store_open(try->loop, &(struct store_settings){.folder = try->folder}, &error);
	assert_non_null(store);
	assert_int_equal(stat(try->folder, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	DIR *files = opendir(try->folder);
	while ((file = readdir(files)) != NULL)
		if (file->d_name[0] != '.') {
			assert_int_equal(fstatat(dirfd(files), file->d_name, &status, 0), 0);
			assert_int_equal(status.st_mode & 07777, 0600);
		}
	closedir(files);
	store_close(&store);
	assert_int_equal(chmod(try->folder, 0750), 0);
	cannot_open(try, "chmod 700");
	snprintf(try->folder, sizeof try->folder, "%s/none/new", folder);
	cannot_open(try, "No such file");
	snprintf(try->folder, sizeof try->folder, "%s/lock", folder);
	cannot_open(try, "is not a folder");
	snprintf(try->folder, sizeof try->folder, "%s", folder);
	free(folder);
}

static void a_second_opening_is_refused_and_harms_nothing(void **state)
{
	struct try *try = *state;

	assert_int_equal(try_put(try, ALICE, PHONE, "a", 0, "value"), STORE_OK);
	cannot_open(try, "in use by another process");
	assert_int_equal(try_put(try, ALICE, PHONE, "b", 0, "value"), STORE_OK);
	try_reopen(try);
	value_is(try, "a", "value");
	value_is(try, "b", "value");
}

static void fill(struct try *try)
{
	struct crowd *crowd = crowd_create(try);

	crowd_ask(crowd, 0, 1000);
	try_wait(try, &crowd->all);
	assert_int_equal(crowd->ok, 1000);
	free(crowd);
}

/* Overwrites bytes of a file. */
static void damage(const struct try *try, const char *name, off_t at, size_t length)
{
	char *path = mem_printf("%s/%s", try->folder, name), *garbage = mem_alloc(length);
	int file = open(path, O_WRONLY | O_CLOEXEC);

	memset(garbage, 0x5a, length);
	assert_true(file >= 0);
	assert_int_equal(pwrite(file, garbage, length, at), length);
	close(file);
	free(path);
	free(garbage);
}

static void a_store_with_a_damaged_beginning_says_what_to_do(void **state)
{
	struct try *try = *state;

	fill(try);
	store_close(&try->store);
	damage(try, "records.db", 0, 4096);
	cannot_open(try, "damaged");
	cannot_open(try, "put a backup in its place");
}

static void a_damaged_page_is_found_and_not_believed(void **state)
{
	struct try *try = *state;
	enum store_status status = STORE_OK;
	char key[16];

	fill(try);
	store_close(&try->store);
	for (off_t at = 4096; at < 400 * 4096; at += 4096)
		damage(try, "records.db", at + 2000, 20);
	struct error error;
	try->store = store_open(try->loop, &(struct store_settings){.folder = try->folder}, &error);
	for (int i = 0; i < 1000 && status == STORE_OK && try->store != NULL; i++) {
		snprintf(key, sizeof key, "x/%d", i);
		status = try_get(try, ALICE, PHONE, key);
	}
	if (try->store != NULL) {
		assert_int_equal(status, STORE_UNAVAILABLE);
		logged_is("put a backup there");
	}
	store_close(&try->store);
}

static void a_store_of_another_format_is_left_alone(void **state)
{
	struct try *try = *state;
	DB_ENV *env;
	DB *about;
	DBT key = {.data = "format", .size = 6}, value = {.data = "belfry store 2", .size = 14};

	store_close(&try->store);
	assert_int_equal(db_env_create(&env, 0), 0);
	assert_int_equal(env->open(env, try->folder, DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_INIT_MPOOL | DB_INIT_LOG |
		DB_INIT_TXN, 0600), 0);
	assert_int_equal(db_create(&about, env, 0), 0);
	assert_int_equal(about->open(about, NULL, "about.db", NULL, DB_BTREE, DB_AUTO_COMMIT, 0), 0);
	assert_int_equal(about->put(about, NULL, &key, &value, 0), 0);
	about->close(about, 0);
	env->close(env, 0);
	cannot_open(try, "belfry store 2");
}

/* --- upkeep ----------------------------------------------------------------------------------------------------- */

static unsigned count_logs(const struct try *try)
{
	DIR *files = opendir(try->folder);
	struct dirent *file;
	unsigned count = 0;

	while ((file = readdir(files)) != NULL)
		count += strncmp(file->d_name, "log.", 4) == 0;
	closedir(files);
	return count;
}

static void old_log_files_are_removed_by_themselves(void **state)
{
	struct try *try = *state;
	char *value = mem_alloc(STORE_VALUE_MAX + 1);

	memset(value, 'v', STORE_VALUE_MAX);
	try->checkpoint_s = 1;
	try_reopen(try);
	uint64_t revision = 0, other = 0;
	for (int i = 0; i < 40; i++) {
		assert_int_equal(try_put(try, ALICE, PHONE, "big", revision, value), STORE_OK);
		revision = try->revisions[0];
	}
	while (count_logs(try) > 2) { /* a store where nothing happens any more keeps what it has */
		assert_int_equal(try_put(try, ALICE, PHONE, "other", other, "value"), STORE_OK);
		other = try->revisions[0];
		usleep(100000);
	}
	try_reopen(try);
	value_is(try, "big", value);
	free(value);
}

static void a_backup_made_while_all_goes_on_is_a_store(void **state)
{
	struct try *try = *state;
	struct crowd *crowd = crowd_create(try);
	struct error error = {""};
	char folder[96];

	snprintf(folder, sizeof folder, "%s/backup", try->folder);
	crowd_ask(crowd, 0, 1000);
	try_wait(try, &crowd->all);
	crowd_ask(crowd, 1000, 1000);
	assert_int_equal(try_backup(try, folder), STORE_OK);
	try_wait(try, &crowd->all);
	assert_int_equal(crowd->ok, 2000);
	struct store *store = try->store;
	try->store = store_open(try->loop, &(struct store_settings){.folder = folder}, &error);
	assert_string_equal(error.text, "");
	for (unsigned i = 0; i < 2000; i++)
		assert_true(crowd_has(try, i) || i >= 1000);
	store_close(&try->store);
	try->store = store;
	free(crowd);
}

static void a_backup_never_overwrites(void **state)
{
	struct try *try = *state;

	fill(try);
	assert_int_equal(try_backup(try, try->folder), STORE_UNAVAILABLE);
	logged_is("cannot make the folder");
	assert_int_equal(try_put(try, ALICE, PHONE, "a", 0, "value"), STORE_OK);
	value_is(try, "a", "value");
}

static void a_backup_that_finds_no_room_harms_nothing(void **state)
{
	struct try *try = *state;
	char folder[96];

	snprintf(folder, sizeof folder, "%s/backup", try->folder);
	fill(try);
	write_fails = ENOSPC;
	assert_int_equal(try_backup(try, folder), STORE_UNAVAILABLE);
	write_fails = 0;
	logged_is("cannot copy the store");
	assert_int_equal(try_put(try, ALICE, PHONE, "a", 0, "value"), STORE_OK);
	try_reopen(try);
	value_is(try, "a", "value");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_store, end_store)
	const struct CMUnitTest tests[] = {
		CASE(a_commit_is_on_the_disk_before_it_is_answered),
		CASE(a_read_or_a_conflict_needs_no_flush),
		CASE(many_commits_share_few_flushes),
		CASE(what_was_answered_survives_a_power_cut),
		CASE(a_full_disk_refuses_everything_until_there_is_room),
		CASE(a_transaction_that_does_not_fit_the_log_buffer_can_meet_a_full_disk_too),
		CASE(a_disk_that_is_still_full_is_tried_again_and_again),
		CASE(a_lost_write_is_not_believed_when_the_next_sync_succeeds),
		CASE(all_of_a_batch_that_was_not_flushed_is_refused),
		CASE(the_folder_is_for_its_owner_only),
		CASE(a_second_opening_is_refused_and_harms_nothing),
		CASE(a_store_with_a_damaged_beginning_says_what_to_do),
		CASE(a_damaged_page_is_found_and_not_believed),
		CASE(a_store_of_another_format_is_left_alone),
		CASE(old_log_files_are_removed_by_themselves),
		CASE(a_backup_made_while_all_goes_on_is_a_store),
		CASE(a_backup_never_overwrites),
		CASE(a_backup_that_finds_no_room_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stores for tests, each in a real loop; answers are copied, so that a test can look at them in peace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/service/store_memory.h"
#include "gateway/service/store_open.h"
#include "lib/core/mem.h"
#include "tests/unit/gateway/service/try_store.h"

const char *const try_kind_names[TRY_KINDS] = {"memory", "memory postponed", "disk"};

static void open_store(struct try *try, const struct store_snapshot *snapshot)
{
	struct error error = {""};

	if (try->kind == TRY_DISK)
		try->store = store_open(try->loop, &(struct store_settings){.folder = try->folder,
			.checkpoint_s = try->checkpoint_s, .reopen_s = try->reopen_s}, &error);
	else if (snapshot != NULL)
		try->store = store_memory_restore(try->loop, snapshot);
	else
		try->store = store_memory_create(try->loop);
	if (try->kind == TRY_MEMORY_POSTPONED)
		store_memory_postpone(try->store, 5);
	assert_string_equal(error.text, "");
	assert_non_null(try->store);
}

struct try *try_create(enum try_kind kind)
{
	struct try *try = mem_alloc(sizeof *try);

	try->kind = kind;
	try->loop = loop_create();
	snprintf(try->folder, sizeof try->folder, "/tmp/belfry-store-XXXXXX");
	if (kind == TRY_DISK)
		assert_non_null(mkdtemp(try->folder));
	open_store(try, NULL);
	return try;
}

void try_free(struct try **owner)
{
	struct try *try = *owner;

	store_close(&try->store);
	loop_free(&try->loop);
	arena_free(&try->arena);
	if (try->kind == TRY_DISK)
		try_remove_folder(try->folder);
	free(try);
	*owner = NULL;
}

void try_reopen(struct try *try)
{
	struct store_snapshot *snapshot = try->kind == TRY_DISK ? NULL : store_memory_snapshot(try->store);

	store_close(&try->store);
	open_store(try, snapshot);
	store_snapshot_free(&snapshot);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

void try_remove_folder(const char *folder)
{
	assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static void copy_begins(struct try *try, enum store_status status, size_t count)
{
	arena_free(&try->arena);
	try->arena = arena_create(0);
	try->answered = true;
	try->status = status;
	try->count = count;
	if (status != STORE_OK)
		assert_int_equal(count, 0);
	loop_stop(try->loop);
}

static struct store_record copy_record(struct arena *arena, const struct store_record *record)
{
	struct store_record copy = *record;

	copy.key = arena_strdup(arena, record->key);
	if (record->revision == 0)
		assert_null(record->value);
	else
		copy.value = memcpy(arena_alloc(arena, record->length + 1), record->value, record->length);
	return copy;
}

static void read_done(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct try *try = data;

	copy_begins(try, status, count);
	try->records = arena_alloc(try->arena, count * sizeof *records);
	for (size_t i = 0; i < count; i++)
		try->records[i] = copy_record(try->arena, &records[i]);
}

static void write_done(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct try *try = data;

	copy_begins(try, status, count);
	if (count != 0)
		memcpy(try->revisions, revisions, count * sizeof *revisions);
}

static void page_done(enum store_status status, const struct store_entry *entries, size_t count, bool more, void *data)
{
	struct try *try = data;

	copy_begins(try, status, count);
	try->more = more;
	try->entries = arena_alloc(try->arena, count * sizeof *entries);
	for (size_t i = 0; i < count; i++) {
		try->entries[i].principal.user = arena_strdup(try->arena, entries[i].principal.user);
		try->entries[i].principal.device = arena_strdup(try->arena, entries[i].principal.device);
		try->entries[i].record = copy_record(try->arena, &entries[i].record);
	}
}

static void backup_done(enum store_status status, void *data)
{
	copy_begins(data, status, 0);
}

/* --- questions ------------------------------------------------------------------------------------------------- */

void try_wait(struct try *try, const bool *flag)
{
	while (!*flag)
		loop_run(try->loop);
}

static enum store_status wait_for_answer(struct try *try)
{
	assert_false(try->answered); /* never from within the call */
	try_wait(try, &try->answered);
	return try->status;
}

enum store_status try_get(struct try *try, const char *user, const char *device, const char *key)
{
	try->answered = false;
	store_get(try->store, &(struct principal){user, device}, key, read_done, try);
	return wait_for_answer(try);
}

enum store_status try_scan(struct try *try, const char *user, const char *device, const char *prefix)
{
	try->answered = false;
	store_scan(try->store, &(struct principal){user, device}, prefix, read_done, try);
	return wait_for_answer(try);
}

enum store_status try_put(struct try *try, const char *user, const char *device, const char *key, uint64_t revision,
	const char *value)
{
	try->answered = false;
	store_put_if(try->store, &(struct principal){user, device}, key, revision, value, strlen(value), write_done, try);
	return wait_for_answer(try);
}

enum store_status try_delete(struct try *try, const char *user, const char *device, const char *key, uint64_t revision)
{
	try->answered = false;
	store_delete_if(try->store, &(struct principal){user, device}, key, revision, write_done, try);
	return wait_for_answer(try);
}

enum store_status try_commit(struct try *try, const char *user, const char *device, const struct store_write *writes,
	size_t count)
{
	try->answered = false;
	store_commit(try->store, &(struct principal){user, device}, writes, count, write_done, try);
	return wait_for_answer(try);
}

enum store_status try_page(struct try *try, const char *user, const char *key, const struct principal *after, size_t max)
{
	try->answered = false;
	store_page(try->store, user, key, after, max, page_done, try);
	return wait_for_answer(try);
}

enum store_status try_backup(struct try *try, const char *folder)
{
	try->answered = false;
	store_backup(try->store, folder, backup_done, try);
	return wait_for_answer(try);
}

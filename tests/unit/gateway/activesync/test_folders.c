/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hierarchy as a device knows it, through the lives of folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/folders.h"
#include "lib/core/log.h"

struct try {
	struct arena *arena;
	Belfry__Activesync__Folders folders;
	Belfry__Connector__Collections list;
};

static void begin(struct try *try)
{
	*try = (struct try){.arena = arena_create(0)};
	belfry__activesync__folders__init(&try->folders);
	belfry__connector__collections__init(&try->list);
	folders_restart(&try->folders, 99);
}

static void end(struct try *try)
{
	arena_free(&try->arena);
}

static Belfry__Connector__Collection *listed(struct try *try, const char *name)
{
	Belfry__Connector__Collection *one = arena_alloc(try->arena, sizeof *one);
	const char *slash = strrchr(name, '/');

	belfry__connector__collection__init(one);
	one->name = arena_strdup(try->arena, name);
	one->display_name = slash == NULL ? one->name : one->name + (slash - name) + 1;
	if (slash != NULL)
		one->parent = arena_strndup(try->arena, name, (size_t)(slash - name));
	one->selectable = true;
	return one;
}

/* The list becomes these names, blanks between them: "INBOX Work Work/2026". */
static void list(struct try *try, const char *names)
{
	char *copy = arena_strdup(try->arena, names);

	try->list.n_collections = 0;
	try->list.collections = arena_alloc(try->arena, (strlen(names) + 1) * sizeof *try->list.collections);
	for (char *name = strtok(copy, " "); name != NULL; name = strtok(NULL, " "))
		try->list.collections[try->list.n_collections++] = listed(try, name);
}

static bool merge(struct try *try, const char *names)
{
	list(try, names);
	return folders_merge(&try->folders, &try->list, try->arena);
}

static const Belfry__Activesync__Folder *by_name(const struct try *try, const char *name)
{
	const Belfry__Activesync__Folder *found = NULL;

	for (size_t i = 0; i < try->folders.n_folders; i++)
		if (strcmp(try->folders.folders[i]->name, name) == 0) {
			assert_null(found);
			found = try->folders.folders[i];
		}
	return found;
}

static const Belfry__Activesync__Folder *by_id(const struct try *try, uint32_t id)
{
	for (size_t i = 0; i < try->folders.n_folders; i++)
		if (try->folders.folders[i]->id == id)
			return try->folders.folders[i];
	return NULL;
}

static uint32_t id_of(const struct try *try, const char *name)
{
	const Belfry__Activesync__Folder *folder = by_name(try, name);

	return folder == NULL || folder->removed != 0 ? 0 : folder->id;
}

static void the_first_list_is_all_new_and_parents_come_first(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	assert_true(merge(&try, "Work/2026/May Work INBOX Work/2026 INBOX/Lists"));
	assert_int_equal(try.folders.key, 1);
	assert_int_equal(try.folders.n_folders, 5);
	for (size_t i = 0; i < 5; i++) {
		const Belfry__Activesync__Folder *folder = try.folders.folders[i];
		assert_int_equal(folder->id, i + 1);
		assert_true(folder->parent < folder->id);
		assert_int_equal(folder->added, 1);
		assert_int_equal(folder->changed, 0);
		assert_int_equal(folder->removed, 0);
	}
	assert_int_equal(by_name(&try, "Work/2026/May")->parent, id_of(&try, "Work/2026"));
	assert_string_equal(by_name(&try, "Work/2026/May")->display_name, "May");
	assert_int_equal(by_name(&try, "INBOX/Lists")->parent, id_of(&try, "INBOX"));
	end(&try);
}

static void an_empty_list_is_an_answer_too(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	assert_true(merge(&try, "")); /* from 0 there is always a new key */
	assert_int_equal(try.folders.key, 1);
	assert_false(merge(&try, ""));
	assert_int_equal(try.folders.key, 1);
	end(&try);
}

static void what_has_not_changed_is_not_told(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work Work/2026");
	folders_acknowledge(&try.folders);
	assert_false(merge(&try, "Work/2026 Work INBOX"));
	assert_int_equal(try.folders.key, 1);
	assert_int_equal(try.folders.n_folders, 3);
	end(&try);
}

static void a_renamed_folder_is_another_one(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work Work/2026");
	uint32_t work = id_of(&try, "Work"), year = id_of(&try, "Work/2026");
	folders_acknowledge(&try.folders);
	assert_true(merge(&try, "INBOX Job Job/2026"));
	assert_int_equal(try.folders.key, 2);
	assert_int_equal(by_id(&try, work)->removed, 2);
	assert_int_equal(by_id(&try, year)->removed, 2);
	assert_int_equal(by_name(&try, "Job")->added, 2);
	assert_true(id_of(&try, "Job") > work && id_of(&try, "Job") > year);
	assert_int_equal(by_name(&try, "Job/2026")->parent, id_of(&try, "Job"));
	assert_null(folders_find(&try.folders, work));
	folders_acknowledge(&try.folders);
	assert_null(by_id(&try, work));
	assert_int_equal(try.folders.n_folders, 3);
	end(&try);
}

static void a_name_that_comes_back_gets_a_new_id(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work");
	uint32_t work = id_of(&try, "Work");
	folders_acknowledge(&try.folders);
	merge(&try, "INBOX");
	folders_acknowledge(&try.folders);
	assert_true(merge(&try, "INBOX Work"));
	assert_int_equal(try.folders.key, 3);
	assert_true(id_of(&try, "Work") > work);
	assert_null(folders_find(&try.folders, work));
	end(&try);
}

static void a_device_that_starts_anew_keeps_the_ids(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work Old");
	uint32_t inbox = id_of(&try, "INBOX"), work = id_of(&try, "Work"), old = id_of(&try, "Old");
	folders_restart(&try.folders, 100);
	assert_true(merge(&try, "INBOX Work New"));
	assert_int_equal(try.folders.series, 100);
	assert_int_equal(try.folders.key, 1);
	assert_int_equal(id_of(&try, "INBOX"), inbox);
	assert_int_equal(id_of(&try, "Work"), work);
	assert_int_equal(by_name(&try, "INBOX")->added, 1);
	assert_int_equal(by_id(&try, old)->removed, 1);
	assert_int_equal(by_id(&try, old)->added, 1); /* which is why it is not told at all */
	assert_true(id_of(&try, "New") > old);
	end(&try);
}

static void a_parent_that_goes_leaves_its_children_at_the_top(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work Work/2026");
	uint32_t work = id_of(&try, "Work");
	folders_acknowledge(&try.folders);
	list(&try, "INBOX Work/2026"); /* as a server lists it that keeps no parents */
	assert_true(folders_merge(&try.folders, &try.list, try.arena));
	assert_int_equal(by_id(&try, work)->removed, 2);
	assert_int_equal(by_name(&try, "Work/2026")->parent, 0);
	assert_int_equal(by_name(&try, "Work/2026")->changed, 2);
	folders_acknowledge(&try.folders);
	assert_true(merge(&try, "INBOX Work Work/2026"));
	assert_int_equal(by_name(&try, "Work/2026")->parent, id_of(&try, "Work"));
	assert_int_equal(by_name(&try, "Work/2026")->changed, 3);
	end(&try);
}

static void a_parent_that_comes_later_is_still_told_first(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "Work/2026");
	folders_acknowledge(&try.folders);
	merge(&try, "Work/2026 Work");
	folders_restart(&try.folders, 100);
	merge(&try, "Work/2026 Work");
	assert_string_equal(try.folders.folders[0]->name, "Work");
	assert_string_equal(try.folders.folders[1]->name, "Work/2026");
	end(&try);
}

static void each_role_has_one_folder_of_its_type(void **state)
{
	static const struct {
		Belfry__Connector__Role role;
		bool selectable;
		uint32_t type;
	} cases[] = {
		{BELFRY__CONNECTOR__ROLE__INBOX, true, 2}, {BELFRY__CONNECTOR__ROLE__DRAFTS, true, 3},
		{BELFRY__CONNECTOR__ROLE__TRASH, true, 4}, {BELFRY__CONNECTOR__ROLE__SENT, true, 5},
		{BELFRY__CONNECTOR__ROLE__OUTBOX, true, 6}, {BELFRY__CONNECTOR__ROLE__JUNK, true, 12},
		{BELFRY__CONNECTOR__ROLE__ARCHIVE, true, 12}, {BELFRY__CONNECTOR__ROLE__NONE, true, 12},
		{BELFRY__CONNECTOR__ROLE__SENT, true, 12}, {BELFRY__CONNECTOR__ROLE__INBOX, true, 12},
		{BELFRY__CONNECTOR__ROLE__NONE, false, 1}, {(Belfry__Connector__Role)77, true, 12},
	};
	enum { COUNT = sizeof cases / sizeof *cases };
	struct try try;
	char name[8];

	(void)state;
	begin(&try);
	list(&try, "f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11");
	for (size_t i = 0; i < COUNT; i++) {
		try.list.collections[i]->role = cases[i].role;
		try.list.collections[i]->selectable = cases[i].selectable;
	}
	folders_merge(&try.folders, &try.list, try.arena);
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "f%02zu", i);
		assert_int_equal(by_name(&try, name)->type, cases[i].type);
	}
	folders_acknowledge(&try.folders);
	assert_false(folders_merge(&try.folders, &try.list, try.arena)); /* and they do not change places */
	try.list.collections[7]->display_name = "Seven";
	assert_true(folders_merge(&try.folders, &try.list, try.arena));
	assert_int_equal(by_name(&try, "f07")->changed, 2);
	assert_int_equal(by_name(&try, "f06")->changed, 0);
	end(&try);
}

static void a_name_listed_twice_is_one_folder(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	merge(&try, "INBOX Work INBOX Work");
	assert_int_equal(try.folders.n_folders, 2);
	folders_acknowledge(&try.folders);
	assert_false(merge(&try, "Work INBOX INBOX INBOX"));
	end(&try);
}

static void a_parent_that_is_nowhere_is_the_top(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	list(&try, "INBOX a/b loop");
	try.list.collections[2]->parent = "loop"; /* its own */
	folders_merge(&try.folders, &try.list, try.arena);
	assert_int_equal(by_name(&try, "a/b")->parent, 0);
	assert_int_equal(by_name(&try, "loop")->parent, 0);
	end(&try);
}

/* Names "f0" … "f<count-1>", padded to a length. */
static void list_many(struct try *try, size_t count, size_t length)
{
	try->list.collections = arena_alloc(try->arena, (count + 1) * sizeof *try->list.collections);
	try->list.n_collections = count;
	for (size_t i = 0; i < count; i++) {
		char *name = arena_alloc(try->arena, length + 32);
		int digits = snprintf(name, 32, "f%zu-", i);
		memset(name + digits, 'x', length);
		try->list.collections[i] = listed(try, name);
	}
	try->list.collections[count] = listed(try, "INBOX");
	try->list.n_collections++;
}

static void two_thousand_folders_are_followed(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	list_many(&try, 2000, 0);
	assert_true(folders_merge(&try.folders, &try.list, try.arena));
	assert_int_equal(try.folders.n_folders, 2001);
	assert_false(folders_merge(&try.folders, &try.list, try.arena));
	uint32_t old = id_of(&try, "f1000-");
	try.list.collections[1000] = listed(&try, "renamed");
	assert_true(folders_merge(&try.folders, &try.list, try.arena));
	assert_int_equal(try.folders.n_folders, 2002);
	assert_int_equal(by_id(&try, old)->removed, 2);
	assert_int_equal(by_name(&try, "renamed")->added, 2);
	for (uint32_t id = 1; id <= 2002; id++)
		assert_int_equal(folders_find(&try.folders, id) != NULL, id != old);
	end(&try);
}

static void too_many_folders_are_cut_the_same_way_each_time(void **state)
{
	static const struct {
		size_t count, length;
	} cases[] = {{FOLDERS_MAX + 5, 0}, {9000, 400}};
	struct try try;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&try);
		list_many(&try, cases[i].count, cases[i].length);
		folders_merge(&try.folders, &try.list, try.arena);
		assert_true(try.folders.n_folders <= FOLDERS_MAX);
		assert_true(protobuf_c_message_get_packed_size(&try.folders.base) <= FOLDERS_BYTES_MAX);
		assert_true(id_of(&try, "INBOX") != 0);
		folders_acknowledge(&try.folders);
		assert_false(folders_merge(&try.folders, &try.list, try.arena));
		for (size_t k = 0; k < try.list.n_collections; k++)
			try.list.collections[k]->name[0] = 'g'; /* all of them others: the old ones are told as removed */
		folders_merge(&try.folders, &try.list, try.arena);
		assert_true(protobuf_c_message_get_packed_size(&try.folders.base) < 1024 * 1024); /* STORE_VALUE_MAX */
		end(&try);
	}
}

static void a_name_that_nothing_else_could_carry_is_left_out(void **state)
{
	struct try try;

	(void)state;
	begin(&try);
	list_many(&try, 1, 2000);
	try.list.collections[1]->name = "";
	folders_merge(&try.folders, &try.list, try.arena);
	assert_int_equal(try.folders.n_folders, 0);
	end(&try);
}

/* Whatever happens to the mailboxes, a device that takes the answers in has them in the end; the same answer again,
 * and an answer after a lost one, change nothing in that. */
struct device {
	uint32_t ids[64], parents[64];
	const char *names[64];
	size_t count;
};

static void take(struct device *device, const Belfry__Activesync__Folders *folders)
{
	for (size_t i = 0; i < folders->n_folders; i++) {
		const Belfry__Activesync__Folder *folder = folders->folders[i];
		size_t at = 0;
		while (at < device->count && device->ids[at] != folder->id)
			at++;
		if (folder->removed == folders->key && folder->added != folders->key && at < device->count) {
			device->count--;
			device->ids[at] = device->ids[device->count];
			device->parents[at] = device->parents[device->count];
			device->names[at] = device->names[device->count];
		} else if (folder->removed == 0 && (folder->added == folders->key || folder->changed == folders->key)) {
			device->count += at == device->count;
			device->ids[at] = folder->id;
			device->parents[at] = folder->parent;
			device->names[at] = folder->name;
		}
	}
}

static const char *name_of(const struct device *device, uint32_t id)
{
	for (size_t i = 0; i < device->count; i++)
		if (device->ids[i] == id)
			return device->names[i];
	return "";
}

static void compare(const struct device *device, const Belfry__Connector__Collections *list)
{
	assert_int_equal(device->count, list->n_collections);
	for (size_t i = 0; i < list->n_collections; i++) {
		const Belfry__Connector__Collection *one = list->collections[i];
		size_t at = 0;
		bool parent_is_listed = false;
		while (at < device->count && strcmp(device->names[at], one->name) != 0)
			at++;
		assert_true(at < device->count);
		for (size_t k = 0; k < list->n_collections; k++)
			parent_is_listed = parent_is_listed || strcmp(list->collections[k]->name, one->parent) == 0;
		assert_string_equal(name_of(device, device->parents[at]), parent_is_listed ? one->parent : "");
	}
}

static void a_device_that_follows_has_the_hierarchy(void **state)
{
	static const char *const names[] = {"a", "b", "a/x", "a/y", "a/x/1", "a/x/2", "b/x", "c", "b/x/1/2", "b/x/1"};
	struct try try;
	struct device device = {.count = 0};

	(void)state;
	srand(1);
	begin(&try);
	for (int round = 0; round < 3000; round++) {
		char text[128] = "";
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (rand() % 2 == 0)
				strcat(strcat(text, names[i]), " ");
		if (rand() % 20 == 0) {
			folders_restart(&try.folders, (uint32_t)round + 1);
			device.count = 0;
		}
		if (merge(&try, text))
			take(&device, &try.folders);
		if (rand() % 3 == 0 && try.folders.key != 0)
			take(&device, &try.folders);
		compare(&device, &try.list);
		folders_acknowledge(&try.folders);
	}
	end(&try);
}

static void ignore_log(enum log_level level, const char *line, void *data)
{
	(void)level, (void)line, (void)data; /* that folders were left out */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_list_is_all_new_and_parents_come_first),
		cmocka_unit_test(an_empty_list_is_an_answer_too),
		cmocka_unit_test(what_has_not_changed_is_not_told),
		cmocka_unit_test(a_renamed_folder_is_another_one),
		cmocka_unit_test(a_name_that_comes_back_gets_a_new_id),
		cmocka_unit_test(a_device_that_starts_anew_keeps_the_ids),
		cmocka_unit_test(a_parent_that_goes_leaves_its_children_at_the_top),
		cmocka_unit_test(a_parent_that_comes_later_is_still_told_first),
		cmocka_unit_test(each_role_has_one_folder_of_its_type),
		cmocka_unit_test(a_name_listed_twice_is_one_folder),
		cmocka_unit_test(a_parent_that_is_nowhere_is_the_top),
		cmocka_unit_test(two_thousand_folders_are_followed),
		cmocka_unit_test(too_many_folders_are_cut_the_same_way_each_time),
		cmocka_unit_test(a_name_that_nothing_else_could_carry_is_left_out),
		cmocka_unit_test(a_device_that_follows_has_the_hierarchy),
	};

	log_set_sink(ignore_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads, transactions and pages in terms of an ordered table. */
#include "gateway/service/store_table.h"

#include <string.h>

/* --- keys ------------------------------------------------------------------------------------------------------ */

static void key_add(struct store_key *key, const char *text, size_t more)
{
	size_t length = strlen(text) + more;

	memcpy(key->bytes + key->length, text, length);
	key->length += length;
}

static void key_make(struct store_key *key_r, const struct principal *principal, const char *key)
{
	key_r->length = 0;
	key_add(key_r, principal->user, 1);
	key_add(key_r, principal->device, 1);
	key_add(key_r, key, 0);
}

/* The least key of any device after this one: its NUL becomes 1, which no other of its keys reaches. */
static void key_make_after(struct store_key *key_r, const struct principal *principal)
{
	key_make(key_r, principal, "");
	key_r->bytes[key_r->length - 1] = 1;
}

static bool row_begins_with(const struct store_row *row, const struct store_key *key)
{
	return row->key_length >= key->length && memcmp(row->key, key->bytes, key->length) == 0;
}

static bool row_is(const struct store_row *row, const struct store_key *key)
{
	return row->key_length == key->length && row_begins_with(row, key);
}

static struct principal row_principal(const struct store_row *row, struct arena *arena)
{
	const char *user = (const char *)row->key, *device = user + strlen(user) + 1;

	return (struct principal){arena_strdup(arena, user), arena_strdup(arena, device)};
}

/* --- reads ----------------------------------------------------------------------------------------------------- */

/* Copies what a row holds; false: the answer would be too long. */
static bool record_fill(struct store_call *call, struct store_record *record, const char *key,
	const struct store_row *row)
{
	call->answer_bytes += strlen(key) + row->length;
	if (call->answer_bytes > STORE_ANSWER_MAX)
		return false;
	void *value = arena_alloc(call->arena, row->length + 1); /* not NULL even when empty */
	memcpy(value, row->value, row->length);
	*record = (struct store_record){key, row->revision, value, row->length};
	return true;
}

static struct store_record *record_add(struct store_call *call)
{
	if (call->read.count == call->read.room) {
		size_t room = call->read.room < 8 ? 8 : call->read.room * 2;
		struct store_record *records = arena_alloc(call->arena, room * sizeof *records);
		if (call->read.count != 0)
			memcpy(records, call->read.records, call->read.count * sizeof *records);
		call->read.records = records;
		call->read.room = room;
	}
	return &call->read.records[call->read.count++];
}

static int read_key(struct store_table *table, struct store_call *call, const char *name)
{
	struct store_record *record = record_add(call);
	struct store_key key;
	struct store_row row;

	key_make(&key, &call->principal, name);
	*record = (struct store_record){.key = name};
	int found = table->seek(table, &key, &row);
	if (found == 1 && row_is(&row, &key) && !record_fill(call, record, name, &row))
		call->status = STORE_LIMIT;
	return found;
}

static int read_prefix(struct store_table *table, struct store_call *call, const char *prefix)
{
	struct store_key key, all;
	struct store_row row;
	int found;

	key_make(&key, &call->principal, prefix);
	key_make(&all, &call->principal, "");
	for (found = table->seek(table, &key, &row); found == 1; found = table->next(table, &row)) {
		if (!row_begins_with(&row, &key))
			break;
		const char *name = arena_strndup(call->arena, (const char *)row.key + all.length, row.key_length - all.length);
		if (!record_fill(call, record_add(call), name, &row)) {
			call->status = STORE_LIMIT;
			break;
		}
	}
	return found;
}

static void run_read(struct store_table *table, struct store_call *call)
{
	for (size_t i = 0; i < call->read.key_count && call->status == STORE_OK; i++)
		if (read_key(table, call, call->read.keys[i]) < 0)
			call->status = STORE_UNAVAILABLE;
	for (size_t i = 0; i < call->read.prefix_count && call->status == STORE_OK; i++)
		if (read_prefix(table, call, call->read.prefixes[i]) < 0)
			call->status = STORE_UNAVAILABLE;
}

/* --- transactions ---------------------------------------------------------------------------------------------- */

/* Everything is compared before anything is written, so that there is nothing to undo. */
static enum store_status compare_revisions(struct store_table *table, const struct store_call *call)
{
	for (size_t i = 0; i < call->commit.count; i++) {
		struct store_key key;
		uint64_t revision = 0;
		key_make(&key, &call->principal, call->commit.writes[i].key);
		if (table->revision(table, &key, &revision) < 0)
			return STORE_UNAVAILABLE;
		if (revision != call->commit.writes[i].revision)
			return STORE_CONFLICT;
	}
	return STORE_OK;
}

static int carry_out(struct store_table *table, struct store_call *call, size_t i)
{
	const struct store_write *write = &call->commit.writes[i];
	struct store_key key;

	key_make(&key, &call->principal, write->key);
	if (!write->remove)
		return table->put(table, &key, write->value, write->length, &call->commit.revisions[i]);
	return write->revision == 0 ? 0 : table->remove(table, &key);
}

static void run_commit(struct store_table *table, struct store_call *call)
{
	call->status = compare_revisions(table, call);
	if (call->status != STORE_OK || call->commit.count == 0)
		return;
	int result = table->begin(table);
	for (size_t i = 0; i < call->commit.count && result >= 0; i++)
		result = carry_out(table, call, i);
	if (result < 0 || table->end(table) < 0)
		call->status = STORE_UNAVAILABLE;
}

/* --- pages ----------------------------------------------------------------------------------------------------- */

static void page_start(const struct store_call *call, struct store_key *key_r)
{
	struct principal first = {call->principal.user == NULL ? "" : call->principal.user, ""};

	if (call->page.has_after && (call->principal.user == NULL || strcmp(call->page.after.user, first.user) >= 0))
		key_make_after(key_r, &call->page.after);
	else
		key_make(key_r, &first, "");
}

/* Adds the principal of the row if it has the record. false: the page is full. */
static int page_add(struct store_table *table, struct store_call *call, const struct principal *principal)
{
	struct store_key key;
	struct store_row row;

	key_make(&key, principal, call->page.key);
	int found = table->seek(table, &key, &row);
	if (found < 1 || !row_is(&row, &key))
		return found;
	struct store_entry *entry = &call->page.entries[call->page.count];
	call->answer_bytes += strlen(principal->user) + strlen(principal->device);
	call->page.more = call->page.count == call->page.max || !record_fill(call, &entry->record, call->page.key, &row);
	if (call->page.more)
		return 0;
	entry->principal = *principal;
	call->page.count++;
	return 1;
}

static void run_page(struct store_table *table, struct store_call *call)
{
	struct store_key key;
	struct store_row row;
	int found;

	call->page.entries = arena_alloc(call->arena, (call->page.max + 1) * sizeof *call->page.entries);
	page_start(call, &key);
	while ((found = table->seek(table, &key, &row)) == 1) {
		struct principal principal = row_principal(&row, call->arena);
		if (call->principal.user != NULL && strcmp(principal.user, call->principal.user) != 0)
			break;
		if ((found = page_add(table, call, &principal)) < 0 || call->page.more)
			break;
		key_make_after(&key, &principal);
	}
	if (found < 0)
		call->status = STORE_UNAVAILABLE;
}

void store_table_run(struct store_table *table, struct store_call *call)
{
	if (call->status != STORE_OK)
		return;
	switch (call->kind) {
	case STORE_READ: run_read(table, call); break;
	case STORE_COMMIT: run_commit(table, call); break;
	case STORE_PAGE: run_page(table, call); break;
	case STORE_BACKUP: break;
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The park table: users, their cells, their parks, and the interned names of collections. */
#include "gateway/hub/park.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

struct park_name {
	UT_hash_handle hh;
	uint32_t id;            /* from 1; while the name is free: the next free one */
	uint32_t cells;
	char text[];
};

/* --- names ----------------------------------------------------------------------------------------------------- */

static struct park_name *name_find(const struct park_table *table, const char *text)
{
	struct park_name *name;

	HASH_FIND_STR(table->by_name, text, name);
	return name;
}

uint32_t park_name_find(const struct park_table *table, const char *text)
{
	struct park_name *name = name_find(table, text);

	return name == NULL ? 0 : name->id;
}

const char *park_name(const struct park_table *table, uint32_t collection)
{
	return table->names[collection - 1]->text;
}

/* Ids of names that went are used again: their places hold the number of the next free one, as a pointer's value. */
static uint32_t name_id_take(struct park_table *table, struct park_name *name)
{
	uint32_t id = table->name_free;

	if (id != 0) {
		table->name_free = (uint32_t)(uintptr_t)table->names[id - 1];
	} else {
		if (table->name_count == table->name_size) {
			table->name_size = table->name_size == 0 ? 64 : table->name_size * 2;
			table->names = mem_realloc(table->names, table->name_size * sizeof *table->names);
		}
		id = ++table->name_count;
	}
	table->names[id - 1] = name;
	return id;
}

static uint32_t name_ref(struct park_table *table, const char *text)
{
	struct park_name *name = name_find(table, text);

	if (name == NULL) {
		size_t length = strlen(text);
		name = mem_alloc(sizeof *name + length + 1);
		memcpy(name->text, text, length);
		name->id = name_id_take(table, name);
		HASH_ADD_KEYPTR(hh, table->by_name, name->text, length, name);
	}
	name->cells++;
	return name->id;
}

static void name_unref(struct park_table *table, uint32_t id)
{
	struct park_name *name = table->names[id - 1];

	if (--name->cells > 0)
		return;
	table->names[id - 1] = (struct park_name *)(uintptr_t)table->name_free;
	table->name_free = id;
	HASH_DEL(table->by_name, name);
	free(name);
}

/* --- cells ----------------------------------------------------------------------------------------------------- */

static struct park_cell *cells_end(const struct park_user *user)
{
	return user->cells == NULL ? NULL : user->cells + user->cell_count;
}

#define EACH_CELL(cell, user) (struct park_cell *cell = (user)->cells; cell != cells_end(user); cell++)

static bool is_of(const struct park_cell *cell, uint32_t collection)
{
	return cell->collection != 0 && (collection == 0 || cell->collection == collection);
}

static struct park_cell *cell_find(const struct park_user *user, uint32_t collection, const struct position *position)
{
	for EACH_CELL(cell, user)
		if (cell->collection == collection && !(cell->flags & PARK_AT_LEAST) &&
		    position_is_same(&cell->position, position))
			return cell;
	return NULL;
}

static size_t cells_free(const struct park_user *user)
{
	size_t count = 0;

	for EACH_CELL(cell, user)
		count += cell->collection == 0;
	return count;
}

/* Makes room for so many more cells, exactly: most users park the same collections for months. */
static void cells_grow(struct park_table *table, struct park_user *user, size_t more)
{
	size_t available = cells_free(user), count = user->cell_count;

	if (more <= available)
		return;
	more -= available;
	user->cells = mem_realloc(user->cells, (count + more) * sizeof *user->cells);
	memset(user->cells + count, 0, more * sizeof *user->cells);
	user->cell_count = (uint16_t)(count + more);
	table->bytes += more * sizeof *user->cells;
}

uint16_t park_flags(const struct park_user *user, uint32_t collection)
{
	for EACH_CELL(cell, user)
		if (cell->collection == collection)
			return cell->flags & PARK_OF_COLLECTION;
	return 0;
}

static struct park_cell *cell_add(struct park_table *table, struct park_user *user, const char *name,
	const struct position *position)
{
	uint32_t collection = name_ref(table, name);
	uint16_t flags = park_flags(user, collection);

	for EACH_CELL(cell, user) /* a cell that only kept the collection's flags */
		if (cell->collection == collection && cell->parks == 0 && !(cell->flags & PARK_KNOWN)) {
			name_unref(table, collection);
			cell->position = *position;
			cell->flags = flags;
			return cell;
		}
	cells_grow(table, user, 1);
	for EACH_CELL(cell, user)
		if (cell->collection == 0) {
			*cell = (struct park_cell){.position = *position, .collection = collection, .flags = flags};
			return cell;
		}
	assert(false);
	return NULL;
}

/* A cell stays while somebody waits in it, or the backend stands there, or it is all that is left of a watch. */
static void cell_drop(struct park_table *table, struct park_cell *cell)
{
	uint32_t collection = cell->collection;

	assert(cell->parks == 0);
	*cell = (struct park_cell){0};
	name_unref(table, collection);
}

static bool has_other(const struct park_user *user, const struct park_cell *one)
{
	for EACH_CELL(cell, user)
		if (cell != one && cell->collection == one->collection)
			return true;
	return false;
}

static void cell_settle(struct park_table *table, struct park_user *user, struct park_cell *cell)
{
	bool is_needed = cell->parks > 0 || (cell->flags & PARK_KNOWN) != 0 ||
		((cell->flags & PARK_WATCHED) != 0 && !has_other(user, cell));

	if (!is_needed)
		cell_drop(table, cell);
}

/* --- users ----------------------------------------------------------------------------------------------------- */

static size_t user_bytes(const struct park_user *user)
{
	return sizeof *user + strlen(user->name) + 1;
}

struct park_user *park_user_find(struct park_table *table, const char *name)
{
	struct park_user *user;

	HASH_FIND_STR(table->users, name, user);
	return user;
}

struct park_user *park_user_create(struct park_table *table, const char *name)
{
	size_t length = strlen(name);
	struct park_user *user = mem_alloc(sizeof *user + length + 1);

	memcpy(user->name, name, length);
	HASH_ADD_KEYPTR(hh, table->users, user->name, length, user);
	table->bytes += user_bytes(user);
	return user;
}

void park_user_free(struct park_table *table, struct park_user **owner)
{
	struct park_user *user = *owner;

	assert(user->parks == NULL && user->busy == NULL && user->queued == 0);
	for EACH_CELL(cell, user)
		if (cell->collection != 0)
			cell_drop(table, cell);
	table->bytes -= user_bytes(user) + user->cell_count * sizeof *user->cells;
	HASH_DEL(table->users, user);
	free(user->cells);
	free(user);
	*owner = NULL;
}

void park_table_release(struct park_table *table)
{
	assert(table->users == NULL && table->by_name == NULL && table->bytes == 0);
	free(table->names);
	*table = (struct park_table){0};
}

/* --- parks ----------------------------------------------------------------------------------------------------- */

const uint8_t *park_handle(const struct park *park)
{
	return (const uint8_t *)&park->cells[park->count];
}

const char *park_device(const struct park *park)
{
	return (const char *)park_handle(park) + park->handle_length;
}

static size_t park_bytes(size_t count, size_t handle_length, const char *device)
{
	return sizeof(struct park) + count * sizeof(uint16_t) + handle_length + strlen(device) + 1;
}

static uint16_t cell_join(struct park_table *table, struct park_user *user, const char *name,
	const struct position *position)
{
	uint32_t collection = park_name_find(table, name);
	struct park_cell *cell = collection == 0 ? NULL : cell_find(user, collection, position);

	if (cell == NULL)
		cell = cell_add(table, user, name, position);
	cell->parks++;
	return (uint16_t)(cell - user->cells);
}

static size_t cells_missing(const struct park_table *table, const struct park_user *user,
	const struct park_request *request)
{
	size_t missing = 0;

	for (size_t i = 0; i < request->count; i++) {
		uint32_t collection = park_name_find(table, request->collections[i]);
		missing += collection == 0 || cell_find(user, collection, &request->positions[i]) == NULL;
	}
	return missing;
}

struct park *park_add(struct park_table *table, struct park_user *user, const struct park_request *request)
{
	size_t missing = cells_missing(table, user, request);
	size_t size = park_bytes(request->count, request->handle_length, request->device);

	assert(request->count <= PARK_COLLECTIONS_MAX && request->handle_length <= PARK_HANDLE_MAX);
	if (user->cell_count + missing > PARK_CELLS_MAX)
		return NULL;
	cells_grow(table, user, missing);
	struct park *park = mem_alloc(size);
	*park = (struct park){
		.next = user->parks, .user = user, .slot = request->slot, .generation = request->generation,
		.deadline_s = request->deadline_s, .since_s = request->since_s, .front = request->front,
		.count = (uint16_t)request->count, .kind = request->kind, .handle_length = (uint8_t)request->handle_length,
	};
	for (size_t i = 0; i < request->count; i++)
		park->cells[i] = cell_join(table, user, request->collections[i], &request->positions[i]);
	uint8_t *tail = (uint8_t *)&park->cells[park->count];
	if (request->handle_length > 0)
		memcpy(tail, request->handle, request->handle_length);
	strcpy((char *)tail + request->handle_length, request->device);
	user->parks = park;
	table->parks++;
	table->entries += park->count;
	table->bytes += size;
	return park;
}

void park_remove(struct park_table *table, struct park **owner)
{
	struct park *park = *owner, **link = &park->user->parks;

	while (*link != park)
		link = &(*link)->next;
	*link = park->next;
	for (size_t i = 0; i < park->count; i++) {
		struct park_cell *cell = &park->user->cells[park->cells[i]];
		if (--cell->parks == 0)
			cell_settle(table, park->user, cell);
	}
	table->parks--;
	table->entries -= park->count;
	table->bytes -= park_bytes(park->count, park->handle_length, park_device(park));
	free(park);
	*owner = NULL;
}

struct park *park_find(const struct park_user *user, const char *device, uint8_t kind)
{
	struct park *park = user->parks;

	while (park != NULL && (park->kind != kind || strcmp(park_device(park), device) != 0))
		park = park->next;
	return park;
}

/* --- what is known --------------------------------------------------------------------------------------------- */

static struct park_cell *known(const struct park_user *user, uint32_t collection)
{
	for EACH_CELL(cell, user)
		if (cell->collection == collection && (cell->flags & PARK_KNOWN))
			return cell;
	return NULL;
}

const struct park_cell *park_known(const struct park_user *user, uint32_t collection)
{
	return collection == 0 ? NULL : known(user, collection);
}

enum park_verdict park_compare(const struct park_table *table, const struct park_user *user, const char *name,
	const struct position *device)
{
	const struct park_cell *cell = park_known(user, park_name_find(table, name));

	if (position_is_unknown(device))
		return PARK_CHANGED;
	if (cell == NULL)
		return PARK_UNSURE;
	if (!(cell->flags & PARK_AT_LEAST) && position_is_same(&cell->position, device))
		return PARK_SAME;
	if (position_has_news(&cell->position, device))
		return PARK_CHANGED;
	return (cell->flags & PARK_FRESH) && !(cell->flags & PARK_AT_LEAST) ? PARK_CHANGED : PARK_UNSURE;
}

static void unknow(struct park_table *table, struct park_user *user, uint32_t collection)
{
	struct park_cell *cell = known(user, collection);

	if (cell == NULL)
		return;
	cell->flags &= (uint16_t)~(PARK_KNOWN | PARK_FRESH | PARK_AT_LEAST);
	cell_settle(table, user, cell);
}

bool park_learn(struct park_table *table, struct park_user *user, uint32_t collection, struct position position,
	bool is_fresh)
{
	bool differs = false;

	if (position_is_unknown(&position)) {
		unknow(table, user, collection);
		return false;
	}
	struct park_cell *cell = cell_find(user, collection, &position);
	if (cell == NULL) /* adding first keeps the collection's flags and name */
		cell = cell_add(table, user, park_name(table, collection), &position);
	size_t at = (size_t)(cell - user->cells);
	if (!(cell->flags & PARK_KNOWN))
		unknow(table, user, collection);
	cell = &user->cells[at];
	cell->flags = (uint16_t)((cell->flags & ~(PARK_DIFFERS | PARK_FRESH)) | PARK_KNOWN | (is_fresh ? PARK_FRESH : 0));
	for EACH_CELL(other, user)
		if (other->collection == collection && other != cell) {
			other->flags |= PARK_DIFFERS;
			differs = differs || other->parks > 0;
		}
	return differs;
}

bool park_learn_at_least(struct park_table *table, struct park_user *user, uint32_t collection, struct position least)
{
	struct park_cell *before = known(user, collection), *cell;
	bool differs = false;

	for EACH_CELL(parked, user)
		if (parked->collection == collection && parked->parks > 0 && position_has_news(&least, &parked->position)) {
			parked->flags |= PARK_DIFFERS;
			differs = true;
		}
	if (before != NULL && before->position.validity == least.validity && before->position.next >= least.next)
		return differs;
	cell = cell_add(table, user, park_name(table, collection), &least);
	size_t at = (size_t)(cell - user->cells);
	unknow(table, user, collection);
	user->cells[at].flags |= PARK_KNOWN | PARK_AT_LEAST;
	return differs;
}

bool park_spend_proof(struct park_table *table, struct park_user *user, uint32_t collection)
{
	const struct park_cell *cell = known(user, collection);

	if (cell == NULL || !(cell->flags & PARK_AT_LEAST))
		return false;
	unknow(table, user, collection);
	return true;
}

void park_forget(struct park_user *user)
{
	for EACH_CELL(cell, user)
		cell->flags &= (uint16_t)~(PARK_KNOWN | PARK_FRESH | PARK_AT_LEAST | PARK_DIFFERS | PARK_ASKED | PARK_WATCHED);
}

void park_age(struct park_user *user)
{
	for EACH_CELL(cell, user)
		cell->flags &= (uint16_t)~PARK_FRESH;
}

/* --- flags of collections -------------------------------------------------------------------------------------- */

void park_flag(struct park_user *user, uint32_t collection, uint16_t set, uint16_t clear)
{
	for EACH_CELL(cell, user)
		if (is_of(cell, collection))
			cell->flags = (uint16_t)((cell->flags & ~clear) | set);
}

bool park_has(const struct park_user *user, uint32_t collection)
{
	for EACH_CELL(cell, user)
		if (is_of(cell, collection))
			return true;
	return false;
}

bool park_waits_undiffering(const struct park_user *user, uint32_t collection)
{
	for EACH_CELL(cell, user)
		if (is_of(cell, collection) && cell->parks > 0 && !(cell->flags & PARK_DIFFERS))
			return true;
	return false;
}

bool park_waits_without(const struct park_user *user, uint16_t flags)
{
	for EACH_CELL(cell, user)
		if (cell->parks > 0 && !(cell->flags & flags))
			return true;
	return false;
}

bool park_waits_elsewhere(const struct park_user *user, uint32_t collection, const struct position *position)
{
	for EACH_CELL(cell, user)
		if (is_of(cell, collection) && cell->parks > 0 && !position_is_same(&cell->position, position))
			return true;
	return false;
}

void park_flag_where(struct park_user *user, uint16_t with, uint16_t set, uint16_t clear)
{
	for EACH_CELL(cell, user)
		if (cell->collection != 0 && (cell->flags & with) == with)
			cell->flags = (uint16_t)((cell->flags & ~clear) | set);
}

void park_flag_parked(struct park_user *user, uint16_t set)
{
	for EACH_CELL(cell, user)
		if (cell->parks > 0)
			park_flag(user, cell->collection, set, 0);
}

bool park_any(const struct park_user *user, uint16_t flags)
{
	for EACH_CELL(cell, user)
		if (cell->collection != 0 && (cell->flags & flags))
			return true;
	return false;
}

static bool is_wanted(const struct park_cell *cell, uint16_t with, bool parked_only)
{
	return cell->collection != 0 && (cell->flags & with) == with && (!parked_only || cell->parks > 0);
}

void park_each_collection(const struct park_user *user, uint16_t with, bool parked_only,
	void (*each)(uint32_t collection, void *data), void *data)
{
	for EACH_CELL(cell, user) {
		const struct park_cell *earlier = user->cells;
		if (!is_wanted(cell, with, parked_only))
			continue;
		while (earlier < cell && (earlier->collection != cell->collection || !is_wanted(earlier, with, parked_only)))
			earlier++;
		if (earlier == cell)
			each(cell->collection, data);
	}
}

static bool is_parked(const struct park_user *user, uint32_t collection)
{
	for EACH_CELL(cell, user)
		if (cell->collection == collection && cell->parks > 0)
			return true;
	return false;
}

bool park_tidy(struct park_table *table, struct park_user *user)
{
	bool watched_went = false;

	for EACH_CELL(cell, user) {
		if (cell->collection == 0 || is_parked(user, cell->collection)) {
			cell->flags &= (uint16_t)~PARK_LEFT;
		} else if (!(cell->flags & PARK_LEFT)) {
			cell->flags |= PARK_LEFT;
		} else {
			watched_went = watched_went || (cell->flags & PARK_WATCHED);
			cell_drop(table, cell);
		}
	}
	return watched_went;
}

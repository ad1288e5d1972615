/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gateway/activesync/sync_labels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/core/mem.h"

int sync_labels_open(struct sync_labels *labels_r, const Belfry__Activesync__Sync *record)
{
	*labels_r = (struct sync_labels){.bytes = BUFFER_EMPTY};
	if (record->n_labels == 0)
		return 0;
	if (record->n_labels > SYNC_LABELS_MAX)
		return -1;
	labels_r->list = mem_alloc_array(SYNC_LABELS_MAX, sizeof *labels_r->list);
	for (; labels_r->count < record->n_labels; labels_r->count++) {
		const Belfry__Activesync__Label *message = record->labels[labels_r->count];
		struct sync_label *label = &labels_r->list[labels_r->count];
		*label = (struct sync_label){.names = message->names, .count = message->n_names};
		if (label->count > SYNC_LABEL_NAMES_MAX ||
		    ranges_unpack(&label->items, message->items.data, message->items.len) < 0) {
			sync_labels_release(labels_r);
			return -1;
		}
	}
	return 0;
}

void sync_labels_pack(struct sync_labels *labels, Belfry__Activesync__Sync *record)
{
	size_t ends[SYNC_LABELS_MAX];

	free(labels->messages);
	free(labels->message_list);
	labels->messages = mem_alloc_array(labels->count, sizeof *labels->messages);
	labels->message_list = mem_alloc_array(labels->count, sizeof *labels->message_list);
	buffer_truncate(&labels->bytes, 0);
	record->labels = labels->message_list;
	record->n_labels = 0;
	for (size_t i = 0; i < labels->count; i++) {
		ranges_pack(&labels->list[i].items, &labels->bytes);
		ends[i] = labels->bytes.length;
	}
	for (size_t i = 0; i < labels->count; i++) {
		size_t start = i == 0 ? 0 : ends[i - 1];
		Belfry__Activesync__Label *message = &labels->messages[i];
		if (labels->list[i].items.count == 0)
			continue;
		belfry__activesync__label__init(message);
		message->names = labels->list[i].names;
		message->n_names = labels->list[i].count;
		message->items.data = (uint8_t *)labels->bytes.data + start;
		message->items.len = ends[i] - start;
		record->labels[record->n_labels++] = message;
	}
}

void sync_labels_release(struct sync_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		ranges_release(&labels->list[i].items);
	free(labels->list);
	free(labels->messages);
	free(labels->message_list);
	buffer_release(&labels->bytes);
	*labels = (struct sync_labels){.bytes = BUFFER_EMPTY};
}

static struct sync_label *find(const struct sync_labels *labels, uint64_t id)
{
	for (size_t i = 0; i < labels->count; i++)
		if (ranges_has(&labels->list[i].items, id))
			return &labels->list[i];
	return NULL;
}

const struct sync_label *sync_labels_find(const struct sync_labels *labels, uint64_t id)
{
	return find(labels, id);
}

bool sync_labels_has_name(const struct sync_label *label, const char *name)
{
	for (size_t i = 0; label != NULL && i < label->count; i++)
		if (strcasecmp(label->names[i], name) == 0)
			return true;
	return false;
}

/* Names do not repeat. */
static bool is_same(const struct sync_label *label, char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!sync_labels_has_name(label, names[i]))
			return false;
	return label->count == count;
}

static size_t names_length(char *const *names, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += strlen(names[i]) + 4; /* and what packs it */
	return length;
}

static bool has_room(const struct sync_labels *labels, char *const *names, size_t count)
{
	size_t length = names_length(names, count);

	for (size_t i = 0; i < labels->count; i++)
		if (labels->list[i].items.count != 0)
			length += names_length(labels->list[i].names, labels->list[i].count);
	return length <= SYNC_LABELS_BYTES_MAX;
}

/* The set of these names, or one that is free; NULL: there is none. */
static struct sync_label *place_of(const struct sync_labels *labels, char *const *names, size_t count)
{
	struct sync_label *empty = NULL;

	for (size_t i = 0; i < labels->count; i++)
		if (is_same(&labels->list[i], names, count))
			return &labels->list[i];
		else if (labels->list[i].items.count == 0)
			empty = &labels->list[i];
	if (!has_room(labels, names, count))
		return NULL;
	return empty == NULL && labels->count < SYNC_LABELS_MAX ? &labels->list[labels->count] : empty;
}

bool sync_labels_would_change(const struct sync_labels *labels, uint64_t id, char *const *names, size_t count)
{
	const struct sync_label *label = find(labels, id);

	if (label == NULL ? count == 0 : is_same(label, names, count))
		return false;
	if (count == 0)
		return true;
	return labels->list == NULL ? has_room(labels, names, count) : place_of(labels, names, count) != NULL;
}

static char **keep_names(char *const *names, size_t count, struct arena *arena)
{
	char **kept = arena_alloc(arena, count * sizeof *kept);

	for (size_t i = 0; i < count; i++)
		kept[i] = arena_strdup(arena, names[i]);
	return kept;
}

static struct sync_label *make_place(struct sync_labels *labels, char *const *names, size_t count, struct arena *arena)
{
	struct sync_label *place = place_of(labels, names, count);

	if (place == &labels->list[labels->count])
		labels->count++;
	if (place == NULL || place->items.count != 0)
		return place;
	ranges_release(&place->items);
	place->names = keep_names(names, count, arena);
	place->count = count;
	return place;
}

bool sync_labels_put(struct sync_labels *labels, uint64_t id, char *const *names, size_t count, struct arena *arena)
{
	struct sync_label *after = NULL;

	if (labels->list == NULL && count != 0)
		labels->list = mem_alloc_array(SYNC_LABELS_MAX, sizeof *labels->list);
	struct sync_label *before = find(labels, id);
	if (before == NULL ? count == 0 : is_same(before, names, count))
		return false;
	if (count != 0) {
		after = make_place(labels, names, count, arena);
		if (after == NULL)
			return false;
		ranges_add(&after->items, id, id);
	}
	if (before != NULL)
		ranges_remove(&before->items, id, id);
	return true;
}

void sync_labels_keep(struct sync_labels *labels, const struct ranges *items)
{
	for (size_t i = 0; i < labels->count; i++)
		ranges_intersect(&labels->list[i].items, &labels->list[i].items, items);
}

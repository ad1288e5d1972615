/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ring of events, each in one piece of memory with its strings behind it. */
#include "gateway/hub/ring.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

enum { LANE_REST, LANE_UNWANTED, LANES };
enum { STRINGS = 6, STRING_MAX = 200 }; /* a longer one is cut: it is only shown */

struct entry {
	int64_t at_ms;
	uint64_t order;           /* of coming, over both lanes */
	uint32_t number;
	uint8_t kind;
	uint8_t offsets[STRINGS]; /* of each string in text, in 8 bytes */
	char text[];
};

struct lane {
	struct entry **entries;
	size_t size, next;
};

struct hub_ring {
	struct lane lanes[LANES];
	uint64_t last_number;
};

struct hub_ring *hub_ring_create(size_t events_max)
{
	struct hub_ring *ring = mem_alloc(sizeof *ring);

	ring->lanes[LANE_UNWANTED].size = events_max / 8 + 1;
	ring->lanes[LANE_REST].size = events_max;
	for (size_t i = 0; i < LANES; i++)
		ring->lanes[i].entries = mem_alloc_array(ring->lanes[i].size, sizeof(struct entry *));
	return ring;
}

void hub_ring_free(struct hub_ring **owner)
{
	if (*owner == NULL)
		return;
	for (struct lane *lane = (*owner)->lanes; lane < (*owner)->lanes + LANES; lane++) {
		for (size_t i = 0; i < lane->size; i++)
			free(lane->entries[i]);
		free(lane->entries);
	}
	free(*owner);
	*owner = NULL;
}

static size_t string_room(const char *string)
{
	return string == NULL ? 8 : (strnlen(string, STRING_MAX) + 8) & ~(size_t)7;
}

void hub_ring_note(struct hub_ring *ring, int64_t now_ms, const struct hub_event *event)
{
	const char *strings[STRINGS] = {event->user, event->device, event->collection, event->source, event->id, event->text};
	bool is_unwanted = event->kind == EVENT_HINT_REFUSED ||
		(event->kind == EVENT_HINT && event->number == HINT_OF_NOBODY);
	struct lane *lane = &ring->lanes[is_unwanted ? LANE_UNWANTED : LANE_REST];
	size_t length = 0;

	for (size_t i = 0; i < STRINGS; i++)
		length += string_room(strings[i]);
	struct entry *entry = mem_alloc(sizeof *entry + length);
	*entry = (struct entry){.at_ms = now_ms, .order = ++ring->last_number, .number = event->number,
		.kind = (uint8_t)event->kind};
	for (size_t i = 0, at = 0; i < STRINGS; at += string_room(strings[i++])) {
		entry->offsets[i] = (uint8_t)(at / 8);
		if (strings[i] != NULL)
			memcpy(entry->text + at, strings[i], strnlen(strings[i], STRING_MAX));
	}
	free(lane->entries[lane->next]);
	lane->entries[lane->next] = entry;
	lane->next = (lane->next + 1) % lane->size;
}

size_t hub_ring_size(const struct hub_ring *ring, bool *is_full_r)
{
	*is_full_r = ring->lanes[LANE_REST].entries[ring->lanes[LANE_REST].next] != NULL;
	return ring->lanes[LANE_REST].size;
}

static const char *string_of(const struct entry *entry, size_t which)
{
	return entry->text + entry->offsets[which] * (size_t)8;
}

static bool is_about(const struct entry *entry, const char *user, const char *device)
{
	const char *own = string_of(entry, 1);

	if (user != NULL && strncmp(string_of(entry, 0), user, STRING_MAX) != 0)
		return false;
	return device == NULL || *own == '\0' || strncmp(own, device, STRING_MAX) == 0;
}

static void pass(const struct entry *entry, void (*each)(const struct hub_event *, void *data), void *data)
{
	each(&(struct hub_event){
		.at_ms = entry->at_ms, .kind = entry->kind, .number = entry->number,
		.user = string_of(entry, 0), .device = string_of(entry, 1), .collection = string_of(entry, 2),
		.source = string_of(entry, 3), .id = string_of(entry, 4), .text = string_of(entry, 5),
	}, data);
}

/* The lane's oldest entry from `at` on that is wanted; NULL: there is none. */
static const struct entry *lane_look(const struct lane *lane, size_t *at, const char *user, const char *device)
{
	for (; *at < lane->size; ++*at) {
		const struct entry *entry = lane->entries[(lane->next + *at) % lane->size];
		if (entry != NULL && is_about(entry, user, device))
			return entry;
	}
	return NULL;
}

void hub_ring_each(const struct hub_ring *ring, const char *user, const char *device,
	void (*each)(const struct hub_event *, void *data), void *data)
{
	size_t at[LANES] = {0};

	for (;;) {
		const struct entry *rest = lane_look(&ring->lanes[LANE_REST], &at[LANE_REST], user, device);
		const struct entry *unwanted = lane_look(&ring->lanes[LANE_UNWANTED], &at[LANE_UNWANTED], user, device);
		if (rest == NULL && unwanted == NULL)
			return;
		bool is_rest = unwanted == NULL || (rest != NULL && rest->order < unwanted->order);
		pass(is_rest ? rest : unwanted, each, data);
		at[is_rest ? LANE_REST : LANE_UNWANTED]++;
	}
}

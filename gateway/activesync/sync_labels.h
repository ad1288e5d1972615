/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The categories of a collection's items as a device sees them. People use few: each set of names that occurs is kept
 * once, with the items that have it.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SYNC_LABELS_H
#define BELFRY_GATEWAY_ACTIVESYNC_SYNC_LABELS_H

#include <stdbool.h>

#include "gateway/activesync/state.pb-c.h"
#include "lib/core/arena.h"
#include "lib/model/ranges.h"

enum {
	SYNC_LABELS_MAX = 100,     /* sets; of more the device is told when it gets an item, and of no change */
	SYNC_LABEL_NAMES_MAX = 50, /* of one item */
	SYNC_LABEL_NAME_MAX = 255, /* bytes; as long as Outlook lets one be */
	SYNC_LABELS_BYTES_MAX = 64 * 1024 /* of all names: the record has to fit into the store */
};

struct sync_label {
	char **names; /* borrowed: from the record, or from who has put them */
	size_t count;
	struct ranges items;
};

struct sync_labels {
	struct sync_label *list;
	size_t count;
	/* What the record holds after sync_labels_pack(). */
	Belfry__Activesync__Label *messages, **message_list;
	struct buffer bytes;
};

/* -1: the record is damaged. Zeroed memory is an empty one. */
int sync_labels_open(struct sync_labels *labels_r, const Belfry__Activesync__Sync *record);
/* Puts them into the record, which borrows them until the release. */
void sync_labels_pack(struct sync_labels *, Belfry__Activesync__Sync *record);
void sync_labels_release(struct sync_labels *);

/* NULL: it has no categories. */
const struct sync_label *sync_labels_find(const struct sync_labels *, uint64_t id);
/* From now on it has these, none when count is 0, at most SYNC_LABEL_NAMES_MAX; names are copied to the arena. False: it
 * has had them, in whatever order and case of letters; or they cannot be kept. */
bool sync_labels_put(struct sync_labels *, uint64_t id, char *const *names, size_t count, struct arena *);
/* What that would return. */
bool sync_labels_would_change(const struct sync_labels *, uint64_t id, char *const *names, size_t count);
/* Only items of this set stay. */
void sync_labels_keep(struct sync_labels *, const struct ranges *);
bool sync_labels_has_name(const struct sync_label *, const char *name);

#endif

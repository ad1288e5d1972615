/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One collection as a device has it (record "sync/ID"), opened from its record; and the plan: what the next answer
 * tells so that the device comes nearer to the mailbox. Pure, no I/O.
 *
 * The last answer is kept as ranges beside the state that it led to: when the device comes with the key before, it
 * gets that answer again, and what it asks for is not done a second time.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SYNC_STATE_H
#define BELFRY_GATEWAY_ACTIVESYNC_SYNC_STATE_H

#include <stdbool.h>

#include "gateway/activesync/state.pb-c.h"
#include "gateway/activesync/sync_labels.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/model/ranges.h"

struct sync_told {
	struct ranges adds, changes, deletes, soft_deletes;
	struct ranges verbs; /* of changes: answered or forwarded is another */
	bool more;
	bool owes_flags; /* after a plan: some of what is more are flags, or may hide some. Not kept */
};

struct sync_state {
	Belfry__Activesync__Sync *record; /* its bytes fields are stale until sync_state_pack() */
	struct ranges has;      /* items on the device … */
	struct ranges unseen;   /* … and how it sees them */
	struct ranges flagged;
	struct ranges bad;      /* of has: the device was told that they cannot be read */
	bool shows_all;         /* the device is shown what follows (from 14.0 on); else it is kept as it is */
	struct ranges answered, forwarded;
	struct sync_labels labels;
	struct sync_told told;
};

/* Names of categories that a survey's items refer to. */
struct sync_names {
	char **list;
	size_t count;
	struct arena *arena; /* where those are kept that the state needs */
};

enum {
	SYNC_TOLD_MAX = 100000, /* more than any answer tells, whatever the window: a record that says so is damaged */
	SYNC_BAD_MAX = 50       /* one batch to ask for again; a mailbox of which more is broken needs its admin */
};

/* -1: the record is damaged. */
int sync_state_open(struct sync_state *state_r, Belfry__Activesync__Sync *record);
/* Puts the sets into the record; their bytes live in the buffer. */
void sync_state_pack(struct sync_state *, struct buffer *bytes);
void sync_state_release(struct sync_state *);

/* The device's own changes, when they have been carried out. */
void sync_state_set(struct sync_state *, uint64_t id, uint32_t set_flags, uint32_t clear_flags);
void sync_state_removed(struct sync_state *, uint64_t id);
/* An item was written into the answer: with these flags the device sees it. False: so it was before (an answer is
 * given again, and the item is as it was the first time). */
bool sync_state_added(struct sync_state *, uint64_t id, uint32_t flags);

/* An item was told as unreadable, or with its content. False: nothing is new by that. */
bool sync_state_note_bad(struct sync_state *, uint64_t id, bool is_bad);

/* It has these categories (at most SYNC_LABEL_NAMES_MAX count), and the device sees it or has done it; names are copied
 * to the arena. False: so it was before, or it cannot be kept. */
bool sync_state_label(struct sync_state *, uint64_t id, char *const *names, size_t count, struct arena *);

/* Makes told from the difference between the device's view and the survey, at most `window` changes, removals first,
 * then flags, then new items, newest first. The sets follow, but for the added items, which follow as they are
 * written (sync_state_added()). names: NULL: there are none. existing: all items there whatever the filter; NULL: the survey had no filter.
 * True: something is told. */
bool sync_state_plan(struct sync_state *, const struct ranges *present, const struct ranges *existing,
	Belfry__Connector__ItemFlags *const *changed, size_t changed_count, const struct sync_names *, uint64_t window);
/* Items that did not make it into the answer (over its size, or gone meanwhile): they are not told. */
void sync_state_untell(struct sync_state *, uint64_t id);

/* Flags (belfry.connector.Flag) as the device sees the item. */
uint32_t sync_state_flags(const struct sync_state *, uint64_t id);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device has of a collection, and what to tell it next. */
#include "gateway/activesync/sync_state.h"

#include <string.h>

enum { SEEN = BELFRY__CONNECTOR__FLAG__SEEN, FLAGGED = BELFRY__CONNECTOR__FLAG__FLAGGED,
	ANSWERED = BELFRY__CONNECTOR__FLAG__ANSWERED, FORWARDED = BELFRY__CONNECTOR__FLAG__FORWARDED };

/* The sets of the record, in one place: opening, packing and releasing walk over it. */
struct set {
	struct ranges *ranges;
	ProtobufCBinaryData *bytes;
};
enum { SETS = 11 };

static void sets(struct sync_state *state, struct set sets_r[SETS])
{
	Belfry__Activesync__Sync *record = state->record;

	sets_r[0] = (struct set){&state->has, &record->has};
	sets_r[1] = (struct set){&state->unseen, &record->unseen};
	sets_r[2] = (struct set){&state->flagged, &record->flagged};
	sets_r[3] = (struct set){&state->told.adds, &record->told_adds};
	sets_r[4] = (struct set){&state->told.changes, &record->told_changes};
	sets_r[5] = (struct set){&state->told.deletes, &record->told_deletes};
	sets_r[6] = (struct set){&state->told.soft_deletes, &record->told_soft_deletes};
	sets_r[7] = (struct set){&state->bad, &record->bad};
	sets_r[8] = (struct set){&state->answered, &record->answered};
	sets_r[9] = (struct set){&state->forwarded, &record->forwarded};
	sets_r[10] = (struct set){&state->told.verbs, &record->told_verbs};
}

static bool told_is_right(const struct sync_told *told)
{
	return ranges_size(&told->adds) <= SYNC_TOLD_MAX && ranges_size(&told->changes) <= SYNC_TOLD_MAX &&
		ranges_size(&told->deletes) <= SYNC_TOLD_MAX && ranges_size(&told->soft_deletes) <= SYNC_TOLD_MAX &&
		ranges_size(&told->verbs) <= SYNC_TOLD_MAX;
}

int sync_state_open(struct sync_state *state_r, Belfry__Activesync__Sync *record)
{
	struct set all[SETS];

	*state_r = (struct sync_state){.record = record};
	state_r->told.more = record->told_more;
	sets(state_r, all);
	for (int i = 0; i < SETS; i++)
		if (ranges_unpack(all[i].ranges, all[i].bytes->data, all[i].bytes->len) < 0) {
			sync_state_release(state_r);
			return -1;
		}
	if (told_is_right(&state_r->told) && ranges_size(&state_r->bad) <= SYNC_BAD_MAX &&
	    sync_labels_open(&state_r->labels, record) == 0)
		return 0;
	sync_state_release(state_r);
	return -1;
}

void sync_state_pack(struct sync_state *state, struct buffer *bytes)
{
	size_t ends[SETS];
	struct set all[SETS];

	sets(state, all);
	for (int i = 0; i < SETS; i++) {
		ranges_pack(all[i].ranges, bytes);
		ends[i] = bytes->length;
	}
	for (int i = 0; i < SETS; i++) {
		size_t start = i == 0 ? 0 : ends[i - 1];
		all[i].bytes->data = bytes->length == 0 ? NULL : (uint8_t *)bytes->data + start;
		all[i].bytes->len = ends[i] - start;
	}
	sync_labels_pack(&state->labels, state->record);
	state->record->told_more = state->told.more;
}

void sync_state_release(struct sync_state *state)
{
	struct set all[SETS];

	if (state->record == NULL)
		return;
	sets(state, all);
	for (int i = 0; i < SETS; i++)
		ranges_release(all[i].ranges);
	sync_labels_release(&state->labels);
}

/* False: it was so before. */
static bool put(struct ranges *ranges, uint64_t id, bool in)
{
	if (ranges_has(ranges, id) == in)
		return false;
	if (in)
		ranges_add(ranges, id, id);
	else
		ranges_remove(ranges, id, id);
	return true;
}

/* The flags that the device is shown. */
static uint32_t shown(const struct sync_state *state)
{
	return SEEN | FLAGGED | (state->shows_all ? ANSWERED | FORWARDED : 0);
}

/* False: all were so before. */
static bool put_flags(struct sync_state *state, uint64_t id, uint32_t flags, uint32_t which)
{
	bool is_new = false;

	if (which & SEEN)
		is_new |= put(&state->unseen, id, !(flags & SEEN));
	if (which & FLAGGED)
		is_new |= put(&state->flagged, id, flags & FLAGGED);
	if (which & ANSWERED)
		is_new |= put(&state->answered, id, flags & ANSWERED);
	if (which & FORWARDED)
		is_new |= put(&state->forwarded, id, flags & FORWARDED);
	return is_new;
}

void sync_state_set(struct sync_state *state, uint64_t id, uint32_t set_flags, uint32_t clear_flags)
{
	put_flags(state, id, set_flags, (set_flags | clear_flags) & shown(state));
}

bool sync_state_label(struct sync_state *state, uint64_t id, char *const *names, size_t count, struct arena *arena)
{
	return state->shows_all && sync_labels_put(&state->labels, id, names,
		count < SYNC_LABEL_NAMES_MAX ? count : SYNC_LABEL_NAMES_MAX, arena);
}

void sync_state_removed(struct sync_state *state, uint64_t id)
{
	put(&state->has, id, false);
	put_flags(state, id, SEEN, SEEN | FLAGGED | ANSWERED | FORWARDED);
	sync_labels_put(&state->labels, id, NULL, 0, NULL);
	put(&state->bad, id, false);
	put(&state->told.changes, id, false); /* an answer that is given again does not tell of it any more */
	put(&state->told.verbs, id, false);
}

bool sync_state_added(struct sync_state *state, uint64_t id, uint32_t flags)
{
	bool is_new = put(&state->has, id, true);

	return put_flags(state, id, flags, shown(state)) || is_new;
}

bool sync_state_note_bad(struct sync_state *state, uint64_t id, bool is_bad)
{
	return (!is_bad || ranges_size(&state->bad) < SYNC_BAD_MAX) && put(&state->bad, id, is_bad);
}

uint32_t sync_state_flags(const struct sync_state *state, uint64_t id)
{
	return (ranges_has(&state->unseen, id) ? 0 : SEEN) | (ranges_has(&state->flagged, id) ? FLAGGED : 0) |
		(ranges_has(&state->answered, id) ? ANSWERED : 0) | (ranges_has(&state->forwarded, id) ? FORWARDED : 0);
}

void sync_state_untell(struct sync_state *state, uint64_t id)
{
	put(&state->told.adds, id, false);
}

/* --- the plan -------------------------------------------------------------------------------------------------- */

/* Takes at most *window of the wanted into told; what is left is for the next answer. */
static void take(struct ranges *told, struct ranges *wanted, uint64_t *window, bool *more)
{
	uint64_t size = ranges_size(wanted);

	if (size > *window) {
		ranges_keep_highest(wanted, *window);
		*more = true;
		size = *window;
	}
	*window -= size;
	ranges_move(told, wanted);
}

static void plan_removals(struct sync_state *state, const struct ranges *present, const struct ranges *existing,
	uint64_t *window)
{
	struct ranges gone = RANGES_EMPTY, aged = RANGES_EMPTY;

	ranges_subtract(&gone, &state->has, present);
	if (existing != NULL) {
		ranges_intersect(&aged, &gone, existing);
		ranges_subtract(&gone, &gone, existing);
	}
	take(&state->told.deletes, &gone, window, &state->told.more);
	take(&state->told.soft_deletes, &aged, window, &state->told.more);
	ranges_subtract(&state->has, &state->has, &state->told.deletes);
	ranges_subtract(&state->has, &state->has, &state->told.soft_deletes);
	ranges_intersect(&state->unseen, &state->unseen, &state->has);
	ranges_intersect(&state->flagged, &state->flagged, &state->has);
	ranges_intersect(&state->bad, &state->bad, &state->has);
	ranges_intersect(&state->answered, &state->answered, &state->has);
	ranges_intersect(&state->forwarded, &state->forwarded, &state->has);
	sync_labels_keep(&state->labels, &state->has);
}

/* The names of an item's categories; how many. */
static size_t names_of(const Belfry__Connector__ItemFlags *item, const struct sync_names *names,
	char *names_r[SYNC_LABEL_NAMES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; names != NULL && i < item->n_keywords && count < SYNC_LABEL_NAMES_MAX; i++)
		if (item->keywords[i] < names->count)
			names_r[count++] = names->list[item->keywords[i]];
	return count;
}

/* The flags that the device sees otherwise. */
static uint32_t other_flags(const struct sync_state *state, const Belfry__Connector__ItemFlags *item)
{
	return (sync_state_flags(state, item->id) ^ item->flags) & shown(state);
}

static bool has_other_label(const struct sync_state *state, const Belfry__Connector__ItemFlags *item,
	const struct sync_names *names)
{
	char *list[SYNC_LABEL_NAMES_MAX];

	return state->shows_all && sync_labels_would_change(&state->labels, item->id, list, names_of(item, names, list));
}

static void tell_change(struct sync_state *state, const Belfry__Connector__ItemFlags *item, const struct sync_names *names)
{
	uint32_t other = other_flags(state, item);
	char *list[SYNC_LABEL_NAMES_MAX];
	size_t count = names_of(item, names, list);

	ranges_add(&state->told.changes, item->id, item->id);
	if (other & (ANSWERED | FORWARDED))
		ranges_add(&state->told.verbs, item->id, item->id);
	put_flags(state, item->id, item->flags, other);
	sync_state_label(state, item->id, list, count, names == NULL ? NULL : names->arena);
}

static void plan_changes(struct sync_state *state, const struct ranges *present,
	Belfry__Connector__ItemFlags *const *changed, size_t count, const struct sync_names *names, uint64_t *window)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t id = changed[i]->id;
		if (!ranges_has(&state->has, id) || !ranges_has(present, id))
			continue;
		if (other_flags(state, changed[i]) == 0 && !has_other_label(state, changed[i], names))
			continue;
		if (*window == 0) {
			state->told.more = true;
			return;
		}
		--*window;
		tell_change(state, changed[i], names);
	}
}

bool sync_state_plan(struct sync_state *state, const struct ranges *present, const struct ranges *existing,
	Belfry__Connector__ItemFlags *const *changed, size_t changed_count, const struct sync_names *names, uint64_t window)
{
	struct ranges fresh = RANGES_EMPTY;
	uint64_t before = window;

	ranges_release(&state->told.changes);
	ranges_release(&state->told.verbs);
	state->told.more = false;
	plan_removals(state, present, existing, &window);
	plan_changes(state, present, changed, changed_count, names, &window);
	state->told.owes_flags = state->told.more; /* new items bring their own */
	ranges_subtract(&fresh, present, &state->has);
	take(&state->told.adds, &fresh, &window, &state->told.more);
	return window != before;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A record "sync/ID", however damaged: what opens can be planned with, kept, and opened again as the same. */
#include <assert.h>
#include <string.h>

#include "gateway/activesync/sync_state.h"
#include "lib/core/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(struct sync_state *state)
{
	struct ranges present = RANGES_EMPTY, existing = RANGES_EMPTY;
	Belfry__Connector__ItemFlags flags[40], *list[40];

	for (size_t i = 0; i < 40; i++) {
		belfry__connector__item_flags__init(&flags[i]);
		flags[i].id = i * 3;
		flags[i].flags = (uint32_t)i;
		list[i] = &flags[i];
	}
	ranges_add(&present, 1, 30);
	ranges_add(&present, 50, 1000);
	ranges_add(&existing, 1, 2000);
	state->shows_all = true;
	sync_state_plan(state, &present, &existing, list, 40, NULL, 100);
	assert(ranges_size(&state->told.adds) + ranges_size(&state->told.changes) + ranges_size(&state->told.deletes) +
		ranges_size(&state->told.soft_deletes) <= 100);
	sync_state_set(state, 5, BELFRY__CONNECTOR__FLAG__SEEN, BELFRY__CONNECTOR__FLAG__FLAGGED);
	sync_state_removed(state, 6);
	sync_state_added(state, 7, 0);
	assert(!ranges_has(&state->has, 6) && ranges_has(&state->has, 7));
	ranges_release(&present);
	ranges_release(&existing);
}

static void keep(struct sync_state *state, Belfry__Activesync__Sync *record)
{
	struct buffer bytes = BUFFER_EMPTY;
	struct sync_state again;

	sync_state_pack(state, &bytes);
	int result = sync_state_open(&again, record);
	assert(result == 0);
	assert(ranges_equal(&state->has, &again.has) && ranges_equal(&state->unseen, &again.unseen) &&
		ranges_equal(&state->flagged, &again.flagged) && ranges_equal(&state->told.adds, &again.told.adds) &&
		ranges_equal(&state->told.deletes, &again.told.deletes) && ranges_equal(&state->answered, &again.answered) && state->told.more == again.told.more);
	sync_state_release(&again);
	buffer_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	Belfry__Activesync__Sync *record = belfry__activesync__sync__unpack(arena_protobuf(arena), size, data);
	struct sync_state state;

	if (record != NULL && sync_state_open(&state, record) == 0) {
		keep(&state, record);
		plan(&state);
		keep(&state, record);
		sync_state_release(&state);
	}
	arena_free(&arena);
	return 0;
}

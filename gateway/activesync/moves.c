/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gateway/activesync/moves.h"

#include <string.h>

Belfry__Activesync__Moved *moves_find(const Belfry__Activesync__Moves *moves, uint32_t from, uint64_t item, uint64_t validity)
{
	for (size_t i = moves->n_list; i-- > 0;) {
		Belfry__Activesync__Moved *moved = moves->list[i];
		if (moved->from == from && moved->item == item && moved->validity == validity)
			return moved;
	}
	return NULL;
}

Belfry__Activesync__Moved *moves_add(Belfry__Activesync__Moves *moves, struct arena *arena)
{
	size_t kept = moves->n_list < MOVES_MAX ? moves->n_list : MOVES_MAX - 1;
	Belfry__Activesync__Moved **list = arena_alloc(arena, (kept + 1) * sizeof *list);
	Belfry__Activesync__Moved *moved = arena_alloc(arena, sizeof *moved);

	if (kept != 0)
		memcpy(list, moves->list + moves->n_list - kept, kept * sizeof *list);
	belfry__activesync__moved__init(moved);
	list[kept] = moved;
	moves->list = list;
	moves->n_list = kept + 1;
	return moved;
}

void moves_remove(Belfry__Activesync__Moves *moves, const Belfry__Activesync__Moved *moved)
{
	size_t kept = 0;

	for (size_t i = 0; i < moves->n_list; i++)
		if (moves->list[i] != moved)
			moves->list[kept++] = moves->list[i];
	moves->n_list = kept;
}

void moves_undo(const Belfry__Activesync__Moves *moves, uint32_t collection, const struct sync_state *state,
	struct ranges *present)
{
	uint64_t validity = state->record->validity;

	for (size_t i = 0; i < moves->n_list; i++) {
		const Belfry__Activesync__Moved *moved = moves->list[i];

		if (moved->moved == 0)
			continue;
		if (moved->from == collection && moved->validity == validity && ranges_has(&state->has, moved->item))
			ranges_add(present, moved->item, moved->item);
		if (moved->to == collection && moved->to_validity == validity && !ranges_has(&state->has, moved->moved))
			ranges_remove(present, moved->moved, moved->moved);
	}
}

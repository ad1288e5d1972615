/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Out of office: kept, and told again. Nobody is answered, and a text is the same as HTML. */
#include <stdlib.h>

#include "connectors/null/store.h"
#include "connectors/oof.h"
#include "lib/core/mem.h"

Belfry__Connector__Oof *null_oof(const struct null_user *user, struct arena *arena)
{
	return belfry__connector__oof__unpack(arena_protobuf(arena), user->oof_length, user->oof);
}

void null_oof_set(struct null_user *user, const Belfry__Connector__SetOof *asked, struct arena *arena)
{
	Belfry__Connector__Oof *oof = null_oof(user, arena);

	oof_merge(oof, asked);
	free(user->oof);
	user->oof_length = belfry__connector__oof__get_packed_size(oof);
	user->oof = mem_alloc(user->oof_length + 1);
	belfry__connector__oof__pack(oof, user->oof);
}

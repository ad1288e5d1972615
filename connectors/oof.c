/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Out of office. */
#include "connectors/oof.h"

#include <stddef.h>

void oof_merge(Belfry__Connector__Oof *kept, const Belfry__Connector__SetOof *set)
{
	const Belfry__Connector__Oof *oof = set->oof;

	if (oof == NULL)
		return;
	if (set->has_state)
		kept->state = oof->state;
	if (set->has_bounds) {
		kept->start_s = oof->start_s;
		kept->end_s = oof->end_s;
	}
	if (oof->internal != NULL)
		kept->internal = oof->internal;
	if (oof->known != NULL)
		kept->known = oof->known;
	if (oof->unknown != NULL)
		kept->unknown = oof->unknown;
}

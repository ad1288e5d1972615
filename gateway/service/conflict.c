/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gateway/service/conflict.h"

bool conflict_drops_device(enum conflict_winner winner, const struct conflict_sides *sides)
{
	return winner == CONFLICT_BACKEND_WINS && (sides->device & sides->backend & ~sides->same) != 0;
}

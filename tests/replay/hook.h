/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What "hook !" lines tell the hub. */
#ifndef BELFRY_TESTS_REPLAY_HOOK_H
#define BELFRY_TESTS_REPLAY_HOOK_H

#include "tests/replay/script.h"
#include "tests/replay/world.h"

/* USER MAILBOX EVENT ["SUBJECT"] [as=lua] [bare]: with the item's uid and uidvalidity, unless it is bare. -1: the
 * transcript is wrong, or nobody listens. */
int hook_tell(struct world *, const struct step *, size_t from, struct arena *, struct error *error_r);

#endif

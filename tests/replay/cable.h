/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A cable between two processes of a replay: what connects to a place in the near net is passed on, frame by frame
 * (lib/ipc/link.h), to the place in the far net. Each process has a net of its own, so that it can be killed alone,
 * and the cable can be slow, silent or cut.
 */
#ifndef BELFRY_TESTS_REPLAY_CABLE_H
#define BELFRY_TESTS_REPLAY_CABLE_H

#include "lib/net/net.h"

struct cable;

/* Listens at once; both nets outlive it. */
struct cable *cable_create(struct net *near, struct net *far, const char *place);
void cable_free(struct cable **);
/* Frames are passed on so many turns of the loop later, in their order: finds who relies on synchrony. */
void cable_postpone(struct cable *, unsigned turns);
/* Silent: connections stand, but after so many more frames there (requests) and back (answers) no frame is passed on,
 * until it is let go with CABLE_FREE. */
enum { CABLE_FREE = -1 };
void cable_limit(struct cable *, int there, int back);

#endif

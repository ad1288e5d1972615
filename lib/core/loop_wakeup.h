/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How another thread calls for the loop: the one thing of a loop that is for any thread. Real loops only. */
#ifndef BELFRY_LIB_CORE_LOOP_WAKEUP_H
#define BELFRY_LIB_CORE_LOOP_WAKEUP_H

#include "lib/core/loop.h"

struct loop_wakeup;

/* woken is called on the loop after a ring; several rings before it are one. What the ringing thread wrote before it
 * rang is for the two to guard. */
struct loop_wakeup *loop_wakeup_create(struct loop *, void (*woken)(void *owner), void *owner);
void loop_wakeup_ring(struct loop_wakeup *);
/* No thread may ring any more, and woken is not called any more. On the loop's thread. */
void loop_wakeup_free(struct loop_wakeup **);

#endif

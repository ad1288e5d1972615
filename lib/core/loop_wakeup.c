/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A wakeup is libev's async watcher: a flag and an eventfd. */
#include "lib/core/loop_wakeup.h"

#include <assert.h>
#include <stdlib.h>

#include <ev.h>

#include "lib/core/mem.h"

struct loop_wakeup {
	ev_async async;
	struct ev_loop *ev;
	void (*woken)(void *owner);
	void *owner;
};

static void rung(struct ev_loop *ev, ev_async *async, int events)
{
	struct loop_wakeup *wakeup = async->data;

	(void)ev;
	(void)events;
	wakeup->woken(wakeup->owner);
}

struct loop_wakeup *loop_wakeup_create(struct loop *loop, void (*woken)(void *owner), void *owner)
{
	struct loop_wakeup *wakeup = mem_alloc(sizeof *wakeup);

	assert(!loop_is_manual(loop));
	wakeup->ev = loop_ev(loop);
	wakeup->woken = woken;
	wakeup->owner = owner;
	ev_async_init(&wakeup->async, rung);
	wakeup->async.data = wakeup;
	ev_async_start(wakeup->ev, &wakeup->async);
	return wakeup;
}

void loop_wakeup_ring(struct loop_wakeup *wakeup)
{
	ev_async_send(wakeup->ev, &wakeup->async);
}

void loop_wakeup_free(struct loop_wakeup **owner)
{
	if (*owner == NULL)
		return;
	ev_async_stop((*owner)->ev, &(*owner)->async);
	free(*owner);
	*owner = NULL;
}

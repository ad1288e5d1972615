/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The contract of a notifier: how one kind of device is told that it should synchronise now. The hub has decided that;
 * a notifier only knows how to say it. A park's kind names its notifier; main holds the table of them.
 *
 * ring() MUST NOT block, and MUST NOT decide anew. It MUST copy what it keeps: the notice is valid during the call.
 * It is called once a notice; whether the device heard it is not its business: a device that comes again parks
 * with the position that it has, and is rung again when that differs.
 */
#ifndef BELFRY_NOTIFY_CONTRACT_H
#define BELFRY_NOTIFY_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ipc/link.h"
#include "lib/ipc/role.pb-c.h"

struct notice {
	const char *user, *device;
	Belfry__Role__WakeReason reason;
	const uint32_t *changed;     /* indexes of the collections that it waits for */
	size_t changed_count;
	const char *change_id;       /* of the change; "" for other reasons */
	const char *source;          /* by what the change was noticed: hook, lua, idle, notify, check … */
	uint64_t happened_us;        /* CLOCK_MONOTONIC when it came in; 0: not known */
	uint64_t sent_us;            /* … and now */

	struct link *front;          /* where the device's request is held; NULL: it holds none */
	uint32_t slot, generation;
};

/* The notice as the front is told it that holds the request; points into the notice. */
Belfry__Role__Wake notice_wake(const struct notice *);

struct notifier {
	const char *name;            /* as in Park.kind */
	void (*ring)(const struct notice *);
};

#endif

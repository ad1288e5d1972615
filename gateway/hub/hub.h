/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Role hub: one loop, the single writer of the store. It keeps the park table, takes hints in, asks connectors where
 * mailboxes stand, and wakes held requests. It reads only frames of our own roles and the hook's fixed line.
 *
 * Places (lib/net/net.h) that it listens at: "hub" (fronts), "hook", "control", and "hook-udp" where there are keys;
 * that it connects to: "connector/NAME" of each instance.
 */
#ifndef BELFRY_GATEWAY_HUB_H
#define BELFRY_GATEWAY_HUB_H

#include <stdint.h>
#include <sys/types.h>

#include "gateway/service/store.h"
#include "lib/core/error.h"
#include "lib/core/histogram.h"
#include "lib/model/hint.h"
#include "lib/model/hint_signed.h"
#include "lib/model/hint_spool.h"
#include "lib/net/net.h"
#include "notify/contract.h"

struct hub;

enum hub_hook { HUB_HOOK_AUTO, HUB_HOOK_YES, HUB_HOOK_NO };

struct hub_instance_settings {
	const char *name;               /* of the connector: "main" */
	enum hub_hook hook;
	unsigned recheck_s;
};

/* Copied; what pointers point to must outlive the hub. */
struct hub_settings {
	const struct hub_instance_settings *instances;
	size_t instance_count;
	const uid_t *front_users;       /* who may connect as a front; none: whoever reaches the place */
	size_t front_user_count;
	const uid_t *trusted_users;     /* who may give hints for everybody */
	size_t trusted_user_count;
	unsigned hook_rate;             /* hints a second from one other user */
	const char *default_domain;     /* NULL: none */
	const char *spool_folder;       /* of hints that came while the hub was away; NULL: none */
	const char *backup_folder;      /* made for belfryctl backup; beside the store */
	const struct hint_keys *hook_keys; /* of other machines; NULL: no datagrams are taken */
	unsigned max_devices;           /* of one user */
	unsigned request_burst;         /* requests of a device that get it nowhere, … */
	unsigned requests_per_minute;   /* … and how many of them then; 0: any number (pace.h) */
	const struct notifier *const *notifiers; /* up to a NULL */
	unsigned events_max;            /* outcomes kept for belfryctl why; 0: HUB_EVENTS_MAX */
	/* Name of a local uid into name_r, -1: there is none. NULL: the system's, asked by a thread (it may be slow). */
	int (*user_name)(uid_t uid, char *name_r, size_t size);
};

enum {
	HUB_FRONTS_MAX = 1024,          /* links from fronts; the configuration allows far fewer */
	HUB_SLOTS_MAX = 1024 * 1024,    /* of one front: more than any process holds descriptors */
	HUB_EVENTS_MAX = 65536,         /* about 10 MB; a day of 1,000 phones, or ten minutes of 100,000 */
	HUB_PARK_EXTRA_S = 60,          /* a park whose front did not take it back in time is forgotten so much later */
	HUB_DEADLINE_MAX_S = 24 * 3600, /* of a park; the longest heartbeat is an hour */
	HUB_LINGER_MS = 60000,          /* a user stays watched so long after the last park: phones come again in seconds */
	HUB_CHECKS_PER_S = 200,         /* of one instance, for parks that no hint named: what a small backend bears at a restart … */
	HUB_CHECKS_BURST = 200,         /* … and so many at once; more users than recheck_s times this raise both */
	HUB_CHECK_TIMEOUT_MS = 60000,   /* a connector answers within its timeout_s, 30 by default */
	HUB_COME_AGAIN_SPREAD_MS = 8000,/* phones whose password is needed are told so over this time */
	HUB_COME_AGAIN_MIN_S = 60,      /* … and none more often, whatever the backend says */
	HUB_HINT_RECENT_S = 10,         /* a hint this long before or after its news has announced it */
	HUB_SOURCES_MAX = 64,           /* that are counted apart, each sending machine is one; the rest is "other" */
	HUB_SOURCE_SIZE = HINT_SENDER_MAX + 8 /* of a source's name */
};

/* Of a source of changes: "hook", "lua", "spool", "udp:SENDER"; "own": whoever speaks for his own mail only, whatever
 * he calls himself; and of connectors "idle", "notify", "poll"; "check". */
struct hub_source_counters {
	char name[HUB_SOURCE_SIZE];
	uint64_t told;                  /* hints, or positions told unasked */
	uint64_t proven;                /* hints that woke without asking */
	uint64_t woken;                 /* parks */
	uint64_t unwanted;              /* for users of whom nobody waits */
	uint64_t missed;                /* news that it did not announce, of users of whom it told before; "none": nobody had */
	/* From the change's coming in to the wake's leaving, and to the answer's, as fronts say. */
	struct histogram to_wake, to_answer;
};

struct hub_counters {
	uint64_t fronts, users, parked, collections; /* now */
	uint64_t parks, parks_again;
	uint64_t changed_at_once;       /* answered without parking */
	uint64_t woken_changed, woken_replaced, woken_kicked, woken_nothing;
	uint64_t unparked, expired, orphaned;
	uint64_t checks, same, different; /* Checks sent; collections answered so */
	uint64_t failed;                /* Checks that nobody could answer */
	uint64_t missed;                /* news that no hint announced */
	uint64_t hints_refused;         /* not allowed, malformed, or signed wrongly */
	struct hint_spool_counts spool;
	uint64_t begins, commits, conflicts, limits, unavailable, too_often;
	struct hub_source_counters sources[HUB_SOURCES_MAX];
	size_t source_count;
};

/*
 * Listens and connects to the connectors. The store is the caller's and must be closed after the hub.
 * NULL with error_r.
 */
struct hub *hub_start(struct net *, const struct hub_settings *, struct store *, struct error *error_r);
/* Undoes everything; what was asked of the store still happens. */
void hub_stop(struct hub **);

void hub_count(const struct hub *, struct hub_counters *counters_r);
/* As belfryctl trace, for this role, all its fronts and all connectors. */
void hub_trace(struct hub *, const char *subsystem, const char *user, const char *device, bool on);

#endif

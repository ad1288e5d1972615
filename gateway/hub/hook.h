/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How hints come in: gateway/hub/hook.c (the socket), spool.c, datagram.c; and who may say what (speaker.c). */
#ifndef BELFRY_GATEWAY_HUB_HOOK_H
#define BELFRY_GATEWAY_HUB_HOOK_H

#include "gateway/hub/internal.h"

enum {
	HOOK_OPEN_MAX = 1024,          /* connections at once; the rest waits in the socket's backlog … */
	HOOK_OPEN_OWN_MAX = 768,       /* … of which so many of users that are not trusted: the rest is for deliveries … */
	HOOK_OPEN_UID_MAX = NET_ACCEPT_BATCH, /* … and so many of one. Over that his oldest goes, which has had its turn to
	                                  be read: a hook says its line at once */
	HOOK_TIME_MS = 5000,           /* a hook writes at once; one that does not is cut off */
	HOOK_SPEAKERS_MAX = 4096,      /* users of the machine who spoke for themselves lately */
	HOOK_NAME_TTL_S = 600,         /* how long the name of a uid is believed */
	HOOK_WAITING_MAX = 64,         /* lines of one speaker that wait for his name */
	HOOK_COMPLAIN_S = 60,          /* a speaker's refused hints are logged once in this time */
	HOOK_SPOOL_LOOK_MS = 1000,     /* the spool is looked at this often: it is for when the hub was away */
	HOOK_SPOOL_BATCH = 256,        /* files a look; with more there is a next look soon */
	HOOK_NONCES_MAX = 65536        /* of datagrams within the window: 1,000 a second for a minute */
};

struct hub_speakers;

struct hub_hooks {
	struct hub *hub;
	struct listener *listener;
	struct deferred change;        /* listens or stops listening, by how many are open */
	struct hook *first, **last;    /* open connections, the oldest first */
	unsigned open, open_own;       /* open_own: of users that are not trusted */
	struct hub_speakers *speakers;
	struct hub_spool *spool;
	struct hub_datagrams *datagrams;
};

/* --- speaker.c ---------------------------------------------------------------------------------------------- */

struct hub_speakers *hub_speakers_create(struct hub *);
void hub_speakers_free(struct hub_speakers **);
/* May he speak for everybody? */
bool hub_speaker_is_trusted(const struct hub_speakers *, uid_t uid);
/* This uid says so: routed, held back until his name is known, or refused (and counted). */
void hub_speaker_says(struct hub_speakers *, uid_t uid, const struct hint *);
/* A line that is no hint, from him. */
void hub_speaker_babbles(struct hub_speakers *, uid_t uid, const char *why);

/* --- spool.c, datagram.c ---------------------------------------------------------------------------------- */

/* NULL with error_r. */
struct hub_spool *hub_spool_start(struct hub_hooks *, struct error *error_r);
void hub_spool_stop(struct hub_spool **);

struct hub_datagrams *hub_datagrams_start(struct hub_hooks *, struct error *error_r);
void hub_datagrams_stop(struct hub_datagrams **);
/* One has come. */
void hub_datagrams_take(struct hub_datagrams *, const void *bytes, size_t length, const char *from);

#endif

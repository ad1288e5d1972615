/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last things that happened to principals, so that belfryctl can say why a phone rang or did not. */
#ifndef BELFRY_GATEWAY_HUB_RING_H
#define BELFRY_GATEWAY_HUB_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hub_event_kind {
	EVENT_HINT,          /* a hint came; text: of what event, number: enum hub_hint_fate */
	EVENT_HINT_REFUSED,  /* text: why */
	EVENT_ASKED,         /* the connector was asked about number collections */
	EVENT_SAME,          /* it said: same as the device has; number: how often before */
	EVENT_DIFFERENT,     /* it said, or told unasked: something else */
	EVENT_FAILED,        /* it could not say; text: why */
	EVENT_PARKED,        /* number: collections */
	EVENT_AT_ONCE,       /* the park was answered at once: there was news already */
	EVENT_WOKEN,         /* text: the reason */
	EVENT_ANSWERED,      /* a front's outcome; number: ms, text: result, collection: command */
	EVENT_LEFT,          /* the device or its front took the park back; number: s it was parked */
	EVENT_EXPIRED,       /* the front did not take it back in time */
	EVENT_ORPHANED,      /* its front died */
	EVENT_KINDS
};

enum hub_hint_fate { HINT_WANTED, HINT_OF_ANOTHER_COLLECTION, HINT_OF_NOBODY };

/* Strings may be NULL, which is "". */
struct hub_event {
	int64_t at_ms;             /* loop time; set by hub_ring_note */
	enum hub_event_kind kind;
	uint32_t number;
	const char *user, *device; /* "": of the user, whatever the device */
	const char *collection, *source, *id, *text;
};

struct hub_ring;

/* Hints for people of whom nobody waits, the most of all events on a busy mail server, and refused ones, which anybody
 * can send, share an eighth of it, so that they do not push out the others. */
struct hub_ring *hub_ring_create(size_t events_max);
void hub_ring_free(struct hub_ring **);
void hub_ring_note(struct hub_ring *, int64_t now_ms, const struct hub_event *);
/* Those of the user and device (NULL: any), the oldest first. What is passed is valid during the call. */
/* How many are kept at the most, and whether older ones were overwritten. */
size_t hub_ring_size(const struct hub_ring *, bool *is_full_r);
void hub_ring_each(const struct hub_ring *, const char *user, const char *device,
	void (*each)(const struct hub_event *, void *data), void *data);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One play of a transcript, in one of the ways. */
#ifndef BELFRY_TESTS_REPLAY_PLAY_H
#define BELFRY_TESTS_REPLAY_PLAY_H

#include "tests/replay/phone.h"
#include "tests/replay/world.h"

enum way {
	WAY_PLAIN,
	WAY_REPLAYED,  /* before each request all processes start anew from their stored state */
	WAY_POSTPONED, /* every answer within the house comes some turns later */
	WAY_REPEATED,  /* each answer that changes a state is lost, and its request comes again with the old key */
	WAY_CUT,       /* hub and fronts die after one of the writes; the phone repeats what was not answered */
	WAY_ORPHANED,  /* the hub alone dies after one of its writes; the phone repeats what it is told to retry */
	WAYS
};
extern const char *const way_names[WAYS];

enum { DEVICES_MAX = 16 };

struct play {
	const struct script *script;
	enum way way;
	unsigned cut;                    /* after which write; 0: none */
	struct arena *arena;
	struct world *world;
	struct world_settings settings;
	struct device *devices[DEVICES_MAX];
	bool ignored[DEVICES_MAX];       /* not looked at in the end */
	size_t device_count;
	struct phone_request *requests;  /* oldest first */
	struct phone_request *consumed[DEVICES_MAX]; /* the last that was answered */
	struct phone_request *pending[DEVICES_MAX];  /* was to be retried when the device took in what it got ("ends") */
	unsigned writes;                 /* of processes that have ended */
	struct buffer log;               /* lines since the last "log" step */
	char unexpected[512];            /* the first error that was logged */
	struct buffer failure;           /* what failed; empty: nothing */
};

/* Plays everything; the failure is told in words. writes_r: how many writes to the store there were. */
bool play_script(const struct script *, enum way, unsigned cut, bool *skipped_r, unsigned *writes_r,
	struct buffer *failure_r);

/* The steps of devices (device_steps.c), and every step (steps.c). -1: it failed, and why. */
int play_device_step(struct play *, const struct step *, struct error *error_r);
int play_step(struct play *, const struct step *, struct error *error_r);
/* What devices were told to retry is done now. */
int play_finish_pending(struct play *, struct error *error_r);

/* --- for the parts of a play ----------------------------------------------------------------------------------- */

/* The first step but settings makes the world. */
void play_create_world(struct play *);
/* Hub and fronts end, time passes, and they start anew; whoever waited for an answer asks again. */
void play_restart(struct play *, int64_t off_ms);
void play_advance(struct play *, int64_t ms);

struct device *play_device(struct play *, const char *name, size_t *index_r);
/* Lets everything happen that can happen now; a process that died comes back, and phones repeat what it owed them. */
void play_settle(struct play *);
/* Sends a request of "POST Cmd=…" words and takes its answer in; root_r NULL: no body. -1: and why. */
int play_exchange(struct play *, struct device *, const char *words, const struct wbxml_node **root_r,
	struct error *error_r);
void play_send_request(struct play *, struct phone_request *);
void play_take_request(struct play *, struct phone_request *);
struct phone_request *play_oldest(const struct play *, const struct device *);
/* The device takes the answer in. -1: the server broke the protocol. */
int play_apply(struct play *, struct phone_request *, struct error *error_r);
/* Before a request: in the way "replayed", everything starts anew. */
void play_before_request(struct play *);
/* FolderSync and Sync of these folders, to their ends. */
int play_learn(struct play *, struct device *, const char *folders, struct error *error_r);
/* What must hold when a transcript is over (finish.c). */
int play_finish(struct play *, struct error *error_r);

#endif

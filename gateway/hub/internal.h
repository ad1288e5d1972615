/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the hub share: for gateway/hub*.c only. */
#ifndef BELFRY_GATEWAY_HUB_INTERNAL_H
#define BELFRY_GATEWAY_HUB_INTERNAL_H

#include "gateway/hub/hub.h"
#include "gateway/hub/pace.h"
#include "gateway/hub/park.h"
#include "gateway/hub/ring.h"
#include "gateway/service/calls.h"
#include "gateway/service/lock.h"
#include "gateway/service/router.h"
#include "gateway/service/router_health.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/core/log.h"
#include "lib/ipc/role.pb-c.h"

/* --- a front (front.c) and its questions to the store (records.c) --------------------------------------- */

struct hub_question;

struct hub_front {
	struct hub *hub;
	struct link *link;
	uint64_t serial;              /* never used again: the owner of locks */
	uint16_t index;               /* in hub->fronts */
	unsigned number, pid;         /* as it says; 0 before its Hello */
	struct park **slots;          /* its parks, by slot */
	uint32_t slot_count;
	uint32_t sweep;               /* slot that is looked at next for expiry */
	struct hub_question *questions, *transactions;
	Belfry__Role__Counts counts;  /* as it told last */
};

/* --- the hooks of an instance (health.c) ------------------------------------------------------------------------ */

enum { HUB_SOURCE_NONE = 0 };     /* the number of "none": nobody has told of this user yet */

struct hub_health {
	struct router_health sources[HUB_SOURCES_MAX + 1]; /* by number */
	bool is_known[HUB_SOURCES_MAX + 1]; /* has told of a user of the instance */
	char missed_user[64];         /* whose news was missed last (cut), and when: a slow hook may still come */
	int64_t missed_ms;
	uint8_t missed_source;
	uint64_t missed;
};

enum hub_trust { TRUST_NOT_ASKED, TRUST_NONE, TRUST_SOME, TRUST_ALL };

/* --- an instance and its users (watch.c) -------------------------------------------------------------------- */

struct hub_instance {
	struct hub *hub;
	const struct hub_instance_settings *settings;
	char *place;
	struct park_table table;
	struct calls *calls;
	struct hub_health health;
	uint64_t limited;             /* Watches and Checks that the connector refused for want of sessions */
	uint64_t failed;              /* Checks that nobody could answer */
	bool knows_backend;           /* the connector has told how it is: … */
	struct error backend_trouble; /* … "": well */
	/* Users who want a Watch or a Check that no hint asked for, in order of coming; taken at HUB_CHECKS_PER_S. */
	struct park_user **queue;
	uint32_t queue_head, queue_tail, queue_size;
	int64_t paid_us;              /* the queue is paid for up to this moment */
	struct timer pump;
	/* The recheck goes round all users within recheck_s. */
	struct timer recheck;
	struct park_user *cursor;
	uint64_t recheck_debt;        /* users times seconds */
};

enum hub_backend { BACKEND_IS_UNKNOWN, BACKEND_IS_UP, BACKEND_IS_DOWN };

enum { /* park_user.flags */
	USER_WANT_WATCH = 1, USER_WANT_CHECK = 2,
	USER_WATCHED = 4,             /* the connector was told to watch */
	USER_TOLD_HOOKED = 8,         /* … with hooked */
	USER_RECHECK = 16,            /* what is to be asked is asked by the recheck */
	USER_LOGIN_NEEDED = 32,       /* the connector has no credentials: the next park brings them */
	USER_VOUCHED = 64,            /* the last hint came from somebody trusted: news that it announced speak for the hooks */
	USER_FIRST_TOLD = 128         /* … and was the first: they speak for those, too, of whom nobody has told yet */
};

/* What woke a park, or is believed to be behind what will. */
struct hub_news {
	char id[HINT_ID_SIZE];
	char source[HUB_SOURCE_SIZE];
	uint64_t happened_us;
};

enum hub_busy_next { BUSY_NOTHING, BUSY_RETRY, BUSY_BACKOFF, BUSY_LINGER, BUSY_COME_AGAIN };

/* Exists while something is under way for a user: nothing is for most parked ones. */
struct hub_busy {
	struct hub_instance *instance;
	struct park_user *user;
	struct call *check;           /* under way */
	bool is_stale;                /* a device committed since it was sent: its answer may be older than what that has */
	bool is_recheck;
	uint8_t retries, failures;
	enum hub_busy_next next;      /* what the timer will do */
	struct timer timer;
	struct hub_news news;         /* the last hint; id "": none */
};

/* --- the hub ----------------------------------------------------------------------------------------------------- */

struct hub_hooks;
struct hub_spool;
struct hub_datagrams;
struct hub_names;
struct hub_control;

struct hub {
	struct loop *loop;
	struct net *net;
	struct hub_settings settings;
	struct store *store;
	struct locks *locks;
	struct pace *pace;
	struct listener *listener;
	struct hub_front *fronts[HUB_FRONTS_MAX];
	uint64_t last_serial;
	struct timer sweep;
	struct hub_instance *instances;
	struct hub_ring *ring;
	struct hub_counters counters;
	struct hub_hooks *hooks;
	struct hub_control *control;
	bool is_stopping;
};

static inline uint32_t hub_now_s(const struct hub *hub)
{
	return (uint32_t)(loop_now_ms(hub->loop) / 1000) + 1; /* 0 stays "never" */
}

#define HUB_HIERARCHY "" /* a user's hierarchy as a collection: connectors/contract.h */

/* A collection for people. */
static inline const char *hub_shown(const char *collection)
{
	return *collection == '\0' ? "the list of folders" : collection;
}

void hub_note(struct hub *, const struct hub_event *);
/* The counters of a source; "other" when there are too many. */
struct hub_source_counters *hub_source(struct hub *, const char *name);
/* Numbers of sources begin with 1; HUB_SOURCE_NONE is "none". */
uint8_t hub_source_number(struct hub *, const char *name);
const char *hub_source_name(const struct hub *, uint8_t number);
struct hub_instance *hub_instance_find(struct hub *, const char *name);
/* The user's entry in whichever instance; NULL: nobody waits, or waited just now. */
struct park_user *hub_user_find(struct hub *, const char *user, struct hub_instance **instance_r);

/* front.c */
int hub_fronts_start(struct hub *, struct error *error_r);
void hub_fronts_stop(struct hub *);
void hub_front_close(struct hub_front *, const char *why);
void hub_fronts_trace(struct hub *, const Belfry__Role__Trace *);
void hub_front_answer(struct hub_front *, uint64_t id, Belfry__Role__FromHub *);

/* front.c: as the rest of the gateway has it; of the message. */
struct principal hub_principal(const Belfry__Role__Principal *);

/* records.c: messages are the callee's to free. */
void hub_records_begin(struct hub_front *, Belfry__Role__ToHub *);
void hub_records_commit(struct hub_front *, Belfry__Role__ToHub *);
void hub_records_release(struct hub_front *, uint64_t transaction);
void hub_records_front_gone(struct hub_front *);

/* route_park.c */
void hub_route_park(struct hub_front *, const Belfry__Role__ToHub *);

/* route.c */
const char *hub_wake_word(Belfry__Role__WakeReason);
/* Makes room for the slot. The front uses it for another request now: the one before is over, whatever we missed. */
void hub_route_clear_slot(struct hub_front *, uint32_t slot);
void hub_route_unpark(struct hub_front *, const Belfry__Role__Unpark *);
void hub_route_front_gone(struct hub_front *);
void hub_sweep_start(struct hub *);
/* Ends a park and rings. changed: indexes; news NULL for other reasons than a change. */
void hub_route_wake(struct hub_instance *, struct park *, Belfry__Role__WakeReason, const uint32_t *changed, size_t count,
	const struct hub_news *);
unsigned hub_route_kick(struct hub *, const char *user, const char *device, Belfry__Role__WakeReason);
/* user: canonical. The hint's source is one that the hub gave it: HUB_SOURCE_OWN, or the word of somebody trusted. */
#define HUB_SOURCE_OWN "own"
void hub_route_hint(struct hub *, const char *user, const struct hint *);
/* The backend stands there. Wakes nobody yet: hub_route_wake_differing() does, for all that was learned. */
void hub_route_learn(struct hub_instance *, struct park_user *, const char *collection, struct position, bool is_fresh);
void hub_route_wake_differing(struct hub_instance *, struct park_user *, const struct hub_news *);
void hub_route_committed(struct hub *, const char *user);

/* watch.c */
void hub_instances_start(struct hub *);
void hub_instances_stop(struct hub *);
void hub_instances_trace(struct hub *, const Belfry__Role__Trace *);
bool hub_instance_is_up(const struct hub_instance *);
enum hub_backend hub_instance_backend(const struct hub_instance *);
void hub_instance_send(struct hub_instance *, Belfry__Connector__Request *, struct call *);
/* For the instance's queue: USER_WANT_*. */
void hub_user_want(struct hub_instance *, struct park_user *, uint8_t wanted);
/* Nobody has come for long: unwatched and forgotten. */
void hub_user_end(struct hub_instance *, struct park_user *);
ProtobufCBinaryData hub_user_handle(const struct park_user *);

struct hub_name_list {
	struct hub_instance *instance;
	char **names;
	size_t count, size;
};
void hub_name_add(uint32_t collection, void *list);

/* health.c */
void hub_health_start(struct hub_instance *);
/* A hint of the user has come from there. */
void hub_health_hinted(struct hub_instance *, struct park_user *, const char *source);
/* News were found that a hint had announced, or none. */
void hub_health_announced(struct hub_instance *, struct park_user *);
void hub_health_missed(struct hub_instance *, const struct park_user *);
/* His hooks are trusted: he need not be watched. */
bool hub_user_is_hooked(const struct hub_instance *, const struct park_user *);
enum hub_trust hub_instance_trust(const struct hub_instance *);

/* check.c */
struct hub_busy *hub_user_busy(struct hub_instance *, struct park_user *);
void hub_user_busy_end(struct park_user *);
/* A park has come or gone: the user may linger and then go. */
void hub_user_settle(struct hub_instance *, struct park_user *);
/* Asks now about what has PARK_ASK; when a Check is under way, right after it. */
void hub_user_ask(struct hub_instance *, struct park_user *);
/* Positions that came unasked. */
void hub_user_told(struct hub_instance *, struct park_user *, const Belfry__Connector__Response *);
/* The connector has no credentials for the user: phones bring them again. */
void hub_user_come_again(struct hub_instance *, struct park_user *);
const char *hub_status_word(Belfry__Connector__Status);
void hub_note_failed(struct hub_instance *, const struct park_user *, const char *collection, const char *source,
	Belfry__Connector__Status, const char *reason);
void hub_note_answer(struct hub_instance *, const struct park_user *, enum hub_event_kind, const char *collection,
	const char *source, const char *text);

/* metrics.c: all that is counted, in the text format of Prometheus, version 0.0.4. */
void hub_metrics(struct hub *, struct buffer *text);

/* hook.c, control.c */
int hub_hooks_start(struct hub *, struct error *error_r);
void hub_hooks_stop(struct hub *);
int hub_control_start(struct hub *, struct error *error_r);
void hub_control_stop(struct hub *);

#endif

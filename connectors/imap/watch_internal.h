/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What watch.c (who is watched, sessions) and watch_round.c (asking and telling where collections stand) share. */
#ifndef BELFRY_CONNECTORS_IMAP_WATCH_INTERNAL_H
#define BELFRY_CONNECTORS_IMAP_WATCH_INTERNAL_H

#include "connectors/imap/watch.h"
#include "connectors/imap/watch_session.h"

/* A collection of a Watch. */
struct watched {
	char *name;
	enum watch_answer answer;       /* the last one */
	struct position position;
	bool is_known;                  /* answered by this session */
	bool is_told;                   /* to whoever watches */
	bool is_dirty;                  /* to be asked about */
};

/* One Check. */
struct check {
	struct check *next;
	struct watch *watch;
	struct service_client *client;
	uint64_t id;
	struct timer deadline;
	bool in_round;                  /* its collections are being asked about */
	size_t count;
	struct checked { char *name; enum watch_answer answer; struct position position; } list[];
};

enum watch_state {
	WATCH_CLOSED,    /* no session, none wanted now */
	WATCH_WAITING,   /* for the next try after a failure */
	WATCH_OPENING,
	WATCH_OPEN
};

struct watch {
	UT_hash_handle hh;
	struct watches *watches;
	struct service_client *client;  /* NULL: orphan, or only asked by Check */
	bool is_watched, is_hooked;
	struct account *account;        /* watch_as session: the newest that a handle stood for */
	struct account *session_account; /* the one that the session logs in with */
	char *login;                    /* the backend's name */
	struct imap_credentials credentials;
	struct watched *list;
	char **names;                   /* of the list, for the session */
	size_t count;
	struct check *checks;
	enum watch_state state;
	struct watch_session *session;
	char **round;                   /* names that are being asked about */
	size_t round_count, round_left;
	bool has_news;                  /* this round found a change */
	bool was_look;                  /* this round was the second look only */
	bool was_polled;                /* this round was for the collections that the session does not notice */
	unsigned failures;
	int64_t poll_ms;
	struct timer look;
	struct timer timer;             /* WAITING: next try; OPEN: next poll, or the end of lingering */
	char user[];                    /* canonical */
};

struct watches {
	struct loop *loop;
	struct backend *backend;
	struct accounts *accounts;
	const struct imap_settings *settings;
	const struct watches_events *events;
	void *owner;
	struct watch *by_user;
	unsigned sessions;
	struct timer orphans, log;
	unsigned lost;                  /* sessions since the last line about them */
	struct error lost_why;
	unsigned turned_away;           /* for want of sessions, since the last line about it */
	int64_t full_logged_ms;
	bool master_was_let_in;         /* else a refusal is the master's own */
	uint64_t random;
};

/* watch_round.c */
/* Asks about what is dirty and what Checks wait for, unless it does so already. The session is open. */
void watch_ask(struct watch *);
/* One answer of the session. May end a round: answers Checks, tells, goes on. */
void watch_answered(struct watch *, const char *collection, enum watch_answer, struct position);
/* The session is gone: what was under way is void. */
void watch_round_drop(struct watch *);
void watch_tell_over(struct watch *, Belfry__Connector__Status);
void check_free(struct check *);
void watch_answer_checks(struct watch *, Belfry__Connector__Status, const char *why);
/* watch.c: opens, keeps, lingers or closes, whatever is right now. May free the watch. */
void watch_reconsider(struct watch *);
/* All that is noticed by nobody but us is to be looked at again after a while. */
void watch_start_poll(struct watch *, bool something_changed);
/* Once more, for what IDLE may have lost. */
void watch_start_look(struct watch *);
int64_t watch_jitter(struct watches *, int64_t ms); /* between half and one and a half */

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An IMAP server in memory, as much of it as a watching client needs; one mailbox world for all users. */
#ifndef BELFRY_TESTS_UNIT_CONNECTORS_IMAP_FAKE_IMAP_H
#define BELFRY_TESTS_UNIT_CONNECTORS_IMAP_FAKE_IMAP_H

#include <stdbool.h>

#include "lib/net/net.h"

enum { FAKE_BOXES = 4 };

struct fake_box {
	const char *name; /* NULL: there is none */
	unsigned messages, next, unseen, modseq;
};

struct fake_imap {
	/* The test's to change. */
	const char *capabilities;     /* after the login; NULL: NOTIFY, IDLE and CONDSTORE */
	const char *password;         /* everybody's; NULL: "secret" */
	const char *login_refusal;    /* NULL: logins are checked */
	bool holds_refusals;          /* a wrong password is answered by fake_imap_refuse() */
	bool is_view_late;            /* a selected mailbox stands where it did until NOOP or EXAMINE, IDLE or not */
	bool is_silent;               /* takes connections and says nothing any more */
	bool is_down;                 /* takes no connections */
	struct fake_box boxes[FAKE_BOXES];
	/* The test's to look at. */
	unsigned connections, connected; /* ever; now */
	unsigned logging_in, most_logging_in; /* connected and not logged in: now, and at the most */
	unsigned logins, statuses, lists, logouts;
	const char *last_user;        /* who logged in last, as authorization identity if there was one */
	/* its own */
	struct loop *loop;
	struct net *net;
	struct listener *listener;
	struct fake_session *sessions;
};

/* Listens at BACKEND_PLACE, with INBOX and Sent. */
void fake_imap_start(struct fake_imap *, struct net *);
void fake_imap_stop(struct fake_imap *);
/* A new message; announced to whoever waits for it. */
void fake_imap_deliver(struct fake_imap *, const char *box);
/* Answers the wrong passwords that are held now. */
void fake_imap_refuse(struct fake_imap *);
/* A new mailbox; announced to whoever asked NOTIFY for names. */
void fake_imap_create(struct fake_imap *, const char *box);
/* Breaks all connections. */
void fake_imap_drop(struct fake_imap *);
/* Connections that rest in IDLE. */
unsigned fake_imap_idling(const struct fake_imap *);

#endif

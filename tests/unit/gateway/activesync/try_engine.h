/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engines in a real front, for tests: a phone at one end, a hub and a connector that are played here over links in
 * memory at the other. Both play fair unless they are told otherwise: the hub keeps records and counts locks, the
 * connector has one user (alice, password "secret") with the mailboxes that the test puts there.
 */
#ifndef BELFRY_TESTS_UNIT_GATEWAY_ACTIVESYNC_TRY_ENGINE_H
#define BELFRY_TESTS_UNIT_GATEWAY_ACTIVESYNC_TRY_ENGINE_H

#include "gateway/activesync/activesync.h"
#include "gateway/autodiscover/autodiscover.h"
#include "gateway/front.h"
#include "lib/core/buffer.h"
#include "lib/ipc/link.h"

enum { TRY_MAILBOXES_MAX = 8, TRY_RECORDS_MAX = 1300, TRY_ITEMS_MAX = 600, TRY_WATCHED_MAX = 16 };

struct try_item {
	uint64_t uid, received_s, token; /* token: of its last change */
	uint32_t flags;
	size_t body_bytes;               /* over 64 kB it travels as a descriptor */
	const char *sender;              /* NULL: the same as From */
	bool is_bad;                     /* the connector cannot read it */
	bool is_gone;                    /* expunged after the survey: it answers NOT_FOUND */
};

struct try_mailbox {
	const char *name, *parent;
	Belfry__Connector__Role role;
	uint64_t validity, next, token;
	struct try_item items[TRY_ITEMS_MAX];
	size_t item_count;
	bool is_away;                    /* not listed, and not to be opened */
};

struct try_record {
	char key[40];
	uint64_t revision;
	struct buffer value;
};

/* What goes wrong when a message number trouble_at comes in at hub or connector. */
enum try_trouble {
	TROUBLE_NONE,
	TROUBLE_HUB_ENDS, TROUBLE_CONNECTOR_ENDS, TROUBLE_HUB_SILENT, TROUBLE_CONNECTOR_SILENT, TROUBLE_PHONE_HANGS_UP,
	TROUBLE_FRONT_ENDS,
	TROUBLES
};

struct try_engine {
	struct loop *loop;
	struct net *net;
	struct front *front;
	struct directory directory;
	struct activesync_engine_settings settings;
	struct autodiscover_engine_settings autodiscover;

	/* The hub. */
	struct listener *hub_listener;
	struct link *hub;
	bool hub_is_silent;
	Belfry__Role__Status begin_status, commit_status;
	unsigned conflicts;              /* so many commits from now on come too late */
	struct try_record records[TRY_RECORDS_MAX];
	size_t record_count;
	uint64_t last_transaction;
	unsigned open_transactions, parks, unparks, outcomes, begins, commits;
	char outcome[200];               /* the last … */
	uint32_t outcome_ms;             /* … its duration … */
	uint64_t outcome_change_us;      /* … and its change's */
	uint64_t wake_happened_us, wake_sent_us; /* of the next wakes */
	struct try_park {
		uint32_t slot, generation, deadline_s;
		bool again;
		size_t watched_count;
		char names[TRY_WATCHED_MAX][40];
		Belfry__Role__Position positions[TRY_WATCHED_MAX];
		size_t handle_length;
	} park;                          /* the last */

	/* The connector. */
	struct listener *connector_listener;
	struct link *connector;
	bool connector_is_silent;        /* but for logins */
	uint64_t hierarchy;              /* where it stands; 0: the connector cannot say */
	/* By the request's body case: the status that it is answered with instead; OK: as it is. */
	Belfry__Connector__Status refuse[16];
	Belfry__Connector__Status refuse_operation; /* each of an Apply, but for items that are gone; OK: none */
	unsigned retry_after_s;
	size_t handle_bytes;             /* of a login's handle */
	struct try_mailbox mailboxes[TRY_MAILBOXES_MAX];
	size_t mailbox_count;
	unsigned asked[16];              /* requests by body case */
	uint64_t last_fetch_truncation;  /* of the last Fetch's first wish; UINT64_MAX: none was given */
	unsigned last_fetch_wishes;
	uint64_t last_survey_since;      /* since_token of the last Survey */
	struct try_sent {
		char message_id[100], collection[40];
		bool save, again, replace, in_descriptor;
		int kind;
		uint64_t validity, item;
		struct buffer mail;
	} sent;                          /* the last Send */
	bool keeps_no_copy;
	unsigned send_progress;          /* so often a Send is told to go on before it is answered */
	bool last_apply_to_trash;        /* of the last Apply's last operation */
	int gift;                        /* answers to this body case come with a descriptor that nobody asked for */

	/* Trouble. */
	unsigned messages, trouble_at;
	enum try_trouble trouble;

	/* The phone. */
	struct stream *phone;
	struct buffer got;
	bool phone_ended;
	unsigned status;                 /* of the last answer; 0: none yet */
	struct buffer head, body, xml;   /* of it; xml: of a WBXML or an XML body */
};

/* One request. What is NULL has a usual value. */
struct try_request {
	const char *method;              /* POST */
	const char *command;             /* Cmd= */
	const char *body;                /* shorthand, try_compose(); NULL: empty */
	const struct buffer *bytes;      /* or these */
	const char *version;             /* 14.1 */
	const char *query;               /* instead of the usual */
	const char *login;               /* user:password; "": no header */
	const char *policy_key, *agent, *device;
	const char *path;                /* of another engine, without a query */
	const char *host, *scheme;       /* Host, X-Forwarded-Proto */
	const char *type;                /* Content-Type; application/vnd.ms-sync.wbxml */
};

void try_begin(struct try_engine *, const struct policy_settings *);
void try_end(struct try_engine *);

/* Sends and lets everything happen that needs no time. The HTTP status; 0: no answer yet. */
unsigned try_ask(struct try_engine *, const struct try_request *);
/* As try_ask() with command and body only; returns the answer as XML, "" without one. */
const char *try_command(struct try_engine *, const char *command, const char *body);
/* Lets everything happen, and reads what has come. */
unsigned try_settle(struct try_engine *);
unsigned try_advance(struct try_engine *, int64_t ms);
/* Has the hub a record of this key? */
bool try_has_record(struct try_engine *, const char *key);
/* The value of a header line of the last answer; NULL: none. Valid until the next call. */
const char *try_header(struct try_engine *, const char *name);
/* The text of the nth element of that name in the last answer (from 0), in a static buffer; "" when there is none. */
const char *try_text(struct try_engine *, const char *element, unsigned nth);
unsigned try_count(struct try_engine *, const char *text);

/* "Sync{Collections{Collection{SyncKey=0 CollectionId=1}}}" as WBXML: names are looked up in the parent's code page
 * first, then in all; "Email:Status" names one. */
void try_compose(const char *shorthand, struct buffer *wbxml);

/* FolderSync from 0; asserts that it goes well. Ids are 1, 2 … in the order of the mailboxes, parents first. */
void try_folders(struct try_engine *);
/* Sync of one collection to its end from 0; the key that it ends with, in a static buffer. */
const char *try_sync_all(struct try_engine *, unsigned collection);

struct try_mailbox *try_mailbox(struct try_engine *, const char *name, Belfry__Connector__Role);
struct try_item *try_deliver(struct try_engine *, struct try_mailbox *, uint32_t flags);
struct try_item *try_item(struct try_mailbox *, uint64_t uid);
void try_expunge(struct try_mailbox *, uint64_t uid);
void try_flag(struct try_mailbox *, uint64_t uid, uint32_t flags);

/* The hub tells something. */
void try_wake(struct try_engine *, Belfry__Role__WakeReason, const uint32_t *changed, size_t count);
void try_hub_ends(struct try_engine *);
void try_connector_ends(struct try_engine *);

/* The lowest descriptor that is free: the same before and after when none was left open. */
int try_descriptor(void);

/* The last line that was logged and is no error. */
const char *try_logged(void);
/* Errors logged since the last call; a test that did not expect any fails in try_end(). */
unsigned try_errors(void);

#endif

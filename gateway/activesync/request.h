/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One ActiveSync request from its header to its answer:
 *
 *	parse ─▶ Login at the connector ─▶ Begin at the hub ─▶ policy ─▶ the command ─▶ (Commit) ─▶ answer
 *
 * A command is a row of commands[] (command.c). It gets the request when login, device and policy are settled, asks
 * the hub and the connector through the functions below, and ends with exactly one of the request_answer* functions.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_REQUEST_H
#define BELFRY_GATEWAY_ACTIVESYNC_REQUEST_H

#include "gateway/activesync/activesync.h"
#include "gateway/activesync/query.h"
#include "gateway/service/connector_client.h"
#include "gateway/service/user.h"
#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_tree.h"
#include "lib/codec/wbxml_writer.h"

struct activesync;
struct request;

/* Statuses that any command answers with (MS-ASCMD 2.2.2). */
enum common_status {
	COMMON_INVALID_CONTENT = 101,
	COMMON_INVALID_WBXML = 102,
	COMMON_INVALID_XML = 103,
	COMMON_INVALID_DATE_TIME = 104,
	COMMON_INVALID_COMBINATION_OF_IDS = 105,
	COMMON_INVALID_MIME = 107,
	COMMON_INVALID_DEVICE_ID = 108,
	COMMON_INVALID_DEVICE_TYPE = 109,
	COMMON_SERVER_ERROR = 110,
	COMMON_SERVER_ERROR_RETRY = 111,
	COMMON_RECIPIENT_UNRESOLVED = 116,
	COMMON_PREVIOUSLY_SENT = 118,
	COMMON_NO_RECIPIENT = 119,
	COMMON_SUBMISSION_FAILED = 120,
	COMMON_TOO_LARGE = 122,
	COMMON_COMMAND_NOT_SUPPORTED = 137,
	COMMON_NOT_FULLY_PROVISIONABLE = 139,
	COMMON_LEGACY_DEVICE = 141,
	COMMON_DEVICE_NOT_PROVISIONED = 142,
	COMMON_POLICY_REFRESH = 143,
	COMMON_INVALID_POLICY_KEY = 144,
	COMMON_EXTERNALLY_MANAGED = 145,
	COMMON_ITEM_NOT_FOUND = 150,
	COMMON_BODY_PART_TYPE = 164,
	COMMON_DEVICE_INFORMATION_REQUIRED = 165,
	COMMON_INVALID_ACCOUNT = 166,
	COMMON_MAXIMUM_DEVICES_REACHED = 177
};

struct command {
	const char *name;
	uint16_t root;             /* of request and answer */
	uint16_t status;           /* tag of the status right below the root; 0: an answer has none */
	uint16_t within;           /* … below this, rather, which is right below the root; 0: it is not */
	bool needs_policy;         /* refused to a device that has not accepted the policy */
	bool may_be_empty;         /* a request without a body means something */
	bool is_paced;             /* phones that go round in circles do it with these: they count for how often one comes */
	bool takes_mail;           /* its body may be as long as a mail; until 12.1 it is one, and no document */
	/* Names what to read and lock. Non-zero: refuse with this status of the command. NULL: a command that is not
	 * served; run comes at once, and reads neither body (which may be a mail) nor records. */
	int (*prepare)(struct request *, Belfry__Role__Begin *);
	/* The records are there. */
	void (*run)(struct request *);
	/* The status that says "cannot now, retry" in this command. */
	int retry_status;
};

struct request {
	struct request *next, *prev;   /* in engine->under_way */
	struct activesync *engine;
	struct http_exchange *exchange;
	struct arena *arena;           /* the exchange's: all that the request needs */
	const struct command *command;
	struct query query;
	unsigned version;              /* 121, 140, 141 */
	uint32_t policy_key;           /* as sent; 0: none … */
	bool has_policy_key;           /* … although there was room for it */
	const char *user;              /* canonical */
	const char *device;
	const char *instance;          /* of the connector */
	ProtobufCBinaryData handle;    /* of the login */
	const struct wbxml_node *root; /* NULL: no body */
	uint64_t transaction;
	Belfry__Role__Record **records; /* read by Begin, in the arena */
	size_t record_count;
	Belfry__Role__DeviceRecord *device_record; /* never NULL in run */
	uint64_t device_revision;      /* 0: a new device */
	bool device_changed;           /* is written with the next commit */
	bool gets_further;             /* the device did or learned something: see Commit in lib/ipc/role.proto */
	struct wbxml_writer writer;
	struct buffer body;            /* of the answer, written by `writer` */
	void *work;                    /* the command's own … */
	void (*release)(struct request *); /* … and what frees what of it is not in the arena; NULL: nothing */
	int64_t started_ms;
	const char *result;            /* for the log: "status=1 …" */
	/* What is being waited for. */
	struct connector_call *connector_call;
	struct hub_call *hub_call;
	connector_answered *answered;
	bool asks_watch;               /* LOGIN_NEEDED is for `answered` */
	bool takes_conflict;           /* CONFLICT is for `committed` */
	hub_committed *committed;
	Belfry__Role__Write **writes;  /* of a commit that others follow; NULL: it is the last */
	size_t write_count;
	void (*read)(struct request *);
	const char *password;          /* of the header, until the login is done */
};

/* Takes an exchange from the front: answers it in the end, whatever happens. */
void request_start(struct activesync *, struct http_exchange *);

/* Its header has come: sets how long the body may be, and whether it is kept (not for a command that is not served, nor a
 * mail that is too long); or answers at once. */
void request_header(struct activesync *, struct http_exchange *);

/* The front ends: no answer any more. */
void request_abandon(struct request *);

/* A record that Begin has read; NULL: not there. */
const Belfry__Role__Record *request_record(const struct request *, const char *key);
/* Unpacks a record's value into the arena; NULL: not there or not of this form. */
void *request_unpack(const struct request *, const char *key, const ProtobufCMessageDescriptor *);

/* Reads further records, which request_record() then finds, without locking them: at a commit their revisions decide.
 * What cannot be read is as if it were not there. */
void request_read(struct request *, char **keys, size_t count, void (*done)(struct request *));

/* Takes locks and reads further records, for a command that had to read before it knew which: once, and only when prepare
 * asked for no locks. When they cannot be had the request is answered, and done is not called. */
void request_begin(struct request *, Belfry__Role__Begin *, void (*done)(struct request *));

/* Asks the user's connector; the handle is filled in. One question at a time. LOGIN_NEEDED is dealt with here: the
 * request is answered so that the device comes again. data in the callback is the request. A descriptor comes with a
 * fetched item only. false: the principal may not ask that (gateway/service/access.h); it was answered and is gone. */
bool request_ask(struct request *, Belfry__Connector__Request *, connector_answered *);

/* The same; but LOGIN_NEEDED is the callback's: the watch half may lack credentials that the login does not need. */
bool request_ask_watch(struct request *, Belfry__Connector__Request *, connector_answered *);

/* The same with a descriptor, which is taken over. */
bool request_ask_fd(struct request *, Belfry__Connector__Request *, int fd, connector_answered *);

/* A write for request_commit(), packed into the arena. revision: of the record read, 0 when there was none. */
Belfry__Role__Write *request_write(struct request *, const char *key, const ProtobufCMessage *);
/* The same; NULL: the record is so already. */
Belfry__Role__Write *request_rewrite(struct request *, const char *key, const ProtobufCMessage *);
Belfry__Role__Write *request_remove(struct request *, const char *key);
/* Writes, with the device's record when it changed. committed gets Status OK only: anything else is answered here
 * as "retry". data in the callback is the request. */
void request_commit(struct request *, Belfry__Role__Write **, size_t count, hub_committed *);

/* The same, before the command goes on: the locks stay, and the records are as they were written. Another commit, or an
 * answer, follows. */
void request_commit_first(struct request *, Belfry__Role__Write **, size_t count, hub_committed *);

/* The same, but committed gets Status CONFLICT, too: nothing was written, and the locks are still there. */
void request_commit_try(struct request *, Belfry__Role__Write **, size_t count, hub_committed *);

/* Begins the answer's document: the root is open. */
void request_begin_answer(struct request *);
/* Ends the document and sends it: 200. */
void request_answer(struct request *);
/* The same with a piece of it in files: the pieces were put together by the command. Takes the response over. */
void request_answer_response(struct request *, struct http_response *);
/* The same for a body that is no document. */
void request_answer_as(struct request *, struct http_response *, const char *content_type);
/* Root and status only. Statuses from 101 on are an HTTP error until 12.1, which does not know them. */
void request_answer_status(struct request *, int status);
/* 200 without a body. */
void request_answer_empty(struct request *);
/* An HTTP status, in words for whoever looks. */
void request_answer_http(struct request *, unsigned status, const char *text);
/* Cannot now: the command's own status for it, or 503 for a command without one. why is for the log. */
void request_answer_retry(struct request *, const char *why);
/* Keeps the phone waiting: the exchange is gone, and the request with it. NULL: the phone is gone, too. */
struct http_held *request_hold(struct request *, const struct http_held_events *, void *owner);

/* One line in the log and one word to the hub about how a request ended. */
void request_log(struct request *, const char *result);

#endif

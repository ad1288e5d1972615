/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sync (MS-ASCMD 2.2.1.21) while it runs. The request is read into one job a collection; the jobs run one after the
 * other, and everything is committed at once before the answer leaves:
 *
 *	sync.c             from the request to its answer
 *	sync_read.c        the request into jobs; an empty or partial one with the help of the last (sync_kept.c)
 *	sync_request.c     one Collection element into a job: sync_options.c, sync_commands.c
 *	sync_commit.c      what has to be durable before the answer leaves
 *	sync_wait.c        a request that waits for news
 *	sync_collection.c  one job, in the order of the next seven:
 *	sync_conflict.c    who wins
 *	sync_apply.c       the device's commands
 *	sync_survey.c      what stands in the collection, and the plan
 *	sync_unreadable.c  … in which items that could not be read once are looked at again
 *	sync_tell.c        the answer without bodies
 *	sync_fetch.c       items with bodies, batch by batch: sync_add.c, then sync_responses.c
 *	sync_state.c       what the device has; the plan
 *	mail_write.c       one mail as ApplicationData
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SYNC_H
#define BELFRY_GATEWAY_ACTIVESYNC_SYNC_H

#include "gateway/activesync/item_parts.h"
#include "gateway/activesync/request.h"
#include "gateway/activesync/sync_key.h"
#include "gateway/activesync/sync_state.h"

enum {
	SYNC_COLLECTIONS_MAX = 300,         /* of one request: as many as a Ping may name */
	SYNC_COLLECTION_ID_MAX = 64,        /* characters: MS-ASCMD 2.2.3.30.5 */
	SYNC_ITEM_ID_MAX = 64,              /* likewise of a ServerId or ClientId: MS-ASCMD 2.2.3.166, 2.2.3.27 */
	SYNC_KEY_MAX = 64,                  /* characters of a SyncKey: MS-ASCMD 2.2.3.181.4 */
	SYNC_COMMANDS_MAX = 1000,           /* of one collection: twice the largest window */
	SYNC_TIME_MAX_MS = 60000,           /* then what is left of the collections is to be asked for again: no phone waits
	                                       for more, and the locks would keep its next request waiting, too */
	SYNC_FILTER_MAX = 7,                /* FilterType: six months (MS-ASCMD 2.2.3.68.2) */
	SYNC_FILTER_SLACK_S = 2 * 86400,    /* a connector may count days in any time zone: so much older is within, too */
	SYNC_WINDOW_DEFAULT = 100,          /* MS-ASCMD 2.2.3.199.2 */
	SYNC_FETCH_BATCH = 50,              /* items asked for at a time: between two batches the answer's size is looked at */
	SYNC_ANSWER_BYTES = 4 * 1024 * 1024, /* a fuller answer says MoreAvailable; one batch always fits */
	SYNC_ANSWER_FILES = 16              /* likewise: each is a descriptor until the phone has taken it */
};

/* MS-ASCMD 2.2.3.177.17 */
enum sync_status {
	SYNC_STATUS_SUCCESS = 1,
	SYNC_STATUS_INVALID_KEY = 3,
	SYNC_STATUS_PROTOCOL_ERROR = 4,
	SYNC_STATUS_SERVER_ERROR = 5,
	SYNC_STATUS_CONVERSION = 6,
	SYNC_STATUS_CONFLICT = 7,
	SYNC_STATUS_NOT_FOUND = 8,
	SYNC_STATUS_NO_ROOM = 9,
	SYNC_STATUS_HIERARCHY = 12,
	SYNC_STATUS_INCOMPLETE = 13,
	SYNC_STATUS_WAIT = 14,
	SYNC_STATUS_TOO_MANY = 15,
	SYNC_STATUS_RETRY = 16
};

enum sync_command_kind { SYNC_COMMAND_CHANGE, SYNC_COMMAND_DELETE, SYNC_COMMAND_ADD, SYNC_COMMAND_FETCH };

/* One command of the device. */
struct sync_command {
	enum sync_command_kind kind;
	const char *server_id, *client_id; /* as sent; NULL: missing */
	uint64_t item;                     /* 0: not an item of this collection */
	uint32_t set_flags, clear_flags;
	bool has_categories;               /* all that the item is to have */
	char **categories;
	size_t category_count;
	uint64_t digest;
	int status;                        /* 0: still to be done */
};

/* One collection of the request. */
struct sync_job {
	const char *collection_id, *key_text; /* as sent */
	uint32_t id;
	const char *name;                  /* the connector's */
	struct sync_key key;
	Belfry__Activesync__Options *options; /* as sent; NULL: the state's count */
	bool has_mode, conversations;      /* ConversationMode was sent, and is this */
	enum sync_key_is key_is;
	struct sync_state state;           /* record NULL: none */
	int status;
	bool wants_changes;
	bool has_all;                      /* changes were not wanted, and there are none */
	bool deletes_to_trash;
	bool changed;                      /* the state is to be written */
	bool owes;                         /* what the device did is not so: it is to be told, whatever the position says */
	uint32_t window;
	struct sync_command *commands;
	size_t command_count;
	struct buffer packed;              /* the state's bytes until the commit */
	Belfry__Role__Position position;   /* of the survey; all zero: not known */
	struct ranges present, existing;
	bool is_filtered;                  /* existing is known */
	struct ranges readable;            /* told as unreadable once, and can be read now */
	Belfry__Connector__ItemFlags **item_flags;
	size_t item_flag_count;
	struct sync_names names;           /* of the categories in item_flags */
	uint64_t *items;                   /* to fetch, newest first */
	size_t item_count, item_next;
	bool commands_open, in_responses;  /* where the answer is */
	bool is_cut;                       /* the answer was full before the plan was told */
};

struct sync_work {
	struct sync_job *jobs;
	size_t job_count, job_at;
	bool repeats;                      /* empty or partial: what it does not say, the last one said */
	bool has_window;
	uint32_t window_asked;
	uint64_t window;                   /* left of it */
	int status;                        /* refuses the request as a whole; 0: it does not */
	uint32_t limit;                    /* … and the bound that was passed; 0: none */
	uint32_t wait_s;                   /* to be held so long when there is nothing to tell; 0: not at all */
	struct http_response response;     /* what was written so far, when a piece of it is in a file */
	unsigned files;                    /* pieces of it that are */
	Belfry__Role__Write **writes;      /* of the jobs */
	size_t write_count;
	bool is_forgotten;                 /* could not be kept as the last request */
};

/* A CollectionId as a number; 0: none of ours. */
uint32_t sync_collection_id(const char *text);
/* "COLLECTION:ITEM" of this collection, both as sent; 0: another thing. */
uint64_t sync_item_id(const char *collection_id, const char *server_id);
/* From when on (wall clock) an item is within this FilterType; 0: always. */
uint64_t sync_filter_since_s(const struct request *, uint32_t filter);
/* What a survey is to list under these options (NULL: all defaults). */
void sync_filter_survey(const struct request *, const Belfry__Activesync__Options *, Belfry__Connector__Survey *);
/* What a connector says is there; what makes no sense of it is left out. */
void sync_take_ranges(struct ranges *, const Belfry__Connector__Ranges *);

/* --- the request ----------------------------------------------------------------------------------------------- */

/* The document into jobs. Non-zero: refused with this status, and work->limit. */
int sync_read(struct request *, struct sync_work *);
/* The records are there: adds what the last request said and this one does not. Non-zero as above. */
int sync_complete(struct request *, struct sync_work *);

/* Record "request": the last Sync, for one that repeats it. */
#define SYNC_KEPT_RECORD "request"
const Belfry__Activesync__SyncRequest *sync_kept(const struct request *); /* NULL: none */
/* This request as the last one from now on. NULL: it is so already. */
Belfry__Role__Write *sync_keep(struct request *);

/* WindowSize as it counts. */
uint32_t sync_window(const struct request *, uint32_t asked);
/* Reads a Collection element. Non-zero: the whole request is refused with this status. */
int sync_request_read(struct request *, struct sync_job *, const struct wbxml_node *);
/* … of which these are parts. */
int sync_options_find(struct request *, struct sync_job *, const struct wbxml_node *collection);
int sync_commands_read(struct request *, struct sync_job *, const struct wbxml_node *collection);

/* The records are there: finds the state, and what of the request it settles. Sets job->status when it refuses. */
void sync_request_resolve(struct request *, struct sync_job *);
/* … of which these are parts: the options that were sent are the state's; commands on what the device does not have
 * fail; and those that have been carried out before have the status that they had. */
void sync_options_take(struct request *, struct sync_job *);
void sync_commands_resolve(struct sync_job *);
void sync_commands_recall(struct sync_job *);

/* An Options element (NULL: all defaults), which replaces what options held as a whole. Non-zero: it makes no sense, or
 * asks for what is not served (COMMON_BODY_PART_TYPE). */
int sync_options_read(struct request *, Belfry__Activesync__Options *options_r, const struct wbxml_node *);
/* The bodies that these options ask a Fetch for, options->n_bodies of them. whole: not truncated. */
Belfry__Connector__BodyWish **sync_wishes(struct request *, const Belfry__Activesync__Options *, bool whole);
/* Likewise for what a mail adds to its conversation; NULL: not asked for. */
Belfry__Connector__BodyWish *sync_part_wish(struct request *, const Belfry__Activesync__Options *, bool whole);

/* --- a job ----------------------------------------------------------------------------------------------------- */

/* The job at work->job_at. */
struct sync_job *sync_job_now(struct request *);
/* Runs it; sync_job_done() follows when its part of the answer is written. */
void sync_job_run(struct request *);
void sync_job_done(struct request *);
/* The connector cannot: the collection gets the status that this means. sync_job_done() follows. */
void sync_job_fail(struct request *, const Belfry__Connector__Response *);

/* Gives a status to each Change that loses against one of the backend; sync_apply() follows. */
void sync_look_for_conflicts(struct request *);
/* Carries the device's commands out; sync_survey() follows, or sync_tell() when the answer is given again. */
void sync_apply(struct request *);
/* Asks what is there; sync_look_at_unreadable() follows, or sync_tell() when the device wants no changes. */
void sync_survey(struct request *);
/* The question itself. all: whatever the filter. */
void sync_ask_survey(struct request *, bool all, connector_answered *);

/* After the survey, before the plan: which of the items that the device was told to be unreadable can be read now?
 * They are taken out of the survey, so that the plan deletes them from the device and the next answer adds them: no
 * client shows a body that comes with a Change. sync_job_plan() follows. */
void sync_look_at_unreadable(struct request *);
void sync_job_plan(struct request *);

/* --- the end --------------------------------------------------------------------------------------------------- */

/* All jobs are done: makes durable what has changed; sync_committed() follows, which answers. */
void sync_commit(struct request *);
void sync_committed(struct request *);
/* The key that the device gets. */
uint32_t sync_next_key(const struct sync_job *);
/* Nothing is to be told of this collection. */
bool sync_is_quiet(const struct sync_job *);

/* True: the request waits, there is nothing to tell, and nothing of it is to be answered: it is held. */
bool sync_wait(struct request *);
extern const struct park_kind sync_kind;

/* Writes what is planned; the collection's part of the answer is complete when sync_job_done() follows. */
void sync_tell(struct request *);
void sync_fetch_next(struct request *);

/* The collection's part of the answer up to the changes. */
void sync_write_head(struct request *, struct sync_job *);
/* Opens Commands, unless it is open. */
void sync_open_commands(struct request *);
void sync_write_server_id(struct request *, uint64_t item);
/* A mail's ApplicationData as the collection's options want it. */
void sync_write_mail(struct request *, const Belfry__Connector__Item *, const char *server_id, int fd);
/* An item of job->items as Add, or as Fetch within Responses. */
void sync_write_add(struct request *, const Belfry__Connector__Item *, int fd);
void sync_write_fetched(struct request *, const Belfry__Connector__Item *, int fd);

/* Is any command of the device to be answered? */
bool sync_has_responses(const struct sync_job *);
/* Ends Commands, and writes which commands failed; job->items are those that are fetched by name. */
void sync_begin_responses(struct request *);
/* What is fetched by name and has no room any more is to be asked for again. */
void sync_refuse_rest(struct request *);

/* How a mail is written. */
struct mail_form {
	struct http_response *response;  /* where the writer's buffer goes, and after it the body, when that is in a file */
	struct item_parts *parts;        /* bodies go there instead; NULL: they do not */
	bool with_part;                  /* what it adds to its conversation was asked for */
	const struct wbxml_node *schema; /* holds the elements that are wanted; NULL: all are */
};
/* Writes email ApplicationData's content (MS-ASEMAIL 2.2.2) for the protocol version. */
void mail_write(struct request *, const struct mail_form *, const Belfry__Connector__Item *, const char *server_id, int fd);
/* An element whose text is in a file: the writer's buffer goes to the response, and the file after it. */
void mail_write_file(struct request *, struct http_response *, uint16_t tag, int fd);
/* The elements of a Change: what a device can be told anew of a mail, as the state has it. */
void mail_write_change(struct request *, const struct sync_state *, uint64_t item);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ItemOperations (MS-ASCMD 2.2.1.10) while it runs: one operation after the other.
 *
 *	item_operations.c  reads the request, runs the operations, answers
 *	item_fetch.c       an item or an attachment
 *	item_empty.c       a collection is emptied
 *	item_parts.c       the multipart form of the answer
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_ITEM_OPERATIONS_H
#define BELFRY_GATEWAY_ACTIVESYNC_ITEM_OPERATIONS_H

#include "gateway/activesync/item_parts.h"
#include "gateway/activesync/request.h"
#include "gateway/activesync/state.pb-c.h"
#include "lib/model/ranges.h"

/* MS-ASCMD 2.2.3.177.8 */
enum item_status {
	ITEM_STATUS_SUCCESS = 1,
	ITEM_STATUS_PROTOCOL_ERROR = 2,
	ITEM_STATUS_SERVER_ERROR = 3,
	ITEM_STATUS_NOT_FOUND = 6,
	ITEM_STATUS_RANGE = 8,
	ITEM_STATUS_STORE = 9,
	ITEM_STATUS_EMPTY = 10,
	ITEM_STATUS_TOO_LARGE = 11,
	ITEM_STATUS_CONVERSION = 14,
	ITEM_STATUS_ATTACHMENT = 15,
	ITEM_STATUS_DENIED = 16,
	ITEM_STATUS_NO_MOVE_ALWAYS = 155,
	ITEM_STATUS_UNSUPPORTED = 156
};

/* "COLLECTION:ITEM" or "COLLECTION:ITEM:PART". */
struct item_id {
	uint32_t collection;
	uint64_t item;
	const char *part;             /* NULL: none */
};

struct item_operation {
	const struct wbxml_node *node;
	const char *server_id, *reference; /* of the item, as sent; of an attachment. NULL: it is another thing */
	struct item_id id;
	const char *name;             /* the connector's, of the collection */
	uint64_t validity;            /* 0: not known */
	bool has_range;
	uint32_t first, last;
	Belfry__Activesync__Options options;
	int status;                   /* 0: still to be done */
	struct ranges items;          /* to be removed, of a collection that is emptied, … */
	Belfry__Connector__Operation **removals; /* … and what asks for that, used again and again */
	size_t child;                 /* … and which of the folders is looked at */
};

struct item_work {
	struct item_operation *operations; /* in the order of the answer */
	size_t count, at;
	int status;                   /* of all that was asked; 0: it makes sense */
	Belfry__Activesync__Folders *folders;
	struct http_response response;
	struct item_parts parts;
	bool is_multipart;
	unsigned files;
};

struct item_operation *item_operation_of(struct request *);
/* False: it is none of ours. */
bool item_id_parse(struct request *, const char *text, struct item_id *id_r);

/* Each reads its element …: the status to answer at once, or 0. */
int item_fetch_read(struct request *, struct item_operation *);
/* … runs the operation, and calls item_operation_done() in the end, … */
void item_fetch_run(struct request *);
void item_empty_run(struct request *);
void item_operation_done(struct request *);
/* … and writes one that has failed. */
void item_fetch_write_failed(struct request *, const struct item_operation *);

#endif

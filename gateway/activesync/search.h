/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Search (MS-ASCMD 2.2.1.16):
 *
 *	search_query.c     the request, as far as it is one that can be answered
 *	search.c           asks the connector what there is, fetches what of it is wanted, writes the answer
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SEARCH_H
#define BELFRY_GATEWAY_ACTIVESYNC_SEARCH_H

#include "gateway/activesync/request.h"
#include "gateway/activesync/state.pb-c.h"

enum {
	SEARCH_RESULTS_MAX = 100,        /* in one answer (MS-ASCMD 2.2.3.143.3) … */
	SEARCH_RANGE_MAX = 1000,         /* … and of one search: who wants more is to say more of what he wants */
	SEARCH_COLLECTIONS_MAX = 1000,   /* a server opens so many in about a second */
	SEARCH_IDS_MAX = 16,             /* CollectionId elements; devices send one */
	SEARCH_TEXT_MAX = 1024,          /* bytes of all FreeText elements together … */
	SEARCH_WORDS_MAX = 16            /* … and words in them */
};

/* MS-ASCMD 2.2.3.177.13, of the store; the first three also of the whole */
enum search_status {
	SEARCH_STATUS_SUCCESS = 1,
	SEARCH_STATUS_PROTOCOL_ERROR = 2,
	SEARCH_STATUS_SERVER_ERROR = 3,
	SEARCH_STATUS_TOO_COMPLEX = 8,
	SEARCH_STATUS_FOLDER_SYNC = 11,
	SEARCH_STATUS_END_OF_RANGE = 12,
	SEARCH_STATUS_ACCESS_BLOCKED = 13
};

/* What is looked for, in the arena. */
struct search_query {
	bool is_nothing;                 /* what cannot be found here, whatever there is: names in a directory, appointments */
	const Belfry__Activesync__Folder **folders;
	char **names;                    /* the connector's, of the folders */
	size_t folder_count;
	char **words;
	size_t word_count;
	uint64_t after_s, before_s;      /* 0: no bound */
	uint32_t first, last;            /* Range */
	Belfry__Activesync__Options options;
};

/* Reads the Store element. SEARCH_STATUS_SUCCESS, or the store's status. */
int search_query_read(struct request *, const struct wbxml_node *store, struct search_query *query_r);

#endif

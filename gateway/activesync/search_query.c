/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device looks for: Name, Query and Options of a Store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/activesync/date_time.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/search.h"
#include "gateway/activesync/sync.h"
#include "lib/core/utf8.h"

enum { DEPTH_MAX = 100 }; /* of a hierarchy, in which a device may have made a circle */

struct reading {
	struct request *request;
	struct search_query *query;
	uint32_t ids[SEARCH_IDS_MAX];      /* none: everywhere */
	size_t id_count, text_bytes;
	bool is_deep, has_bound;
};

/* NULL: it has no text. */
static const char *text_of(const struct wbxml_node *node)
{
	return node->is_opaque ? NULL : node->text == NULL ? "" : node->text;
}

/* --- the parts of And ------------------------------------------------------------------------------------------ */

static int read_class(struct reading *reading, const struct wbxml_node *node)
{
	const char *class = text_of(node);

	if (class == NULL)
		return SEARCH_STATUS_PROTOCOL_ERROR;
	reading->query->is_nothing |= strcmp(class, "Email") != 0;
	return SEARCH_STATUS_SUCCESS;
}

static int read_id(struct reading *reading, const struct wbxml_node *node)
{
	const char *id = text_of(node);

	if (id == NULL || id[0] == '\0' || strlen(id) > SYNC_COLLECTION_ID_MAX)
		return SEARCH_STATUS_PROTOCOL_ERROR;
	if (reading->id_count == SEARCH_IDS_MAX)
		return SEARCH_STATUS_TOO_COMPLEX;
	if (strcmp(id, "0") != 0) /* the root, with all that there is */
		reading->ids[reading->id_count++] = sync_collection_id(id);
	return SEARCH_STATUS_SUCCESS;
}

/* A mail has to have each of the words, wherever. */
static int read_words(struct reading *reading, const struct wbxml_node *node)
{
	static const char space[] = " \t\r\n";
	struct search_query *query = reading->query;
	const char *text = text_of(node);

	if (text == NULL || !utf8_is_valid(text, strlen(text)))
		return SEARCH_STATUS_PROTOCOL_ERROR;
	reading->text_bytes += strlen(text);
	if (reading->text_bytes > SEARCH_TEXT_MAX)
		return SEARCH_STATUS_TOO_COMPLEX;
	for (text += strspn(text, space); *text != '\0'; text += strspn(text, space)) {
		size_t length = strcspn(text, space);
		if (query->word_count == SEARCH_WORDS_MAX)
			return SEARCH_STATUS_TOO_COMPLEX;
		query->words[query->word_count++] = arena_strndup(reading->request->arena, text, length);
		text += length;
	}
	return SEARCH_STATUS_SUCCESS;
}

static int read_bound(struct reading *reading, const struct wbxml_node *node)
{
	struct search_query *query = reading->query;
	const char *value = wbxml_node_text(node, AS_SEARCH_VALUE);
	bool is_before = node->tag == AS_SEARCH_LESSTHAN;
	uint64_t time_s;

	if (wbxml_node_child(node, AS_EMAIL_DATERECEIVED) == NULL || value == NULL || !date_time_parse(value, &time_s))
		return SEARCH_STATUS_PROTOCOL_ERROR;
	reading->has_bound = true;
	if (is_before)
		query->before_s = time_s == 0 ? 1 : time_s; /* before 1970: nothing is */
	else
		query->after_s = time_s;
	return SEARCH_STATUS_SUCCESS;
}

static int read_part(struct reading *reading, const struct wbxml_node *node)
{
	switch (node->tag) {
	case AS_AIRSYNC_CLASS: return read_class(reading, node);
	case AS_AIRSYNC_COLLECTIONID: return read_id(reading, node);
	case AS_SEARCH_FREETEXT: return read_words(reading, node);
	case AS_SEARCH_GREATERTHAN:
	case AS_SEARCH_LESSTHAN: return read_bound(reading, node);
	case AS_SEARCH_AND:
	case AS_SEARCH_OR:
	case AS_SEARCH_CONVERSATIONID: return SEARCH_STATUS_TOO_COMPLEX;
	default: return SEARCH_STATUS_PROTOCOL_ERROR;
	}
}

/* One And, and nothing beside it: what belongs into one is "too complex" anywhere else (MS-ASCMD 2.2.3.10, 2.2.3.27.5,
 * 2.2.3.30.5, 2.2.3.35.2, 2.2.3.80.2, 2.2.3.86, 2.2.3.96). */
static int find_and(const struct wbxml_node *query, const struct wbxml_node **and_r)
{
	*and_r = NULL;
	for (const struct wbxml_node *node = query->first_child; node != NULL; node = node->next)
		switch (node->tag) {
		case AS_SEARCH_AND:
			if (*and_r != NULL)
				return SEARCH_STATUS_TOO_COMPLEX;
			*and_r = node;
			break;
		case AS_AIRSYNC_CLASS:
		case AS_AIRSYNC_COLLECTIONID:
		case AS_SEARCH_CONVERSATIONID:
		case AS_SEARCH_FREETEXT:
		case AS_SEARCH_GREATERTHAN:
		case AS_SEARCH_LESSTHAN:
		case AS_SEARCH_OR: return SEARCH_STATUS_TOO_COMPLEX;
		default: return SEARCH_STATUS_PROTOCOL_ERROR;
		}
	return *and_r == NULL ? SEARCH_STATUS_PROTOCOL_ERROR : SEARCH_STATUS_SUCCESS;
}

static int read_query(struct reading *reading, const struct wbxml_node *query)
{
	const struct wbxml_node *all;
	int found = find_and(query, &all);

	if (found != SEARCH_STATUS_SUCCESS)
		return found;
	reading->query->words = arena_alloc(reading->request->arena, SEARCH_WORDS_MAX * sizeof *reading->query->words);
	for (const struct wbxml_node *node = all->first_child; node != NULL; node = node->next) {
		int status = read_part(reading, node);
		if (status != SEARCH_STATUS_SUCCESS)
			return status;
	}
	return reading->query->word_count == 0 && !reading->has_bound ? SEARCH_STATUS_PROTOCOL_ERROR : SEARCH_STATUS_SUCCESS;
}

/* --- options --------------------------------------------------------------------------------------------------- */

/* "0-99" */
static int read_range(const struct wbxml_node *options, struct search_query *query)
{
	const char *text = wbxml_node_text(options, AS_SEARCH_RANGE);
	char rest;

	query->first = 0;
	query->last = SEARCH_RESULTS_MAX - 1;
	if (options == NULL || wbxml_node_child(options, AS_SEARCH_RANGE) == NULL)
		return SEARCH_STATUS_SUCCESS;
	if (text == NULL || text[strspn(text, "0123456789-")] != '\0' || text[0] == '-' || strstr(text, "--") != NULL ||
	    sscanf(text, "%9u-%9u%c", &query->first, &query->last, &rest) != 2 || query->last < query->first)
		return SEARCH_STATUS_PROTOCOL_ERROR;
	if (query->last - query->first >= SEARCH_RESULTS_MAX || query->last >= SEARCH_RANGE_MAX)
		return SEARCH_STATUS_END_OF_RANGE;
	return SEARCH_STATUS_SUCCESS;
}

/* RebuildResults means nothing here: no results are kept that could be old. */
static int read_options(struct reading *reading, const struct wbxml_node *options)
{
	int status = sync_options_read(reading->request, &reading->query->options, options);

	if (status == COMMON_BODY_PART_TYPE)
		return status;
	if (status != 0 || wbxml_node_bool(options, AS_SEARCH_DEEPTRAVERSAL, &reading->is_deep) == WBXML_VALUE_BAD)
		return SEARCH_STATUS_PROTOCOL_ERROR;
	return read_range(options, reading->query);
}

/* --- folders --------------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	uint32_t one = (*(const Belfry__Activesync__Folder *const *)a)->id;
	uint32_t other = (*(const Belfry__Activesync__Folder *const *)b)->id;

	return one < other ? -1 : one > other;
}

static const Belfry__Activesync__Folder **sort_by_id(struct request *request, const Belfry__Activesync__Folders *folders)
{
	const Belfry__Activesync__Folder **all = arena_alloc(request->arena, (folders->n_folders + 1) * sizeof *all);

	if (folders->n_folders != 0)
		memcpy(all, folders->folders, folders->n_folders * sizeof *all);
	qsort(all, folders->n_folders, sizeof *all, compare_ids);
	return all;
}

static bool is_named(const struct reading *reading, uint32_t id)
{
	for (size_t i = 0; i < reading->id_count; i++)
		if (reading->ids[i] == id)
			return true;
	return reading->id_count == 0; /* everywhere */
}

/* It, or with DeepTraversal one above it. */
static bool is_wanted(const struct reading *reading, const Belfry__Activesync__Folder **by_id, size_t count,
	const Belfry__Activesync__Folder *folder)
{
	if (folder->removed != 0 || folder->kind != BELFRY__CONNECTOR__COLLECTION_KIND__MAIL)
		return false;
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		Belfry__Activesync__Folder parent = {.id = folder->parent}, *key = &parent;
		if (is_named(reading, folder->id))
			return true;
		const Belfry__Activesync__Folder **above = !reading->is_deep || folder->parent == 0 ? NULL
			: bsearch(&key, by_id, count, sizeof *by_id, compare_ids);
		if (above == NULL)
			return false;
		folder = *above;
	}
	return false;
}

/* By what the device knows of the hierarchy: it is to know what the ids in the answer mean. */
static int find_folders(struct reading *reading)
{
	struct request *request = reading->request;
	struct search_query *query = reading->query;
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);

	if (folders == NULL)
		return SEARCH_STATUS_FOLDER_SYNC;
	for (size_t i = 0; i < reading->id_count; i++)
		if (folders_find(folders, reading->ids[i]) == NULL)
			return SEARCH_STATUS_FOLDER_SYNC;
	const Belfry__Activesync__Folder **by_id = sort_by_id(request, folders);
	query->folders = arena_alloc(request->arena, (folders->n_folders + 1) * sizeof *query->folders);
	query->names = arena_alloc(request->arena, (folders->n_folders + 1) * sizeof *query->names);
	for (size_t i = 0; i < folders->n_folders; i++) {
		if (!is_wanted(reading, by_id, folders->n_folders, folders->folders[i]))
			continue;
		query->folders[query->folder_count] = folders->folders[i];
		query->names[query->folder_count++] = folders->folders[i]->name;
	}
	return query->folder_count > SEARCH_COLLECTIONS_MAX ? SEARCH_STATUS_TOO_COMPLEX : SEARCH_STATUS_SUCCESS;
}

/* --- the store ------------------------------------------------------------------------------------------------- */

static int read_mailbox(struct reading *reading, const struct wbxml_node *store)
{
	int status = read_query(reading, wbxml_node_child(store, AS_SEARCH_QUERY));

	if (status == SEARCH_STATUS_SUCCESS)
		status = read_options(reading, wbxml_node_child(store, AS_SEARCH_OPTIONS));
	return status == SEARCH_STATUS_SUCCESS ? find_folders(reading) : status;
}

int search_query_read(struct request *request, const struct wbxml_node *store, struct search_query *query_r)
{
	struct reading reading = {.request = request, .query = query_r};
	const char *name = wbxml_node_text(store, AS_SEARCH_NAME);

	if (name == NULL || wbxml_node_child(store, AS_SEARCH_QUERY) == NULL)
		return SEARCH_STATUS_PROTOCOL_ERROR;
	if (strcasecmp(name, "Mailbox") == 0)
		return read_mailbox(&reading, store);
	if (strcasecmp(name, "GAL") == 0) {
		/* There is no directory, which is one without entries: phones ask at each key that is pressed in To, and an error
		 * would be shown each time. */
		query_r->is_nothing = true;
		return read_range(wbxml_node_child(store, AS_SEARCH_OPTIONS), query_r);
	}
	return strcasecmp(name, "Document Library") == 0 || strcasecmp(name, "DocumentLibrary") == 0
		? SEARCH_STATUS_ACCESS_BLOCKED : SEARCH_STATUS_PROTOCOL_ERROR;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expectations. */
#include "tests/replay/expect.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/codec/activesync_tokens.h"
#include "tests/replay/compose.h"
#include "tests/replay/mark.h"

enum { NAMES_MAX = 2000 };

struct expectation {
	struct phone_request *request;
	const struct device *device;
	const struct step *step;
	size_t at, end;                   /* the words that are looked at */
	struct arena *arena;
	const struct wbxml_node *root, *scope;
	bool lenient;                     /* "..." */
	struct error *error;
};

/* --- lists of names -------------------------------------------------------------------------------------------- */

struct names {
	const char *list[NAMES_MAX];
	size_t count;
};

static void names_add(struct names *names, const char *name)
{
	if (names->count < NAMES_MAX)
		names->list[names->count++] = name;
}

static int by_text(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *names_join(struct names *names, struct arena *arena)
{
	const char *text = "";

	qsort(names->list, names->count, sizeof *names->list, by_text);
	for (size_t i = 0; i < names->count; i++)
		text = arena_printf(arena, "%s%s\"%s\"", text, i == 0 ? "" : ",", names->list[i]);
	return text;
}

/* A word NAME=list against what is there, whatever the order and the case; without the word nothing may be there. A
 * list that is a number and "x" only counts: add=100x. */
static int compare_names(const struct expectation *expectation, const char *word, struct names *actual)
{
	struct step part = *expectation->step;
	struct names wanted = {.count = 0};
	const char *list = NULL, *name, *value;

	for (size_t i = expectation->at; i < expectation->end; i++)
		if (strcmp(word_name(part.words[i], expectation->arena, &value), word) == 0)
			list = value;
	if (list == NULL && expectation->lenient)
		return 0;
	if (list != NULL && isdigit((unsigned char)*list) && list[strlen(list) - 1] == 'x') {
		if (strtoul(list, NULL, 10) == actual->count)
			return 0;
		return error_set(expectation->error, "%s: %s are expected, %zu came", word, list, actual->count);
	}
	while ((name = word_list_next(&list, expectation->arena)) != NULL)
		names_add(&wanted, name);
	const char *should = names_join(&wanted, expectation->arena), *is = names_join(actual, expectation->arena);
	if (strcasecmp(should, is) == 0)
		return 0;
	return error_set(expectation->error, "%s: expected %s, came %.120s", word, *should == '\0' ? "nothing" : should,
		*is == '\0' ? "nothing" : is);
}

static const char *value_of(const struct expectation *expectation, const char *name)
{
	struct step part = *expectation->step;

	part.count = expectation->end;
	return step_value(&part, expectation->at, name, expectation->arena);
}

static bool has(const struct expectation *expectation, const char *word)
{
	struct step part = *expectation->step;

	part.count = expectation->end;
	return step_has(&part, expectation->at, word);
}

/* A child's text against a word's value, or against a default; NULL: not looked at. */
static int compare_child(const struct expectation *expectation, const struct wbxml_node *node, uint16_t tag,
	const char *word, const char *otherwise)
{
	const char *wanted = value_of(expectation, word), *is = wbxml_node_text(node, tag);

	wanted = wanted == NULL ? otherwise : wanted;
	if (wanted == NULL || (is != NULL && fnmatch(wanted, is, 0) == 0))
		return 0;
	return error_set(expectation->error, "%s: expected %s, came %s", word, wanted, is == NULL ? "nothing" : is);
}

static int compare_presence(const struct expectation *expectation, const char *word, bool is)
{
	if (has(expectation, word) == is || expectation->lenient)
		return 0;
	return error_set(expectation->error, "%s is %s", word, is ? "there, which is not expected" : "missing");
}

/* --- Ping, FolderSync, Provision ------------------------------------------------------------------------------- */

static const char *folder_name(const struct expectation *expectation, const char *server_id)
{
	const struct device_folder *folder = device_folder_by_id(expectation->device, server_id);
	struct buffer path = BUFFER_EMPTY;

	if (folder == NULL)
		return arena_printf(expectation->arena, "#%s", server_id);
	device_folder_path(expectation->device, folder, &path);
	const char *name = arena_strdup(expectation->arena, buffer_string(&path));
	buffer_release(&path);
	return name;
}

static int expect_ping(struct expectation *expectation)
{
	const struct wbxml_node *folders = wbxml_node_child(expectation->root, AS_PING_FOLDERS);
	struct names names = {.count = 0};

	for (const struct wbxml_node *node = folders == NULL ? NULL : folders->first_child; node != NULL; node = node->next)
		names_add(&names, folder_name(expectation, node->text));
	if (compare_child(expectation, expectation->root, AS_PING_STATUS, "status", NULL) < 0 ||
	    compare_child(expectation, expectation->root, AS_PING_HEARTBEATINTERVAL, "heartbeat", NULL) < 0 ||
	    compare_child(expectation, expectation->root, AS_PING_MAXFOLDERS, "maxfolders", NULL) < 0)
		return -1;
	return compare_names(expectation, "folders", &names);
}

static void take_folder_names(struct expectation *expectation, uint16_t tag, struct names *names)
{
	const struct wbxml_node *changes = wbxml_node_child(expectation->root, AS_FOLDERHIERARCHY_CHANGES);

	names->count = 0;
	for (const struct wbxml_node *node = wbxml_node_child(changes, tag); node != NULL; node = wbxml_node_next(node))
		if (tag == AS_FOLDERHIERARCHY_DELETE)
			names_add(names, folder_name(expectation, node_text(node, AS_FOLDERHIERARCHY_SERVERID)));
		else
			names_add(names, node_text(node, AS_FOLDERHIERARCHY_DISPLAYNAME));
}

static int expect_folder_sync(struct expectation *expectation)
{
	static const struct { const char *word; uint16_t tag; } kinds[] = {{"add", AS_FOLDERHIERARCHY_ADD},
		{"update", AS_FOLDERHIERARCHY_UPDATE}, {"delete", AS_FOLDERHIERARCHY_DELETE}};

	if (compare_child(expectation, expectation->root, AS_FOLDERHIERARCHY_STATUS, "status", "1") < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		struct names names;
		take_folder_names(expectation, kinds[i].tag, &names);
		if (compare_names(expectation, kinds[i].word, &names) < 0)
			return -1;
	}
	return 0;
}

static int expect_provision(struct expectation *expectation)
{
	const struct wbxml_node *policies = wbxml_node_child(expectation->root, AS_PROVISION_POLICIES);
	const struct wbxml_node *policy = wbxml_node_child(policies, AS_PROVISION_POLICY);
	const struct wbxml_node *data = wbxml_node_child(policy, AS_PROVISION_DATA);

	if (compare_child(expectation, expectation->root, AS_PROVISION_STATUS, "status", "1") < 0 ||
	    compare_child(expectation, policy, AS_PROVISION_STATUS, "policy", NULL) < 0 ||
	    compare_presence(expectation, "key", wbxml_node_child(policy, AS_PROVISION_POLICYKEY) != NULL) < 0)
		return -1;
	return compare_presence(expectation, "document", wbxml_node_child(data, AS_PROVISION_EASPROVISIONDOC) != NULL);
}

/* --- Sync ------------------------------------------------------------------------------------------------------ */

static const struct wbxml_node *first_collection(const struct wbxml_node *root)
{
	return wbxml_node_child(wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS), AS_AIRSYNC_COLLECTION);
}

/* The subject of an item that the answer adds or fetches, or that the device has. */
static const char *item_name(const struct expectation *expectation, const struct device_folder *folder,
	const struct wbxml_node *node)
{
	const struct wbxml_node *data = wbxml_node_child(node, AS_AIRSYNC_APPLICATIONDATA);
	const char *id = node_text(node, AS_AIRSYNC_SERVERID), *subject = wbxml_node_text(data, AS_EMAIL_SUBJECT);
	const struct device_item *item = folder == NULL ? NULL : device_item_by_id(folder, id);

	if (subject != NULL)
		return subject;
	return item != NULL ? item->subject : arena_printf(expectation->arena, "#%s", id);
}

static int expect_commands(struct expectation *expectation, const struct device_folder *folder,
	const struct wbxml_node *collection)
{
	static const struct { const char *word; uint16_t tag; } kinds[] = {{"add", AS_AIRSYNC_ADD},
		{"change", AS_AIRSYNC_CHANGE}, {"delete", AS_AIRSYNC_DELETE}, {"softdelete", AS_AIRSYNC_SOFTDELETE}};
	const struct wbxml_node *commands = wbxml_node_child(collection, AS_AIRSYNC_COMMANDS);

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct names names = {.count = 0};
		const struct wbxml_node *node = wbxml_node_child(commands, kinds[i].tag);
		for (; node != NULL; node = wbxml_node_next(node))
			names_add(&names, item_name(expectation, folder, node));
		if (compare_names(expectation, kinds[i].word, &names) < 0)
			return -1;
	}
	return 0;
}

static int expect_responses(struct expectation *expectation, const struct device_folder *folder,
	const struct wbxml_node *collection)
{
	const struct wbxml_node *responses = wbxml_node_child(collection, AS_AIRSYNC_RESPONSES);
	const struct wbxml_node *node = responses == NULL ? NULL : responses->first_child;
	struct names fetched = {.count = 0}, failed = {.count = 0};

	for (; node != NULL; node = node->next) {
		const char *status = node_text(node, AS_AIRSYNC_STATUS), *name = item_name(expectation, folder, node);
		if (strcmp(status, "1") != 0)
			names_add(&failed, arena_printf(expectation->arena, "%s:%s", name, status));
		else if (node->tag == AS_AIRSYNC_FETCH)
			names_add(&fetched, name);
	}
	if (compare_names(expectation, "failed", &failed) < 0)
		return -1;
	return compare_names(expectation, "fetched", &fetched);
}

static int expect_collection(struct expectation *expectation, const struct wbxml_node *collection)
{
	const struct device_folder *folder =
		device_folder_by_id(expectation->device, node_text(collection, AS_AIRSYNC_COLLECTIONID));
	bool more = wbxml_node_child(collection, AS_AIRSYNC_MOREAVAILABLE) != NULL;

	expectation->scope = collection;
	if (compare_child(expectation, collection, AS_AIRSYNC_STATUS, "status", "1") < 0 ||
	    compare_presence(expectation, "more", more) < 0 || expect_commands(expectation, folder, collection) < 0)
		return -1;
	return expect_responses(expectation, folder, collection);
}

static size_t next_folder(const struct expectation *expectation, size_t at)
{
	while (at < expectation->step->count && strncmp(expectation->step->words[at], "folder=", 7) != 0)
		at++;
	return at;
}

static const struct wbxml_node *collection_of(const struct expectation *expectation, const char *id)
{
	const struct wbxml_node *node = first_collection(expectation->root);

	while (node != NULL && strcmp(node_text(node, AS_AIRSYNC_COLLECTIONID), id) != 0)
		node = wbxml_node_next(node);
	return node;
}

static int expect_sync(struct expectation *expectation)
{
	size_t start = expectation->at, first = next_folder(expectation, start), folders = 0, there = 0;
	const struct wbxml_node *node = first_collection(expectation->root);

	expectation->end = first;
	if (compare_child(expectation, expectation->root, AS_AIRSYNC_STATUS, "status", NULL) < 0)
		return -1;
	for (; node != NULL; node = wbxml_node_next(node))
		there++;
	for (size_t at = first; at < expectation->step->count; folders++) {
		expectation->at = at;
		expectation->end = at = next_folder(expectation, at + 1);
		const char *name = value_of(expectation, "folder");
		const char *id = compose_folder_id(expectation->device, name, expectation->error);
		const struct wbxml_node *collection = id == NULL ? NULL : collection_of(expectation, id);
		if (id == NULL)
			return -1;
		if (collection == NULL)
			return error_set(expectation->error, "nothing came for folder %s", name);
		if (expect_collection(expectation, collection) < 0)
			return -1;
	}
	if (!expectation->lenient && folders != there)
		return error_set(expectation->error, "%zu collections are expected, %zu came", folders, there);
	expectation->at = start;
	expectation->end = expectation->step->count;
	return 0;
}

/* --- single elements: @Body/Type=1, !@Preview, of="Subject" ---------------------------------------------------- */

/* The first element below that the path leads to, from whatever depth it starts. */
static const struct wbxml_node *find_path(const struct wbxml_node *node, const char *path)
{
	size_t length = strcspn(path, "/");

	for (const struct wbxml_node *child = node == NULL ? NULL : node->first_child; child != NULL; child = child->next) {
		const char *name = wbxml_tag_name(&activesync_language, child->tag);
		const struct wbxml_node *found = NULL;
		if (name != NULL && strlen(name) == length && strncmp(name, path, length) == 0)
			found = path[length] == '\0' ? child : find_path(child, path + length + 1);
		if (found == NULL)
			found = find_path(child, path);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* The Add, Change or Fetch of the item with that subject. */
static const struct wbxml_node *find_item(const struct wbxml_node *node, const char *subject)
{
	for (const struct wbxml_node *child = node == NULL ? NULL : node->first_child; child != NULL; child = child->next) {
		const struct wbxml_node *data = wbxml_node_child(child, AS_AIRSYNC_APPLICATIONDATA);
		if (data != NULL && strcmp(node_text(data, AS_EMAIL_SUBJECT), subject) == 0)
			return data;
		const struct wbxml_node *found = find_item(child, subject);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static int compare_path(const struct expectation *expectation, const char *path, const char *wanted)
{
	const struct wbxml_node *node = find_path(expectation->scope, path);

	if (node == NULL)
		return error_set(expectation->error, "%s is missing", path);
	const char *is = arena_strndup(expectation->arena, node->text == NULL ? "" : node->text, node->length);
	if (wanted == NULL || fnmatch(word_unquote(wanted, expectation->arena), is, 0) == 0)
		return 0;
	return error_set(expectation->error, "%s: expected %.80s, came %.100s", path, wanted, is);
}

static int expect_elements(struct expectation *expectation, size_t from)
{
	expectation->scope = expectation->root;
	for (size_t i = from; i < expectation->step->count; i++) {
		const char *word = expectation->step->words[i], *value, *name = word_name(word, expectation->arena, &value);
		if (strcmp(name, "of") == 0 && value != NULL) {
			expectation->scope = find_item(expectation->root, word_unquote(value, expectation->arena));
			if (expectation->scope == NULL)
				return error_set(expectation->error, "nothing came of item %s", value);
		} else if (*name == '@' && compare_path(expectation, name + 1, value) < 0)
			return -1;
		else if (strncmp(name, "!@", 2) == 0 && find_path(expectation->scope, name + 2) != NULL)
			return error_set(expectation->error, "%s is there", name + 2);
	}
	return 0;
}

static int expect_headers(struct expectation *expectation)
{
	for (size_t i = expectation->at; i < expectation->step->count; i++) {
		const char *wanted, *name = word_name(expectation->step->words[i], expectation->arena, &wanted);
		if (strncmp(name, "header:", 7) != 0)
			continue;
		const char *is = phone_header(expectation->request, name + 7, expectation->arena);
		if (is == NULL || (wanted != NULL && fnmatch(word_unquote(wanted, expectation->arena), is, 0) != 0))
			return error_set(expectation->error, "header %s: expected %s, came %.100s", name + 7, wanted == NULL ? "" : wanted,
				is == NULL ? "nothing" : is);
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

static int expect_block(struct expectation *expectation)
{
	struct mark *mark;

	if (mark_parse(expectation->step->block, expectation->arena, &mark, expectation->error) < 0)
		return -1;
	if (expectation->root == NULL)
		return error_set(expectation->error, "no document came");
	return mark_compare(mark, expectation->root, expectation->error);
}

/* "Sync folder=inbox" and nothing of it: as well said by no document at all (MS-ASCMD 2.2.1.21.2). */
static bool is_quiet_sync(const struct expectation *expectation)
{
	const struct step *step = expectation->step;

	if (expectation->root != NULL || strcmp(step->words[expectation->at], "Sync") != 0)
		return false;
	for (size_t at = expectation->at + 1; at < step->count; at++)
		if (strncmp(step->words[at], "folder=", 7) != 0)
			return false;
	return strcmp(expectation->request->command, "Sync") == 0;
}

static int expect_document(struct expectation *expectation)
{
	static const struct { const char *command; int (*expect)(struct expectation *); } commands[] = {
		{"FolderSync", expect_folder_sync}, {"Ping", expect_ping}, {"Provision", expect_provision}, {"Sync", expect_sync}};
	size_t from = expectation->at;
	const char *name = expectation->root == NULL ? "empty" : wbxml_tag_name(&activesync_language, expectation->root->tag);

	if (expectation->step->block != NULL)
		return expect_block(expectation);
	if (from == expectation->step->count || strncmp(expectation->step->words[from], "header:", 7) == 0)
		return 0; /* the body does not matter */
	if (is_quiet_sync(expectation))
		return 0;
	if (strcmp(expectation->step->words[from], name) != 0)
		return error_set(expectation->error, "%s is expected, %s came", expectation->step->words[from], name);
	expectation->at = from + 1;
	if (expectation->root == NULL)
		return 0;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].command, name) == 0 && commands[i].expect(expectation) < 0)
			return -1;
	const struct wbxml_node *status = expectation->root->first_child;
	const char *status_name = status == NULL ? NULL : wbxml_tag_name(&activesync_language, status->tag);
	if (status_name != NULL && strcmp(status_name, "Status") == 0 &&
	    compare_child(expectation, expectation->root, status->tag, "status", NULL) < 0)
		return -1;
	return expect_elements(expectation, from + 1);
}

int expect_answer(struct phone_request *request, const struct step *step, size_t from, struct arena *arena,
	struct error *error_r)
{
	struct expectation expectation = {.request = request, .device = request->device, .step = step, .at = from + 1,
		.end = step->count, .arena = arena, .error = error_r, .lenient = step_has(step, from, "...")};

	if (request->state != PHONE_ANSWERED)
		return error_set(error_r, "an answer is expected");
	if (strtoul(step->words[from], NULL, 10) != request->status)
		return error_set(error_r, "HTTP status %s is expected", step->words[from]);
	if (phone_answer_root(request, arena, &expectation.root, error_r) < 0)
		return -1;
	if (expect_headers(&expectation) < 0)
		return -1;
	return expect_document(&expectation);
}

/* --- two answers ----------------------------------------------------------------------------------------------- */

static bool is_key(uint16_t tag)
{
	return tag == AS_AIRSYNC_SYNCKEY || tag == AS_FOLDERHIERARCHY_SYNCKEY || tag == AS_PROVISION_POLICYKEY;
}

bool expect_same(const struct wbxml_node *a, const struct wbxml_node *b, bool ignore_keys)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->tag != b->tag)
		return false;
	bool same_text = a->length == b->length && (a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
	if (!same_text && !(ignore_keys && is_key(a->tag)))
		return false;
	const struct wbxml_node *left = a->first_child, *right = b->first_child;
	for (; left != NULL && right != NULL; left = left->next, right = right->next)
		if (!expect_same(left, right, ignore_keys))
			return false;
	return left == NULL && right == NULL;
}

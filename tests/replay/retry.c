/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a phone sends again because it was told to retry. */
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "tests/replay/phone.h"

static const struct wbxml_node *collections_of(const struct wbxml_node *root)
{
	return wbxml_node_child(wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS), AS_AIRSYNC_COLLECTION);
}

static bool says(const struct wbxml_node *node, uint16_t tag, const char *status)
{
	return strcmp(node_text(node, tag), status) == 0;
}

/* How many collections were told to retry, and how many were not. */
static unsigned count_retries(const struct wbxml_node *root, unsigned *others_r)
{
	unsigned retries = 0;

	*others_r = 0;
	for (const struct wbxml_node *node = collections_of(root); node != NULL; node = wbxml_node_next(node))
		++*(says(node, AS_AIRSYNC_STATUS, "16") ? &retries : others_r);
	return retries;
}

/* Any item that is locked: the others are answered as before. */
static bool has_locked(const struct wbxml_node *root)
{
	for (const struct wbxml_node *node = wbxml_node_child(root, AS_MOVE_RESPONSE); node != NULL; node = wbxml_node_next(node))
		if (says(node, AS_MOVE_STATUS, "7"))
			return true;
	return says(root, AS_MOVE_STATUS, "111");
}

bool phone_is_retry(struct phone_request *request, struct arena *arena)
{
	const struct wbxml_node *root;
	struct error error;
	unsigned others;

	if (request->state != PHONE_ANSWERED)
		return false;
	if (request->status == 503)
		return true;
	if (phone_answer_root(request, arena, &root, &error) < 0 || root == NULL)
		return false;
	return says(root, AS_AIRSYNC_STATUS, "16") || says(root, AS_PING_STATUS, "8") ||
		says(root, AS_FOLDERHIERARCHY_STATUS, "6") || says(root, AS_PROVISION_STATUS, "3") || says(root, AS_SETTINGS_STATUS, "4") ||
		says(root, AS_COMPOSEMAIL_STATUS, "111") ||
		has_locked(root) ||
		(count_retries(root, &others) != 0 && others == 0);
}

static void write_node(struct wbxml_writer *writer, const struct wbxml_node *node)
{
	if (node->first_child == NULL) {
		wbxml_writer_text_element_n(writer, node->tag, node->text, node->length);
		return;
	}
	wbxml_writer_start(writer, node->tag);
	for (const struct wbxml_node *child = node->first_child; child != NULL; child = child->next)
		write_node(writer, child);
	wbxml_writer_end(writer);
}

/* The collections of the request that the answer tells to retry. */
static void write_rest(struct buffer *body, const struct wbxml_node *sent, const struct wbxml_node *answer)
{
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, body, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(&writer, AS_AIRSYNC_COLLECTIONS);
	for (const struct wbxml_node *got = collections_of(answer); got != NULL; got = wbxml_node_next(got))
		for (const struct wbxml_node *node = collections_of(sent); node != NULL; node = wbxml_node_next(node))
			if (says(got, AS_AIRSYNC_STATUS, "16") &&
			    says(node, AS_AIRSYNC_COLLECTIONID, node_text(got, AS_AIRSYNC_COLLECTIONID)))
				write_node(&writer, node);
	wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
}

struct phone_request *phone_request_rest(struct phone_request *request, struct arena *arena)
{
	const struct wbxml_node *sent, *answer;
	struct buffer body = BUFFER_EMPTY;
	struct error error;
	unsigned others;

	if (request->state != PHONE_ANSWERED || phone_is_retry(request, arena))
		return phone_request_copy(request);
	if (phone_answer_root(request, arena, &answer, &error) < 0 || count_retries(answer, &others) == 0 ||
	    phone_request_root(request, arena, &sent, &error) < 0)
		return NULL;
	struct phone_request *rest = phone_request_copy(request);
	write_rest(&body, sent, answer);
	char *length = strstr(buffer_string(&rest->bytes), "Content-Length: ");
	buffer_truncate(&rest->bytes, (size_t)(length - rest->bytes.data));
	buffer_printf(&rest->bytes, "Content-Length: %zu\r\n\r\n", body.length);
	rest->body_at = rest->bytes.length;
	buffer_append(&rest->bytes, body.data, body.length);
	buffer_release(&body);
	return rest;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two forms of a request to send: a document with the mail in it (14.0 and up), or the mail itself. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "connectors/contract.h"
#include "gateway/activesync/date_time.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/send_mail.h"
#include "gateway/activesync/sync.h"

/* --- the digest ------------------------------------------------------------------------------------------------ */

/* A reply to one mail with the octets of a reply to another is another. */
static void take_digest(const struct request *request, struct send_request *send, const void *bytes, size_t length)
{
	const char *const names[] = {request->command->name, request->query.collection_id, request->query.item_id,
		request->query.long_id};
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool is_made = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < sizeof names / sizeof *names - (request->query.long_id[0] == '\0'); i++)
		is_made = is_made && EVP_DigestUpdate(context, names[i], strlen(names[i]) + 1) == 1;
	is_made = is_made && EVP_DigestUpdate(context, bytes, length) == 1 && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	assert(is_made);
	EVP_MD_CTX_free(context);
	memcpy(send->digest, digest, sizeof send->digest);
}

static void take_content(struct send_request *send)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	int made = EVP_Digest(send->data, send->length, digest, NULL, EVP_sha256(), NULL);

	assert(made == 1);
	memcpy(&send->content, digest, sizeof send->content);
}

/* --- the original ---------------------------------------------------------------------------------------------- */

/* "7:123", as Sync tells items. */
static void read_item(struct send_request *send, const char *id)
{
	const char *colon = strchr(id, ':');
	char collection[16], *end;

	if (colon == NULL || colon - id >= (ptrdiff_t)sizeof collection || colon[1] < '1' || colon[1] > '9')
		return;
	memcpy(collection, id, (size_t)(colon - id));
	collection[colon - id] = '\0';
	send->collection = sync_collection_id(collection);
	send->item = strtoull(colon + 1, &end, 10);
	if (*end != '\0' || send->item > INT64_MAX)
		send->item = 0;
}

/* The item's id names its collection, too: the other name must not disagree. */
static void read_original(struct send_request *send, const char *collection, const char *item)
{
	read_item(send, item);
	if (collection != NULL && sync_collection_id(collection) != send->collection)
		send->item = 0;
}

static int read_source(const struct request *request, struct send_request *send)
{
	const struct wbxml_node *source = wbxml_node_child(request->root, AS_COMPOSEMAIL_SOURCE);
	const char *collection = wbxml_node_text(source, AS_COMPOSEMAIL_FOLDERID);
	const char *item = wbxml_node_text(source, AS_COMPOSEMAIL_ITEMID);
	const char *both = wbxml_node_text(source, AS_COMPOSEMAIL_LONGID);
	const char *instance = wbxml_node_text(source, AS_COMPOSEMAIL_INSTANCEID);
	uint64_t time_s;

	if (both != NULL && (collection != NULL || item != NULL))
		return COMMON_INVALID_COMBINATION_OF_IDS;
	if (both == NULL && (collection == NULL || item == NULL))
		return COMMON_INVALID_XML;
	if (instance != NULL && !date_time_parse(instance, &time_s))
		return COMMON_INVALID_DATE_TIME;
	read_original(send, collection, both != NULL ? both : item);
	return instance != NULL ? COMMON_ITEM_NOT_FOUND : 0; /* one of a series of appointments: a mail is none */
}

/* --- the two forms --------------------------------------------------------------------------------------------- */

static Belfry__Connector__Original kind_of(const struct request *request)
{
	switch (request->command->root) {
	case AS_COMPOSEMAIL_SMARTREPLY: return BELFRY__CONNECTOR__ORIGINAL__REPLIED;
	case AS_COMPOSEMAIL_SMARTFORWARD: return BELFRY__CONNECTOR__ORIGINAL__FORWARDED_TO;
	default: return BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE;
	}
}

static int read_mail_itself(struct request *request, struct send_request *send)
{
	const struct buffer *body = &request->exchange->body;

	send->data = body->data;
	send->length = body->length;
	send->save = request->query.saves_in_sent;
	take_digest(request, send, body->data, body->length);
	if (send->kind != BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE)
		read_original(send, request->query.collection_id[0] == '\0' ? NULL : request->query.collection_id,
			request->query.item_id[0] == '\0' ? request->query.long_id : request->query.item_id);
	return 0;
}

static int read_document(struct request *request, struct send_request *send)
{
	const char *client_id = wbxml_node_text(request->root, AS_COMPOSEMAIL_CLIENTID);
	const char *account = wbxml_node_text(request->root, AS_COMPOSEMAIL_ACCOUNTID);

	if (client_id == NULL || *client_id == '\0' || strlen(client_id) > CLIENT_ID_MAX)
		return COMMON_INVALID_XML;
	if (account != NULL && *account != '\0')
		return COMMON_INVALID_ACCOUNT; /* no further accounts are ever told */
	if (wbxml_node_bool(request->root, AS_COMPOSEMAIL_SAVEINSENTITEMS, &send->save) == WBXML_VALUE_BAD ||
	    wbxml_node_bool(request->root, AS_COMPOSEMAIL_REPLACEMIME, &send->replace) == WBXML_VALUE_BAD)
		return COMMON_INVALID_XML;
	send->data = wbxml_node_bytes(request->root, AS_COMPOSEMAIL_MIME, &send->length);
	if (send->data == NULL)
		return COMMON_INVALID_XML;
	send->has_client_id = true;
	take_digest(request, send, client_id, strlen(client_id));
	take_content(send);
	return send->kind == BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE ? 0 : read_source(request, send);
}

int send_request_read(struct request *request, struct send_request *send_r)
{
	*send_r = (struct send_request){.fd = -1, .kind = kind_of(request)};
	int status = request->root == NULL ? read_mail_itself(request, send_r) : read_document(request, send_r);

	if (status == 0 && send_r->length == 0)
		return COMMON_INVALID_MIME;
	return status == 0 && send_r->length > request->engine->settings->limits.max_mail_size ? COMMON_TOO_LARGE : status;
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written <= 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	/* Whoever maps it can rely on its length. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return 0;
}

int send_request_keep(struct request *request, struct send_request *send)
{
	if (send->length <= CONNECTOR_INLINE_MAX) {
		char *copy = arena_alloc(request->arena, send->length);
		send->data = memcpy(copy, send->data, send->length);
	} else {
		send->fd = memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (send->fd < 0 || write_all(send->fd, send->data, send->length) < 0)
			return -1;
		send->data = NULL;
	}
	request->root = NULL; /* it looks into the body */
	buffer_release(&request->exchange->body);
	return 0;
}

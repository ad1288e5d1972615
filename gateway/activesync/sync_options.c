/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options (MS-ASCMD 2.2.3.125.6): how a device wants its mails, and how far back. */
#include <string.h>

#include "gateway/activesync/sync.h"
#include "gateway/service/conflict.h"

enum { BODY_TYPE_MAX = 4, MIME_SUPPORT_MAX = 2, BODY_PREFERENCES_MAX = 8, MIME_TRUNCATION_NONE = 8 };

/* What a mail adds to its conversation comes as HTML only (MS-ASAIRS 2.2.2.11, from 14.1 on). */
static bool part_is_served(struct request *request, const struct wbxml_node *options)
{
	uint32_t type = BELFRY__CONNECTOR__BODY_TYPE__HTML;

	if (request->version >= 141)
		wbxml_node_number(wbxml_node_child(options, AS_AIRSYNCBASE_BODYPARTPREFERENCE), AS_AIRSYNCBASE_TYPE, &type);
	return type == BELFRY__CONNECTOR__BODY_TYPE__HTML;
}

/* BodyPreference and BodyPartPreference are alike. NULL: it makes no sense. */
static Belfry__Activesync__BodyPreference *read_preference(struct request *request, const struct wbxml_node *node)
{
	Belfry__Activesync__BodyPreference *body = arena_alloc(request->arena, sizeof *body);
	bool all_or_none = false;

	belfry__activesync__body_preference__init(body);
	if (wbxml_node_number(node, AS_AIRSYNCBASE_TYPE, &body->type) != WBXML_VALUE_GOOD || body->type == 0 ||
	    body->type > BODY_TYPE_MAX)
		return NULL;
	enum wbxml_value size = wbxml_node_number(node, AS_AIRSYNCBASE_TRUNCATIONSIZE, &body->truncation);
	if (size == WBXML_VALUE_BAD || wbxml_node_bool(node, AS_AIRSYNCBASE_ALLORNONE, &all_or_none) == WBXML_VALUE_BAD ||
	    wbxml_node_number(node, AS_AIRSYNCBASE_PREVIEW, &body->preview) == WBXML_VALUE_BAD || body->preview > 255)
		return NULL;
	body->has_truncation = size == WBXML_VALUE_GOOD;
	body->all_or_none = all_or_none;
	return body;
}

static int read_bodies(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	for (; node != NULL; node = wbxml_node_next(node)) {
		Belfry__Activesync__BodyPreference *body = read_preference(request, node);
		if (body == NULL || options->n_bodies == BODY_PREFERENCES_MAX)
			return SYNC_STATUS_PROTOCOL_ERROR;
		options->bodies[options->n_bodies++] = body;
	}
	return 0;
}

static int read_part(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	if (node == NULL || request->version < 141)
		return 0;
	options->part = read_preference(request, node);
	return options->part == NULL ? SYNC_STATUS_PROTOCOL_ERROR : 0;
}

/* Another bound on MIME, beside that of its preference: the smaller holds (MS-ASCMD 2.2.3.111). */
static void truncate_mime(Belfry__Activesync__Options *options, uint32_t truncation)
{
	static const uint32_t sizes[MIME_TRUNCATION_NONE] = {0, 4096, 5120, 7168, 10240, 20480, 51200, 102400};

	for (size_t i = 0; truncation < MIME_TRUNCATION_NONE && i < options->n_bodies; i++) {
		Belfry__Activesync__BodyPreference *body = options->bodies[i];
		bool is_smaller = !body->has_truncation || body->truncation > sizes[truncation];
		if (body->type != BELFRY__CONNECTOR__BODY_TYPE__MIME || !is_smaller)
			continue;
		body->has_truncation = true;
		body->truncation = sizes[truncation];
	}
}

/* A later Options replaces the earlier as a whole. */
int sync_options_read(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	belfry__activesync__options__init(options);
	options->bodies = arena_alloc(request->arena, BODY_PREFERENCES_MAX * sizeof *options->bodies);
	if (wbxml_node_number(node, AS_AIRSYNC_FILTERTYPE, &options->filter) == WBXML_VALUE_BAD ||
	    wbxml_node_number(node, AS_AIRSYNC_MIMESUPPORT, &options->mime_support) == WBXML_VALUE_BAD ||
	    options->mime_support > MIME_SUPPORT_MAX || options->filter > SYNC_FILTER_MAX)
		return SYNC_STATUS_PROTOCOL_ERROR;
	uint32_t winner = CONFLICT_BACKEND_WINS;
	if (wbxml_node_number(node, AS_AIRSYNC_CONFLICT, &winner) == WBXML_VALUE_BAD || winner > CONFLICT_BACKEND_WINS)
		return SYNC_STATUS_PROTOCOL_ERROR;
	options->device_wins = winner == CONFLICT_DEVICE_WINS;
	if (!part_is_served(request, node))
		return COMMON_BODY_PART_TYPE;
	uint32_t mime_truncation = MIME_TRUNCATION_NONE;
	if (wbxml_node_number(node, AS_AIRSYNC_MIMETRUNCATION, &mime_truncation) == WBXML_VALUE_BAD ||
	    mime_truncation > MIME_TRUNCATION_NONE)
		return SYNC_STATUS_PROTOCOL_ERROR;
	int status = read_part(request, options, wbxml_node_child(node, AS_AIRSYNCBASE_BODYPARTPREFERENCE));
	if (status == 0)
		status = read_bodies(request, options, wbxml_node_child(node, AS_AIRSYNCBASE_BODYPREFERENCE));
	truncate_mime(options, mime_truncation);
	return status;
}

static bool is_sms(const struct wbxml_node *options)
{
	const char *class = wbxml_node_text(options, AS_AIRSYNC_CLASS);

	return class != NULL && strcmp(class, "SMS") == 0;
}

static bool is_mail(const struct wbxml_node *options)
{
	const char *class = wbxml_node_text(options, AS_AIRSYNC_CLASS);

	return class == NULL || strcmp(class, "Email") == 0;
}

/* Of two Options one is for SMS (MS-ASCMD 2.2.3.27.6, 2.2.3.125.6), which are not served here; no other classes go
 * together, and none has two. */
int sync_options_find(struct request *request, struct sync_job *job, const struct wbxml_node *collection)
{
	const struct wbxml_node *node = wbxml_node_child(collection, AS_AIRSYNC_OPTIONS), *mail = NULL;
	unsigned count = 0;

	for (; node != NULL; node = wbxml_node_next(node), count++) {
		if (!is_sms(node) && (!is_mail(node) || mail != NULL))
			return SYNC_STATUS_PROTOCOL_ERROR;
		if (!is_sms(node))
			mail = node;
	}
	if (count > (mail == NULL ? 1 : 2))
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (mail == NULL)
		return 0;
	job->options = arena_alloc(request->arena, sizeof *job->options);
	return sync_options_read(request, job->options, mail);
}

static ProtobufCBinaryData pack_options(struct request *request, const Belfry__Activesync__Options *options)
{
	ProtobufCBinaryData packed = {.len = belfry__activesync__options__get_packed_size(options)};

	packed.data = arena_alloc(request->arena, packed.len + 1);
	belfry__activesync__options__pack(options, packed.data);
	return packed;
}

/* Kept from now on, even when there is nothing else to keep: a device sends them once and relies on them. */
void sync_options_take(struct request *request, struct sync_job *job)
{
	Belfry__Activesync__Sync *record = job->state.record;

	if (record->options == NULL) {
		record->options = arena_alloc(request->arena, sizeof *record->options);
		belfry__activesync__options__init(record->options);
	}
	if (job->options == NULL && !job->has_mode)
		return;
	ProtobufCBinaryData before = pack_options(request, record->options);
	bool conversations = job->has_mode ? job->conversations : record->options->conversations;
	if (job->options != NULL)
		record->options = job->options;
	record->options->conversations = conversations;
	ProtobufCBinaryData now = pack_options(request, record->options);
	job->changed = now.len != before.len || memcmp(now.data, before.data, now.len) != 0;
}

/* What the device fetches by name comes whole (MS-ASCMD 2.2.3.67.2): it was cut before, which is why. */
static Belfry__Connector__BodyWish *wish_of(struct request *request, const Belfry__Activesync__BodyPreference *from,
	bool whole)
{
	Belfry__Connector__BodyWish *wish = arena_alloc(request->arena, sizeof *wish);

	belfry__connector__body_wish__init(wish);
	wish->type = (Belfry__Connector__BodyType)from->type;
	wish->truncate = from->truncation;
	wish->has_truncate = from->has_truncation && !whole;
	wish->all_or_none = from->all_or_none;
	wish->preview = from->preview;
	return wish;
}

Belfry__Connector__BodyWish **sync_wishes(struct request *request, const Belfry__Activesync__Options *options, bool whole)
{
	Belfry__Connector__BodyWish **all = arena_alloc(request->arena, (options->n_bodies + 1) * sizeof *all);

	for (size_t i = 0; i < options->n_bodies; i++)
		all[i] = wish_of(request, options->bodies[i], whole);
	return all;
}

Belfry__Connector__BodyWish *sync_part_wish(struct request *request, const Belfry__Activesync__Options *options, bool whole)
{
	return options->part == NULL ? NULL : wish_of(request, options->part, whole);
}

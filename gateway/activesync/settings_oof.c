/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Oof (MS-ASCMD 2.2.3.122) of Settings: what is answered while the user is out of office. The connector keeps it. Set does
 * not need to be remembered here: done twice it is as done once.
 */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "gateway/activesync/date_time.h"
#include "gateway/activesync/settings.h"
#include "lib/core/log.h"
#include "lib/core/utf8.h"

typedef Belfry__Connector__OofMessage message_t;

enum { STATES = 3 };

/* The three audiences, in the order of the answer. */
static const struct audience {
	uint16_t tag;
	size_t offset; /* of its message */
} audiences[] = {
	{AS_SETTINGS_APPLIESTOINTERNAL, offsetof(Belfry__Connector__Oof, internal)},
	{AS_SETTINGS_APPLIESTOEXTERNALKNOWN, offsetof(Belfry__Connector__Oof, known)},
	{AS_SETTINGS_APPLIESTOEXTERNALUNKNOWN, offsetof(Belfry__Connector__Oof, unknown)},
};
enum { AUDIENCES = sizeof audiences / sizeof *audiences };

static message_t **message_of(Belfry__Connector__Oof *oof, const struct audience *audience)
{
	return (message_t **)(void *)((char *)oof + audience->offset);
}

/* --- as the schema wants it ------------------------------------------------------------------------------------ */

static bool is_missing_or_time(const struct wbxml_node *set, uint16_t tag)
{
	const char *text = wbxml_node_text(set, tag);
	uint64_t time_s;

	return wbxml_node_child(set, tag) == NULL || (text != NULL && date_time_parse(text, &time_s));
}

static bool is_missing_or_full(const struct wbxml_node *node, uint16_t tag)
{
	const char *text = wbxml_node_text(node, tag);

	return wbxml_node_child(node, tag) == NULL || (text != NULL && *text != '\0');
}

static bool set_is_formed(const struct wbxml_node *set)
{
	uint32_t state = 0;
	enum wbxml_value value = wbxml_node_number(set, AS_SETTINGS_OOFSTATE, &state);

	if ((value != WBXML_VALUE_MISSING && value != WBXML_VALUE_GOOD) || state >= STATES ||
	    wbxml_node_count(set, AS_SETTINGS_OOFMESSAGE) > AUDIENCES || !is_missing_or_time(set, AS_SETTINGS_STARTTIME) ||
	    !is_missing_or_time(set, AS_SETTINGS_ENDTIME))
		return false;
	for (const struct wbxml_node *message = wbxml_node_child(set, AS_SETTINGS_OOFMESSAGE); message != NULL;
	     message = wbxml_node_next(message))
		if (!is_missing_or_full(message, AS_SETTINGS_ENABLED) || !is_missing_or_full(message, AS_SETTINGS_BODYTYPE))
			return false;
	return true;
}

bool settings_oof_is_formed(const struct wbxml_node *operation)
{
	if (operation->tag == AS_SETTINGS_SET)
		return set_is_formed(operation);
	return wbxml_node_child(operation, AS_SETTINGS_BODYTYPE) != NULL &&
		is_missing_or_full(operation, AS_SETTINGS_BODYTYPE);
}

/* --- what is to be set ----------------------------------------------------------------------------------------- */

static int read_body_type(const struct wbxml_node *node, bool *html_r)
{
	const char *type = wbxml_node_text(node, AS_SETTINGS_BODYTYPE);

	*html_r = type != NULL && strcasecmp(type, "HTML") == 0;
	return type != NULL && (*html_r || strcasecmp(type, "TEXT") == 0) ? SETTINGS_SUCCESS : SETTINGS_INVALID_ARGUMENTS;
}

static int read_reply(struct request *request, const struct wbxml_node *node, message_t *message)
{
	size_t length;
	const char *text = wbxml_node_bytes(node, AS_SETTINGS_REPLYMESSAGE, &length);
	bool html;

	if (text == NULL)
		return SETTINGS_SUCCESS;
	if (length > SETTINGS_REPLY_MAX || utf8_string_prefix(text, length) != length)
		return SETTINGS_INVALID_ARGUMENTS;
	message->text = arena_strndup(request->arena, text, length);
	if (read_body_type(node, &html) != SETTINGS_SUCCESS)
		return SETTINGS_INVALID_ARGUMENTS;
	message->is_html = html;
	return SETTINGS_SUCCESS;
}

/* The audiences exclude each other (2.2.3.123). */
static int find_audience(const struct wbxml_node *node, const struct audience **audience_r)
{
	unsigned count = 0;

	for (size_t i = 0; i < AUDIENCES; i++) {
		if (wbxml_node_child(node, audiences[i].tag) == NULL)
			continue;
		*audience_r = &audiences[i];
		count++;
	}
	return count == 1 ? SETTINGS_SUCCESS : count == 0 ? SETTINGS_INVALID_ARGUMENTS : SETTINGS_CONFLICTING_ARGUMENTS;
}

/* A message replaces all that there was for its audience. */
static int read_message(struct request *request, const struct wbxml_node *node, Belfry__Connector__Oof *oof)
{
	message_t *message = arena_alloc(request->arena, sizeof *message), **place;
	const char *enabled = wbxml_node_text(node, AS_SETTINGS_ENABLED);
	const struct audience *audience = NULL;
	int status = find_audience(node, &audience);

	if (status != SETTINGS_SUCCESS)
		return status;
	place = message_of(oof, audience);
	if (*place != NULL)
		return SETTINGS_CONFLICTING_ARGUMENTS;
	belfry__connector__oof_message__init(message);
	message->enabled = enabled != NULL && strcmp(enabled, "1") == 0;
	if (enabled != NULL && !message->enabled && strcmp(enabled, "0") != 0)
		return SETTINGS_INVALID_ARGUMENTS;
	*place = message;
	return read_reply(request, node, message);
}

/* Times of another state than 2 are no mistake, and not kept (2.2.3.124); one without the other is (2.2.3.176.2). */
static int read_bounds(const struct wbxml_node *node, Belfry__Connector__SetOof *set)
{
	const char *start = wbxml_node_text(node, AS_SETTINGS_STARTTIME), *end = wbxml_node_text(node, AS_SETTINGS_ENDTIME);

	if ((start == NULL) != (end == NULL))
		return SETTINGS_PROTOCOL_ERROR;
	if (start == NULL || set->oof->state != BELFRY__CONNECTOR__OOF_STATE__OOF_TIMED)
		return SETTINGS_SUCCESS;
	date_time_parse(start, &set->oof->start_s);
	date_time_parse(end, &set->oof->end_s);
	set->has_bounds = true;
	return set->oof->start_s < set->oof->end_s ? SETTINGS_SUCCESS : SETTINGS_CONFLICTING_ARGUMENTS;
}

/* No connector can tell who is among the user's contacts, nor could Exchange for a long time. */
static bool tells_strangers_apart(const Belfry__Connector__Oof *oof)
{
	const message_t *known = oof->known, *unknown = oof->unknown;

	return known != NULL && unknown != NULL && known->enabled && unknown->enabled &&
		(known->is_html != unknown->is_html || strcmp(known->text, unknown->text) != 0);
}

static int read_set(struct request *request, const struct wbxml_node *node, Belfry__Connector__SetOof *set)
{
	uint32_t state = 0;
	int status;

	if (node->first_child == NULL)
		return SETTINGS_INVALID_ARGUMENTS;
	set->has_state = wbxml_node_number(node, AS_SETTINGS_OOFSTATE, &state) == WBXML_VALUE_GOOD;
	if (set->has_state)
		set->oof->state = (Belfry__Connector__OofState)state;
	status = read_bounds(node, set);
	for (node = wbxml_node_child(node, AS_SETTINGS_OOFMESSAGE); node != NULL && status == SETTINGS_SUCCESS;
	     node = wbxml_node_next(node))
		status = read_message(request, node, set->oof);
	return status == SETTINGS_SUCCESS && tells_strangers_apart(set->oof) ? SETTINGS_CONFLICTING_ARGUMENTS : status;
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static int status_of(const Belfry__Connector__Response *response)
{
	switch (response->status) {
	case BELFRY__CONNECTOR__STATUS__OK: return SETTINGS_SUCCESS;
	case BELFRY__CONNECTOR__STATUS__UNSUPPORTED: return SETTINGS_INVALID_ARGUMENTS;
	case BELFRY__CONNECTOR__STATUS__LIMIT: return SETTINGS_ACCESS_DENIED;
	default: return SETTINGS_UNAVAILABLE;
	}
}

/* What the log says of the request; why is the connector's. */
static void write_status(struct request *request, int status, const char *why)
{
	settings_write_status(request, AS_SETTINGS_OOF, status);
	request->result = arena_printf(request->arena, "status=1 oof=%d%s%s", status, *why == '\0' ? "" : " why=",
		*why == '\0' ? "" : log_quote(why));
}

static void write_message(struct wbxml_writer *writer, const struct audience *audience, const message_t *message)
{
	bool has_text = message != NULL && message->text[0] != '\0';

	wbxml_writer_start(writer, AS_SETTINGS_OOFMESSAGE);
	wbxml_writer_empty_element(writer, audience->tag);
	wbxml_writer_number_element(writer, AS_SETTINGS_ENABLED, message != NULL && message->enabled);
	if (has_text) {
		wbxml_writer_text_element(writer, AS_SETTINGS_REPLYMESSAGE, message->text);
		wbxml_writer_text_element(writer, AS_SETTINGS_BODYTYPE, message->is_html ? "HTML" : "TEXT");
	}
	wbxml_writer_end(writer);
}

static void write_oof(struct wbxml_writer *writer, Belfry__Connector__Oof *oof)
{
	wbxml_writer_start(writer, AS_SETTINGS_OOF);
	wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, SETTINGS_SUCCESS);
	wbxml_writer_start(writer, AS_SETTINGS_GET);
	wbxml_writer_number_element(writer, AS_SETTINGS_OOFSTATE, oof->state);
	if (oof->state == BELFRY__CONNECTOR__OOF_STATE__OOF_TIMED && oof->end_s != 0) {
		date_time_write(writer, AS_SETTINGS_STARTTIME, oof->start_s);
		date_time_write(writer, AS_SETTINGS_ENDTIME, oof->end_s);
	}
	for (size_t i = 0; i < AUDIENCES; i++)
		write_message(writer, &audiences[i], *message_of(oof, &audiences[i]));
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

static void was_set(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	(void)fd;
	(void)is_last;
	write_status(data, status_of(response), response->reason);
	settings_go_on(data);
}

static void was_got(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;

	(void)fd;
	(void)is_last;
	if (status_of(response) != SETTINGS_SUCCESS)
		write_status(request, status_of(response), response->reason);
	else if (response->body_case != BELFRY__CONNECTOR__RESPONSE__BODY_OOF)
		write_status(request, SETTINGS_UNAVAILABLE, "the connector told nothing");
	else
		write_oof(&request->writer, response->oof);
	settings_go_on(request);
}

/* --- the property ---------------------------------------------------------------------------------------------- */

static int ask_to_set(struct request *request, const struct wbxml_node *node)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__SetOof set = BELFRY__CONNECTOR__SET_OOF__INIT;
	Belfry__Connector__Oof oof = BELFRY__CONNECTOR__OOF__INIT;
	int status;

	set.oof = &oof;
	if ((status = read_set(request, node, &set)) != SETTINGS_SUCCESS)
		return status;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
	question.set_oof = &set;
	request_ask(request, &question, was_set);
	return SETTINGS_SUCCESS;
}

static int ask_to_get(struct request *request, const struct wbxml_node *node)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__GetOof get = BELFRY__CONNECTOR__GET_OOF__INIT;
	bool html;
	int status = read_body_type(node, &html);

	if (status != SETTINGS_SUCCESS)
		return status;
	get.html = html;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF;
	question.get_oof = &get;
	request_ask(request, &question, was_got);
	return SETTINGS_SUCCESS;
}

bool settings_oof_run(struct request *request, const struct wbxml_node *operation)
{
	int status = (operation->tag == AS_SETTINGS_SET ? ask_to_set : ask_to_get)(request, operation);

	if (status != SETTINGS_SUCCESS)
		write_status(request, status, "");
	return status != SETTINGS_SUCCESS;
}

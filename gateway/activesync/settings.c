/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Settings: the device says what it is, asks for the user's addresses, and sets what is answered while he is away. A
 * request that is malformed is refused as a whole, before anything is done. Else each property has a status of its own;
 * what is not served here is no reason to give the account up.
 */
#include "gateway/activesync/settings.h"

#include "gateway/activesync/command.h"
#include "gateway/activesync/device_information.h"

enum { PASSWORD_MAX = 255 }; /* characters: MS-ASCMD 2.2.3.132.3 */

struct settings_work {
	const struct wbxml_node *at; /* the property that is next; NULL: all are done */
};

/* --- properties ------------------------------------------------------------------------------------------------ */

void settings_write_status(struct request *request, uint16_t property, int status)
{
	wbxml_writer_start(&request->writer, property);
	wbxml_writer_number_element(&request->writer, AS_SETTINGS_STATUS, status);
	wbxml_writer_end(&request->writer);
}

/* Any of them may be left out, but not all (2.2.3.167). */
static bool take_information(struct request *request, const struct wbxml_node *operation)
{
	bool says_something = operation->first_child != NULL;

	if (says_something)
		device_information_take(request, wbxml_node_child(request->root, AS_SETTINGS_DEVICEINFORMATION));
	settings_write_status(request, AS_SETTINGS_DEVICEINFORMATION,
		says_something ? SETTINGS_SUCCESS : SETTINGS_INVALID_ARGUMENTS);
	return true;
}

static bool password_is_formed(const struct wbxml_node *operation)
{
	return wbxml_node_text(operation, AS_SETTINGS_PASSWORD) != NULL;
}

static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* To recover a locked device by; nobody here could look it up. */
static bool refuse_password(struct request *request, const struct wbxml_node *operation)
{
	bool is_too_long = characters(wbxml_node_text(operation, AS_SETTINGS_PASSWORD)) > PASSWORD_MAX;

	settings_write_status(request, AS_SETTINGS_DEVICEPASSWORD,
		is_too_long ? SETTINGS_INVALID_ARGUMENTS : SETTINGS_DENIED_BY_POLICY);
	return true;
}

static void write_addresses(struct request *request)
{
	struct wbxml_writer *writer = &request->writer;

	wbxml_writer_start(writer, AS_SETTINGS_EMAILADDRESSES);
	wbxml_writer_text_element(writer, AS_SETTINGS_SMTPADDRESS, request->user);
	if (request->version >= 141)
		wbxml_writer_text_element(writer, AS_SETTINGS_PRIMARYSMTPADDRESS, request->user);
	wbxml_writer_end(writer);
}

/* The addresses stand alone until 14.0, and from 14.1 on within the account (2.2.3.57). */
static bool write_user(struct request *request, const struct wbxml_node *operation)
{
	struct wbxml_writer *writer = &request->writer;

	(void)operation;
	wbxml_writer_start(writer, AS_SETTINGS_USERINFORMATION);
	wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, SETTINGS_SUCCESS);
	wbxml_writer_start(writer, AS_SETTINGS_GET);
	if (request->version >= 141) {
		wbxml_writer_start(writer, AS_SETTINGS_ACCOUNTS);
		wbxml_writer_start(writer, AS_SETTINGS_ACCOUNT);
	}
	write_addresses(request);
	if (request->version >= 141) {
		wbxml_writer_end(writer);
		wbxml_writer_end(writer);
	}
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	return true;
}

/* The schema wants templates, even none. */
static bool refuse_rights(struct request *request, const struct wbxml_node *operation)
{
	struct wbxml_writer *writer = &request->writer;

	(void)operation;
	wbxml_writer_start(writer, AS_SETTINGS_RIGHTSMANAGEMENTINFORMATION);
	wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, SETTINGS_RIGHTS_MANAGEMENT_DISABLED);
	wbxml_writer_start(writer, AS_SETTINGS_GET);
	wbxml_writer_empty_element(writer, AS_RIGHTSMANAGEMENT_RIGHTSMANAGEMENTTEMPLATES);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	return true;
}

/* --- what a request may look like ------------------------------------------------------------------------------ */

static const struct property {
	uint16_t tag;
	unsigned since;          /* which version */
	bool has_get, has_set;   /* which of them it may hold; one it must */
	bool (*is_formed)(const struct wbxml_node *operation); /* NULL: whatever it is */
	bool (*run)(struct request *, const struct wbxml_node *operation); /* as settings_oof_run() */
} properties[] = {
	{AS_SETTINGS_OOF, 121, true, true, settings_oof_is_formed, settings_oof_run},
	{AS_SETTINGS_DEVICEINFORMATION, 121, false, true, NULL, take_information},
	{AS_SETTINGS_DEVICEPASSWORD, 121, false, true, password_is_formed, refuse_password},
	{AS_SETTINGS_USERINFORMATION, 121, true, false, NULL, write_user},
	{AS_SETTINGS_RIGHTSMANAGEMENTINFORMATION, 141, true, false, NULL, refuse_rights},
};

static const struct property *find(uint16_t tag)
{
	for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
		if (properties[i].tag == tag)
			return &properties[i];
	return NULL;
}

/* The one Get or Set, and nothing beside it; NULL: it is not so. */
static const struct wbxml_node *operation_of(const struct property *property, const struct wbxml_node *node)
{
	const struct wbxml_node *operation = node->first_child;

	if (operation == NULL || operation->next != NULL)
		return NULL;
	return (operation->tag == AS_SETTINGS_GET && property->has_get) ||
		(operation->tag == AS_SETTINGS_SET && property->has_set) ? operation : NULL;
}

static bool is_formed(const struct request *request, const struct wbxml_node *node)
{
	const struct property *property = find(node->tag);
	const struct wbxml_node *operation;

	if (property == NULL || request->version < property->since || wbxml_node_count(request->root, node->tag) != 1)
		return false;
	operation = operation_of(property, node);
	return operation != NULL && (property->is_formed == NULL || property->is_formed(operation));
}

int settings_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char lock[] = "device", *locks[] = {lock};

	if (request->root->first_child == NULL)
		return SETTINGS_PROTOCOL_ERROR;
	for (const struct wbxml_node *node = request->root->first_child; node != NULL; node = node->next)
		if (!is_formed(request, node))
			return SETTINGS_PROTOCOL_ERROR;
	begin->locks = locks;
	begin->n_locks = 1;
	return 0;
}

/* --- one after the other --------------------------------------------------------------------------------------- */

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	request_answer(data);
}

void settings_go_on(struct request *request)
{
	struct settings_work *work = request->work;

	while (work->at != NULL) {
		const struct wbxml_node *node = work->at;
		const struct property *property = find(node->tag);
		work->at = node->next;
		if (!property->run(request, operation_of(property, node)))
			return;
	}
	if (request->device_changed)
		request_commit(request, NULL, 0, committed);
	else
		request_answer(request);
}

void settings_run(struct request *request)
{
	struct settings_work *work = request->work = arena_alloc(request->arena, sizeof *work);

	work->at = request->root->first_child;
	request->result = "status=1";
	request_begin_answer(request);
	wbxml_writer_number_element(&request->writer, AS_SETTINGS_STATUS, SETTINGS_SUCCESS);
	settings_go_on(request);
}

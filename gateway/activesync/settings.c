/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Settings (MS-ASCMD 2.2.1.18): the device says what it is, and asks for the user's address. Each property that is asked
 * for has a status of its own; what is not served here is no reason to give the account up.
 */
#include "gateway/activesync/command.h"
#include "gateway/activesync/device_information.h"

/* MS-ASCMD 2.2.3.177.15, and 2.2.2 for the last */
enum { STATUS_SUCCESS = 1, STATUS_PROTOCOL_ERROR = 2, STATUS_INVALID_ARGUMENTS = 5, STATUS_DENIED_BY_POLICY = 7,
	STATUS_RIGHTS_MANAGEMENT_DISABLED = 168 };

int settings_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char lock[] = "device", *locks[] = {lock};

	if (request->root->first_child == NULL)
		return STATUS_PROTOCOL_ERROR;
	begin->locks = locks;
	begin->n_locks = 1;
	return 0;
}

/* --- properties ------------------------------------------------------------------------------------------------ */

static void write_status(struct request *request, uint16_t tag, int status)
{
	wbxml_writer_start(&request->writer, tag);
	wbxml_writer_number_element(&request->writer, AS_SETTINGS_STATUS, status);
	wbxml_writer_end(&request->writer);
}

static void write_information(struct request *request, const struct wbxml_node *node)
{
	bool is_set = wbxml_node_child(node, AS_SETTINGS_SET) != NULL;

	write_status(request, node->tag, is_set ? STATUS_SUCCESS : STATUS_PROTOCOL_ERROR);
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
static void write_user(struct request *request, const struct wbxml_node *node)
{
	struct wbxml_writer *writer = &request->writer;

	if (wbxml_node_child(node, AS_SETTINGS_GET) == NULL) {
		write_status(request, node->tag, STATUS_PROTOCOL_ERROR);
		return;
	}
	wbxml_writer_start(writer, node->tag);
	wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, STATUS_SUCCESS);
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
}

static void refuse_oof(struct request *request, const struct wbxml_node *node)
{
	write_status(request, node->tag, STATUS_INVALID_ARGUMENTS);
}

static void refuse_password(struct request *request, const struct wbxml_node *node)
{
	write_status(request, node->tag, STATUS_DENIED_BY_POLICY);
}

/* The schema wants templates, even none. */
static void refuse_rights(struct request *request, const struct wbxml_node *node)
{
	struct wbxml_writer *writer = &request->writer;

	wbxml_writer_start(writer, node->tag);
	wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, STATUS_RIGHTS_MANAGEMENT_DISABLED);
	wbxml_writer_start(writer, AS_SETTINGS_GET);
	wbxml_writer_empty_element(writer, AS_RIGHTSMANAGEMENT_RIGHTSMANAGEMENTTEMPLATES);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

static const struct {
	uint16_t tag;
	void (*write)(struct request *, const struct wbxml_node *);
} properties[] = {
	{AS_SETTINGS_OOF, refuse_oof}, {AS_SETTINGS_DEVICEINFORMATION, write_information},
	{AS_SETTINGS_DEVICEPASSWORD, refuse_password}, {AS_SETTINGS_USERINFORMATION, write_user},
	{AS_SETTINGS_RIGHTSMANAGEMENTINFORMATION, refuse_rights},
};

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void answer(struct request *request)
{
	request->result = "status=1";
	request_begin_answer(request);
	wbxml_writer_number_element(&request->writer, AS_SETTINGS_STATUS, STATUS_SUCCESS);
	for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
		const struct wbxml_node *node = wbxml_node_child(request->root, properties[i].tag);
		if (node != NULL)
			properties[i].write(request, node);
	}
	request_answer(request);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	answer(data);
}

void settings_run(struct request *request)
{
	device_information_take(request, wbxml_node_child(request->root, AS_SETTINGS_DEVICEINFORMATION));
	if (request->device_changed)
		request_commit(request, NULL, 0, committed);
	else
		answer(request);
}

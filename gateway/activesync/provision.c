/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Provision (MS-ASPROV 3.1.5.1): the device asks for the policy and gets it with a temporary key; it comes again with
 * that key and its own status, and gets the key that counts.
 */
#include <string.h>

#include <openssl/rand.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/device_information.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/policy.h"

enum { STATUS_SUCCESS = 1, STATUS_PROTOCOL_ERROR = 2 };
enum { POLICY_SUCCESS = 1, POLICY_NONE = 2, POLICY_UNKNOWN_TYPE = 3, POLICY_WRONG_KEY = 5 };
enum { DEVICE_APPLIED = 1, DEVICE_PARTIALLY = 2, DEVICE_MANAGED_BY_OTHERS = 4 };

struct provision {
	const char *type;
	bool tells_device;
	int policy_status;   /* of the answer */
	uint32_t key;        /* of the answer; 0: none */
	bool gives_document;
};

int provision_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char lock[] = "device", *locks[] = {lock};

	(void)request;
	begin->locks = locks;
	begin->n_locks = 1;
	return 0;
}

static uint32_t new_key(void)
{
	uint32_t key = 0;

	do
		RAND_bytes((unsigned char *)&key, sizeof key);
	while (key == 0);
	return key;
}

static void write_answer(struct request *request, const struct provision *work)
{
	struct wbxml_writer *writer = &request->writer;

	request_begin_answer(request);
	if (work->tells_device) {
		wbxml_writer_start(writer, AS_SETTINGS_DEVICEINFORMATION);
		wbxml_writer_number_element(writer, AS_SETTINGS_STATUS, STATUS_SUCCESS);
		wbxml_writer_end(writer);
	}
	wbxml_writer_number_element(writer, AS_PROVISION_STATUS, STATUS_SUCCESS);
	wbxml_writer_start(writer, AS_PROVISION_POLICIES);
	wbxml_writer_start(writer, AS_PROVISION_POLICY);
	wbxml_writer_text_element(writer, AS_PROVISION_POLICYTYPE, work->type);
	wbxml_writer_number_element(writer, AS_PROVISION_STATUS, work->policy_status);
	if (work->key != 0)
		wbxml_writer_number_element(writer, AS_PROVISION_POLICYKEY, work->key);
	if (work->gives_document) {
		wbxml_writer_start(writer, AS_PROVISION_DATA);
		policy_write(&request->engine->settings->policy, request->version, writer);
		wbxml_writer_end(writer);
	}
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	request->result = arena_printf(request->arena, "status=1 policy=%d", work->policy_status);
	request_answer(request);
}

static void committed(const Belfry__Role__Committed *answer, void *data)
{
	struct request *request = data;

	(void)answer;
	write_answer(request, request->work);
}

/* First phase: the document and a key to come again with. From 14.1 on the device has to say what it is, here or before
 * (MS-ASPROV 2.2.2.53). 0, or the status that refuses the device. */
static int give(struct request *request, struct provision *work)
{
	if (request->version >= 141 && request->device_record->model[0] == '\0')
		return COMMON_DEVICE_INFORMATION_REQUIRED;
	if (!request->engine->settings->policy.required) {
		work->policy_status = POLICY_NONE;
		return 0;
	}
	work->policy_status = POLICY_SUCCESS;
	work->gives_document = true;
	work->key = request->device_record->policy_key_pending = new_key();
	request->device_changed = true;
	return 0;
}

/* MS-ASPROV 3.1.5.2: what is required is required as a whole, and of the device itself. Until 12.1 a device that did what
 * it could was as good as any, and whoever is managed elsewhere gets no key that counts. */
static int judge(const struct request *request, uint32_t status)
{
	if (request->version < 140)
		return 0;
	return status == DEVICE_PARTIALLY ? COMMON_NOT_FULLY_PROVISIONABLE
		: status == DEVICE_MANAGED_BY_OTHERS ? COMMON_EXTERNALLY_MANAGED : 0;
}

/* Second phase: the device says what it has made of it. A repeated acknowledgement gets the same key again. 0, or the
 * status that refuses the device. */
static int acknowledge(struct request *request, struct provision *work, uint32_t key, uint32_t status)
{
	Belfry__Role__DeviceRecord *device = request->device_record;

	if (key == 0 || (key != device->policy_key_pending && key != device->policy_key_acknowledged)) {
		work->policy_status = POLICY_WRONG_KEY;
		return 0;
	}
	int refused = judge(request, status);
	if (refused != 0)
		return refused;
	work->policy_status = POLICY_SUCCESS;
	if (status != DEVICE_APPLIED && status != DEVICE_PARTIALLY)
		return 0; /* it refused: it gets no key that counts */
	if (key == device->policy_key_pending) {
		device->policy_key_acknowledged = key;
		device->policy_key_pending = 0;
		device->policy_key = new_key();
		device->policy_digest = request->engine->policy_digest;
		request->device_changed = true;
	}
	work->key = device->policy_key;
	return 0;
}

/* 0, or the status that refuses the request as a whole. */
static int read_request(struct request *request, struct provision *work)
{
	const struct wbxml_node *policies = wbxml_node_child(request->root, AS_PROVISION_POLICIES);
	const struct wbxml_node *policy = wbxml_node_child(policies, AS_PROVISION_POLICY);
	uint32_t status = 0, key = 0;

	work->tells_device = device_information_take(request,
		wbxml_node_child(request->root, AS_SETTINGS_DEVICEINFORMATION));
	work->type = wbxml_node_text(policy, AS_PROVISION_POLICYTYPE);
	if (work->type == NULL || wbxml_node_count(policies, AS_PROVISION_POLICY) != 1)
		return STATUS_PROTOCOL_ERROR;
	enum wbxml_value has_key = wbxml_node_number(policy, AS_PROVISION_POLICYKEY, &key);
	enum wbxml_value has_status = wbxml_node_number(policy, AS_PROVISION_STATUS, &status);
	if (strcmp(work->type, "MS-EAS-Provisioning-WBXML") != 0)
		work->policy_status = POLICY_UNKNOWN_TYPE;
	else if (has_status == WBXML_VALUE_MISSING)
		return give(request, work);
	else if (has_status != WBXML_VALUE_GOOD || has_key == WBXML_VALUE_BAD)
		return STATUS_PROTOCOL_ERROR;
	else
		return acknowledge(request, work, key, status);
	return 0;
}

/* It acknowledges a wipe, or, with nothing in it, asks whether there is to be one: there never is. */
static bool is_about_wipe(const struct request *request)
{
	return wbxml_node_is_empty(request->root) || (wbxml_node_child(request->root, AS_PROVISION_POLICIES) == NULL &&
		wbxml_node_child(request->root, AS_PROVISION_REMOTEWIPE) != NULL);
}

void provision_run(struct request *request)
{
	struct provision *work = arena_alloc(request->arena, sizeof *work);

	request->work = work;
	int status = is_about_wipe(request) ? STATUS_SUCCESS : read_request(request, work);
	if (status != 0)
		request_answer_status(request, status);
	else if (request->device_changed)
		request_commit(request, NULL, 0, committed);
	else
		write_answer(request, work);
}

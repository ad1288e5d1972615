/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy: its document, its digest, and who may pass. */
#include "gateway/activesync/policy.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "gateway/activesync/engine_state.h"

/* The rows of EASProvisionDoc in the order of MS-ASPROV's schema. What an admin cannot choose has the value that asks
 * for nothing. */
enum row_kind { ROW_FIXED, ROW_PASSWORD, ROW_LENGTH, ROW_LOCK, ROW_ATTEMPTS, ROW_ENCRYPTION, ROW_EMPTY };

static const struct {
	uint16_t tag;
	enum row_kind kind;
	unsigned value;
} rows[] = {
	{AS_PROVISION_DEVICEPASSWORDENABLED, ROW_PASSWORD, 0},
	{AS_PROVISION_ALPHANUMERICDEVICEPASSWORDREQUIRED, ROW_FIXED, 0},
	{AS_PROVISION_PASSWORDRECOVERYENABLED, ROW_FIXED, 0},
	{AS_PROVISION_REQUIRESTORAGECARDENCRYPTION, ROW_FIXED, 0},
	{AS_PROVISION_ATTACHMENTSENABLED, ROW_FIXED, 1},
	{AS_PROVISION_MINDEVICEPASSWORDLENGTH, ROW_LENGTH, 0},
	{AS_PROVISION_MAXINACTIVITYTIMEDEVICELOCK, ROW_LOCK, 0},
	{AS_PROVISION_MAXDEVICEPASSWORDFAILEDATTEMPTS, ROW_ATTEMPTS, 0},
	{AS_PROVISION_MAXATTACHMENTSIZE, ROW_EMPTY, 0},
	{AS_PROVISION_ALLOWSIMPLEDEVICEPASSWORD, ROW_FIXED, 1},
	{AS_PROVISION_DEVICEPASSWORDEXPIRATION, ROW_EMPTY, 0},
	{AS_PROVISION_DEVICEPASSWORDHISTORY, ROW_FIXED, 0},
	{AS_PROVISION_ALLOWSTORAGECARD, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWCAMERA, ROW_FIXED, 1},
	{AS_PROVISION_REQUIREDEVICEENCRYPTION, ROW_ENCRYPTION, 0},
	{AS_PROVISION_ALLOWUNSIGNEDAPPLICATIONS, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWUNSIGNEDINSTALLATIONPACKAGES, ROW_FIXED, 1},
	{AS_PROVISION_MINDEVICEPASSWORDCOMPLEXCHARACTERS, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWWIFI, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWTEXTMESSAGING, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWPOPIMAPEMAIL, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWBLUETOOTH, ROW_FIXED, 2},
	{AS_PROVISION_ALLOWIRDA, ROW_FIXED, 1},
	{AS_PROVISION_REQUIREMANUALSYNCWHENROAMING, ROW_FIXED, 0},
	{AS_PROVISION_ALLOWDESKTOPSYNC, ROW_FIXED, 1},
	{AS_PROVISION_MAXCALENDARAGEFILTER, ROW_FIXED, 0},
	{AS_PROVISION_ALLOWHTMLEMAIL, ROW_FIXED, 1},
	{AS_PROVISION_MAXEMAILAGEFILTER, ROW_FIXED, 0},
	{AS_PROVISION_ALLOWBROWSER, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWCONSUMEREMAIL, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWREMOTEDESKTOP, ROW_FIXED, 1},
	{AS_PROVISION_ALLOWINTERNETSHARING, ROW_FIXED, 1},
};

/* -1: the row is without content: no limit. */
static int row_value(const struct policy_settings *policy, size_t row)
{
	switch (rows[row].kind) {
	case ROW_PASSWORD: return policy->password;
	case ROW_LENGTH: return policy->password ? (int)policy->password_min_length : -1;
	case ROW_LOCK: return policy->inactivity_lock_s == 0 || !policy->password ? -1 : (int)policy->inactivity_lock_s;
	case ROW_ATTEMPTS: return policy->password ? (int)policy->max_failed_attempts : -1;
	case ROW_ENCRYPTION: return policy->encryption;
	case ROW_EMPTY: return -1;
	case ROW_FIXED: break;
	}
	return (int)rows[row].value;
}

void policy_write(const struct policy_settings *policy, unsigned version, struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_PROVISION_EASPROVISIONDOC);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!activesync_token_is_known_to(rows[i].tag, version))
			continue;
		int value = row_value(policy, i);
		if (value < 0)
			wbxml_writer_empty_element(writer, rows[i].tag);
		else
			wbxml_writer_number_element(writer, rows[i].tag, value);
	}
	wbxml_writer_end(writer);
}

void policy_digest(const struct policy_settings *policy, char digest_r[33])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[1024];
	size_t length = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%x=%d;", rows[i].tag, row_value(policy, i));
	EVP_Digest(text, length, digest, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 16; i++)
		snprintf(digest_r + i * 2, 3, "%02x", digest[i]);
}

/* MS-ASCMD 2.2.2: 141 does not know what a policy is, 142 not provisioned, 143 the policy has changed, 144 not the key
 * that was given. */
static int missing(const struct request *request)
{
	const Belfry__Role__DeviceRecord *device = request->device_record;

	if (!request->has_policy_key) /* a device that has none yet says 0 */
		return COMMON_LEGACY_DEVICE;
	if (device->policy_key == 0 || request->policy_key == 0)
		return COMMON_DEVICE_NOT_PROVISIONED;
	if (strcmp(device->policy_digest, request->engine->policy_digest) != 0)
		return COMMON_POLICY_REFRESH;
	return request->policy_key == device->policy_key ? 0 : COMMON_INVALID_POLICY_KEY;
}

bool policy_lets_pass(struct request *request)
{
	if (!request->command->needs_policy || !request->engine->settings->policy.required)
		return true;
	int status = missing(request);
	if (status == 0)
		return true;
	if (request->version >= 140 && request->command->status != 0)
		request_answer_status(request, status);
	else
		request_answer_http(request, 449, "the device has to accept the policy first"); /* MS-ASPROV 3.1.5.1.1 */
	return false;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The token tables: complete, and at the places where other implementations are known to be wrong, right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"

/* Tokens a page, those of old versions included. */
static void every_page_has_its_tokens(void **state)
{
	static const unsigned counts[ACTIVESYNC_PAGES] = {37, 58, 59, 18, 56, 8, 10, 20, 13, 34, 25, 6, 10, 10, 55, 29, 14, 40, 38, 8, 21, 19, 18, 5, 20, 22};
	unsigned sum = 0;

	(void)state;
	for (unsigned page = 0; page < ACTIVESYNC_PAGES; page++) {
		unsigned count = 0;
		for (unsigned token = 0; token < WBXML_TAGS_A_PAGE; token++)
			count += activesync_token_name((uint8_t)page, (uint8_t)token) != NULL;
		assert_int_equal(count, counts[page]);
		assert_non_null(activesync_language.pages[page].xmlns);
		sum += count;
	}
	assert_int_equal(sum, ACTIVESYNC_TOKENS);
}

static void tokens_have_their_names(void **state)
{
	static const struct { uint16_t tag; uint8_t page, token; const char *xmlns, *name; } cases[] = {
		{AS_AIRSYNC_SYNC, 0x00, 0x05, "AirSync", "Sync"},
		{AS_AIRSYNC_HEARTBEATINTERVAL, 0x00, 0x29, "AirSync", "HeartbeatInterval"},
		{AS_CONTACTS_BUSINESSADDRESSCITY, 0x01, 0x0D, "Contacts", "BusinessAddressCity"},
		{AS_EMAIL_FLAGTYPE, 0x02, 0x3D, "Email", "FlagType"},
		{AS_EMAIL_STATUS, 0x02, 0x3B, "Email", "Status"},
		{AS_CALENDAR_CLIENTUID, 0x04, 0x3C, "Calendar", "ClientUid"},
		{AS_MEETINGRESPONSE_PROPOSEDSTARTTIME, 0x08, 0x10, "MeetingResponse", "ProposedStartTime"},
		{AS_MEETINGRESPONSE_PROPOSEDENDTIME, 0x08, 0x11, "MeetingResponse", "ProposedEndTime"},
		{AS_MEETINGRESPONSE_SENDRESPONSE, 0x08, 0x12, "MeetingResponse", "SendResponse"},
		{AS_PROVISION_DEVICEPASSWORDENABLED, 0x0E, 0x0E, "Provision", "DevicePasswordEnabled"},
		{AS_PROVISION_ATTACHMENTSENABLED, 0x0E, 0x13, "Provision", "AttachmentsEnabled"},
		{AS_PROVISION_HASH, 0x0E, 0x3A, "Provision", "Hash"},
		{AS_PROVISION_ACCOUNTONLYREMOTEWIPE, 0x0E, 0x3B, "Provision", "AccountOnlyRemoteWipe"},
		{AS_GAL_DATA, 0x10, 0x12, "GAL", "Data"},
		{AS_AIRSYNCBASE_INSTANCEID, 0x11, 0x2D, "AirSyncBase", "InstanceId"},
		{AS_SETTINGS_SMTPADDRESS, 0x12, 0x1F, "Settings", "SMTPAddress"},
		{AS_COMPOSEMAIL_FORWARDEEEMAIL, 0x15, 0x18, "ComposeMail", "ForwardeeEmail"},
		{AS_EMAIL2_SEND, 0x16, 0x17, "Email2", "Send"},
		{AS_RIGHTSMANAGEMENT_REMOVERIGHTSMANAGEMENTPROTECTION, 0x18, 0x18, "RightsManagement", "RemoveRightsManagementProtection"},
		{AS_FIND_FIND, 0x19, 0x05, "Find", "Find"},
		{AS_FIND_PICTURE, 0x19, 0x22, "Find", "Picture"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(cases[i].tag, cases[i].page << 8 | cases[i].token);
		assert_string_equal(activesync_token_name(cases[i].page, cases[i].token), cases[i].name);
		assert_string_equal(activesync_language.pages[cases[i].page].xmlns, cases[i].xmlns);
	}
}

static void what_is_no_token_has_no_name(void **state)
{
	(void)state;
	assert_null(activesync_token_name(0x00, 0x04));
	assert_null(activesync_token_name(0x00, 0x2A));
	assert_null(activesync_token_name(0x0E, 0x3C));
	assert_null(activesync_token_name(0x19, 0x0F)); /* a gap in the table */
	assert_null(activesync_token_name(0x1A, 0x05));
	assert_null(activesync_token_name(0xFF, 0x3F));
}

static void a_version_knows_its_tokens_only(void **state)
{
	static const struct { uint16_t tag; bool v121, v141, v161; } cases[] = {
		{AS_AIRSYNC_SYNCKEY, true, true, true},
		{AS_AIRSYNC_CONVERSATIONMODE, false, true, true},
		{AS_AIRSYNC_TRUNCATION, false, false, false},
		{AS_GETITEMESTIMATE_CLASS, true, false, false},
		{AS_EMAIL_GLOBALOBJID, true, true, false},
		{AS_CALENDAR_LOCATION, true, true, false},
		{AS_AIRSYNCBASE_LOCATION, false, false, true},
		{AS_MEETINGRESPONSE_PROPOSEDENDTIME, false, false, true},
		{AS_FIND_FIND, false, false, true},
		{AS_AIRNOTIFY_NOTIFY, false, false, false},
		{0x1A05, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(activesync_token_is_known_to(cases[i].tag, 121), cases[i].v121);
		assert_int_equal(activesync_token_is_known_to(cases[i].tag, 141), cases[i].v141);
		assert_int_equal(activesync_token_is_known_to(cases[i].tag, 161), cases[i].v161);
	}
	assert_false(activesync_token_is_known_to(AS_FIND_FIND, 160));
	assert_true(activesync_token_is_known_to(AS_CALENDAR_CLIENTUID, 160));
}

static void passwords_are_secrets(void **state)
{
	(void)state;
	assert_true(wbxml_tag_is_secret(&activesync_language, AS_SETTINGS_PASSWORD));
	assert_true(wbxml_tag_is_secret(&activesync_language, AS_SEARCH_PASSWORD));
	assert_true(wbxml_tag_is_secret(&activesync_language, AS_ITEMOPERATIONS_PASSWORD));
	assert_false(wbxml_tag_is_secret(&activesync_language, AS_ITEMOPERATIONS_USERNAME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_has_its_tokens),
		cmocka_unit_test(tokens_have_their_names),
		cmocka_unit_test(what_is_no_token_has_no_name),
		cmocka_unit_test(a_version_knows_its_tokens_only),
		cmocka_unit_test(passwords_are_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policies (MS-ASPROV): who may pass, and how a device gets to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

#define TYPE "PolicyType=MS-EAS-Provisioning-WBXML"
#define DEVICE "DeviceInformation{Set{Model=M OS=O}}"

static const struct policy_settings policy = {.required = true, .password = true, .password_min_length = 6,
	.inactivity_lock_s = 300, .max_failed_attempts = 8};

static void begin(struct try_engine *try)
{
	try_begin(try, &policy);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
}

static const char *ask_for_policy(struct try_engine *try)
{
	static char key[32];

	try_command(try, "Provision", "Provision{" DEVICE " Policies{Policy{" TYPE "}}}");
	snprintf(key, sizeof key, "%s", try_text(try, "PolicyKey", 0));
	return key;
}

static const char *acknowledge(struct try_engine *try, const char *given, const char *status)
{
	static char key[32];
	char body[256];

	snprintf(body, sizeof body, "Provision{Policies{Policy{" TYPE " PolicyKey=%s Status=%s}}}", given, status);
	try_command(try, "Provision", body);
	snprintf(key, sizeof key, "%s", try_text(try, "PolicyKey", 0));
	return key;
}

/* How FolderSync goes with that key: "1", "142" …, or "http=449". */
static const char *pass(struct try_engine *try, const char *key, const char *version)
{
	static char text[32];
	unsigned http = try_ask(try, &(struct try_request){.command = "FolderSync", .body = "FolderSync{SyncKey=0}",
		.policy_key = key, .version = version});

	if (http == 200)
		return try_text(try, "Status", 0);
	snprintf(text, sizeof text, "http=%u", http);
	return text;
}

static void a_device_gets_in_by_two_phases(void **state)
{
	struct try_engine try;
	char temporary[32], key[32];

	(void)state;
	begin(&try);
	snprintf(temporary, sizeof temporary, "%s", ask_for_policy(&try));
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_string_equal(try_text(&try, "Status", 1), "1");
	assert_string_equal(try_text(&try, "PolicyType", 0), "MS-EAS-Provisioning-WBXML");
	assert_string_equal(try_text(&try, "DevicePasswordEnabled", 0), "1");
	assert_string_equal(try_text(&try, "MinDevicePasswordLength", 0), "6");
	assert_string_equal(try_text(&try, "MaxInactivityTimeDeviceLock", 0), "300");
	assert_string_equal(try_text(&try, "MaxDevicePasswordFailedAttempts", 0), "8");
	assert_true(strtoul(temporary, NULL, 10) != 0);
	assert_string_equal(pass(&try, temporary, "14.1"), "142"); /* not yet */
	snprintf(key, sizeof key, "%s", acknowledge(&try, temporary, "1"));
	assert_string_equal(try_text(&try, "Status", 1), "1");
	assert_int_equal(try_count(&try, "<Data>"), 0);
	assert_string_not_equal(key, temporary);
	assert_string_equal(pass(&try, key, "14.1"), "1");
	assert_string_equal(pass(&try, key, "12.1"), "1");
	try_end(&try);
}

static void an_acknowledgement_that_comes_twice_gets_the_same_key(void **state)
{
	struct try_engine try;
	char temporary[32], key[32];

	(void)state;
	begin(&try);
	snprintf(temporary, sizeof temporary, "%s", ask_for_policy(&try));
	snprintf(key, sizeof key, "%s", acknowledge(&try, temporary, "1"));
	assert_string_equal(acknowledge(&try, temporary, "1"), key);
	assert_string_equal(pass(&try, key, "14.1"), "1");
	try_end(&try);
}

static void who_has_no_or_another_key_is_told_what_to_do(void **state)
{
	struct try_engine try;
	char key[32];

	(void)state;
	begin(&try);
	assert_string_equal(pass(&try, NULL, "14.1"), "141");
	assert_string_equal(pass(&try, "0", "14.1"), "142");
	assert_string_equal(pass(&try, "12345", "14.1"), "142");
	assert_string_equal(pass(&try, NULL, "12.1"), "http=449");
	snprintf(key, sizeof key, "%s", acknowledge(&try, ask_for_policy(&try), "1"));
	assert_string_equal(pass(&try, NULL, "14.0"), "141");
	assert_string_equal(pass(&try, "0", "14.0"), "142");
	assert_string_equal(pass(&try, "12345", "14.0"), "144");
	assert_string_equal(pass(&try, "12345", "12.1"), "http=449");
	assert_string_equal(pass(&try, "rubbish", "14.0"), "142");
	assert_string_equal(pass(&try, key, "14.0"), "1");
	for (size_t i = 0; i < try.record_count; i++)
		if (strcmp(try.records[i].key, "device") == 0) {
			const char *digest = try.records[i].value.data;
			size_t at = 0; /* the digest is the only text of 32 hexadecimal digits: another policy was in force */
			while (strspn(digest + at, "0123456789abcdef") < 32)
				at++;
			try.records[i].value.data[at] ^= 1;
		}
	assert_string_equal(pass(&try, key, "14.0"), "143");
	assert_string_equal(pass(&try, key, "12.1"), "http=449");
	snprintf(key, sizeof key, "%s", acknowledge(&try, ask_for_policy(&try), "1"));
	assert_string_equal(pass(&try, key, "14.1"), "1");
	try_end(&try);
}

static void every_command_but_provision_waits_for_the_policy(void **state)
{
	static const struct {
		const char *command, *body;
	} cases[] = {
		{"Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1}}}"},
		{"Ping", "Ping{HeartbeatInterval=60 Folders{Folder{Id=1 Class=Email}}}"},
		{"FolderSync", "FolderSync{SyncKey=0}"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		struct try_request ask = {.command = cases[i].command, .body = cases[i].body, .policy_key = "0"};
		assert_int_equal(try_ask(&try, &ask), 200);
		assert_string_equal(try_text(&try, "Status", 0), "142");
		assert_int_equal(try_count(&try, "<Status>"), 1);
		ask.version = "12.1";
		assert_int_equal(try_ask(&try, &ask), 449);
		try_end(&try);
	}
}

static void a_wrong_acknowledgement_gives_no_key(void **state)
{
	static const struct {
		const char *key, *acknowledged, *status, *policy_status;
	} cases[] = {
		{"1", "1", "1", "5"}, {"0", "1", "1", "5"}, {NULL, "2", "139", ""}, {NULL, "3", "1", "1"}, {NULL, "4", "145", ""},
		{NULL, "99", "1", "1"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		const char *given = ask_for_policy(&try);
		assert_string_equal(acknowledge(&try, cases[i].key == NULL ? given : cases[i].key, cases[i].acknowledged), "");
		assert_string_equal(try_text(&try, "Status", 0), cases[i].status);
		assert_string_equal(try_text(&try, "Status", 1), cases[i].policy_status);
		assert_string_equal(pass(&try, given, "14.1"), "142");
		try_end(&try);
	}
}

static void a_wrong_request_is_told_so(void **state)
{
	static const struct {
		const char *body, *status, *policy_status;
	} cases[] = {
		{"Provision", "1", ""},
		{"Provision{RemoteWipe{Status=1}}", "1", ""},
		{"Provision{Policies}", "2", ""},
		{"Provision{Policies{Policy{" TYPE "}}}", "165", ""},
		{"Provision{DeviceInformation{Set{OS=O}} Policies{Policy{" TYPE "}}}", "165", ""},
		{"Provision{Policies{Policy}}", "2", ""},
		{"Provision{Policies{Policy{" TYPE "} Policy{" TYPE "}}}", "2", ""},
		{"Provision{Policies{Policy{" TYPE " PolicyKey=x Status=1}}}", "2", ""},
		{"Provision{Policies{Policy{" TYPE " PolicyKey=1 Status=x}}}", "2", ""},
		{"Provision{Policies{Policy{" TYPE " PolicyKey=1 Status}}}", "2", ""},
		{"Provision{Policies{Policy{PolicyType=MS-WAP-Provisioning-XML}}}", "1", "3"},
		{"Provision{Policies{Policy{PolicyType}}}", "1", "3"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&try);
		try_command(&try, "Provision", cases[i].body);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0 ||
		    strcmp(try_text(&try, "Status", 1), cases[i].policy_status) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		assert_string_equal(try_text(&try, "PolicyKey", 0), "");
		try_end(&try);
	}
}

static void device_information_is_accepted(void **state)
{
	struct try_engine try;

	(void)state;
	begin(&try);
	try_command(&try, "Provision", "Provision{" DEVICE " Policies{Policy{" TYPE "}}}");
	assert_non_null(strstr(buffer_string(&try.xml), "<Provision xmlns=\"Provision\"><DeviceInformation "
		"xmlns=\"Settings\"><Status>1</Status></DeviceInformation><Status>1</Status>"));
	try_command(&try, "Provision", "Provision{Policies{Policy{" TYPE "}}}"); /* once is enough */
	assert_string_equal(try_text(&try, "Status", 0), "1");
	assert_int_equal(try_count(&try, "<DeviceInformation"), 0);
	try_end(&try);
}

static void without_a_policy_everybody_passes(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	assert_string_equal(pass(&try, NULL, "14.1"), "1");
	assert_string_equal(pass(&try, "12345", "12.1"), "1");
	assert_string_equal(ask_for_policy(&try), "");
	assert_string_equal(try_text(&try, "Status", 1), "1");
	assert_string_equal(try_text(&try, "Status", 2), "2");
	try_end(&try);
}

static void each_version_gets_the_elements_that_it_knows(void **state)
{
	static const struct policy_settings policies[] = {
		{.required = true},
		{.required = true, .password = true, .password_min_length = 4, .max_failed_attempts = 4, .encryption = true},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < 3; k++) {
			try_begin(&try, &policies[i]);
			struct try_request ask = {.command = "Provision", .body = "Provision{" DEVICE " Policies{Policy{" TYPE "}}}",
				.version = (const char *const[]){"12.1", "14.0", "14.1"}[k]};
			assert_int_equal(try_ask(&try, &ask), 200);
			assert_string_equal(try_text(&try, "DevicePasswordEnabled", 0), i == 0 ? "0" : "1");
			assert_string_equal(try_text(&try, "MinDevicePasswordLength", 0), i == 0 ? "" : "4");
			assert_string_equal(try_text(&try, "RequireDeviceEncryption", 0), i == 0 ? "0" : "1");
			try_end(&try);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_gets_in_by_two_phases),
		cmocka_unit_test(an_acknowledgement_that_comes_twice_gets_the_same_key),
		cmocka_unit_test(who_has_no_or_another_key_is_told_what_to_do),
		cmocka_unit_test(every_command_but_provision_waits_for_the_policy),
		cmocka_unit_test(a_wrong_acknowledgement_gives_no_key),
		cmocka_unit_test(a_wrong_request_is_told_so),
		cmocka_unit_test(device_information_is_accepted),
		cmocka_unit_test(without_a_policy_everybody_passes),
		cmocka_unit_test(each_version_gets_the_elements_that_it_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

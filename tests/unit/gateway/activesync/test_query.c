/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The query of a request in both its forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "gateway/activesync/query.h"

static struct arena *arena;
static struct query query;

static int parse(const char *text)
{
	struct error error = {""};
	/* in a block of exactly its size, so that the sanitizer sees the first byte read too many */
	char *copy = malloc(strlen(text) + 1);

	strcpy(copy, text);
	arena_free(&arena);
	arena = arena_create(0);
	int result = query_parse(&query, arena, copy, &error);
	assert_int_equal(result < 0, error.text[0] != '\0');
	free(copy);
	return result;
}

static int set_up(void **state)
{
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void the_plain_form_names_its_parameters(void **state)
{
	(void)state;
	assert_int_equal(parse("Cmd=Sync&User=EX%5Calice%40example.org&DeviceId=ApplX1&DeviceType=iPhone"), 0);
	assert_string_equal(query.command, "Sync");
	assert_string_equal(query.user, "EX\\alice@example.org");
	assert_string_equal(query.device_id, "ApplX1");
	assert_string_equal(query.device_type, "iPhone");
	assert_int_equal(query.version, 0);
	assert_false(query.has_policy_key);
	assert_string_equal(query.collection_id, "");
	assert_false(query.saves_in_sent);
}

static void names_come_in_any_case_and_order(void **state)
{
	(void)state;
	assert_int_equal(parse("devicetype=a+b&DEVICEID=x&collectionID=5&ItemId=5%3a7&AttachmentName=a%26b%3dc"
		"&SaveInSent=T&Other=1&&cmd=SmartReply&"), 0);
	assert_string_equal(query.command, "SmartReply");
	assert_string_equal(query.device_type, "a b");
	assert_string_equal(query.collection_id, "5");
	assert_string_equal(query.item_id, "5:7");
	assert_string_equal(query.attachment_name, "a&b=c");
	assert_true(query.saves_in_sent);
	assert_int_equal(parse("Cmd=Sync&DeviceId=x&DeviceType=y&SaveInSent=F"), 0);
	assert_false(query.saves_in_sent);
	assert_string_equal(query.user, "");
}

/* MS-ASHTTP 2.2.1.1.1.1 */
static void the_example_of_the_specification_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"), 0);
	assert_int_equal(query.version, 140);
	assert_string_equal(query.command, "Sync");
	assert_string_equal(query.device_id, "v140Device");
	assert_string_equal(query.device_type, "SmartPhone");
	assert_false(query.has_policy_key);
	assert_string_equal(query.user, "");
}

static const char *encode(const uint8_t *bytes, size_t length)
{
	static char text[2048];

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

static void the_base64_form_has_a_policy_key_and_parameters(void **state)
{
	static const uint8_t bytes[] = "\x8d\x13\x09\x04" "\x04" "dev1" "\x04" "\x78\x56\x34\x92" "\x05" "phone"
		"\x08\x05" "alice" "\x01\x01" "5" "\x03\x03" "5:7" "\x04\x03" "5:8" "\x00\x04" "file" "\x07\x01" "\x03" "\x63\x02" "??";

	(void)state;
	assert_int_equal(parse(encode(bytes, sizeof bytes - 1)), 0);
	assert_int_equal(query.version, 141);
	assert_string_equal(query.command, "ItemOperations");
	assert_string_equal(query.device_id, "dev1");
	assert_true(query.has_policy_key);
	assert_int_equal(query.policy_key, 0x92345678);
	assert_string_equal(query.device_type, "phone");
	assert_string_equal(query.user, "alice");
	assert_string_equal(query.collection_id, "5");
	assert_string_equal(query.item_id, "5:7");
	assert_string_equal(query.long_id, "5:8");
	assert_string_equal(query.attachment_name, "file");
	assert_true(query.saves_in_sent);
	assert_true(query.accepts_multipart);
}

/* MS-ASHTTP 2.2.1.1.1.1.2 */
static void each_code_names_its_command(void **state)
{
	static const struct {
		uint8_t code;
		const char *command;
	} cases[] = {
		{0, "Sync"}, {1, "SendMail"}, {2, "SmartForward"}, {3, "SmartReply"}, {4, "GetAttachment"}, {9, "FolderSync"},
		{10, "FolderCreate"}, {11, "FolderDelete"}, {12, "FolderUpdate"}, {13, "MoveItems"}, {14, "GetItemEstimate"},
		{15, "MeetingResponse"}, {16, "Search"}, {17, "Settings"}, {18, "Ping"}, {19, "ItemOperations"}, {20, "Provision"},
		{21, "ResolveRecipients"}, {22, "ValidateCert"}, {23, "Find"}, {5, NULL}, {8, NULL}, {24, NULL}, {255, NULL},
	};
	uint8_t bytes[] = "\x8d\x00\x09\x04" "\x01" "d" "\x00" "\x01" "t";

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bytes[1] = cases[i].code;
		assert_int_equal(parse(encode(bytes, sizeof bytes - 1)), 0);
		if (cases[i].command == NULL)
			assert_null(query.command);
		else
			assert_string_equal(query.command, cases[i].command);
	}
}

static void a_device_has_one_id_in_both_forms(void **state)
{
	static const struct {
		const char *plain;
		const uint8_t *bytes;
		size_t length;
		const char *id;
	} cases[] = {
		{"v140Device", (const uint8_t *)"v140Device", 10, "v140Device"},
		{"ApplDNPHX2R1DTC0", (const uint8_t *)"ApplDNPHX2R1DTC0", 16, "ApplDNPHX2R1DTC0"},
		{"{6F24CAD5-99A5-BF1A-6902-46B8C68FAE8D}", (const uint8_t *)"\x6f\x24\xca\xd5\x99\xa5\xbf\x1a\x69\x02\x46\xb8\xc6\x8f\xae\x8d",
			16, "6F24CAD599A5BF1A690246B8C68FAE8D"},
		{"android-1357", (const uint8_t *)"android-1357", 12, "android1357"},
		{"%00A", NULL, 0, NULL},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; cases[i].id != NULL; i++) {
		uint8_t bytes[64] = {0x8d, 0, 9, 4, (uint8_t)cases[i].length};
		memcpy(bytes + 5, cases[i].bytes, cases[i].length);
		memcpy(bytes + 5 + cases[i].length, "\x00\x01t", 3);
		assert_int_equal(parse(encode(bytes, cases[i].length + 8)), 0);
		assert_string_equal(query.device_id, cases[i].id);
		snprintf(text, sizeof text, "Cmd=Sync&DeviceId=%s&DeviceType=t", cases[i].plain);
		assert_int_equal(parse(text), 0);
		assert_string_equal(query.device_id, cases[i].id);
	}
}

static void base64_comes_padded_escaped_and_in_another_alphabet(void **state)
{
	static const uint8_t bytes[] = "\x8d\x00\x09\x04" "\x04" "dev1" "\x04" "\xff\xff\xfb\xef" "\x04" "phon";
	static const char *const forms[] = {
		"jQAJBARkZXYxBP//++8EcGhvbg==", "jQAJBARkZXYxBP//++8EcGhvbg", "jQAJBARkZXYxBP__--8EcGhvbg",
		"jQAJBARkZXYxBP%2F%2f%2B%2b8EcGhvbg%3D%3D", "jQAJBARkZXYxBP%2F%2F++8EcGhvbg==",
	};

	(void)state;
	assert_string_equal(encode(bytes, sizeof bytes - 1), forms[0]);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (parse(forms[i]) < 0)
			fail_msg("%s", forms[i]);
		assert_int_equal(query.policy_key, 0xeffbffff);
		assert_string_equal(query.device_type, "phon");
	}
}

static void rubbish_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "=", "==", "&", "Cmd", "Cmd=", "rubbish", "!!!!", "A", "AA", "AAA", "AAAA", "%", "%%%%", "%3D", "%20%20%20%20",
		"Cmd=Sync&DeviceId=x", "Cmd=Sync&DeviceType=y", "Cmd=Sync&DeviceId=&DeviceType=y", "Cmd=Sync&DeviceId=x&DeviceType=",
		"Cmd=Sync&DeviceId=%&DeviceType=y", "Cmd=Sync&DeviceId=%1&DeviceType=y", "Cmd=Sync&DeviceId=x%00&DeviceType=y",
		"Cmd=Sync&DeviceId=-{}-&DeviceType=y", "Cmd=Sync&DeviceId=x&DeviceType=a%0d%0ab", "Cmd=Sync&DeviceId=x&DeviceType=%7f",
		"Cmd=Sync&DeviceId=123456789012345678901234567890123&DeviceType=y",
		"Cmd=Sync&DeviceId=x&DeviceType=12345678901234567890123456789012345678901234567890123456789012345",
		"&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&Cmd=Sync&DeviceId=x&DeviceType=y",
		"jAAJBAp2MTQwRGV2aWNl", "jAAJBAp2MTQwRGV2aWNlAA", "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob24", /* cut */
		"jAAJBAp2MTQwRGV2aWNlAwEBAQpTbWFydFBob25l", /* a policy key of three bytes */
		"jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25lCA", /* a tag without a length */
		"jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25lCP8", /* a length beyond the end */
		"jAAJBBFBQUFBQUFBQUFBQUFBQUGAAAF0", /* a raw id of 17 bytes */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (parse(cases[i]) == 0)
			fail_msg("taken: %s", cases[i]);
}

static void a_parameter_too_long_is_refused(void **state)
{
	char text[4096] = "Cmd=Sync&DeviceId=x&DeviceType=y&AttachmentName=";
	size_t length = strlen(text);

	(void)state;
	memset(text + length, 'a', QUERY_VALUE_MAX - strlen("AttachmentName="));
	assert_int_equal(parse(text), 0);
	memset(text + length, 'a', QUERY_VALUE_MAX);
	assert_int_equal(parse(text), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_plain_form_names_its_parameters),
		cmocka_unit_test(names_come_in_any_case_and_order),
		cmocka_unit_test(the_example_of_the_specification_is_read),
		cmocka_unit_test(the_base64_form_has_a_policy_key_and_parameters),
		cmocka_unit_test(each_code_names_its_command),
		cmocka_unit_test(a_device_has_one_id_in_both_forms),
		cmocka_unit_test(base64_comes_padded_escaped_and_in_another_alphabet),
		cmocka_unit_test(rubbish_is_refused),
		cmocka_unit_test(a_parameter_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

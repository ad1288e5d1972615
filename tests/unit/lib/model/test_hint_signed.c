/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hints from other machines: only with the right key, in time, unchanged, and for whom the sender may speak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/hint_signed.h"

static const char key_file[] =
	"# who may send\n"
	"\n"
	"mx1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f example.org,bob@example.net\n"
	"mx2\tffffffffffffffffffffffffffffffff\t*\n";
static const char line[] = "BELFRY1\tuser=alice@example.org\tevent=MessageNew\tid=7\n";

static struct hint_keys *keys_of(const char *text)
{
	struct error error = {""};
	struct hint_keys *keys = hint_keys_parse(text, strlen(text), &error);

	if (keys == NULL)
		fail_msg("%s", error.text);
	return keys;
}

static int verify(const struct hint_keys *keys, const char *datagram, size_t length, int64_t now_s, struct error *error)
{
	struct hint_signature signature;
	struct hint_text text;
	struct hint hint;
	char *exact = malloc(length == 0 ? 1 : length);

	memcpy(exact, datagram, length);
	int result = hint_verify(keys, exact, length, now_s, &text, &hint, &signature, error);
	free(exact);
	return result;
}

static void a_signed_hint_is_believed_within_its_minute(void **state)
{
	struct hint_keys *keys = keys_of(key_file);
	char datagram[HINT_DATAGRAM_MAX];
	struct hint_signature signature;
	struct hint_text text;
	struct hint hint;
	struct error error;

	(void)state;
	int length = hint_sign(keys, line, strlen(line), 5000, datagram, NULL);
	assert_true(length > 0);
	assert_int_equal(hint_verify(keys, datagram, (size_t)length, 5060, &text, &hint, &signature, NULL), 0);
	assert_string_equal(hint.user, "alice@example.org");
	assert_string_equal(signature.sender, "mx1");
	assert_int_equal(signature.time_s, 5000);
	assert_int_equal(verify(keys, datagram, (size_t)length, 4940, NULL), 0);
	assert_int_equal(verify(keys, datagram, (size_t)length, 5061, &error), -1);
	assert_non_null(strstr(error.text, "clock"));
	assert_int_equal(verify(keys, datagram, (size_t)length, 4939, &error), -1);
	hint_keys_free(&keys);
}

static void two_signatures_of_one_line_differ(void **state)
{
	struct hint_keys *keys = keys_of(key_file);
	char one[HINT_DATAGRAM_MAX], two[HINT_DATAGRAM_MAX];

	(void)state;
	int length = hint_sign(keys, line, strlen(line), 5000, one, NULL);
	assert_int_equal(hint_sign(keys, line, strlen(line), 5000, two, NULL), length);
	assert_memory_not_equal(one, two, (size_t)length);
	hint_keys_free(&keys);
}

static void a_changed_byte_anywhere_is_noticed(void **state)
{
	struct hint_keys *keys = keys_of(key_file);
	char datagram[HINT_DATAGRAM_MAX];

	(void)state;
	int length = hint_sign(keys, line, strlen(line), 5000, datagram, NULL);
	for (int i = 0; i < length; i++) {
		datagram[i] ^= 1;
		assert_int_equal(verify(keys, datagram, (size_t)length, 5000, NULL), -1);
		datagram[i] ^= 1;
		assert_int_equal(verify(keys, datagram, (size_t)i, 5000, NULL), -1);
	}
	assert_int_equal(verify(keys, datagram, (size_t)length, 5000, NULL), 0);
	hint_keys_free(&keys);
}

static void another_key_or_an_unknown_sender_is_refused(void **state)
{
	struct hint_keys *keys = keys_of(key_file);
	struct hint_keys *other = keys_of("mx1 00000000000000000000000000000000 example.org\n");
	struct hint_keys *stranger = keys_of("mx9 ffffffffffffffffffffffffffffffff *\n");
	char datagram[HINT_DATAGRAM_MAX];
	struct error error;

	(void)state;
	int length = hint_sign(other, line, strlen(line), 5000, datagram, NULL);
	assert_int_equal(verify(keys, datagram, (size_t)length, 5000, &error), -1);
	assert_non_null(strstr(error.text, "not signed with the key of mx1"));
	length = hint_sign(stranger, line, strlen(line), 5000, datagram, NULL);
	assert_int_equal(verify(keys, datagram, (size_t)length, 5000, &error), -1);
	assert_non_null(strstr(error.text, "no key"));
	hint_keys_free(&keys);
	hint_keys_free(&other);
	hint_keys_free(&stranger);
}

static void a_sender_speaks_for_its_own_domains_and_users_only(void **state)
{
	struct hint_keys *keys = keys_of(key_file);

	(void)state;
	assert_true(hint_sender_may(keys, "mx1", "alice@example.org"));
	assert_true(hint_sender_may(keys, "mx1", "bob@example.net"));
	assert_false(hint_sender_may(keys, "mx1", "alice@example.net"));
	assert_false(hint_sender_may(keys, "mx1", "alice@sub.example.org"));
	assert_false(hint_sender_may(keys, "mx1", "alice"));
	assert_true(hint_sender_may(keys, "mx2", "alice@anywhere.example"));
	assert_false(hint_sender_may(keys, "mx3", "alice@example.org"));
	hint_keys_free(&keys);
}

static void a_wrong_key_file_is_refused_by_line(void **state)
{
	static const struct { const char *text, *why; } cases[] = {
		{"", "no key"},
		{"# nothing\n\n", "no key"},
		{"mx1\n", "line 1: it must be"},
		{"mx1 00112233445566778899aabbccddeeff\n", "line 1: it must be"},
		{"\nmx1 00112233445566778899aabbccddeeff a b\n", "line 2: it must be"},
		{"mx1 0011 *\n", "line 1: a key is"},
		{"mx1 00112233445566778899aabbccddeefg *\n", "line 1: a key is"},
		{"mx1 00112233445566778899aabbccddeeff0 *\n", "line 1: a key is"},
		{"m/x 00112233445566778899aabbccddeeff *\n", "line 1: a sender is"},
		{"a 00112233445566778899aabbccddeeff *\na 00112233445566778899aabbccddeeff *\n", "line 2: this sender"},
	};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(hint_keys_parse(cases[i].text, strlen(cases[i].text), &error));
		if (strstr(error.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, error.text);
	}
	assert_null(hint_keys_parse("mx1 \0", 5, &error));
	assert_null(hint_keys_load("/nonexistent/key", &error));
	assert_non_null(strstr(error.text, "/nonexistent/key: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_hint_is_believed_within_its_minute),
		cmocka_unit_test(two_signatures_of_one_line_differ),
		cmocka_unit_test(a_changed_byte_anywhere_is_noticed),
		cmocka_unit_test(another_key_or_an_unknown_sender_is_refused),
		cmocka_unit_test(a_sender_speaks_for_its_own_domains_and_users_only),
		cmocka_unit_test(a_wrong_key_file_is_refused_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

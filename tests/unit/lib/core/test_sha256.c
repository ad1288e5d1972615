/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 and HMAC against the vectors of their standards and against OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/sha256.h"

static void assert_hex(const uint8_t *bytes, const char *hex)
{
	char digits[2 * SHA256_BYTES + 1];

	for (int i = 0; i < SHA256_BYTES; i++)
		sprintf(digits + 2 * i, "%02x", bytes[i]);
	assert_string_equal(digits, hex);
}

static void the_standards_vectors_come_out(void **state)
{
	uint8_t key[131], out[SHA256_BYTES];
	struct sha256 sha;

	(void)state;
	sha256_init(&sha); /* FIPS 180-4's example */
	sha256_add(&sha, "abc", 3);
	sha256_end(&sha, out);
	assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	memset(key, 0x0b, sizeof key); /* RFC 4231, test cases 1, 2 and 6 */
	hmac_sha256(key, 20, "Hi There", 8, out);
	assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	hmac_sha256(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void every_length_gives_what_openssl_gives(void **state)
{
	uint8_t text[300], ours[SHA256_BYTES], theirs[EVP_MAX_MD_SIZE];
	struct sha256 sha;

	(void)state;
	srand(11);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)rand();
	for (size_t length = 0; length <= sizeof text; length++) {
		size_t first = length == 0 ? 0 : (size_t)rand() % length;
		sha256_init(&sha);
		sha256_add(&sha, text, first);
		sha256_add(&sha, text + first, length - first);
		sha256_end(&sha, ours);
		assert_int_equal(EVP_Digest(text, length, theirs, NULL, EVP_sha256(), NULL), 1);
		assert_memory_equal(ours, theirs, SHA256_BYTES);
		hmac_sha256(text, length, text, sizeof text - length, ours);
		assert_non_null(HMAC(EVP_sha256(), text, (int)length, text, sizeof text - length, theirs, NULL));
		assert_memory_equal(ours, theirs, SHA256_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_vectors_come_out),
		cmocka_unit_test(every_length_gives_what_openssl_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

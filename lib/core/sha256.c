/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256, FIPS 180-4, and the HMAC over it. No branch and no table depends on a secret. */
#include "lib/core/sha256.h"

#include <string.h>

#include "lib/core/mem.h"

/* FIPS 180-4 section 4.2.2 */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned bits)
{
	return x >> bits | x << (32 - bits);
}

static uint32_t load(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store(uint8_t *at, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(word >> (24 - 8 * i));
}

/* Section 6.2.2 */
static void take_block(struct sha256 *sha, const uint8_t *block)
{
	uint32_t schedule[64], v[8];

	for (int t = 0; t < 16; t++)
		schedule[t] = load(block + 4 * t);
	for (int t = 16; t < 64; t++) {
		uint32_t a = schedule[t - 15], b = schedule[t - 2];
		schedule[t] = schedule[t - 16] + schedule[t - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
			(rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(v, sha->hash, sizeof v);
	for (int t = 0; t < 64; t++) {
		uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[t] + schedule[t];
		uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof v[0]);
		v[4] += one;
		v[0] = one + two;
	}
	for (int i = 0; i < 8; i++)
		sha->hash[i] += v[i];
}

void sha256_init(struct sha256 *sha)
{
	/* Section 5.3.3 */
	*sha = (struct sha256){.hash = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (; length > 0; at++, length--) {
		sha->block[sha->length++ % SHA256_BLOCK_BYTES] = *at;
		if (sha->length % SHA256_BLOCK_BYTES == 0)
			take_block(sha, sha->block);
	}
}

void sha256_end(struct sha256 *sha, uint8_t digest_r[SHA256_BYTES])
{
	uint64_t bits = sha->length * 8;
	uint8_t size[8];

	store(size, (uint32_t)(bits >> 32));
	store(size + 4, (uint32_t)bits);
	sha256_add(sha, "\x80", 1);
	while (sha->length % SHA256_BLOCK_BYTES != SHA256_BLOCK_BYTES - sizeof size)
		sha256_add(sha, "", 1);
	sha256_add(sha, size, sizeof size);
	for (int i = 0; i < 8; i++)
		store(digest_r + 4 * i, sha->hash[i]);
}

void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length, uint8_t mac_r[SHA256_BYTES])
{
	uint8_t inner[SHA256_BLOCK_BYTES] = {0}, outer[SHA256_BLOCK_BYTES];
	struct sha256 sha;

	sha256_init(&sha);
	if (key_length > SHA256_BLOCK_BYTES) {
		sha256_add(&sha, key, key_length);
		sha256_end(&sha, inner);
		sha256_init(&sha);
	} else if (key_length > 0) {
		memcpy(inner, key, key_length);
	}
	for (size_t i = 0; i < sizeof inner; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	sha256_add(&sha, inner, sizeof inner);
	sha256_add(&sha, bytes, length);
	sha256_end(&sha, mac_r);
	sha256_init(&sha);
	sha256_add(&sha, outer, sizeof outer);
	sha256_add(&sha, mac_r, SHA256_BYTES);
	sha256_end(&sha, mac_r);
	mem_wipe(&sha, sizeof sha);
	mem_wipe(inner, sizeof inner);
	mem_wipe(outer, sizeof outer);
}

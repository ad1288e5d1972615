/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) in libc alone, because belfry-hook runs in each delivery and loads
 * nothing else. Everything that has OpenSSL at hand uses OpenSSL.
 */
#ifndef BELFRY_LIB_CORE_SHA256_H
#define BELFRY_LIB_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK_BYTES = 64 };

struct sha256 {
	uint32_t hash[8];
	uint64_t length;
	uint8_t block[SHA256_BLOCK_BYTES];
};

void sha256_init(struct sha256 *);
void sha256_add(struct sha256 *, const void *bytes, size_t length);
void sha256_end(struct sha256 *, uint8_t digest_r[SHA256_BYTES]);

void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length, uint8_t mac_r[SHA256_BYTES]);

#endif

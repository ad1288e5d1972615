/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates made on the spot, for tests and load tools. */
#ifndef BELFRY_TESTS_CERTIFICATES_H
#define BELFRY_TESTS_CERTIFICATES_H

#include "lib/core/buffer.h"

/* A self-signed certificate for these names ("DNS:a, IP:127.0.0.1"), valid from `from_s` to `until_s` seconds from now.
 * PEM in both; the caller releases them. */
void certificate_make(const char *names, long from_s, long until_s, struct buffer *chain_r, struct buffer *key_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hint from another machine, in one UDP datagram:
 *
 *     BELFRYU1 TAB mac TAB time TAB nonce TAB sender TAB line
 *
 * mac is HMAC-SHA256 (RFC 2104) with the sender's key over all that follows its TAB, 64 hexadecimal digits; time is in
 * seconds since 1970; nonce is 16 hexadecimal digits; line is a hint's line (hint.h).
 * The receiver refuses what is older or newer than HINT_SIGNED_WINDOW_S, what it cannot verify, and users for whom the
 * sender may not speak; it keeps (sender, nonce) for as long, and drops what it has seen.
 */
#ifndef BELFRY_LIB_MODEL_HINT_SIGNED_H
#define BELFRY_LIB_MODEL_HINT_SIGNED_H

#include <stdbool.h>

#include "lib/model/hint.h"

enum {
	HINT_DATAGRAM_MAX = 1232,   /* what is left of IPv6's smallest packet of 1280 bytes: never fragmented */
	HINT_SIGNED_WINDOW_S = 60,  /* clocks that are kept by NTP differ by far less */
	HINT_SENDER_MAX = 32,
	HINT_NONCE_BYTES = 8,
	HINT_KEY_MIN = 16, HINT_KEY_MAX = 64 /* bytes; longer ones are no stronger, RFC 2104 section 3 */
};

/*
 * The key file: one line a sender, "sender key-in-hex domains", domains with commas between them, "*" for all; with an
 * @ in it a domain is one user. Empty lines and those that begin with # are skipped. A sending machine has a file of
 * one line.
 */
struct hint_keys;
/* NULL with error_r, which names the line. Keys are wiped when freed. */
struct hint_keys *hint_keys_load(const char *path, struct error *error_r);
struct hint_keys *hint_keys_parse(const char *text, size_t length, struct error *error_r);
void hint_keys_free(struct hint_keys **);

/* Signs a line with the file's first key; returns the datagram's length. datagram_r holds HINT_DATAGRAM_MAX. */
int hint_sign(const struct hint_keys *, const char *line, size_t length, int64_t now_s, char *datagram_r,
	struct error *error_r);

struct hint_signature {
	const char *sender;                 /* lives with the keys */
	uint64_t nonce;
	int64_t time_s;
};
/* Verifies and parses. The caller still looks the nonce up and asks hint_sender_may() once the user is canonical. */
int hint_verify(const struct hint_keys *, const char *datagram, size_t length, int64_t now_s,
	struct hint_text *text_r, struct hint *hint_r, struct hint_signature *signature_r, struct error *error_r);
/* May this sender speak for the canonical user alice@example.org? */
bool hint_sender_may(const struct hint_keys *, const char *sender, const char *user);

#endif

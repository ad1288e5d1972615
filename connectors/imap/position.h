/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the answer to STATUS becomes a position. Both halves (the daemon's watch and the workers' Survey) make it here,
 * so that equal states are equal positions.
 */
#ifndef BELFRY_CONNECTORS_IMAP_POSITION_H
#define BELFRY_CONNECTORS_IMAP_POSITION_H

#include <stdbool.h>
#include <stdint.h>

/* What to ask for, with and without CONDSTORE (RFC 7162 §3.1.2.2: HIGHESTMODSEQ there also enables it). */
#define POSITION_STATUS_ITEMS "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"
#define POSITION_STATUS_ITEMS_CONDSTORE POSITION_STATUS_ITEMS " HIGHESTMODSEQ"

/* Set in a token that is a digest. A mod-sequence has 63 bits (RFC 7162 §3.1.3.1): without this bit the token is one,
 * usable with CHANGEDSINCE. */
#define POSITION_DIGEST (UINT64_C(1) << 63)

struct position {
	uint64_t validity, next, token;
};

/* highest_modseq 0: the server gave none (no CONDSTORE, or NOMODSEQ), 1: nothing is numbered yet; then the token is
 * a digest of the counts, so that a mailbox without mod-sequences never reads as unchanged. */
struct position position_from_status(uint64_t uid_validity, uint64_t uid_next, uint64_t messages, uint64_t unseen,
	uint64_t highest_modseq);

static inline bool position_is_modseq(uint64_t token)
{
	return token != 0 && (token & POSITION_DIGEST) == 0;
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Positions of IMAP mailboxes. */
#include "connectors/imap/position.h"

/* The finaliser of splitmix64: every bit of the input moves half of the output's. */
static uint64_t mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

struct position position_from_status(uint64_t uid_validity, uint64_t uid_next, uint64_t messages, uint64_t unseen,
	uint64_t highest_modseq)
{
	uint64_t token = highest_modseq;

	if (highest_modseq <= 1 || (highest_modseq & POSITION_DIGEST))
		token = mix(mix(mix(messages) ^ unseen) ^ uid_next) | POSITION_DIGEST;
	return (struct position){.validity = uid_validity, .next = uid_next, .token = token};
}

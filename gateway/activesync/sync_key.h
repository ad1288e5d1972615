/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SyncKeys of FolderSync and Sync: "SERIES-NUMBER". The series is new each time a device starts from 0, so that a key
 * of an earlier life never matches; the number counts the answers.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SYNC_KEY_H
#define BELFRY_GATEWAY_ACTIVESYNC_SYNC_KEY_H

#include <stdint.h>

enum { SYNC_KEY_TEXT = 24 };

struct sync_key {
	uint32_t series, number; /* number 0: the device starts anew */
};

/* -1: no key of ours. */
int sync_key_parse(const char *text, struct sync_key *key_r);
void sync_key_format(uint32_t series, uint32_t number, char text_r[SYNC_KEY_TEXT]);
/* Random, never 0. */
uint32_t sync_key_new_series(void);

/* How a key of the device stands to the state that is kept. */
enum sync_key_is { SYNC_KEY_INITIAL, SYNC_KEY_CURRENT, SYNC_KEY_REPEATED, SYNC_KEY_INVALID };
enum sync_key_is sync_key_compare(const struct sync_key *, uint32_t series, uint32_t number);

#endif

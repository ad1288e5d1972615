/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine itself: for gateway/activesync only. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_ENGINE_STATE_H
#define BELFRY_GATEWAY_ACTIVESYNC_ENGINE_STATE_H

#include "gateway/activesync/activesync.h"

struct parks;

struct activesync {
	struct engine_host host;
	const struct activesync_engine_settings *settings;
	struct parks *parks;      /* held Pings, park.c */
	char policy_digest[33];   /* of the policy in force */
	struct request *under_way; /* a list (utlist) */
};

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Ping and the held Pings share (MS-ASCMD 2.2.1.13). */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_PING_H
#define BELFRY_GATEWAY_ACTIVESYNC_PING_H

#include "gateway/activesync/park.h"

/* MS-ASCMD 2.2.3.177.11 */
enum ping_status {
	PING_STATUS_NOTHING = 1,
	PING_STATUS_CHANGES = 2,
	PING_STATUS_MISSING_PARAMETERS = 3,
	PING_STATUS_SYNTAX = 4,
	PING_STATUS_HEARTBEAT = 5,
	PING_STATUS_TOO_MANY_FOLDERS = 6,
	PING_STATUS_HIERARCHY = 7,
	PING_STATUS_SERVER_ERROR = 8
};

extern const struct park_kind ping_kind;

/* A folder with its position from record "position/ID"; without a record nothing is known: it counts as changed. */
struct park_folder ping_folder(uint32_t id, const Belfry__Role__Record *, struct arena *);

#endif

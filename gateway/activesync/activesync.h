/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine for Exchange ActiveSync 12.1, 14.0 and 14.1 (MS-ASHTTP, MS-ASCMD). */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_ACTIVESYNC_H
#define BELFRY_GATEWAY_ACTIVESYNC_ACTIVESYNC_H

#include "gateway/engine.h"
#include "gateway/service/directory.h"
#include "gateway/service/hub_client.h"
#include "gateway/service/settings.h"

/* engine_host.settings of this engine. */
struct activesync_engine_settings {
	struct activesync_settings limits;
	struct policy_settings policy;
	const struct directory *directory;
};

extern const struct engine activesync_engine;

#endif

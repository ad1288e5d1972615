/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hub's and the connector's end of try_engine.h. */
#ifndef BELFRY_TESTS_UNIT_GATEWAY_ACTIVESYNC_TRY_ENDS_H
#define BELFRY_TESTS_UNIT_GATEWAY_ACTIVESYNC_TRY_ENDS_H

#include "tests/unit/gateway/activesync/try_engine.h"

void try_ends_begin(struct try_engine *);
void try_ends_end(struct try_engine *);

#endif

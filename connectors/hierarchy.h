/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a user's hierarchy stands: the position of the collection "" (connectors/contract.h). */
#ifndef BELFRY_CONNECTORS_HIERARCHY_H
#define BELFRY_CONNECTORS_HIERARCHY_H

#include "lib/ipc/connector.pb-c.h"

/* Equal lists in equal order are equal tokens. Never 0. */
uint64_t hierarchy_token(Belfry__Connector__Collection *const *list, size_t count);

/* Beside the token: the same for all, so that nothing but the token differs, and no position proves another one old. */
enum { HIERARCHY_VALIDITY = 1, HIERARCHY_NEXT = 1 };

#endif

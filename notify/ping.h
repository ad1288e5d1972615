/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The notifier of devices that hold a request (ActiveSync Ping and waiting Sync): the front answers it. */
#ifndef BELFRY_NOTIFY_PING_H
#define BELFRY_NOTIFY_PING_H

#include "notify/contract.h"

extern const struct notifier notifier_ping;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The smallest notifier: rings nobody and says so in the trace. For tests, and for a look at what would ring. */
#ifndef BELFRY_NOTIFY_NULL_H
#define BELFRY_NOTIFY_NULL_H

#include "notify/contract.h"

extern const struct notifier notifier_null;

#endif

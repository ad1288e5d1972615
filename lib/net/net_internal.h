/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of lib/net share. */
#ifndef BELFRY_LIB_NET_NET_INTERNAL_H
#define BELFRY_LIB_NET_NET_INTERNAL_H

#include "lib/net/net.h"

/* The inherited socket of a place; -1: none. */
int net_place_fd(struct net *, const char *place);

#endif

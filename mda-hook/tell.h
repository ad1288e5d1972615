/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Getting a hint to the hub without ever waiting for it. */
#ifndef BELFRY_MDA_HOOK_TELL_H
#define BELFRY_MDA_HOOK_TELL_H

#include "lib/core/error.h"
#include "lib/model/hint.h"

/* Where hints go. */
struct tell_way {
	const char *socket;     /* of the hub on this machine */
	const char *spool;      /* left there when the hub cannot be reached */
	const char *udp;        /* another machine, "ADDRESS:PORT", numeric; NULL: this one */
	const char *key_file;   /* for udp */
};

/* -1: the hint is lost; why is in error_r. Takes no longer than a few system calls. */
int tell(const struct tell_way *, const struct hint *, struct error *error_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling the hub, from within a delivery: nothing here waits for anybody. */
#ifndef BELFRY_MDA_HOOK_TELL_H
#define BELFRY_MDA_HOOK_TELL_H

#include "lib/core/error.h"
#include "lib/model/hint.h"

struct tell_way {
	const char *socket;      /* run_dir/hook.sock */
	const char *spool;       /* run_dir/spool */
	const char *udp;         /* "HOST:PORT", numeric; NULL: the hub is on this machine */
	const char *key_file;    /* for udp */
};

/* By the socket, else by the spool; or by one datagram. A mailbox that cannot be said is left out ("somewhere").
 * -1 with error_r: the hub will find out by itself, later. */
int tell(const struct tell_way *, struct hint *, struct error *error_r);

#endif

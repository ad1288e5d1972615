/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store on disk (Berkeley DB 5.3). Its own thread makes all its calls; the loop never waits for it. */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_OPEN_H
#define BELFRY_GATEWAY_SERVICE_STORE_OPEN_H

#include "gateway/service/store.h"
#include "lib/core/error.h"
#include "lib/core/loop.h"

struct store_settings {
	const char *folder;       /* made with mode 0700 when missing (its parent must exist); one process at a time */
	size_t cache_bytes;       /* 0: STORE_CACHE_BYTES */
	unsigned checkpoint_s;    /* 0: STORE_CHECKPOINT_S */
	unsigned reopen_s;        /* 0: STORE_REOPEN_S */
};

enum {
	STORE_CACHE_BYTES = 64 * 1024 * 1024, /* the records in use of about 10,000 devices; taken as it fills */
	STORE_CHECKPOINT_S = 30,   /* a crash is recovered in about a second at full load */
	STORE_REOPEN_S = 5         /* after a full disk it is tried again this often */
};

/*
 * Opens and, after a crash, recovers: blocks for as long as that takes, so call it before the loop runs. The loop must
 * be a real one. NULL with error_r: cannot be opened; the text says what the admin can do.
 * Call it in the process that uses it (threads do not survive a fork), after its uid is final.
 */
struct store *store_open(struct loop *, const struct store_settings *, struct error *error_r);

#endif

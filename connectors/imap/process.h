/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One worker process: started, talked to by a stream, ended. */
#ifndef BELFRY_CONNECTORS_IMAP_PROCESS_H
#define BELFRY_CONNECTORS_IMAP_PROCESS_H

#include <sys/types.h>

#include "connectors/imap/board.h"
#include "lib/core/error.h"
#include "lib/core/stream.h"

struct process {
	pid_t pid;
	struct board *board;
	struct stream *stream;  /* the pool takes it */
};

/* How workers are started and ended; tests have their own. */
struct process_ways {
	/* -1 with error_r. */
	int (*start)(struct loop *, struct process *process_r, struct error *error_r);
	/* Unmaps the board; the process goes on. */
	void (*release)(struct process *);
	void (*kill)(pid_t);
	/* Is it gone for good, and how (as of waitpid(2))? Asked again until it is; wait: does not come back before. */
	bool (*is_gone)(pid_t, bool wait, int *status_r);
};

/* This very program with --worker, settings and all: belfry-imap. */
extern const struct process_ways process_self;

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hint spool, run_dir/spool: where a hook leaves a hint while the hub cannot be reached (it is being restarted, or
 * its backlog is full). The folder belongs to the hub, mode 1733: whoever delivers may leave a file, only the hub sees
 * them. A file holds one line (lib/model/hint.h), appears whole, and its owner is who said so. In memory (tmpfs),
 * because after a reboot each park is checked anyway.
 *
 * What one user leaves is bounded by the file system alone: who fills it keeps others from leaving hints, and their
 * phones ring at the next recheck.
 */
#ifndef BELFRY_LIB_MODEL_HINT_SPOOL_H
#define BELFRY_LIB_MODEL_HINT_SPOOL_H

#include <sys/types.h>

#include "lib/model/hint.h"

enum { HINT_SPOOL_MODE = 01733 };

/* Lets the hub read what is left there whatever umask the hook has, for a script cannot set a mode (Dovecot's is 077):
 * by an inherited access control list. -1 with error_r: the file system has none. */
int hint_spool_open_to_all(const char *folder, struct error *error_r);

/* Leaves a line. Never waits; -1 with error_r when the folder is not there or full. */
int hint_spool_leave(const char *folder, const char *line, size_t length, struct error *error_r);

struct hint_spool;
/* The hub's side. NULL with error_r. */
struct hint_spool *hint_spool_open(const char *folder, struct error *error_r);
void hint_spool_close(struct hint_spool **);
/*
 * Takes one file out: 1 and the hint with the uid that left it; 0: the folder was gone through (call again later);
 * -1: not yet, but enough for once (call again soon).
 * What is no hint, no plain file, or a second name of somebody's file is removed, with a warning in the log now and
 * then; so is, after HINT_SPOOL_HIDDEN_S, what has a name with a dot in front (a driver was killed that wrote it). What
 * cannot be read because we lack something (descriptors, memory, the disk) stays, and is 0: a later call comes to it.
 */
int hint_spool_take(struct hint_spool *, int64_t now_s, struct hint_text *text_r, struct hint *hint_r, uid_t *from_r);
enum {
	HINT_SPOOL_BATCH = 256,      /* names looked at in a call, so that nobody holds the hub by many */
	HINT_SPOOL_HIDDEN_S = 60,    /* a file is written in a moment */
	HINT_SPOOL_COMPLAIN_S = 60   /* what is removed is told once in this time */
};

struct hint_spool_counts {
	uint64_t taken, removed;
	uint64_t staying;            /* in the last round: what is being written, cannot be read now, or not be removed */
};
const struct hint_spool_counts *hint_spool_counts(const struct hint_spool *);

#endif

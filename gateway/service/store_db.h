/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The Berkeley DB environment of the store: opening with recovery, the table, the one flush, checkpoints and backups.
 * Everything here blocks; store_open.c calls it from its own threads. The table and the flush belong to one thread at a
 * time, checkpoint and backup to one other.
 *
 * How it is set up, and why:
 * - DB_PRIVATE: caches and latches are this process's memory. A tool that joined the environment and was killed while
 *   it held a latch would stop every phone; nobody can join. (So backups are made here, not by db_hotbackup.)
 * - no DB_INIT_LOCK: one thread writes and reads, one transaction at a time; there is nobody to lock out.
 * - DB_THREAD: a checkpoint and a backup run beside it; they meet the table at page latches only.
 * - DB_CHKSUM and pages of 4096 bytes, what disks write whole: a damaged page is found, not believed.
 * - DB_RECOVER at each opening: short after a clean end, and nobody has to know whether it was clean.
 */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_DB_H
#define BELFRY_GATEWAY_SERVICE_STORE_DB_H

#include "gateway/service/store_table.h"
#include "lib/core/error.h"

enum {
	STORE_DB_PAGE_BYTES = 4096,
	STORE_DB_LOG_FILE_BYTES = 16 * 1024 * 1024,  /* a file is removed whole, so not too big */
	STORE_DB_LOG_BUFFER_BYTES = 1024 * 1024,     /* what a batch logs, so that it is written at its flush only */
	STORE_DB_CHECKPOINT_KB = 64 * 1024,          /* of log since the last: as much is read again after a crash, 1–2 s */
	STORE_DB_COPY_CACHE_BYTES = 8 * 1024 * 1024, /* for the recovery of a backup */
	STORE_DB_REVISIONS = 1000000                 /* set aside at once: a crash skips so many at most, of 2^64 */
};

struct store_db;

/* Makes the folder when missing. NULL with error_r, which says what to do. Only one process can have it open. */
struct store_db *store_db_open(const char *folder, size_t cache_bytes, struct error *error_r);
/* With a checkpoint, unless it is broken. */
void store_db_close(struct store_db **);

struct store_table *store_db_table(struct store_db *);
/* Makes durable what the table's transactions wrote. -1: broken. */
int store_db_flush(struct store_db *);

/* Once something failed nothing is carried out any more: what is in memory may be more than what is on the disk. */
bool store_db_is_broken(const struct store_db *);
/* What failed first; and whether it was for want of room (then opening again may help). Once it is broken. */
const char *store_db_why_broken(const struct store_db *);
bool store_db_was_full(const struct store_db *);

/* Writes the pages that changed, so that the log before is not needed any more, and removes that. any: also when less
 * than STORE_DB_CHECKPOINT_KB was logged. -1 with error_r; it may be broken then. */
int store_db_checkpoint(struct store_db *, bool any, struct error *error_r);
/* Makes a copy while the table is in use; no checkpoint meanwhile. Not broken by a failure. */
int store_db_backup(struct store_db *, const char *folder, struct error *error_r);

#endif

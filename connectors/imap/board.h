/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A page shared between the daemon and one worker: on it the worker chalks up what it is about to touch, so that the
 * daemon knows it when the worker dies on it or hangs. Costs a store, no system call.
 */
#ifndef BELFRY_CONNECTORS_IMAP_BOARD_H
#define BELFRY_CONNECTORS_IMAP_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

enum { BOARD_FD = 5 };

enum board_phase {
	BOARD_IDLE,     /* nothing of an item is being touched: whatever happens is no item's fault */
	BOARD_FETCHING, /* octets come from the backend: a crash here is the item's fault, hanging is the network's */
	BOARD_PARSING   /* no waiting for anybody: a crash and hanging are the item's fault */
};

struct board {
	_Atomic uint64_t validity;
	_Atomic uint64_t item;   /* 0: several at once: the daemon has them fetched one by one the next time */
	_Atomic uint32_t phase;
	/* Mails are on their way to another mailbox and nobody can say which have arrived: its UIDNEXT from before; 0: none
	 * are. The daemon looks at it when the worker has answered, or cannot any more. */
	_Atomic uint64_t unsettled;
};

static inline void board_write(struct board *board, enum board_phase phase, uint64_t validity, uint64_t item)
{
	atomic_store(&board->phase, BOARD_IDLE); /* never an item of one collection with the validity of another */
	atomic_store(&board->validity, validity);
	atomic_store(&board->item, item);
	atomic_store(&board->phase, phase);
}

static inline void board_wipe(struct board *board)
{
	atomic_store(&board->phase, BOARD_IDLE);
}

#endif

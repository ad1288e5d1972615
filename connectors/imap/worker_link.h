/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's end of its link to the daemon: frames of lib/ipc/link.h, blocking, without a loop. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_LINK_H
#define BELFRY_CONNECTORS_IMAP_WORKER_LINK_H

#include <stdbool.h>
#include <protobuf-c/protobuf-c.h>

#include "connectors/imap/worker.pb-c.h"
#include "lib/core/buffer.h"

enum { WORKER_LINK_BATCH = 64 * 1024 }; /* answers leave together: a system call for some dozens of mails */

struct worker_link {
	int fd;
	struct buffer input, output; /* requests carry passwords: the input wipes */
	size_t taken;    /* of the input: the frame that was given out last */
	int received_fd; /* that came with it; -1: none, or taken */
	bool is_lost;    /* the daemon is gone: what is sent goes nowhere */
};

/* Waits up to timeout_ms (-1: for ever) for a frame; its body is valid until the next call. 1: there it is, 0: none in
 * time, -1: the daemon is gone. */
int worker_link_receive(struct worker_link *, int timeout_ms, const uint8_t **body_r, size_t *length_r);
/* The descriptor of the frame that was given out last; -1: none. The caller owns it. */
int worker_link_take_fd(struct worker_link *);
/* Is the daemon still there? */
bool worker_link_is_alive(const struct worker_link *);
/* Sends soon: with worker_link_flush(), or when enough has come together. */
void worker_link_send(struct worker_link *, const ProtobufCMessage *);
/* Sends with a descriptor, at once; the descriptor stays the caller's. */
void worker_link_send_fd(struct worker_link *, const ProtobufCMessage *, int fd);
void worker_link_flush(struct worker_link *);
void worker_link_release(struct worker_link *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The octets of an outgoing mail, in the form that a server is sent. */
#ifndef BELFRY_CONNECTORS_IMAP_OUTGOING_STREAM_H
#define BELFRY_CONNECTORS_IMAP_OUTGOING_STREAM_H

#include <stdint.h>

#include "connectors/mail/outgoing.h"
#include "lib/core/buffer.h"

enum outgoing_form {
	OUTGOING_FOR_DATA, /* with dots doubled */
	OUTGOING_FOR_COPY  /* with Bcc: the sender may know */
};

enum { OUTGOING_CHUNK = 64 * 1024 };

/* Takes one more piece of at most about twice OUTGOING_CHUNK. -1: stop. */
typedef int outgoing_sink(const struct buffer *piece, void *data, struct error *error_r);

/* -1: the sink said so. */
int outgoing_stream(const struct outgoing *, enum outgoing_form, outgoing_sink *, void *data, struct error *error_r);
uint64_t outgoing_size(const struct outgoing *, enum outgoing_form);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which conversation a mail belongs to, and where in it (MS-ASCON sections 2.2.2.3 and 2.2.2.4).
 * Both are made of nothing but the Message-IDs that the mail refers to, so that every mail of a thread gives the same
 * answer on its own: its index is its parent's index and one block more. Where the specification takes times we take
 * a digest, because an answer does not know when the first mail was sent; clients compare them and nothing else.
 */
#ifndef BELFRY_CONNECTORS_MAIL_THREAD_H
#define BELFRY_CONNECTORS_MAIL_THREAD_H

#include <stdint.h>

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"

enum {
	THREAD_ID_BYTES = 16,
	THREAD_INDEX_BYTES = 5,  /* the head, and a block for each answer to an answer */
	THREAD_ANCESTORS_MAX = 64 /* a longer thread keeps its beginning */
};

/* What a thread is known by. Raw header values; length 0 where there is none. */
struct thread_source {
	struct slice message_id, in_reply_to, references;
	const char *topic; /* UTF-8, of thread_topic() */
};

/* The subject without Re:, Fwd:, AW: … and [2]; points into the subject. */
const char *thread_topic(const char *subject);
/* The same for all mails of a thread with this topic, on all devices, for ever. */
void thread_id(const struct thread_source *, uint8_t id_r[THREAD_ID_BYTES]);
/* Returns the length; the bytes are in the arena. */
size_t thread_index(struct arena *, const struct thread_source *, uint8_t **index_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transcripts made by chance: what phones, mailboxes, hooks and dying processes might do, in any order. */
#ifndef BELFRY_TESTS_REPLAY_CHANCE_H
#define BELFRY_TESTS_REPLAY_CHANCE_H

#include "lib/core/buffer.h"

/* The same number gives the same transcript. */
void chance_write(unsigned number, struct buffer *transcript);

#endif

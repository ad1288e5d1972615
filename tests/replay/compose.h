/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the shorthand of a transcript, "Cmd=Ping heartbeat=3540 folders=inbox", to the body that a phone would send. */
#ifndef BELFRY_TESTS_REPLAY_COMPOSE_H
#define BELFRY_TESTS_REPLAY_COMPOSE_H

#include "tests/replay/device.h"
#include "tests/replay/script.h"

/* The words from words[from] on belong to the body (words of others are passed over). A block is the body as XML, in
 * which {id:inbox}, {key:inbox}, {before:inbox}, {item:inbox/Subject}, {folders} and {policy} stand for what the device
 * knows. Appends WBXML, or nothing. -1: the transcript is wrong. */
int compose_body(struct device *, const char *command, const struct step *, size_t from, struct arena *,
	struct buffer *body_r, struct error *error_r);

/* "inbox" to the device's id of that folder; "#5" is 5 itself. NULL with error_r. */
const char *compose_folder_id(const struct device *, const char *name, struct error *error_r);

#endif

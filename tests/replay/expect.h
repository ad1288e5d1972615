/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Holds an answer against a line of the transcript. What it does not say must not be there, unless it says "...". */
#ifndef BELFRY_TESTS_REPLAY_EXPECT_H
#define BELFRY_TESTS_REPLAY_EXPECT_H

#include "tests/replay/phone.h"

/* The words from words[from] on: HTTP status, then what README says. The device has not taken the answer in yet. */
int expect_answer(struct phone_request *, const struct step *, size_t from, struct arena *, struct error *error_r);

/* Whether two answers say the same. Keys may differ where the request starts anew: ignore_keys. */
bool expect_same(const struct wbxml_node *, const struct wbxml_node *, bool ignore_keys);

#endif

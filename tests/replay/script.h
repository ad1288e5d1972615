/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A transcript (*.rpl), as tests/replay/README describes it: one step a line, "#" comments, and a block, which belongs to
 * the step: what stands behind "<<" in the line, or, if nothing does, the lines up to a line ">>". Words are divided by blanks; "…" holds blanks
 * together, anywhere in a word; a value may be a list with commas.
 */
#ifndef BELFRY_TESTS_REPLAY_SCRIPT_H
#define BELFRY_TESTS_REPLAY_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/error.h"

struct step {
	unsigned line;     /* in the file, from 1 */
	const char *text;  /* as it stands there, without blanks around it */
	char **words;      /* quotes still in them; up to a NULL */
	size_t count;
	const char *block; /* NULL: none */
};

struct script {
	const char *path;
	struct step *steps;
	size_t count;
};

/* Everything lives in the arena. -1 with error_r. */
int script_read(const char *path, struct arena *, struct script *script_r, struct error *error_r);
/* From memory; path is its name. */
int script_parse(const char *path, const char *text, struct arena *, struct script *script_r, struct error *error_r);

/* One line as a step of its own. */
struct step *step_of(const char *text, struct arena *);

/* The value of the first word name=value from words[from] on, without quotes; NULL: there is none. */
const char *step_value(const struct step *, size_t from, const char *name, struct arena *);
/* Whether one of the words from words[from] on is just this. */
bool step_has(const struct step *, size_t from, const char *word);
long step_number(const struct step *, size_t from, const char *name, long otherwise);
/* Splits name=value; the value with its quotes, NULL without "=". */
const char *word_name(const char *word, struct arena *, const char **value_r);
const char *word_unquote(const char *word, struct arena *);
/* The next piece of a list, without quotes; NULL at its end. *rest goes on behind it. */
const char *word_list_next(const char **rest, struct arena *);

#endif

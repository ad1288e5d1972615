/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings that main hands a connector daemon: lines key=value in a memfd (connectors/contract.h). */
#ifndef BELFRY_CONNECTORS_SETTINGS_H
#define BELFRY_CONNECTORS_SETTINGS_H

#include <stddef.h>

#include "lib/core/error.h"

enum { SETTINGS_BYTES_MAX = 64 * 1024 }; /* a configuration section is a few hundred bytes */

struct settings;

/* Reads from offset 0; the descriptor stays the caller's. NULL with error_r. */
struct settings *settings_read(int fd, struct error *error_r);
/* From text, for tests. */
struct settings *settings_parse(const char *text, size_t length, struct error *error_r);
/* Wipes the values: a password may be among them. */
void settings_free(struct settings **);

/* The last value of the key, or the default when it is not there; valid until settings_free. */
const char *settings_text(const struct settings *, const char *key, const char *otherwise);
/* A number within the bounds: 0, or -1 with error_r. An absent key gives the default. */
int settings_number(const struct settings *, const char *key, long otherwise, long least, long most, long *value_r,
	struct error *error_r);
/* One of the words of a NULL-terminated list: its index in choice_r. An absent key gives the default index. */
int settings_choice(const struct settings *, const char *key, const char *const *words, int otherwise, int *choice_r,
	struct error *error_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trouble of a peer or of the environment, in words for the admin: what, where, why, what to do. */
#ifndef BELFRY_LIB_CORE_ERROR_H
#define BELFRY_LIB_CORE_ERROR_H

struct error {
	char text[256]; /* cut, never overrun; never holds a secret */
};

/* Writes the message and returns -1, so that `return error_set(error_r, …);` reads well. error_r may be NULL. */
int error_set(struct error *error_r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

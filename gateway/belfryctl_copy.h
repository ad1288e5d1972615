/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moving the folder of a backup: plain files, no folders in it. */
#ifndef BELFRY_GATEWAY_BELFRYCTL_COPY_H
#define BELFRY_GATEWAY_BELFRYCTL_COPY_H

#include "lib/core/error.h"

/*
 * Moves all files of `from` to `to`, durably, with their owners and modes, and removes `from`. `to` must be an empty
 * folder of ours; it gets the owner and mode of `from`. -1 with error_r: `from` is still whole.
 * `from` belongs to somebody with fewer rights: what is no plain file of that owner is refused, whatever it points to.
 */
int folder_move(const char *from, const char *to, struct error *error_r);
/* With the files in it, as far as possible. */
void folder_remove(const char *path);

#endif

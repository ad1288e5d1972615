/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the programs are that main starts. */
#ifndef BELFRY_GATEWAY_PROGRAMS_H
#define BELFRY_GATEWAY_PROGRAMS_H

#include <limits.h>

#include "lib/core/error.h"

/* A path stays as it is; a name is looked for in libexec/belfry, then where the build leaves it beside belfryd
 * (so that an uninstalled belfryd starts its own connectors). -1: not there, or not to be run. */
int program_find(const char *name, char path_r[PATH_MAX], struct error *error_r);

#endif

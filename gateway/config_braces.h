/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libconfuse lets pass: a section whose end is missing at the end of the file, with all that was not meant for it. */
#ifndef BELFRY_GATEWAY_CONFIG_BRACES_H
#define BELFRY_GATEWAY_CONFIG_BRACES_H

#include <stddef.h>

/* The line of the last brace in a configuration's text that is opened and never closed; 0: there is none. */
unsigned config_open_brace(const char *text, size_t length);

#endif

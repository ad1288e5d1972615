/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BELFRY_LIB_CORE_UTF8_H
#define BELFRY_LIB_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing over U+10FFFF). NUL is a character as any other. */
bool utf8_is_valid(const char *text, size_t length);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* llhttp in its strict mode: the header must be included with the same setting everywhere. */
#ifndef BELFRY_LIB_HTTP_LLHTTP_STRICT_H
#define BELFRY_LIB_HTTP_LLHTTP_STRICT_H

#define LLHTTP_STRICT_MODE 1
#include <llhttp.h>

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* llhttp's other two files; apart from the parser, which declares the same functions in another way. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#include "lib/http/llhttp_strict.h"

#include <api.c>
#include <http.c>

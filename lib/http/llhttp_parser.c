/* SPDX-License-Identifier: GPL-3.0-or-later */
/* llhttp as the distribution ships it in C, compiled into our library: the generated parser. Its warnings are not ours. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#include "lib/http/llhttp_strict.h"

#include <llhttp.c>

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the table tests of connectors/mail share. */
#ifndef BELFRY_TESTS_UNIT_CONNECTORS_MAIL_TRY_H
#define BELFRY_TESTS_UNIT_CONNECTORS_MAIL_TRY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif

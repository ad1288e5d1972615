/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one error type. */
#include "lib/core/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error_r, const char *format, ...)
{
	va_list args;

	if (error_r != NULL) {
		va_start(args, format);
		vsnprintf(error_r->text, sizeof error_r->text, format, args);
		va_end(args);
	}
	return -1;
}

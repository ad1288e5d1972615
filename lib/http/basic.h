/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP Basic authentication (RFC 7617). */
#ifndef BELFRY_LIB_HTTP_BASIC_H
#define BELFRY_LIB_HTTP_BASIC_H

#include "lib/http/server.h"

enum { HTTP_BASIC_MAX = 1024 }; /* user 255 and password 255 bytes in base64, with room */

/* User and password of the Authorization header, in the exchange's arena. -1: none, not Basic, or without a password. */
int http_basic(struct http_exchange *, const char **user_r, const char **password_r);

#endif

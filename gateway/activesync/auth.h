/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP Basic authentication (RFC 7617). */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_AUTH_H
#define BELFRY_GATEWAY_ACTIVESYNC_AUTH_H

#include "lib/http/server.h"

enum { AUTH_HEADER_MAX = 1024 }; /* user 255 and password 255 bytes in base64, with room */

/* User and password of the Authorization header, in the exchange's arena. -1: none, not Basic, or without a password. */
int auth_basic(struct http_exchange *, const char **user_r, const char **password_r);

#endif

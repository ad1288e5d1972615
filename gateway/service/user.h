/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of users: what a phone or a hook says, and the one form that everything inside uses, alice@example.org. */
#ifndef BELFRY_GATEWAY_SERVICE_USER_H
#define BELFRY_GATEWAY_SERVICE_USER_H

#include <stddef.h>

#include "lib/core/error.h"

enum { USER_MAX = 255 };

/*
 * "alice", "alice@Example.org", "EXAMPLE.ORG\alice" and "EXAMPLE\alice@example.org" (a domain field and an address) to
 * "alice@example.org". The domain is lower-cased, the part before it kept. default_domain (NULL: none) completes a
 * name without one. Refused: control characters, slashes, spaces, bad UTF-8, an empty part, over USER_MAX bytes.
 */
int user_canonical(const char *name, const char *default_domain, char user_r[USER_MAX + 1], struct error *error_r);
/* What follows the @; "" when there is none. */
const char *user_domain(const char *user);

#endif

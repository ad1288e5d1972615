/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The devices that users have logged in with, and from which network: what the throttle does not slow down for what
 * others do. A device's id is no secret (it stands in every URL), so it is known only where it has been right.
 */
#ifndef BELFRY_CONNECTORS_IMAP_KNOWN_H
#define BELFRY_CONNECTORS_IMAP_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

enum {
	KNOWN_OF_USER_MAX = 32,         /* some devices on their ways; over it the user's longest unused goes */
	KNOWN_DEVICE_BYTES_MAX = 255,   /* of an id; a longer one stays unknown */
	KNOWN_MAX = 262144              /* over it all of the user who has been away the longest: about 50 MB */
};

struct known;

struct known *known_create(void);
void known_free(struct known **);

void known_add(struct known *, const char *user, const char *device, const char *network);
bool known_has(const struct known *, const char *user, const char *device, const char *network);
size_t known_count(const struct known *);

#endif

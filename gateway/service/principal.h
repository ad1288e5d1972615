/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who acts: a user and a device together. */
#ifndef BELFRY_GATEWAY_SERVICE_PRINCIPAL_H
#define BELFRY_GATEWAY_SERVICE_PRINCIPAL_H

/* Any bytes but NUL, compared as bytes. The strings belong to whoever made the struct. */
struct principal {
	const char *user;   /* canonical: alice@example.org */
	const char *device; /* as the device names itself; "": what belongs to the user alone */
};

enum {
	PRINCIPAL_USER_MAX = 320,   /* bytes: the longest mail address, 64 + "@" + 255 (RFC 5321, 4.5.3.1) */
	PRINCIPAL_DEVICE_MAX = 128  /* bytes: ActiveSync allows 32, a SyncML IMEI URN is longer */
};

#endif

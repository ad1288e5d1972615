/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which connector serves a user, and what completes a user's name: the configuration's table, as engines see it. */
#ifndef BELFRY_GATEWAY_SERVICE_DIRECTORY_H
#define BELFRY_GATEWAY_SERVICE_DIRECTORY_H

struct directory {
	const char *default_domain; /* NULL: none */
	/* The instance for this canonical user; NULL: none serves it. */
	const char *(*instance_for)(const struct directory *, const char *user);
	const void *data;
};

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfryd -s runs everything in one process: as the hub's user, so that its files have the right owner, and as root
 * only while it reads a key or starts a connector. In the usual mode main stays what it is and these do nothing.
 */
#ifndef BELFRY_GATEWAY_PRIVILEGE_H
#define BELFRY_GATEWAY_PRIVILEGE_H

#include <sys/types.h>

/* From now on this user, unless raised. Without root nothing happens. */
void privilege_become(uid_t uid, gid_t gid);
void privilege_raise(void);
void privilege_lower(void);
/* Root again, for good: at the end. */
void privilege_return(void);

#endif

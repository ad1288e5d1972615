/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The effective user of belfryd -s. */
#include "gateway/privilege.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct {
	bool is_lowered;
	uid_t uid;
	gid_t gid;
} other;

static void change(uid_t uid, gid_t gid)
{
	if (setegid(gid) < 0 || seteuid(uid) < 0)
		abort(); /* in neither state it should be */
#ifdef BELFRY_SANITIZERS
	prctl(PR_SET_DUMPABLE, 1); /* the leak check traces its own process */
#endif
}

void privilege_become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0 || uid == 0)
		return;
	other.uid = uid;
	other.gid = gid;
	other.is_lowered = true;
	change(uid, gid);
}

void privilege_raise(void)
{
	if (other.is_lowered && (seteuid(0) < 0 || setegid(0) < 0))
		abort();
}

void privilege_lower(void)
{
	if (other.is_lowered)
		change(other.uid, other.gid);
}

void privilege_return(void)
{
	privilege_raise();
	other.is_lowered = false;
}

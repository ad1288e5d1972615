/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running the real delivery agent as if nobody stood between it and the mail server. */
#ifndef BELFRY_MDA_HOOK_AGENT_H
#define BELFRY_MDA_HOOK_AGENT_H

/* Runs it with our descriptors, environment and group, passes signals on, waits. The status as of waitpid(). When no
 * process can be made it takes our place: then this does not return, and nobody is told. A program that cannot be run
 * is status 75 (EX_TEMPFAIL): the mail waits in the queue until somebody looks. */
int agent_run(char *const argv[]);
/* Ends as it ended: the same status, or the same signal. */
_Noreturn void agent_end(int status);

#endif

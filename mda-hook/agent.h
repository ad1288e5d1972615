/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The real delivery agent, run in our place. */
#ifndef BELFRY_MDA_HOOK_AGENT_H
#define BELFRY_MDA_HOOK_AGENT_H

/* Runs the command with our standard input, output and error, passes TERM, INT, HUP and ALRM on to it, and gives its
 * wait status. A command that cannot be run counts as exit 75 (EX_TEMPFAIL): the mail is kept and tried again. */
int agent_run(char *const *command);
/* Ends this process as the agent ended: the same exit status, or the same signal. */
void agent_exit_like(int wait_status) __attribute__((noreturn));

#endif

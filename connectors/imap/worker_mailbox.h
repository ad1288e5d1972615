/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands on mailboxes by name, and where a user's own ones are. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_MAILBOX_H
#define BELFRY_CONNECTORS_IMAP_WORKER_MAILBOX_H

#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/session.h"
#include "lib/core/arena.h"

/* The first personal namespace (RFC 2342). */
struct mailbox_root {
	const char *prefix;  /* our form of it: "" or "INBOX." */
	char delimiter;      /* '\0': there is no hierarchy */
};

/* A server without NAMESPACE is asked for its delimiter only. */
enum session_answer mailbox_root(struct session *, struct arena *, struct mailbox_root *root_r, struct error *error_r);

/* Sends "COMMAND name after" and reads the answer. */
enum session_answer mailbox_command(struct session *, const char *command, const char *name, const char *after,
	struct error *said);

#endif

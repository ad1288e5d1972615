/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two files of Send share. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_SEND_H
#define BELFRY_CONNECTORS_IMAP_WORKER_SEND_H

#include <time.h>

#include "connectors/imap/worker_internal.h"
#include "connectors/mail/outgoing.h"

struct sending {
	struct worker_call *call;
	const Belfry__Connector__Send *request;
	struct slice mail, original;   /* mapped, but a mail that came inline */
	struct outgoing outgoing;
	const char *kept_in;           /* the collection of sent mails; NULL: not looked for yet */
	time_t told_s;                 /* when the daemon heard of us last */
	Belfry__Connector__Sent sent;
};

/* Said now and then while it takes long: or the daemon, and the front behind it, would take us for dead. */
void sending_progress(void *sending);
/* One line in the log. */
void sending_complain(const struct sending *, const char *what, const struct error *);

/* Is a copy kept already? -1: cannot be found out now. */
int sending_look(struct sending *, bool *found_r, struct error *error_r);
/* Keeps one; sets sent.saved. The mail has been sent: a copy that cannot be kept is a pity, and no failure. */
void sending_keep(struct sending *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The certificate, its key and the keys for session tickets: read by main, which may, and handed to the fronts. Looked
 * at each CERTIFICATES_LOOK_S and on SIGHUP; the keys for tickets change each CERTIFICATES_TICKETS_S.
 */
#ifndef BELFRY_GATEWAY_CERTIFICATES_H
#define BELFRY_GATEWAY_CERTIFICATES_H

#include "gateway/config.h"
#include "lib/core/loop.h"
#include "lib/ipc/link.h"

enum {
	CERTIFICATES_LOOK_S = 60,
	CERTIFICATES_TICKETS_S = 12 * 3600 /* a ticket opens for one to two such times: phones come back daily */
};

struct certificates;

/* The files or the ticket keys have changed: send them to every front. */
typedef void certificates_changed(void *data);
/* NULL with error_r: the files cannot be read, or are no certificate with its key. Without a TLS listener it is empty. */
struct certificates *certificates_open(struct loop *, const struct config *, certificates_changed *, void *data,
	struct error *error_r);
void certificates_close(struct certificates **);
/* Looks now. A file that cannot be used is logged, and the old one stays. */
void certificates_look(struct certificates *);
/* Over a front's rein. */
void certificates_send(const struct certificates *, struct link *rein);

#endif

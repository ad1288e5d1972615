/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mail as the contract tells it (lib/ipc/connector.proto, Mail and Body), from its octets. Pure functions over
 * (pointer, length); all that they make lies in the arena or in the octets, and every input gives some mail.
 */
#ifndef BELFRY_CONNECTORS_MAIL_MAIL_H
#define BELFRY_CONNECTORS_MAIL_MAIL_H

#include "connectors/mail/body.h"
#include "connectors/mail/mime.h"
#include "lib/core/arena.h"
#include "lib/ipc/connector.pb-c.h"

/* All but received_s and keywords, from the root's header and the tree. The plan tells text from attachments. */
void mail_fill(struct arena *, const struct mime_part *root, const struct body_plan *,
	Belfry__Connector__Mail *mail_r);

/* A mail that is there as a whole: parses, chooses, fills. Both messages have been initialised. */
void mail_read(struct arena *, const char *octets, size_t length, Belfry__Connector__BodyWish *const *wishes,
	size_t count, unsigned mime_support, Belfry__Connector__Mail *mail_r, Belfry__Connector__Body *body_r);
/* What it adds to its conversation (connectors/mail/body.h). */
void mail_read_part(struct arena *, const char *octets, size_t length, const Belfry__Connector__BodyWish *,
	Belfry__Connector__Body *part_r);

#endif

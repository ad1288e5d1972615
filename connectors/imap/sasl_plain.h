/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SASL PLAIN (RFC 4616), as IMAP, SMTP and ManageSieve take it. */
#ifndef BELFRY_CONNECTORS_IMAP_SASL_PLAIN_H
#define BELFRY_CONNECTORS_IMAP_SASL_PLAIN_H

#include "connectors/imap/session.h"
#include "lib/core/buffer.h"

/* Appends authorization identity, NUL, user, NUL, password in base64. The buffer must be one that wipes. */
void sasl_plain_append(struct buffer *, const struct session_login *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dates of mails (RFC 5322 section 3.3, with the obsolete forms) and of IMAP's INTERNALDATE. */
#ifndef BELFRY_CONNECTORS_MAIL_DATE_H
#define BELFRY_CONNECTORS_MAIL_DATE_H

#include <stdint.h>

#include "connectors/mail/slice.h"
#include "lib/core/buffer.h"

/* Seconds since 1970 UTC; 0: not a date, or one before 1970. Separators may be spaces or '-'. */
uint64_t date_parse(struct slice);
/* Appends "Sat, 28 Nov 2026 13:30:00 +0000" (RFC 5322 section 3.3). */
void date_append(struct buffer *, int64_t seconds);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of addresses (RFC 5322 section 3.4) as a person reads them. */
#ifndef BELFRY_CONNECTORS_MAIL_ADDRESS_H
#define BELFRY_CONNECTORS_MAIL_ADDRESS_H

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"

/* MS-ASEMAIL allows 32,768 characters of To and Cc; a list with 100,000 members is read no further than that. */
enum { ADDRESS_TEXT_MAX = 32 * 1024 };

/* `"Name" <user@host>, other@host`: decoded, one line, never cut within an address. "" for an empty list. */
char *address_list(struct arena *, struct slice value);
/* The names only (the address where there is no name), "; " between them: DisplayTo. */
char *address_names(struct arena *, struct slice value);
/* Each address by itself, as it stands there, without names and < >: user@host. It is whatever the mail has: the callee
 * looks whether it can be one. The text is valid during the call. */
void address_each(struct slice value, void (*found)(struct slice address, void *), void *data);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a mailbox is for. */
#ifndef BELFRY_CONNECTORS_IMAP_FOLDER_ROLE_H
#define BELFRY_CONNECTORS_IMAP_FOLDER_ROLE_H

#include "lib/imap/response.h"
#include "lib/ipc/connector.pb-c.h"

/* From an attribute of LIST (RFC 6154: \Drafts, \Sent …; NONE for others). */
Belfry__Connector__Role folder_role_of_attribute(struct imap_text attribute);
/* From the name, as mailers in several languages make it; only for servers that say nothing. */
Belfry__Connector__Role folder_role_of_name(const char *display_name);

#endif

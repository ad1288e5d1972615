/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attachments of a mail: all parts that are not its text. */
#ifndef BELFRY_CONNECTORS_MAIL_ATTACHMENT_H
#define BELFRY_CONNECTORS_MAIL_ATTACHMENT_H

#include "connectors/mail/body.h"

enum { ATTACHMENT_NORMAL = 1, ATTACHMENT_EMBEDDED = 5 }; /* method, MS-ASAIRS section 2.2.2.27 */

void attachment_list(struct arena *, const struct mime_part *root, const struct body_plan *,
	Belfry__Connector__Mail *mail_r);

#endif

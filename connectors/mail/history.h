/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an answer repeats of the mails before it. Nothing marks it for certain: it is known by the forms in which mailers
 * quote. History is
 *	all from the place on where a mailer puts a whole mail below the answer ("-----Original Message-----", Outlook's
 *	line with the sender's fields), but not what was forwarded: no other mail of the conversation has that;
 *	a quotation at the end, or the only one, with the line that says who wrote it.
 * Quotations between which the answer stands are left in their places: it would make no sense without them.
 */
#ifndef BELFRY_CONNECTORS_MAIL_HISTORY_H
#define BELFRY_CONNECTORS_MAIL_HISTORY_H

#include "connectors/mail/slice.h"
#include "lib/core/buffer.h"

/* Append the UTF-8 without its history; of a document that is too much for a parser (connectors/mail/html.h) all. */
void history_drop_from_text(struct buffer *out, struct slice text);
void history_drop_from_html(struct buffer *out, struct slice html);

/* "-----Original Message-----", in some languages. */
bool history_is_separator(struct slice line);
/* Could this line say who wrote what follows? It ends with a colon. */
bool history_is_attribution(struct slice line);

#endif

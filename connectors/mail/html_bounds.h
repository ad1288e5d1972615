/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a document may have before it is given to the HTML parser, whose time grows with the square of each of these. */
#ifndef BELFRY_CONNECTORS_MAIL_HTML_BOUNDS_H
#define BELFRY_CONNECTORS_MAIL_HTML_BOUNDS_H

#include "connectors/mail/slice.h"

enum {
	HTML_DEPTH_MAX = 400,      /* elements within elements: each is looked for among all that are open */
	HTML_ATTRIBUTES_MAX = 200, /* of one tag: each is compared with all before it; real ones have 20 */
	HTML_ROOTS_MAX = 16        /* <html> and <body>: a second one's attributes are added to the first's; a mail that quotes
	                              whole documents has some */
};

/* Whether it keeps to them, counted roughly and without a parser: what a comment or a script holds counts, too. Takes
 * time with the length. */
bool html_is_bounded(struct slice html);

#endif

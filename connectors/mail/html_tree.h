/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree of an HTML document, within the bounds of connectors/mail/html.h. */
#ifndef BELFRY_CONNECTORS_MAIL_HTML_TREE_H
#define BELFRY_CONNECTORS_MAIL_HTML_TREE_H

#include <gumbo.h>

#include "connectors/mail/slice.h"

typedef void html_tree_use(const GumboNode *document, void *data);
/* Calls use() with the tree, which looks into the document and is gone afterwards. False: the document is too long, too
 * deep or too large for one, or took too long to read, and use() was not called. */
bool html_tree(struct slice html, html_tree_use *use, void *data);

/* "" when it has none. */
const char *html_attribute(const GumboNode *element, const char *name);
/* Elements whose content nobody reads: head, script, style … */
bool html_is_invisible(GumboTag);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * WBXML as XML text: for traces, and for tests that hold answers against the schemas. Each element whose code page is
 * not its parent's declares that page's namespace as the default one, so no prefix is needed.
 *
 * A tag that the language does not have becomes <unknown-0E-3C>, in the namespace of its page, or in "page-1F" when the
 * page is unknown, too. Opaque data become base64, unless they are asked for as text.
 */
#ifndef BELFRY_LIB_CODEC_WBXML_XML_H
#define BELFRY_LIB_CODEC_WBXML_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/codec/wbxml.h"

struct buffer;

enum {
	/* The XML of one document. A tag of one byte may become 50: without a bound a short request fills the memory. */
	WBXML_XML_MAX = 64 * 1024 * 1024,
};

struct wbxml_xml_options {
	bool indent;          /* a line an element */
	bool opaque_as_text;  /* opaque data that are text are shown so */
	bool hide_secrets;    /* the language's secrets become "***": always so in a trace */
	size_t text_max;      /* bytes of a text or of data that are shown, then how many are left out; 0: all */
};

/* Appends the XML. 0; or -1 with a message, and what there was until then is in the buffer: a trace shows both. */
int wbxml_to_xml(struct buffer *, const struct wbxml_language *, const void *bytes, size_t length,
		 const struct wbxml_xml_options *, struct error *error_r);

#endif

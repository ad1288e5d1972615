/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The vocabulary of ActiveSync (MS-ASWBXML): 26 code pages, 653 tokens. Each token is a constant AS_<PAGE>_<TAG>,
 * as AS_AIRSYNC_SYNCKEY, whose value is code page << 8 | token; activesync_tokens.def lists them.
 */
#ifndef BELFRY_LIB_CODEC_ACTIVESYNC_TOKENS_H
#define BELFRY_LIB_CODEC_ACTIVESYNC_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec/wbxml.h"

enum activesync_token {
#define AS_PAGE(page, xmlns)
#define AS_TAG(constant, value, name, first, last) constant = (value),
#include "lib/codec/activesync_tokens.def"
};

enum { ACTIVESYNC_PAGES = 26, ACTIVESYNC_TOKENS = 653 };

/* What wbxml_parser_open(), wbxml_writer_begin() and wbxml_to_xml() want to know of ActiveSync. */
extern const struct wbxml_language activesync_language;

/* The tag's name without its namespace; NULL for a token that no version knows. For traces. */
const char *activesync_token_name(uint8_t page, uint8_t token);
/* Whether that protocol version (times ten: 121, 140, 141, 160, 161) knows the tag: an answer holds no others. */
bool activesync_token_is_known_to(uint16_t tag, unsigned version);

#endif

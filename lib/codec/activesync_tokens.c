/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The token tables of ActiveSync as the parser and the writer look them up: one index by page, one by token. */
#include "lib/codec/activesync_tokens.h"

#include <stddef.h>

static const struct wbxml_tag tags[ACTIVESYNC_PAGES][WBXML_TAGS_A_PAGE] = {
#define AS_PAGE(page, xmlns)
#define AS_TAG(constant, value, name, first, last) [(value) >> 8][(value) & 0x3F] = {name, first, last},
#include "lib/codec/activesync_tokens.def"
};

static const struct wbxml_page pages[ACTIVESYNC_PAGES] = {
#define AS_PAGE(page, xmlns) [page] = {xmlns, tags[page]},
#define AS_TAG(constant, value, name, first, last)
#include "lib/codec/activesync_tokens.def"
};

/* A password that a device sends for a file share, or deposits for its recovery. */
static const uint16_t secrets[] = {
	AS_SEARCH_PASSWORD, AS_SETTINGS_PASSWORD, AS_ITEMOPERATIONS_PASSWORD, 0
};

const struct wbxml_language activesync_language = {
	.name = "ActiveSync",
	.public_id = WBXML_PUBLIC_ID_UNKNOWN,
	.pages = pages,
	.page_count = ACTIVESYNC_PAGES,
	.secrets = secrets,
};

const char *activesync_token_name(uint8_t page, uint8_t token)
{
	return wbxml_tag_name(&activesync_language, (uint16_t)(page << 8 | token));
}

bool activesync_token_is_known_to(uint16_t tag, unsigned version)
{
	const struct wbxml_tag *found = wbxml_tag_find(&activesync_language, tag);

	return found != NULL && found->first <= version && version <= found->last;
}

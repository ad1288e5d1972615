/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/keyword.h"

#include <string.h>
#include <strings.h>

#include "connectors/imap/utf7.h"
#include "lib/core/utf8.h"

/* What programs mean by keywords that have no $; the last three are Apple Mail's, mutt's and Roundcube's. */
static const char *const technical[] = {"Junk", "NonJunk", "NotJunk", "NoJunk", "Forwarded", "Redirected", "MDNSent",
	"Submitted", "SubmitPending", "JunkRecorded", "Old", "Receipt-Handled"};

static bool is_technical(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof technical / sizeof *technical; i++)
		if (strlen(technical[i]) == length && strncasecmp(technical[i], text, length) == 0)
			return true;
	return false;
}

/* atom-specials and resp-specials (RFC 9051 section 9) */
static bool is_atom_char(uint32_t point, bool is_first)
{
	return point > ' ' && point < 0x7f && strchr("(){%*\"\\]", (int)point) == NULL && !(is_first && point == '$');
}

static bool is_atom_char_but_the_first(uint32_t point, bool is_first)
{
	return !is_first && is_atom_char(point, false);
}

int keyword_encode(struct buffer *keyword, const char *category)
{
	size_t length = strlen(category), before = keyword->length;

	int result = utf7_encode(keyword, category, length,
		is_technical(category, length) ? is_atom_char_but_the_first : is_atom_char);
	return length == 0 || keyword->length - before > KEYWORD_MAX ? -1 : result;
}

/* Would it be written so? Case does not matter: a server has one keyword for "work" and "Work". */
static bool is_written_so(const char *category, const char *keyword, size_t length)
{
	struct buffer again = BUFFER_EMPTY;
	bool is_same = keyword_encode(&again, category) == 0 && again.length == length &&
		strncasecmp(again.data, keyword, length) == 0;

	buffer_release(&again);
	return is_same;
}

int keyword_decode(struct buffer *category, const char *keyword, size_t length)
{
	size_t before = category->length;

	bool is_category = utf7_decode(category, keyword, length) && category->length > before &&
		utf8_xml_prefix(category->data + before, category->length - before) == category->length - before &&
		is_written_so(buffer_string(category) + before, keyword, length);
	if (!is_category)
		buffer_truncate(category, before);
	return is_category ? 0 : -1;
}

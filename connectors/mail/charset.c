/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of character sets as mails use them, and iconv. */
#include "connectors/mail/charset.h"

#include <errno.h>
#include <iconv.h>

#include "lib/core/utf8.h"

/* What a mail calls it, what iconv calls what is meant (WHATWG Encoding: the supersets that mailers really send). */
static const struct charset {
	const char *name, *iconv_name;
} charsets[] = {
	{"utf-8", "UTF-8"}, {"utf8", "UTF-8"}, {"us-ascii", "UTF-8"}, {"ascii", "UTF-8"}, {"ansi_x3.4-1968", "UTF-8"},
	{"iso-8859-1", "CP1252"}, {"iso8859-1", "CP1252"}, {"latin1", "CP1252"}, {"windows-1252", "CP1252"},
	{"cp1252", "CP1252"}, {"iso-8859-15", "ISO-8859-15"}, {"latin-9", "ISO-8859-15"},
	{"iso-8859-2", "ISO-8859-2"}, {"iso-8859-3", "ISO-8859-3"}, {"iso-8859-4", "ISO-8859-4"},
	{"iso-8859-5", "ISO-8859-5"}, {"iso-8859-6", "ISO-8859-6"}, {"iso-8859-6-i", "ISO-8859-6"},
	{"iso-8859-7", "ISO-8859-7"}, {"iso-8859-8", "CP1255"}, {"iso-8859-8-i", "CP1255"}, {"iso-8859-9", "CP1254"},
	{"iso-8859-10", "ISO-8859-10"}, {"iso-8859-11", "CP874"}, {"iso-8859-13", "ISO-8859-13"},
	{"iso-8859-14", "ISO-8859-14"}, {"iso-8859-16", "ISO-8859-16"},
	{"windows-1250", "CP1250"}, {"cp1250", "CP1250"}, {"windows-1251", "CP1251"}, {"cp1251", "CP1251"},
	{"windows-1253", "CP1253"}, {"windows-1254", "CP1254"}, {"windows-1255", "CP1255"}, {"windows-1256", "CP1256"},
	{"windows-1257", "CP1257"}, {"windows-1258", "CP1258"}, {"windows-874", "CP874"}, {"tis-620", "CP874"},
	{"koi8-r", "KOI8-R"}, {"koi8-u", "KOI8-U"}, {"koi8", "KOI8-R"},
	{"ibm437", "CP437"}, {"cp437", "CP437"}, {"cp850", "CP850"}, {"ibm850", "CP850"}, {"cp852", "CP852"},
	{"cp866", "CP866"}, {"ibm866", "CP866"}, {"macintosh", "MACINTOSH"}, {"x-mac-roman", "MACINTOSH"},
	{"gb2312", "GB18030"}, {"gb_2312-80", "GB18030"}, {"gbk", "GB18030"}, {"cp936", "GB18030"}, {"x-gbk", "GB18030"},
	{"gb18030", "GB18030"}, {"big5", "BIG5-HKSCS"}, {"big5-hkscs", "BIG5-HKSCS"}, {"cp950", "CP950"},
	{"iso-2022-jp", "ISO-2022-JP"}, {"iso-2022-jp-1", "ISO-2022-JP-1"}, {"iso-2022-jp-2", "ISO-2022-JP-2"},
	{"csiso2022jp", "ISO-2022-JP"}, {"shift_jis", "CP932"}, {"shift-jis", "CP932"}, {"x-sjis", "CP932"},
	{"sjis", "CP932"}, {"windows-31j", "CP932"}, {"cp932", "CP932"}, {"euc-jp", "EUC-JP-MS"}, {"x-euc-jp", "EUC-JP-MS"},
	{"ks_c_5601-1987", "CP949"}, {"ks_c_5601", "CP949"}, {"euc-kr", "CP949"}, {"cp949", "CP949"},
	{"iso-2022-kr", "ISO-2022-KR"},
	{"utf-16", "UTF-16"}, {"utf-16le", "UTF-16LE"}, {"utf-16be", "UTF-16BE"}, {"unicode", "UTF-16"},
	{"utf-32", "UTF-32"}, {"utf-7", "UTF-7"}, {"unicode-1-1-utf-7", "UTF-7"},
};
enum { CHARSETS = sizeof charsets / sizeof *charsets };

/* Opening a converter loads a module from disk: each stays open, as long as the process lives. */
static iconv_t converters[CHARSETS];
static bool converter_open[CHARSETS];

static const struct charset *find(struct slice name)
{
	for (const struct charset *charset = charsets; charset < charsets + CHARSETS; charset++)
		if (slice_is(name, charset->name))
			return charset;
	return NULL;
}

static iconv_t converter_of(const struct charset *charset)
{
	size_t i = (size_t)(charset - charsets);

	if (!converter_open[i])
		converters[i] = iconv_open("UTF-8", charset->iconv_name);
	converter_open[i] = true;
	return converters[i];
}

/* One step; with from NULL what the converter holds back (Hebrew and Vietnamese sets compose characters). */
static bool convert_step(struct buffer *out, iconv_t converter, char **from, size_t *left)
{
	enum { STEP = 4096 };
	char *to = buffer_reserve(out, STEP);
	size_t room = STEP, result = iconv(converter, from, left, &to, &room);

	buffer_grow(out, STEP - room);
	return result != (size_t)-1 || errno == E2BIG;
}

/* Feeds the converter; each byte that it does not like becomes one U+FFFD. */
static void convert(struct buffer *out, iconv_t converter, struct slice text)
{
	char *from = (char *)text.at; /* iconv does not write there */
	size_t left = text.length;

	iconv(converter, NULL, NULL, NULL, NULL);
	while (left > 0) {
		if (convert_step(out, converter, &from, &left))
			continue;
		bool is_cut = errno == EINVAL; /* a character that the text ends in */
		buffer_append_string(out, "\xef\xbf\xbd");
		if (is_cut)
			return;
		from++;
		left--;
	}
	convert_step(out, converter, NULL, NULL);
}

static bool has_escape(struct slice text)
{
	const char *escape = text.length > 0 ? memchr(text.at, 0x1b, text.length) : NULL;

	return escape != NULL && escape + 1 < text.at + text.length && (escape[1] == '$' || escape[1] == '(');
}

static void append_converted(struct buffer *out, const struct charset *charset, struct slice text)
{
	iconv_t converter = converter_of(charset);
	struct buffer converted = BUFFER_EMPTY;

	if (converter == (iconv_t)-1) {
		utf8_append_xml(out, text.at, text.length);
		return;
	}
	convert(&converted, converter, text);
	utf8_append_xml(out, converted.data, converted.length);
	buffer_release(&converted);
}

void charset_append(struct buffer *out, struct slice name, struct slice text)
{
	const struct charset *charset = find(slice_trim(name));
	bool says_utf8 = charset != NULL && slice_begins(slice_trim(name), "utf");

	if (text.length == 0)
		return;
	if (charset == NULL || strcmp(charset->iconv_name, "UTF-8") == 0) {
		if (!says_utf8 && has_escape(text))
			charset = find(slice_string("iso-2022-jp"));
		else if (says_utf8 || utf8_is_valid(text.at, text.length))
			charset = NULL;
		else
			charset = find(slice_string("windows-1252"));
	}
	if (charset == NULL)
		utf8_append_xml(out, text.at, text.length);
	else
		append_converted(out, charset, text);
}

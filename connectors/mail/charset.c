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
	{"utf-8", "UTF-8"}, {"utf8", "UTF-8"}, {"utf8mb4", "UTF-8"}, {"unicode-1-1-utf-8", "UTF-8"},
	{"cp65001", "UTF-8"}, {"us-ascii", "UTF-8"}, {"ascii", "UTF-8"}, {"ansi_x3.4-1968", "UTF-8"},
	{"iso-ir-6", "UTF-8"}, {"646", "UTF-8"}, {"iso-8859-1", "CP1252"}, {"iso8859-1", "CP1252"},
	{"iso_8859-1", "CP1252"}, {"iso-ir-100", "CP1252"}, {"latin1", "CP1252"}, {"latin-1", "CP1252"},
	{"l1", "CP1252"}, {"windows-1252", "CP1252"}, {"cp1252", "CP1252"}, {"x-cp1252", "CP1252"}, {"x-ansi", "CP1252"},
	{"ansi", "CP1252"}, {"iso-8859-15", "ISO-8859-15"}, {"iso8859-15", "ISO-8859-15"},
	{"iso_8859-15", "ISO-8859-15"}, {"latin-9", "ISO-8859-15"}, {"latin9", "ISO-8859-15"},
	{"iso-8859-2", "ISO-8859-2"}, {"iso8859-2", "ISO-8859-2"}, {"iso_8859-2", "ISO-8859-2"},
	{"latin2", "ISO-8859-2"}, {"latin-2", "ISO-8859-2"}, {"iso-8859-3", "ISO-8859-3"}, {"iso8859-3", "ISO-8859-3"},
	{"iso-8859-4", "ISO-8859-4"}, {"iso8859-4", "ISO-8859-4"}, {"iso-8859-5", "ISO-8859-5"},
	{"iso8859-5", "ISO-8859-5"}, {"cyrillic", "ISO-8859-5"}, {"iso-8859-6", "ISO-8859-6"},
	{"iso8859-6", "ISO-8859-6"}, {"iso-8859-6-i", "ISO-8859-6"}, {"iso-8859-6-e", "ISO-8859-6"},
	{"iso-8859-7", "ISO-8859-7"}, {"iso8859-7", "ISO-8859-7"}, {"greek", "ISO-8859-7"}, {"iso-8859-8", "CP1255"},
	{"iso8859-8", "CP1255"}, {"iso-8859-8-i", "CP1255"}, {"iso-8859-8-e", "CP1255"}, {"windows-1255", "CP1255"},
	{"cp1255", "CP1255"}, {"x-cp1255", "CP1255"}, {"iso-8859-9", "CP1254"}, {"iso8859-9", "CP1254"},
	{"latin5", "CP1254"}, {"windows-1254", "CP1254"}, {"cp1254", "CP1254"}, {"x-cp1254", "CP1254"},
	{"iso-8859-10", "ISO-8859-10"}, {"iso-8859-11", "CP874"}, {"windows-874", "CP874"}, {"cp874", "CP874"},
	{"tis-620", "CP874"}, {"dos-874", "CP874"}, {"iso-8859-13", "ISO-8859-13"}, {"iso-8859-14", "ISO-8859-14"},
	{"iso-8859-16", "ISO-8859-16"}, {"windows-1250", "CP1250"}, {"cp1250", "CP1250"}, {"x-cp1250", "CP1250"},
	{"windows-1251", "CP1251"}, {"cp1251", "CP1251"}, {"x-cp1251", "CP1251"}, {"win-1251", "CP1251"},
	{"windows-1253", "CP1253"}, {"cp1253", "CP1253"}, {"x-cp1253", "CP1253"}, {"windows-1256", "CP1256"},
	{"cp1256", "CP1256"}, {"x-cp1256", "CP1256"}, {"windows-1257", "CP1257"}, {"cp1257", "CP1257"},
	{"x-cp1257", "CP1257"}, {"windows-1258", "CP1258"}, {"cp1258", "CP1258"}, {"x-cp1258", "CP1258"},
	{"koi8-r", "KOI8-R"}, {"koi8_r", "KOI8-R"}, {"koi8", "KOI8-R"}, {"cskoi8r", "KOI8-R"}, {"koi8-u", "KOI8-U"},
	{"koi8-ru", "KOI8-RU"}, {"koi8-t", "KOI8-T"}, {"ibm437", "CP437"}, {"cp437", "CP437"}, {"ibm737", "CP737"},
	{"cp737", "CP737"}, {"ibm775", "CP775"}, {"cp775", "CP775"}, {"cp850", "CP850"}, {"ibm850", "CP850"},
	{"cp852", "CP852"}, {"ibm852", "CP852"}, {"cp855", "CP855"}, {"ibm855", "CP855"}, {"cp857", "CP857"},
	{"ibm857", "CP857"}, {"cp858", "CP858"}, {"ibm00858", "CP858"}, {"cp860", "CP860"}, {"ibm860", "CP860"},
	{"cp861", "CP861"}, {"ibm861", "CP861"}, {"cp862", "CP862"}, {"ibm862", "CP862"}, {"cp863", "CP863"},
	{"ibm863", "CP863"}, {"cp864", "CP864"}, {"ibm864", "CP864"}, {"cp865", "CP865"}, {"ibm865", "CP865"},
	{"cp866", "CP866"}, {"ibm866", "CP866"}, {"cp869", "CP869"}, {"ibm869", "CP869"}, {"macintosh", "MACINTOSH"},
	{"x-mac-roman", "MACINTOSH"}, {"mac", "MACINTOSH"}, {"x-mac-cyrillic", "MAC-CYRILLIC"},
	{"x-mac-ukrainian", "MAC-CYRILLIC"}, {"x-mac-ce", "MAC-CENTRALEUROPE"},
	{"x-mac-centraleurroman", "MAC-CENTRALEUROPE"}, {"armscii-8", "ARMSCII-8"}, {"georgian-ps", "GEORGIAN-PS"},
	{"georgian-academy", "GEORGIAN-ACADEMY"}, {"viscii", "VISCII"}, {"csviscii", "VISCII"}, {"pt154", "PT154"},
	{"ptcp154", "PT154"}, {"kz-1048", "RK1048"}, {"gb18030", "GB18030"}, {"gbk", "GB18030"}, {"gb2312", "GB18030"},
	{"gb_2312-80", "GB18030"}, {"x-gbk", "GB18030"}, {"cp936", "GB18030"}, {"windows-936", "GB18030"},
	{"ms936", "GB18030"}, {"euc-cn", "GB18030"}, {"x-euc-cn", "GB18030"}, {"csgb2312", "GB18030"},
	{"big5", "BIG5-HKSCS"}, {"big5-hkscs", "BIG5-HKSCS"}, {"cn-big5", "BIG5-HKSCS"}, {"x-x-big5", "BIG5-HKSCS"},
	{"csbig5", "BIG5-HKSCS"}, {"big-5", "BIG5-HKSCS"}, {"cp950", "CP950"}, {"windows-950", "CP950"},
	{"ms950", "CP950"}, {"euc-tw", "EUC-TW"}, {"x-euc-tw", "EUC-TW"}, {"iso-2022-jp", "ISO-2022-JP-3"},
	{"csiso2022jp", "ISO-2022-JP-3"}, {"iso-2022-jp-1", "ISO-2022-JP-2"}, {"iso-2022-jp-2", "ISO-2022-JP-2"},
	{"iso-2022-jp-ms", "ISO-2022-JP-3"}, {"iso-2022-jp-3", "ISO-2022-JP-3"}, {"iso-2022-jp-2004", "ISO-2022-JP-3"},
	{"shift_jis", "CP932"}, {"shift-jis", "CP932"}, {"x-sjis", "CP932"}, {"sjis", "CP932"}, {"ms_kanji", "CP932"},
	{"windows-31j", "CP932"}, {"cp932", "CP932"}, {"windows-932", "CP932"}, {"ms932", "CP932"},
	{"euc-jp", "EUC-JP-MS"}, {"x-euc-jp", "EUC-JP-MS"}, {"euc-jp-ms", "EUC-JP-MS"}, {"cp51932", "EUC-JP-MS"},
	{"ks_c_5601-1987", "CP949"}, {"ks_c_5601", "CP949"}, {"ks_c_5601-1989", "CP949"}, {"ksc5601", "CP949"},
	{"ksc_5601", "CP949"}, {"euc-kr", "CP949"}, {"x-euc-kr", "CP949"}, {"cp949", "CP949"}, {"windows-949", "CP949"},
	{"ms949", "CP949"}, {"uhc", "CP949"}, {"korean", "CP949"}, {"johab", "JOHAB"}, {"cp1361", "JOHAB"},
	{"iso-2022-kr", "ISO-2022-KR"}, {"csiso2022kr", "ISO-2022-KR"}, {"utf-16", "UTF-16"}, {"utf16", "UTF-16"},
	{"unicode", "UTF-16"}, {"iso-10646-ucs-2", "UTF-16"}, {"ucs-2", "UTF-16"}, {"utf-16le", "UTF-16LE"},
	{"utf16le", "UTF-16LE"}, {"utf-16be", "UTF-16BE"}, {"utf16be", "UTF-16BE"}, {"unicodefffe", "UTF-16BE"},
	{"utf-32", "UTF-32"}, {"utf32", "UTF-32"}, {"ucs-4", "UTF-32"}, {"utf-32le", "UTF-32LE"},
	{"utf-32be", "UTF-32BE"}, {"utf-7", "UTF-7"}, {"utf7", "UTF-7"}, {"unicode-1-1-utf-7", "UTF-7"},
	{"unicode-2-0-utf-7", "UTF-7"}, {"csunicode11utf7", "UTF-7"},
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

/* Which of both byte orders UTF-16 and UTF-32 come in: by the mark at their beginning, which is taken off. Without one
 * they are little endian (WHATWG Encoding), unless they begin as the other does. glibc's own converters for them would
 * keep the order of an earlier mail. */
static const struct charset *in_its_byte_order(const struct charset *charset, struct slice *text)
{
	size_t unit = strcmp(charset->iconv_name, "UTF-16") == 0 ? 2 : strcmp(charset->iconv_name, "UTF-32") == 0 ? 4 : 0;
	static const char big[] = "\0\0\xfe\xff", little[] = "\xff\xfe\0\0";

	if (unit == 0 || text->length < unit)
		return charset;
	bool has_big = memcmp(text->at, big + 4 - unit, unit) == 0, has_little = memcmp(text->at, little, unit) == 0;
	bool is_big = has_big || (!has_little && text->at[0] == '\0' && text->at[unit - 1] != '\0');
	if (has_big || has_little)
		*text = slice_of(text->at + unit, text->length - unit);
	return find(slice_string(unit == 2 ? is_big ? "utf-16be" : "utf-16le" : is_big ? "utf-32be" : "utf-32le"));
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
	if (charset != NULL)
		charset = in_its_byte_order(charset, &text);
	if (charset == NULL)
		utf8_append_xml(out, text.at, text.length);
	else
		append_converted(out, charset, text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XML put together by hand: the few documents that there are. */
#include "gateway/autodiscover/document.h"

#include <string.h>

#include "lib/core/utf8.h"

#define CULTURE "en:us" /* of the words in it; phones show none of them */

static void element(struct buffer *out, const char *name, const char *text)
{
	buffer_printf(out, "<%s>", name);
	utf8_append_xml_escaped(out, text, strlen(text));
	buffer_printf(out, "</%s>", name);
}

static void begin(struct buffer *out)
{
	buffer_append_string(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">");
}

/* Up to the Action, which stays open. */
static void begin_mobile(struct buffer *out, const char *email)
{
	begin(out);
	buffer_append_string(out, "<Response xmlns=\"" DOCUMENT_SCHEMA "\">");
	element(out, "Culture", CULTURE);
	buffer_append_string(out, "<User>");
	element(out, "DisplayName", email);
	element(out, "EMailAddress", email);
	buffer_append_string(out, "</User><Action>");
}

void document_settings(struct buffer *out, const char *email, const char *url)
{
	begin_mobile(out, email);
	buffer_append_string(out, "<Settings><Server>");
	element(out, "Type", "MobileSync");
	element(out, "Url", url);
	element(out, "Name", url);
	buffer_append_string(out, "</Server></Settings></Action></Response></Autodiscover>\n");
}

void document_failure(struct buffer *out, const char *email, const char *message, const char *debug)
{
	begin_mobile(out, email);
	buffer_append_string(out, "<Error><Status>2</Status>");
	element(out, "Message", message);
	element(out, "DebugData", debug);
	buffer_append_string(out, "</Error></Action></Response></Autodiscover>\n");
}

static const char *words_of(enum document_code code)
{
	switch (code) {
	case DOCUMENT_ADDRESS_UNKNOWN: return "The email address can't be found.";
	case DOCUMENT_NO_PROVIDER: return "Provider is not available";
	case DOCUMENT_INVALID_REQUEST: break;
	}
	return "Invalid Request";
}

void document_error(struct buffer *out, enum document_code code)
{
	begin(out);
	buffer_printf(out, "<Response><Error><ErrorCode>%d</ErrorCode>", code);
	element(out, "Message", words_of(code));
	buffer_append_string(out, "<DebugData/></Error></Response></Autodiscover>\n");
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The original of a reply or a forward, added to a mail that says nothing but the new text. */
#include <openssl/evp.h>

#include "connectors/mail/date.h"
#include "connectors/mail/header.h"
#include "connectors/mail/html.h"
#include "connectors/mail/mail.h"
#include "connectors/mail/outgoing.h"
#include "lib/core/buffer.h"

enum { LINE_OCTETS = 57 }; /* 76 characters of base64: RFC 2045 section 6.8 */

typedef Belfry__Connector__Body body_t;
typedef Belfry__Connector__Mail mail_t;

static struct slice keep(struct arena *arena, struct buffer *buffer)
{
	struct slice kept = slice_of(arena_strndup(arena, buffer_string(buffer), buffer->length), buffer->length);

	buffer_release(buffer);
	return kept;
}

static bool is_8bit(struct slice bytes)
{
	for (size_t i = 0; i < bytes.length; i++)
		if ((unsigned char)bytes.at[i] >= 0x80)
			return true;
	return false;
}

/* --- enclosed -------------------------------------------------------------------------------------------------- */

static bool occurs(struct slice in, const char *word)
{
	return in.length > 0 && memmem(in.at, in.length, word, strlen(word)) != NULL;
}

/* One that stands nowhere in what it is to separate. */
static const char *make_boundary(const struct outgoing *outgoing, struct slice original)
{
	const char *boundary = "=_belfry";

	for (unsigned i = 0; occurs(outgoing->body, boundary) || occurs(original, boundary); i++)
		boundary = arena_printf(outgoing->arena, "=_belfry_%u", i);
	return boundary;
}

void outgoing_enclose(struct outgoing *outgoing, struct slice original)
{
	struct arena *arena = outgoing->arena;
	const char *boundary = make_boundary(outgoing, original);
	const char *encoding = "Content-Transfer-Encoding: 8bit\r\n";
	bool original_is_8bit = is_8bit(original), whole_is_8bit = original_is_8bit || is_8bit(outgoing->body);
	const struct slice pieces[] = {
		outgoing->fields,
		slice_string(arena_printf(arena, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n%s\r\n--%s\r\n", boundary,
			whole_is_8bit ? encoding : "", boundary)),
		outgoing->content,
		slice_string("\r\n"),
		outgoing->body,
		slice_string(arena_printf(arena, "\r\n--%s\r\nContent-Type: message/rfc822\r\n%s"
			"Content-Disposition: attachment; filename=\"message.eml\"\r\n\r\n", boundary, original_is_8bit ? encoding : "")),
		original,
		slice_string(arena_printf(arena, "\r\n--%s--\r\n", boundary)),
	};

	memcpy(outgoing->pieces, pieces, sizeof pieces);
	outgoing->piece_count = sizeof pieces / sizeof *pieces;
}

/* --- a text in one of its forms -------------------------------------------------------------------------------- */

static body_t *text_of(struct arena *arena, struct mime_part *part, Belfry__Connector__BodyType type)
{
	static const Belfry__Connector__BodyWish whole = BELFRY__CONNECTOR__BODY_WISH__INIT;
	struct body_plan plan = {.native = type, .type = type, .wish = &whole, .count = 1};
	body_t *body = arena_alloc(arena, sizeof *body);

	plan.segments[0].plain = type == BELFRY__CONNECTOR__BODY_TYPE__PLAIN ? part : NULL;
	plan.segments[0].html = type == BELFRY__CONNECTOR__BODY_TYPE__HTML ? part : NULL;
	belfry__connector__body__init(body);
	body_fill(arena, &plan, body);
	return body;
}

static struct slice original_text(struct arena *arena, struct slice original, Belfry__Connector__BodyType type,
	mail_t *mail_r)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes[] = {&wish};
	body_t body = BELFRY__CONNECTOR__BODY__INIT;

	belfry__connector__mail__init(mail_r);
	wish.type = type;
	mail_read(arena, original.at, original.length, wishes, 1, 0, mail_r, &body);
	return slice_of((const char *)body.data.data, body.data.len);
}

static const char *who_wrote(struct arena *arena, const mail_t *mail)
{
	struct buffer text = BUFFER_EMPTY;

	if (mail->sent_s != 0) {
		buffer_append_string(&text, "On ");
		date_append(&text, (int64_t)mail->sent_s);
		buffer_append_string(&text, ", ");
	}
	buffer_printf(&text, "%s wrote:", mail->from);
	return keep(arena, &text).at;
}

static void append_quoted(struct buffer *out, struct slice text)
{
	while (text.length > 0) {
		const char *end = memchr(text.at, '\n', text.length);
		size_t taken = end != NULL ? (size_t)(end + 1 - text.at) : text.length;
		struct slice line = slice_of(text.at, taken);

		while (line.length > 0 && (line.at[line.length - 1] == '\n' || line.at[line.length - 1] == '\r'))
			line.length--;
		buffer_append_string(out, line.length > 0 && *line.at == '>' ? ">" : "> ");
		buffer_append(out, line.at, line.length);
		buffer_append_string(out, "\r\n");
		text = slice_of(text.at + taken, text.length - taken);
	}
}

static void append_plain(struct arena *arena, struct buffer *out, struct slice text, struct slice original)
{
	mail_t mail;
	struct slice quoted = original_text(arena, original, BELFRY__CONNECTOR__BODY_TYPE__PLAIN, &mail);

	buffer_append(out, text.at, text.length);
	buffer_printf(out, "\r\n\r\n%s\r\n", who_wrote(arena, &mail));
	append_quoted(out, quoted);
}

/* Where "</body" or the like last begins; the end where it does not. */
static size_t find_last(struct slice html, const char *tag)
{
	size_t length = strlen(tag);

	for (size_t at = html.length; at-- > 0;)
		if (html.at[at] == '<' && html.length - at >= length && strncasecmp(html.at + at, tag, length) == 0)
			return at;
	return html.length;
}

/* What stands between <body …> and </body>. */
static struct slice inner_html(struct slice html)
{
	size_t begin = find_last(html, "<body"), end = find_last(html, "</body");
	const char *open = begin < end ? memchr(html.at + begin, '>', end - begin) : NULL;

	return open == NULL ? html : slice_of(open + 1, (size_t)(html.at + end - (open + 1)));
}

static void append_html(struct arena *arena, struct buffer *out, struct slice text, struct slice original)
{
	mail_t mail;
	struct slice quoted = inner_html(original_text(arena, original, BELFRY__CONNECTOR__BODY_TYPE__HTML, &mail));
	size_t end = find_last(text, "</body");
	struct buffer who = BUFFER_EMPTY;

	html_from_text(&who, slice_string(who_wrote(arena, &mail)));
	struct slice said = inner_html(slice_of(who.data, who.length));
	buffer_append(out, text.at, end);
	buffer_append_string(out, "<br><div>");
	buffer_append(out, said.at, said.length);
	buffer_release(&who);
	buffer_append_string(out, "</div><blockquote type=\"cite\">");
	buffer_append(out, quoted.at, quoted.length);
	buffer_append_string(out, "</blockquote>");
	buffer_append(out, text.at + end, text.length - end);
}

/* --- quoted ---------------------------------------------------------------------------------------------------- */

static struct slice encode(struct arena *arena, struct buffer *text)
{
	struct buffer out = BUFFER_EMPTY;

	for (size_t at = 0; at < text->length; at += LINE_OCTETS) {
		size_t length = text->length - at < LINE_OCTETS ? text->length - at : LINE_OCTETS;

		buffer_grow(&out, (size_t)EVP_EncodeBlock((unsigned char *)buffer_reserve(&out, LINE_OCTETS * 2),
			(const unsigned char *)text->data + at, (int)length));
		buffer_append_string(&out, "\r\n");
	}
	buffer_release(text);
	return keep(arena, &out);
}

static struct slice with_original(struct arena *arena, struct mime_part *part, struct slice original)
{
	bool is_html = mime_is(part, "text", "html");
	const body_t *body = text_of(arena, part, is_html ? BELFRY__CONNECTOR__BODY_TYPE__HTML
		: BELFRY__CONNECTOR__BODY_TYPE__PLAIN);
	struct slice text = slice_of((const char *)body->data.data, body->data.len);
	struct buffer out = BUFFER_EMPTY;

	(is_html ? append_html : append_plain)(arena, &out, text, original);
	return encode(arena, &out);
}

/* The fields of a part's content that stay as they are, and those of what its text is now. */
static struct slice content_of(struct arena *arena, const struct mime_part *part, struct slice header)
{
	struct buffer out = BUFFER_EMPTY;
	struct header_field field;

	while (header_next(&header, &field))
		if (!slice_is(field.name, "Content-Type") && !slice_is(field.name, "Content-Transfer-Encoding"))
			buffer_printf(&out, "%.*s: %.*s\r\n", (int)field.name.length, field.name.at, (int)field.value.length,
				field.value.at);
	buffer_printf(&out, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
		mime_is(part, "text", "html") ? "html" : "plain");
	return keep(arena, &out);
}

static void add(struct outgoing *outgoing, struct slice piece)
{
	outgoing->pieces[outgoing->piece_count++] = piece;
}

/* The mail is nothing but this text. */
static void replace_all(struct outgoing *outgoing, struct mime_part *part, struct slice original)
{
	outgoing->piece_count = 0;
	add(outgoing, outgoing->fields);
	add(outgoing, content_of(outgoing->arena, part, outgoing->content));
	add(outgoing, slice_string("\r\n"));
	add(outgoing, with_original(outgoing->arena, part, original));
}

/* One part among others: what stands before it, the part, and all that follows as the last piece. */
static void replace_part(struct outgoing *outgoing, struct mime_part *part, struct slice original)
{
	struct slice rest = outgoing->pieces[outgoing->piece_count - 1];
	const char *end = part->body.at + part->body.length;

	outgoing->pieces[outgoing->piece_count - 1] = slice_of(rest.at, (size_t)(part->header.at - rest.at));
	add(outgoing, content_of(outgoing->arena, part, part->header));
	add(outgoing, slice_string("\r\n"));
	add(outgoing, with_original(outgoing->arena, part, original));
	add(outgoing, slice_of(end, (size_t)(rest.at + rest.length - end)));
}

static bool is_sealed(const struct mime_part *root)
{
	return mime_is(root, "multipart", "signed") || mime_is(root, "multipart", "encrypted") ||
		mime_is(root, "application", "pkcs7-mime") || mime_is(root, "application", "x-pkcs7-mime");
}

static bool is_too_long(const struct mime_part *part)
{
	return part != NULL && part->body.length > BODY_PART_MAX;
}

void outgoing_quote(struct outgoing *outgoing, struct slice original)
{
	struct mime_part *root = mime_parse(outgoing->arena, outgoing->mail.at, outgoing->mail.length);
	struct body_plan plan;

	if (is_sealed(root))
		return;
	body_choose(root, NULL, 0, 0, &plan);
	const struct body_segment *last = plan.count == 0 ? NULL : &plan.segments[plan.count - 1];
	struct mime_part *first = last == NULL ? NULL : last->plain != NULL ? last->plain : last->html;
	struct mime_part *second = last != NULL && last->plain != NULL ? last->html : NULL;
	if (first == NULL || is_too_long(first) || is_too_long(second)) {
		outgoing_enclose(outgoing, original);
		return;
	}
	if (first == root) {
		replace_all(outgoing, root, original);
		return;
	}
	if (second != NULL && second->body.at < first->body.at) {
		struct mime_part *later = first;
		first = second;
		second = later;
	}
	replace_part(outgoing, first, original);
	if (second != NULL)
		replace_part(outgoing, second, original);
}

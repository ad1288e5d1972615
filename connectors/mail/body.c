/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing, converting and cutting bodies. */
#include "connectors/mail/body.h"

#include "connectors/contract.h"
#include "connectors/mail/charset.h"
#include "connectors/mail/header.h"
#include "connectors/mail/history.h"
#include "connectors/mail/html.h"
#include "lib/core/utf8.h"

/* --- which parts ----------------------------------------------------------------------------------------------- */

static bool is_text(const struct mime_part *part, const char *subtype)
{
	return mime_is(part, "text", subtype);
}

static bool has_name(const struct mime_part *part)
{
	for (const struct param *param = part->disposition_params; param != NULL; param = param->next)
		if (slice_begins(param->name, "filename"))
			return true;
	for (const struct param *param = part->type_params; param != NULL; param = param->next)
		if (slice_begins(param->name, "name"))
			return true;
	return false;
}

/* Text to be read, not a text file that was attached. */
static bool is_readable(const struct mime_part *part)
{
	if (part->disposition == MIME_DISPOSITION_ATTACHMENT || (part->parent != NULL && has_name(part)))
		return false;
	return is_text(part, "plain") || is_text(part, "html");
}

/* Parts of which only the first is for reading: the others are its pictures, or its signature. */
static bool is_led_by_first(const struct mime_part *part)
{
	return mime_is(part, "multipart", "related") || mime_is(part, "multipart", "signed");
}

static struct body_segment *add_segment(struct body_plan *plan, struct mime_part *plain, struct mime_part *html)
{
	struct body_segment *segment = &plan->segments[plan->count];

	if (plan->count == BODY_SEGMENTS_MAX)
		return NULL;
	*segment = (struct body_segment){.plain = plain, .html = html};
	plan->count++;
	return segment;
}

/* The next part to look at: not within what was dealt with, not the pictures of a multipart/related. */
static struct mime_part *next_readable(const struct mime_part *root, const struct mime_part *part, bool is_done)
{
	struct mime_part *next = is_done ? mime_next_beside(root, part) : mime_next(root, part);

	while (next != NULL && next->parent != NULL && next->number > 1 && is_led_by_first(next->parent))
		next = mime_next_beside(root, next);
	return next;
}

/* One text in two forms. HTML may come in pieces with files between them, while the plain form is whole. */
static void add_alternative(struct body_plan *plan, const struct mime_part *alternative)
{
	struct body_segment *first = NULL;
	struct mime_part *plain = NULL;

	for (struct mime_part *part = alternative->first; part != NULL; part = next_readable(alternative, part, false)) {
		if (!is_readable(part))
			continue;
		if (is_text(part, "plain") && plain == NULL) {
			plain = part;
			if (first != NULL)
				first->plain = plain;
		} else if (is_text(part, "html")) {
			struct body_segment *segment = add_segment(plan, first == NULL ? plain : NULL, part);
			if (first == NULL)
				first = segment;
			else if (segment != NULL)
				segment->is_told_before = true;
		}
	}
	if (first == NULL && plain != NULL)
		add_segment(plan, plain, NULL);
}

static void find_segments(struct body_plan *plan, const struct mime_part *root)
{
	struct mime_part *part = (struct mime_part *)root; /* only looked at; the loaders write to what they are given */

	while (part != NULL) {
		bool is_alternative = mime_is(part, "multipart", "alternative");

		if (is_alternative)
			add_alternative(plan, part);
		else if (is_readable(part))
			add_segment(plan, is_text(part, "plain") ? part : NULL, is_text(part, "html") ? part : NULL);
		part = next_readable(root, part, is_alternative);
	}
}

/* --- which form ------------------------------------------------------------------------------------------------ */

static bool is_smime(const struct mime_part *root)
{
	return mime_is(root, "application", "pkcs7-mime") || mime_is(root, "application", "x-pkcs7-mime")
		|| mime_is(root, "multipart", "signed");
}

/* What is wished, without what was passed over. */
struct wishes {
	Belfry__Connector__BodyWish *const *list;
	size_t count;
	uint32_t passed;
};

static const Belfry__Connector__BodyWish *wish_at(const struct wishes *wishes, size_t i)
{
	return wishes->passed >> i & 1 ? NULL : wishes->list[i];
}

/* NULL: no such type. */
static const Belfry__Connector__BodyWish *find_wish(const struct wishes *wishes, Belfry__Connector__BodyType type)
{
	for (size_t i = 0; i < wishes->count; i++)
		if (wish_at(wishes, i) != NULL && wishes->list[i]->type == type)
			return wishes->list[i];
	return NULL;
}

/* The first for a text that can be made of any other. */
static const Belfry__Connector__BodyWish *find_text_wish(const struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->count; i++)
		if (wish_at(wishes, i) != NULL && (wishes->list[i]->type == BELFRY__CONNECTOR__BODY_TYPE__PLAIN ||
		    wishes->list[i]->type == BELFRY__CONNECTOR__BODY_TYPE__HTML))
			return wishes->list[i];
	return NULL;
}

static void begin_plan(struct body_plan *plan, const struct mime_part *root)
{
	*plan = (struct body_plan){.native = BELFRY__CONNECTOR__BODY_TYPE__PLAIN};
	find_segments(plan, root);
	for (int i = 0; i < plan->count; i++)
		if (plan->segments[i].html != NULL)
			plan->native = BELFRY__CONNECTOR__BODY_TYPE__HTML;
}

/* False: none of the wishes can be fulfilled. */
static bool choose(const struct mime_part *root, const struct wishes *wishes, unsigned mime_support, struct body_plan *plan)
{
	plan->type = BELFRY__CONNECTOR__BODY_TYPE__MIME;
	plan->wish = mime_support == 2 || (mime_support == 1 && is_smime(root)) ? find_wish(wishes, plan->type) : NULL;
	if (plan->wish != NULL)
		return true;
	plan->type = plan->native;
	plan->wish = find_wish(wishes, plan->type);
	if (plan->wish != NULL)
		return true;
	plan->wish = find_text_wish(wishes);
	if (plan->wish != NULL)
		plan->type = plan->wish->type;
	return plan->wish != NULL;
}

void body_choose(const struct mime_part *root, Belfry__Connector__BodyWish *const *wishes, size_t count,
	unsigned mime_support, struct body_plan *plan)
{
	struct wishes all = {wishes, count < BODY_WISHES_MAX ? count : BODY_WISHES_MAX, 0};

	begin_plan(plan, root);
	if (count > 0 && !choose(root, &all, mime_support, plan))
		plan->wish = wishes[0]; /* nothing that can be given: the native form, with the limits of the first */
}

bool body_choose_other(const struct mime_part *root, Belfry__Connector__BodyWish *const *wishes, size_t count,
	unsigned mime_support, const Belfry__Connector__Body *body, struct body_plan *plan)
{
	struct wishes rest = {wishes, count < BODY_WISHES_MAX ? count : BODY_WISHES_MAX, plan->passed};

	if (plan->wish == NULL || !plan->wish->has_truncate || !plan->wish->all_or_none || !body->truncated)
		return false;
	for (size_t i = 0; i < rest.count; i++)
		if (wishes[i] == plan->wish)
			rest.passed |= UINT32_C(1) << i;
	struct body_plan other = *plan;
	other.passed = rest.passed;
	if (!choose(root, &rest, mime_support, &other))
		return false;
	*plan = other;
	return true;
}

enum { PREVIEW_BYTES = 16 * 1024 }; /* of the text, for at most 255 characters */

void body_choose_preview(const struct body_plan *plan, struct body_plan *preview)
{
	static const Belfry__Connector__BodyWish beginning = {.base = PROTOBUF_C_MESSAGE_INIT(&belfry__connector__body_wish__descriptor),
		.has_truncate = 1, .truncate = PREVIEW_BYTES};

	*preview = *plan;
	preview->type = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	preview->wish = &beginning;
}

/* As mailers of many languages begin the subject of a forward. */
static bool is_forward(struct slice subject)
{
	static const char *const words[] = {"fw:", "fwd:", "wg:", "tr:", "rv:", "enc:", "i:", "vl:", "pd:", "ilt:", "doorst:",
		"vb:", "\xe8\xbd\xac\xe5\x8f\x91:"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (slice_begins(slice_trim(subject), words[i]))
			return true;
	return false;
}

/* Only then others of its conversation have what it repeats: a conversation is what refers to each other. A forward
 * refers to others, too, but who gets it has none of them. */
static bool answers_others(const struct mime_part *root)
{
	struct slice rest = root->header;
	struct header_field field;
	bool refers = false;

	while (header_next(&rest, &field)) {
		if (slice_is(field.name, "subject") && is_forward(field.value))
			return false;
		if (field.value.length > 0 && (slice_is(field.name, "in-reply-to") || slice_is(field.name, "references")))
			refers = true;
	}
	return refers;
}

void body_choose_part(const struct mime_part *root, const Belfry__Connector__BodyWish *wish, struct body_plan *plan)
{
	begin_plan(plan, root);
	plan->type = BELFRY__CONNECTOR__BODY_TYPE__HTML;
	plan->wish = wish;
	plan->is_part = true;
	plan->drops_history = answers_others(root);
}

struct mime_part *body_source(const struct body_plan *plan, const struct body_segment *segment)
{
	if (plan->type == BELFRY__CONNECTOR__BODY_TYPE__HTML)
		return segment->html != NULL ? segment->html : segment->plain;
	if (segment->is_told_before)
		return NULL;
	return segment->plain != NULL ? segment->plain : segment->html;
}

uint64_t body_octets_needed(const struct body_plan *plan, const struct mime_part *part)
{
	/* Encoding takes up to three octets for one, and markup is dropped when text is made of HTML: a generous first
	 * piece, so that one trip is enough; what is still short is told as truncated. */
	uint64_t slack = 64 * 1024, needed = BODY_PART_MAX;

	if (plan->wish != NULL && plan->wish->has_truncate && plan->wish->truncate < BODY_PART_MAX / 4 &&
	    !plan->drops_history) /* the answer may stand below what it repeats */
		needed = plan->wish->truncate * 4 + slack;
	if (needed > BODY_PART_MAX)
		needed = BODY_PART_MAX;
	return needed < part->size ? needed : part->size;
}

bool body_has(const struct body_plan *plan, const struct mime_part *part)
{
	for (int i = 0; i < plan->count; i++)
		if (part == plan->segments[i].plain || part == plan->segments[i].html)
			return true;
	return false;
}

/* --- conversion ------------------------------------------------------------------------------------------------ */

/* The text of a part as UTF-8. */
static void append_part(struct arena *arena, struct buffer *out, const struct mime_part *part)
{
	struct slice charset = param_raw(arena, part->type_params, "charset");
	struct buffer octets = BUFFER_EMPTY;
	struct slice text = slice_cut(part->body, BODY_PART_MAX);

	if (part->transfer != TRANSFER_IDENTITY) {
		transfer_append(&octets, part->transfer, text);
		text = slice_of(octets.data, octets.length);
	}
	if (charset.length == 0 && is_text(part, "html"))
		charset = html_charset(text);
	charset_append(out, charset, text);
	buffer_release(&octets);
}

static void drop_history(struct buffer *text, bool is_html)
{
	struct buffer whole = *text;

	*text = BUFFER_EMPTY;
	(is_html ? history_drop_from_html : history_drop_from_text)(text, slice_of(whole.data, whole.length));
	buffer_release(&whole);
}

static void append_segment(struct arena *arena, struct buffer *out, const struct body_plan *plan,
	const struct mime_part *part)
{
	struct buffer text = BUFFER_EMPTY;
	bool is_html = is_text(part, "html"), wants_html = plan->type == BELFRY__CONNECTOR__BODY_TYPE__HTML;

	if (!is_html && !wants_html) {
		append_part(arena, out, part);
		return;
	}
	append_part(arena, &text, part);
	if (plan->drops_history)
		drop_history(&text, is_html);
	if (!wants_html)
		html_to_text(out, slice_of(text.data, text.length));
	else if (is_html)
		html_append_as_utf8(out, slice_of(text.data, text.length));
	else
		html_from_text(out, slice_of(text.data, text.length));
	buffer_release(&text);
}

/* What is missing of a part that was not loaded to its end. */
static uint64_t missing_of(const struct mime_part *part)
{
	uint64_t known = part->body.length < BODY_PART_MAX ? part->body.length : BODY_PART_MAX;

	return part->is_loaded && part->size <= known ? 0 : transfer_decoded_size(part->transfer, part->size - known);
}

static size_t cut_to_character(const char *text, size_t length, uint64_t most)
{
	return length <= most ? length : (size_t)most - utf8_incomplete_tail(text, (size_t)most);
}

/* White space in runs is one space; at most so many characters. */
static char *make_preview(struct arena *arena, struct slice text, unsigned characters)
{
	char *preview = arena_alloc(arena, (size_t)characters * 4 + 1), *to = preview;
	bool space = false;

	for (size_t i = 0; i < text.length && characters > 0;) {
		int size = utf8_character(text.at + i, text.length - i);

		if (size <= 0)
			break;
		if (size == 1 && (unsigned char)text.at[i] <= ' ') {
			space = to > preview;
			i++;
			continue;
		}
		if (space) {
			*to++ = ' ';
			space = false;
			if (--characters == 0)
				break;
		}
		memcpy(to, text.at + i, (size_t)size);
		to += size;
		i += (size_t)size;
		characters--;
	}
	*to = '\0';
	return preview;
}

/* The text that a preview is made of, where the body is not text itself. */
static void append_beginning(struct arena *arena, struct buffer *text, const struct body_plan *plan)
{
	struct body_plan plain;

	body_choose_preview(plan, &plain);
	for (int i = 0; i < plain.count && text->length < PREVIEW_BYTES; i++) {
		const struct mime_part *part = body_source(&plain, &plain.segments[i]);

		if (part == NULL || !part->is_loaded)
			continue;
		if (text->length > 0)
			buffer_append_byte(text, ' ');
		append_segment(arena, text, &plain, part);
	}
}

static void fill_preview(struct arena *arena, const struct body_plan *plan, struct slice body,
	Belfry__Connector__Body *body_r)
{
	struct buffer text = BUFFER_EMPTY;
	unsigned characters = plan->wish->preview < BODY_PREVIEW_MAX ? plan->wish->preview : BODY_PREVIEW_MAX;
	bool is_html = plan->type == BELFRY__CONNECTOR__BODY_TYPE__HTML;
	const struct mime_part *plain = is_html && plan->count > 0 ? plan->segments[0].plain : NULL;

	if (characters == 0)
		return;
	if (plan->type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		append_beginning(arena, &text, plan);
	else if (plain != NULL && plain->is_loaded && !plan->drops_history)
		append_part(arena, &text, plain);
	else if (is_html)
		html_to_text(&text, slice_cut(body, PREVIEW_BYTES));
	if (plan->type != BELFRY__CONNECTOR__BODY_TYPE__PLAIN)
		body = slice_of(text.data, text.length);
	body_r->preview = make_preview(arena, slice_cut(body, PREVIEW_BYTES), characters);
	buffer_release(&text);
}

/* How much of the whole is given. */
static size_t cut_to_wish(const struct body_plan *plan, struct slice body, Belfry__Connector__Body *body_r)
{
	size_t length = body.length;

	if (plan->wish->has_truncate)
		length = cut_to_character(body.at, length, plan->wish->truncate);
	body_r->truncated = body_r->full_size > length;
	return body_r->truncated && plan->wish->has_truncate && plan->wish->all_or_none ? 0 : length;
}

void body_fill(struct arena *arena, const struct body_plan *plan, Belfry__Connector__Body *body_r)
{
	struct buffer out = BUFFER_EMPTY;
	uint64_t missing = 0;

	body_r->native = plan->native;
	if (plan->wish == NULL)
		return;
	body_r->type = plan->type;
	for (int i = 0; i < plan->count; i++) {
		const struct mime_part *part = body_source(plan, &plan->segments[i]);

		if (part == NULL)
			continue;
		if (out.length > 0)
			buffer_append_string(&out, "\r\n");
		append_segment(arena, &out, plan, part);
		missing += missing_of(part);
	}
	body_r->full_size = out.length + missing;
	fill_preview(arena, plan, slice_of(out.data, out.length), body_r);
	body_r->data.len = cut_to_wish(plan, slice_of(out.data, out.length), body_r);
	body_r->too_large = plan->is_part && body_r->data.len > CONNECTOR_INLINE_MAX;
	if (body_r->too_large)
		body_r->data.len = 0;
	body_r->data.data = (uint8_t *)arena_strndup(arena, out.data != NULL ? out.data : "", body_r->data.len);
	buffer_release(&out);
}

void body_fill_mime(struct arena *arena, const struct body_plan *plan, struct slice text, uint64_t full_size,
	Belfry__Connector__Body *body_r)
{
	body_r->native = plan->native;
	body_r->type = plan->type;
	body_r->full_size = full_size;
	fill_preview(arena, plan, text, body_r);
	body_r->data.len = cut_to_wish(plan, text, body_r);
	body_r->data.data = (uint8_t *)text.at;
}

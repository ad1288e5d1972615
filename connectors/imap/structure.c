/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BODYSTRUCTURE. Its nesting is the mail's, limited as mime_parse() limits it. */
#include "connectors/imap/structure.h"

#include "connectors/imap/worker_internal.h"

struct parser {
	struct arena *arena;
	struct imap_cursor *cursor;
	int parts;
};

/* A string's value, copied; NIL and anything else is empty. */
static struct slice copy_text(struct arena *arena, const struct imap_token *token)
{
	struct buffer text = BUFFER_EMPTY;
	struct slice copy = slice_of(NULL, 0);

	if (token->kind == IMAP_ATOM && imap_text_is(token->text, "NIL"))
		return copy;
	if (imap_token_append(token, &text) && text.length > 0)
		copy = slice_of(arena_strndup(arena, text.data, text.length), text.length);
	buffer_release(&text);
	return copy;
}

static bool is_value(const struct imap_token *token)
{
	return token->kind == IMAP_ATOM || token->kind == IMAP_QUOTED || token->kind == IMAP_LITERAL;
}

static bool take_text(struct parser *parser, struct slice *text_r)
{
	struct imap_token token = imap_token_next(parser->cursor);

	*text_r = copy_text(parser->arena, &token);
	return is_value(&token);
}

/* ("name" "value" …) or NIL */
static bool take_params(struct parser *parser, struct param **params)
{
	struct imap_token token = imap_token_next(parser->cursor);
	int count = 0;

	if (token.kind != IMAP_OPEN)
		return is_value(&token);
	for (token = imap_token_next(parser->cursor); is_value(&token); token = imap_token_next(parser->cursor)) {
		struct slice name = copy_text(parser->arena, &token), value;

		if (!take_text(parser, &value))
			return false;
		if (count++ < PARAM_MAX)
			param_add(parser->arena, params, name, value);
	}
	return token.kind == IMAP_CLOSE;
}

/* ("attachment" ("filename" "x")) or NIL */
static bool take_disposition(struct parser *parser, struct mime_part *part)
{
	struct imap_token token = imap_token_next(parser->cursor);
	struct slice disposition;

	if (token.kind != IMAP_OPEN)
		return is_value(&token);
	if (!take_text(parser, &disposition) || !take_params(parser, &part->disposition_params))
		return false;
	mime_part_set_disposition(part, disposition);
	return imap_token_next(parser->cursor).kind == IMAP_CLOSE;
}

static bool at_close(struct parser *parser)
{
	struct imap_cursor ahead = *parser->cursor;

	return imap_token_next(&ahead).kind == IMAP_CLOSE;
}

/* What may follow, up to the closing parenthesis, which is taken: disposition, language, location, extensions. */
static bool take_extensions(struct parser *parser, struct mime_part *part)
{
	bool good = true;

	if (!at_close(parser))
		good = take_disposition(parser, part);
	if (good && !at_close(parser))
		good = imap_cursor_skip(parser->cursor);
	if (good && !at_close(parser))
		good = take_text(parser, &part->content_location);
	while (good && !at_close(parser))
		good = imap_cursor_skip(parser->cursor);
	return good && imap_token_next(parser->cursor).kind == IMAP_CLOSE;
}

static bool skip_values(struct parser *parser, int count)
{
	while (count-- > 0)
		if (!imap_cursor_skip(parser->cursor))
			return false;
	return true;
}

static struct slice without_angles(struct slice id)
{
	if (id.length >= 2 && *id.at == '<' && id.at[id.length - 1] == '>')
		return slice_of(id.at + 1, id.length - 2);
	return id;
}

/* One part that is no multipart, from its type (already taken) on. */
static bool take_leaf(struct parser *parser, struct mime_part *part, const struct imap_token *type_token)
{
	struct slice type = copy_text(parser->arena, type_token), subtype, id, description, encoding;
	struct imap_token size;

	if (!take_text(parser, &subtype) || !take_params(parser, &part->type_params) || !take_text(parser, &id)
		|| !take_text(parser, &description) || !take_text(parser, &encoding))
		return false;
	size = imap_token_next(parser->cursor);
	if (!imap_token_number(&size, &part->size))
		return false;
	if (type.length > 0 && subtype.length > 0)
		mime_part_set_type(part, type, subtype);
	part->content_id = without_angles(id);
	part->transfer = transfer_from_name(encoding);
	if (mime_is(part, "text", NULL) && !at_close(parser) && !skip_values(parser, 1)) /* lines */
		return false;
	if (mime_is(part, "message", "rfc822") && !at_close(parser) && !skip_values(parser, 3)) /* envelope, body, lines */
		return false;
	if (!at_close(parser) && !skip_values(parser, 1)) /* MD5 */
		return false;
	return take_extensions(parser, part);
}

static bool take_body(struct parser *parser, struct mime_part *part, int depth);

/* The parts of a multipart; the first one's parenthesis has been taken. */
static bool take_multipart(struct parser *parser, struct mime_part *part, int depth)
{
	struct slice subtype;

	do {
		if (!take_body(parser, mime_part_create(parser->arena, part), depth + 1))
			return false;
		struct imap_cursor ahead = *parser->cursor;
		if (imap_token_next(&ahead).kind != IMAP_OPEN)
			break;
		*parser->cursor = ahead;
	} while (true);
	if (!take_text(parser, &subtype))
		return false;
	mime_part_set_type(part, slice_string("multipart"), subtype);
	if (!at_close(parser) && !take_params(parser, &part->type_params))
		return false;
	return take_extensions(parser, part);
}

/* Behind the opening parenthesis. */
static bool take_body(struct parser *parser, struct mime_part *part, int depth)
{
	struct imap_token token = imap_token_next(parser->cursor);

	if (depth > MIME_DEPTH_MAX || ++parser->parts > MIME_PARTS_MAX)
		return false;
	if (token.kind == IMAP_OPEN)
		return take_multipart(parser, part, depth);
	return is_value(&token) && take_leaf(parser, part, &token);
}

struct mime_part *structure_parse(struct arena *arena, struct imap_cursor *cursor)
{
	struct parser parser = {.arena = arena, .cursor = cursor};
	struct mime_part *root = mime_part_create(arena, NULL);

	return imap_token_next(cursor).kind == IMAP_OPEN && take_body(&parser, root, 0) ? root : NULL;
}

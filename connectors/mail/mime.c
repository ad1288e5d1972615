/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parsing MIME in one pass. The parser goes line by line and is either in a part's header or in its body; a line that
 * begins with "--" is compared with the boundaries of the multiparts that are open, the innermost first. A match ends
 * all that is open within that multipart.
 */
#include "connectors/mail/mime.h"

#include "connectors/mail/header.h"

struct open_multipart {
	struct mime_part *part;
	struct slice boundary;
};

struct parser {
	struct arena *arena;
	const char *at, *end;
	struct open_multipart open[MIME_DEPTH_MAX];
	int depth;
	int parts;
};

/* What a line "--…" means: the multipart at this depth goes on or ends. -1: nothing. */
struct boundary_match {
	int depth;
	bool is_close;
};

struct mime_part *mime_part_create(struct arena *arena, struct mime_part *parent)
{
	struct mime_part *part = arena_alloc(arena, sizeof *part);

	part->parent = parent;
	part->number = 1;
	mime_part_set_type(part, slice_string("text"), slice_string("plain"));
	if (parent == NULL)
		return part;
	if (parent->last != NULL) {
		part->number = parent->last->number + 1;
		parent->last->next = part;
	} else {
		parent->first = part;
	}
	parent->last = part;
	return part;
}

void mime_part_set_type(struct mime_part *part, struct slice type, struct slice subtype)
{
	part->type = type;
	part->subtype = subtype;
}

void mime_part_set_content_type(struct mime_part *part, struct slice content_type)
{
	const char *slash = content_type.length > 0 ? memchr(content_type.at, '/', content_type.length) : NULL;
	struct slice type, subtype;

	if (slash == NULL)
		return;
	type = slice_trim(slice_of(content_type.at, (size_t)(slash - content_type.at)));
	subtype = slice_trim(slice_of(slash + 1, content_type.length - (size_t)(slash + 1 - content_type.at)));
	if (type.length > 0 && subtype.length > 0)
		mime_part_set_type(part, type, subtype);
}

void mime_part_set_disposition(struct mime_part *part, struct slice disposition)
{
	if (slice_is(disposition, "inline"))
		part->disposition = MIME_DISPOSITION_INLINE;
	else if (disposition.length > 0) /* RFC 2183 section 2.8: unknown types are attachments */
		part->disposition = MIME_DISPOSITION_ATTACHMENT;
}

static struct slice without_angles(struct slice id)
{
	if (id.length > 0 && *id.at == '<')
		id = slice_of(id.at + 1, id.length - 1);
	if (id.length > 0 && id.at[id.length - 1] == '>')
		id.length--;
	return id;
}

static void read_field(struct parser *parser, struct mime_part *part, const struct header_field *field)
{
	struct slice value;

	if (!slice_begins(field->name, "content-"))
		return;
	if (slice_is(field->name, "content-type")) {
		param_split(parser->arena, field->value, &value, &part->type_params);
		mime_part_set_content_type(part, value);
	} else if (slice_is(field->name, "content-disposition")) {
		param_split(parser->arena, field->value, &value, &part->disposition_params);
		mime_part_set_disposition(part, value);
	} else if (slice_is(field->name, "content-transfer-encoding")) {
		param_split(parser->arena, field->value, &value, &(struct param *){NULL});
		part->transfer = transfer_from_name(value);
	} else if (slice_is(field->name, "content-id")) {
		part->content_id = without_angles(field->value);
	} else if (slice_is(field->name, "content-location")) {
		part->content_location = field->value;
	}
}

/* The end of the line at `at`, its line end included. */
static const char *line_end(const struct parser *parser, const char *at)
{
	const char *end = memchr(at, '\n', (size_t)(parser->end - at));

	return end != NULL ? end + 1 : parser->end;
}

/* Does the line, from behind its "--" on, carry this boundary? White space may follow (RFC 2046 section 5.1.1). */
static bool carries(struct slice line, struct slice boundary, bool *is_close_r)
{
	struct slice tail;

	if (line.length < boundary.length || memcmp(line.at, boundary.at, boundary.length) != 0)
		return false;
	tail = slice_trim(slice_of(line.at + boundary.length, line.length - boundary.length));
	*is_close_r = tail.length == 2 && tail.at[0] == '-' && tail.at[1] == '-';
	return tail.length == 0 || *is_close_r;
}

static struct boundary_match match_line(const struct parser *parser, const char *at, const char *end)
{
	struct boundary_match match = {.depth = -1};

	if (end - at < 2 || at[0] != '-' || at[1] != '-' || parser->parts >= MIME_PARTS_MAX)
		return match;
	for (int depth = parser->depth - 1; depth >= 0; depth--)
		if (carries(slice_of(at + 2, (size_t)(end - at - 2)), parser->open[depth].boundary, &match.is_close)) {
			match.depth = depth;
			return match;
		}
	return match;
}

/* The next line that begins with "--": no other can match, so most of a body is passed over in one go. */
static const char *next_dashes(const struct parser *parser)
{
	const char *at = parser->at;

	while ((at = memchr(at, '-', (size_t)(parser->end - at))) != NULL) {
		if (at[-1] == '\n' && parser->end - at > 1 && at[1] == '-')
			return at;
		at++;
	}
	return parser->end;
}

/* From here to the next boundary line, which is taken; what lies between, without its last line end, in body_r. */
static struct boundary_match skip_to_boundary(struct parser *parser, struct slice *body_r)
{
	const char *start = parser->at;
	struct boundary_match match = {.depth = -1};

	while (parser->at < parser->end) {
		const char *line = parser->at;

		parser->at = line_end(parser, line);
		match = match_line(parser, line, parser->at);
		if (match.depth >= 0) {
			const char *end = line;
			if (end > start && end[-1] == '\n')
				end--;
			if (end > start && end[-1] == '\r')
				end--;
			*body_r = slice_of(start, (size_t)(end - start));
			return match;
		}
		parser->at = parser->depth > 0 ? next_dashes(parser) : parser->end;
	}
	*body_r = slice_of(start, (size_t)(parser->end - start));
	return match;
}

/* A part's header. A boundary line within ends it as an empty line does, but is left there. */
static void read_header(struct parser *parser, struct mime_part *part)
{
	const char *start = parser->at, *end = start;
	struct slice rest;
	struct header_field field;

	while (end < parser->end) {
		const char *next = line_end(parser, end);
		if (match_line(parser, end, next).depth >= 0)
			break;
		bool is_empty = *end == '\n' || (next - end == 2 && *end == '\r');
		end = next;
		if (is_empty)
			break;
	}
	part->header = rest = slice_of(start, (size_t)(end - start));
	while (header_next(&rest, &field))
		read_field(parser, part, &field);
	parser->at = end;
}

/* Opens the part when it is a multipart with a boundary and there is room for one more. */
static bool open_multipart(struct parser *parser, struct mime_part *part)
{
	struct slice boundary;

	if (!mime_is(part, "multipart", NULL))
		return false;
	boundary = slice_trim(param_raw(parser->arena, part->type_params, "boundary"));
	if (boundary.length == 0 || parser->depth == MIME_DEPTH_MAX) {
		mime_part_set_type(part, slice_string("text"), slice_string("plain"));
		return false;
	}
	parser->open[parser->depth++] = (struct open_multipart){part, boundary};
	return true;
}

static void set_body(struct mime_part *part, struct slice body)
{
	part->body = body;
	part->size = body.length;
	part->is_loaded = true;
}

/* A multipart's body reaches from its header to where the parser stands. */
static void close_multiparts(struct parser *parser, int depth)
{
	while (parser->depth > depth) {
		struct mime_part *part = parser->open[--parser->depth].part;
		const char *start = part->header.at + part->header.length;

		set_body(part, slice_of(start, (size_t)(parser->at - start)));
		if (part->first == NULL) /* its boundary never came: what is there is shown as it is */
			mime_part_set_type(part, slice_string("text"), slice_string("plain"));
	}
}

/* One part with its header; returns how the boundary line behind it goes on. */
static struct boundary_match read_part(struct parser *parser, struct mime_part *part)
{
	struct boundary_match match;
	struct slice body;

	parser->parts++;
	if (part->parent != NULL && mime_is(part->parent, "multipart", "digest"))
		mime_part_set_type(part, slice_string("message"), slice_string("rfc822"));
	read_header(parser, part);
	if (open_multipart(parser, part))
		return skip_to_boundary(parser, &body); /* the preamble */
	match = skip_to_boundary(parser, &body);
	set_body(part, body);
	return match;
}

struct mime_part *mime_parse(struct arena *arena, const char *octets, size_t length)
{
	struct parser parser = {.arena = arena, .at = octets, .end = octets + length};
	struct mime_part *root = mime_part_create(arena, NULL);
	struct boundary_match match = read_part(&parser, root);

	while (match.depth >= 0) {
		close_multiparts(&parser, match.depth + (match.is_close ? 0 : 1));
		if (match.is_close) {
			struct slice epilogue;
			match = skip_to_boundary(&parser, &epilogue);
		} else {
			match = read_part(&parser, mime_part_create(arena, parser.open[match.depth].part));
		}
	}
	close_multiparts(&parser, 0);
	return root;
}

bool mime_is(const struct mime_part *part, const char *type, const char *subtype)
{
	return slice_is(part->type, type) && (subtype == NULL || slice_is(part->subtype, subtype));
}

char *mime_part_number(struct arena *arena, const struct mime_part *part)
{
	unsigned numbers[MIME_DEPTH_MAX + 1];
	int depth = 0;
	char *text = NULL;

	if (part->parent == NULL)
		return arena_strdup(arena, "1");
	for (; part->parent != NULL && depth <= MIME_DEPTH_MAX; part = part->parent)
		numbers[depth++] = part->number;
	while (depth-- > 0)
		text = text == NULL ? arena_printf(arena, "%u", numbers[depth])
			: arena_printf(arena, "%s.%u", text, numbers[depth]);
	return text;
}

char *mime_part_name(struct arena *arena, const struct mime_part *part)
{
	char *name = param_text(arena, part->disposition_params, "filename");

	return name != NULL ? name : param_text(arena, part->type_params, "name");
}

struct mime_part *mime_next_beside(const struct mime_part *root, const struct mime_part *part)
{
	while (part != root && part->next == NULL)
		part = part->parent;
	return part != root ? part->next : NULL;
}

struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *part)
{
	return part->first != NULL ? part->first : mime_next_beside(root, part);
}

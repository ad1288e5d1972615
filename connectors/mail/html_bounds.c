/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A tag is looked for behind each '<', within the values of other tags, too: where the parser sees a tag, there is one
 * here, whatever surrounds it. So one piece may be looked at more than once, and how often has a bound as well.
 */
#include "connectors/mail/html_bounds.h"

enum { LOOKS_MAX = 8 }; /* at each byte, in the mean */

struct bounds {
	const char *end;
	size_t looks_left;
	struct slice open[HTML_DEPTH_MAX]; /* names of the elements that are open, roughly */
	int depth, roots;
};

static bool is_letter(char byte)
{
	return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_space(char byte)
{
	return slice_is_blank(byte) || byte == '\f';
}

static bool ends_name(char byte)
{
	return is_space(byte) || byte == '/' || byte == '>';
}

static const char *skip_spaces(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return at;
}

/* From behind the '=' to what follows the value. */
static const char *skip_value(const char *at, const char *end)
{
	at = skip_spaces(at, end);
	if (at < end && (*at == '"' || *at == '\'')) {
		const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
		return close != NULL ? close + 1 : end;
	}
	while (at < end && !is_space(*at) && *at != '>')
		at++;
	return at;
}

/* The attributes of a tag (WHATWG HTML 13.2.5.32 and what follows there), from behind its name on; *at_r: its end. */
static int count_attributes(const char *at, const char *end, const char **at_r)
{
	int count = 0;

	while (at < end && *at != '>' && count <= HTML_ATTRIBUTES_MAX) {
		if (ends_name(*at)) {
			at++;
			continue;
		}
		count++;
		for (at++; at < end && !ends_name(*at) && *at != '='; at++) /* a '=' in front belongs to the name */
			;
		at = skip_spaces(at, end);
		if (at < end && *at == '=')
			at = skip_value(at + 1, end);
	}
	*at_r = at;
	return count;
}

static bool is_one_of(struct slice name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (slice_is(name, *names))
			return true;
	return false;
}

/* Elements without an end, and those that never stand in each other but for others that are counted. */
static bool is_flat(struct slice name)
{
	static const char *const flat[] = {"br", "img", "hr", "input", "meta", "link", "col", "area", "base", "wbr", "td", "th",
		"tr", "option", "tbody", "thead", "body", "html", "head", NULL};

	return is_one_of(name, flat);
}

/* The next of these ends the one before. */
static bool ends_itself(struct slice name)
{
	static const char *const names[] = {"p", "li", "dt", "dd", "a", NULL};

	return is_one_of(name, names);
}

/* Their ends end what is open within them; those of others do not, where they are not the innermost. */
static bool ends_all_within(struct slice name)
{
	static const char *const names[] = {"p", "li", "dt", "dd", "div", "ul", "ol", "dl", "table", "blockquote", "center",
		"form", "pre", "address", "section", "article", NULL};

	return is_one_of(name, names);
}

/* What is open in them is not ended by the end of what they stand in. */
static bool is_wall(struct slice name)
{
	static const char *const names[] = {"table", "ul", "ol", "object", "marquee", "applet", "button", "td", "th",
		"caption", "template", NULL};

	return is_one_of(name, names);
}

static bool is_innermost(const struct bounds *bounds, struct slice name)
{
	if (bounds->depth == 0)
		return false;
	struct slice innermost = bounds->open[bounds->depth - 1];
	return innermost.length == name.length && strncasecmp(innermost.at, name.at, name.length) == 0;
}

static bool open_element(struct bounds *bounds, struct slice name)
{
	if ((slice_is(name, "html") || slice_is(name, "body")) && ++bounds->roots > HTML_ROOTS_MAX)
		return false;
	if (is_flat(name) || (ends_itself(name) && is_innermost(bounds, name)))
		return true;
	if (bounds->depth == HTML_DEPTH_MAX)
		return false;
	bounds->open[bounds->depth++] = name;
	return true;
}

static void close_element(struct bounds *bounds, struct slice name)
{
	int before = bounds->depth;

	if (ends_all_within(name))
		while (bounds->depth > 0 && !is_innermost(bounds, name) && !is_wall(bounds->open[bounds->depth - 1]))
			bounds->depth--;
	if (is_innermost(bounds, name))
		bounds->depth--;
	else
		bounds->depth = before;
}

/* One tag, from behind its '<' on; *at_r: where its name ends. */
static bool take_tag(struct bounds *bounds, const char *at, const char **at_r)
{
	bool closes = at < bounds->end && *at == '/';
	const char *name = closes ? at + 1 : at, *tag_end;

	if (name >= bounds->end || !is_letter(*name))
		return true;
	for (at = name; at < bounds->end && !ends_name(*at); at++)
		;
	*at_r = at;
	if (closes)
		close_element(bounds, slice_of(name, (size_t)(at - name)));
	else if (!open_element(bounds, slice_of(name, (size_t)(at - name))))
		return false;
	if (count_attributes(at, bounds->end, &tag_end) > HTML_ATTRIBUTES_MAX)
		return false;
	size_t looks = (size_t)(tag_end - name);
	if (looks > bounds->looks_left)
		return false;
	bounds->looks_left -= looks;
	return true;
}

bool html_is_bounded(struct slice html)
{
	struct bounds bounds = {.end = html.at + html.length, .looks_left = html.length * LOOKS_MAX};
	const char *at = html.at;

	while ((at = memchr(at, '<', (size_t)(bounds.end - at))) != NULL) {
		at++;
		if (!take_tag(&bounds, at, &at))
			return false;
	}
	return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small pieces that several requests need. */
#include <time.h>

#include "connectors/imap/worker_internal.h"

bool worker_is_quarantined(const struct worker_call *call, uint64_t id)
{
	for (size_t i = 0; i < call->request->n_quarantined; i++)
		if (call->request->quarantined[i] == id)
			return true;
	return false;
}

void worker_append_range(struct buffer *set, uint64_t first, uint64_t last)
{
	if (set->length > 0)
		buffer_append_byte(set, ',');
	buffer_printf(set, first == last ? "%llu" : "%llu:%llu", (unsigned long long)first, (unsigned long long)last);
}

static bool read_uid(const char **at, const char *end, uint64_t *uid_r)
{
	uint64_t uid = 0;

	while (*at < end && **at >= '0' && **at <= '9' && uid <= UINT32_MAX)
		uid = uid * 10 + (uint64_t)(*(*at)++ - '0');
	*uid_r = uid;
	return uid > 0 && uid <= UINT32_MAX;
}

/* "2" or "10:15" at the start of rest, with what separates it from the next. */
static bool read_range(struct imap_text *rest, uint64_t *first_r, uint64_t *last_r)
{
	const char *at = rest->bytes, *end = rest->bytes + rest->length;
	uint64_t one, other;

	if (!read_uid(&at, end, &one))
		return false;
	other = one;
	if (at < end && *at == ':') {
		at++;
		if (!read_uid(&at, end, &other))
			return false;
	}
	*first_r = one < other ? one : other;
	*last_r = one < other ? other : one;
	at = at < end && *at == ',' ? at + 1 : end;
	*rest = (struct imap_text){at, (size_t)(end - at)};
	return true;
}

void worker_read_set(struct imap_text set, struct ranges *ranges)
{
	uint64_t first, last;

	while (read_range(&set, &first, &last))
		ranges_add(ranges, first, last);
}

bool worker_walk_set(struct worker_set_walk *walk, uint64_t *id_r)
{
	if ((walk->next == 0 || walk->next > walk->last) && !read_range(&walk->rest, &walk->next, &walk->last))
		return false;
	*id_r = walk->next++;
	return true;
}

/* * SEARCH 2 3 6, or * ESEARCH (TAG "B4") UID ALL 2:3,6 */
void worker_read_search(const struct imap_response *response, struct ranges *ranges)
{
	bool extended = imap_text_is(response->keyword, "ESEARCH"), is_set = !extended;
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;

	if (!extended && !imap_text_is(response->keyword, "SEARCH"))
		return;
	while ((token = imap_token_next(&cursor)).kind != IMAP_END && token.kind != IMAP_BROKEN) {
		if (token.kind != IMAP_ATOM)
			continue;
		if (is_set)
			worker_read_set(token.text, ranges);
		is_set = !extended || imap_text_is(token.text, "ALL");
	}
}

void worker_append_day(struct buffer *command, const char *key, uint64_t time_s)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
		"Dec"};
	time_t time = (time_t)time_s;
	struct tm day;

	if (gmtime_r(&time, &day) != NULL)
		buffer_printf(command, " %s %d-%s-%d", key, day.tm_mday, months[day.tm_mon], day.tm_year + 1900);
}

uint32_t worker_read_flags(struct imap_cursor *cursor, void (*keyword)(struct imap_text, void *), void *data)
{
	static const struct { const char *name; uint32_t flag; } known[] = {
		{"\\Seen", BELFRY__CONNECTOR__FLAG__SEEN},
		{"\\Flagged", BELFRY__CONNECTOR__FLAG__FLAGGED},
		{"\\Answered", BELFRY__CONNECTOR__FLAG__ANSWERED},
		{"$Forwarded", BELFRY__CONNECTOR__FLAG__FORWARDED},
		{"\\Deleted", BELFRY__CONNECTOR__FLAG__DELETED},
		{"\\Draft", BELFRY__CONNECTOR__FLAG__DRAFT},
	};
	struct imap_token token;
	uint32_t flags = 0;

	while ((token = imap_token_next(cursor)).kind == IMAP_ATOM) {
		size_t i = 0;

		while (i < sizeof known / sizeof *known && !imap_text_is(token.text, known[i].name))
			i++;
		if (i < sizeof known / sizeof *known)
			flags |= known[i].flag;
		else if (keyword != NULL && token.text.bytes[0] != '\\')
			keyword(token.text, data);
	}
	return flags;
}

bool worker_next_attribute(const struct imap_response *response, struct worker_attributes *attributes,
	struct imap_text *name_r, struct imap_cursor *value_r)
{
	struct imap_token name;

	if (!attributes->has_begun) {
		attributes->has_begun = true;
		attributes->rest = imap_cursor_over(response->rest);
		if (!imap_text_is(response->keyword, "FETCH") || imap_token_next(&attributes->rest).kind != IMAP_OPEN)
			return false;
	} else if (!imap_cursor_skip(&attributes->rest)) {
		return false;
	}
	name = imap_token_next(&attributes->rest);
	*name_r = name.text;
	*value_r = attributes->rest;
	return name.kind == IMAP_ATOM;
}

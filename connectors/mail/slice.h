/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A piece of a mail, looked at where it lies. Whoever gave the bytes keeps them. */
#ifndef BELFRY_CONNECTORS_MAIL_SLICE_H
#define BELFRY_CONNECTORS_MAIL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *at; /* may be NULL when length is 0 */
	size_t length;
};

static inline struct slice slice_of(const char *at, size_t length)
{
	return (struct slice){at, length};
}

static inline struct slice slice_string(const char *text)
{
	return text != NULL ? slice_of(text, strlen(text)) : slice_of(NULL, 0);
}

/* At most this many bytes from its start. */
static inline struct slice slice_cut(struct slice slice, size_t most)
{
	return slice_of(slice.at, slice.length < most ? slice.length : most);
}

static inline bool slice_is(struct slice slice, const char *word)
{
	return slice.length == strlen(word) && (slice.length == 0 || strncasecmp(slice.at, word, slice.length) == 0);
}

static inline bool slice_begins(struct slice slice, const char *word)
{
	size_t length = strlen(word);

	return slice.length >= length && (length == 0 || strncasecmp(slice.at, word, length) == 0);
}

static inline bool slice_is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Without white space at both ends. */
static inline struct slice slice_trim(struct slice slice)
{
	while (slice.length > 0 && slice_is_blank(*slice.at)) {
		slice.at++;
		slice.length--;
	}
	while (slice.length > 0 && slice_is_blank(slice.at[slice.length - 1]))
		slice.length--;
	return slice;
}

#endif

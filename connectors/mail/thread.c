/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads: the first Message-ID that a mail refers to names it, together with the topic. */
#include "connectors/mail/thread.h"

#include <ctype.h>

#include "lib/core/sha256.h"

/* In use by mailers in so many languages, with the colon left out. */
static const char *const prefixes[] = {
	"re", "fw", "fwd", "aw", "wg", "sv", "vs", "vb", "antw", "doorst", "ref", "tr", "rv", "res", "enc", "rif", "i", "r",
	"odp", "pd", "ynt", "ilt", "vl", "\xe5\x9b\x9e\xe5\xa4\x8d", "\xe8\xbd\xac\xe5\x8f\x91", /* Chinese: answer, forward */
	"\xe7\xad\x94\xe5\xa4\x8d", "\xd0\xbd\xd0\xb0", /* Chinese: answer; Bulgarian */
};

/* "Re: ", "RE[2]:", "Fwd : "; the text itself when there is none. */
static const char *skip_prefix(const char *text)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t length = strlen(prefixes[i]);
		const char *at = text + length;

		if (strncasecmp(text, prefixes[i], length) != 0)
			continue;
		if (*at == '[' || *at == '(') {
			at++;
			while (isdigit((unsigned char)*at))
				at++;
			if (*at == ']' || *at == ')')
				at++;
		}
		while (*at == ' ')
			at++;
		if (*at == ':')
			return at + 1;
		if (strncmp(at, "\xef\xbc\x9a", 3) == 0) /* the wide colon of Chinese mailers */
			return at + 3;
	}
	return text;
}

const char *thread_topic(const char *subject)
{
	const char *before;

	do {
		while (*subject == ' ')
			subject++;
		before = subject;
		subject = skip_prefix(subject);
	} while (subject != before);
	return subject;
}

/* Takes the next <…> from the front of a value. */
static bool take_id(struct slice *rest, struct slice *id_r)
{
	const char *end, *open, *close;

	if (rest->length == 0)
		return false;
	end = rest->at + rest->length;
	open = memchr(rest->at, '<', rest->length);
	close = open != NULL ? memchr(open, '>', (size_t)(end - open)) : NULL;
	if (close == NULL)
		return false;
	*id_r = slice_of(open, (size_t)(close + 1 - open));
	*rest = slice_of(close + 1, (size_t)(end - close - 1));
	return true;
}

/* The ids from the first mail of the thread to this one; a value without < > counts as one id. */
static size_t read_lineage(const struct thread_source *source, struct slice ids_r[THREAD_ANCESTORS_MAX])
{
	struct slice rest = source->references.length > 0 ? source->references : source->in_reply_to;
	size_t count = 0;

	while (count < THREAD_ANCESTORS_MAX - 1 && take_id(&rest, &ids_r[count])) {
		count++;
		if (source->references.length == 0)
			break; /* In-Reply-To may name several: the first is the one that was answered */
	}
	rest = source->message_id;
	if (take_id(&rest, &ids_r[count]))
		count++;
	else if (source->message_id.length > 0)
		ids_r[count++] = source->message_id;
	return count;
}

void thread_id(const struct thread_source *source, uint8_t id_r[THREAD_ID_BYTES])
{
	struct slice ids[THREAD_ANCESTORS_MAX];
	struct sha256 hash;
	uint8_t digest[SHA256_BYTES];

	sha256_init(&hash);
	if (read_lineage(source, ids) > 0)
		sha256_add(&hash, ids[0].at, ids[0].length);
	sha256_add(&hash, "\n", 1);
	for (const char *at = source->topic; *at != '\0'; at++)
		sha256_add(&hash, &(uint8_t){(uint8_t)tolower((unsigned char)*at)}, 1);
	sha256_end(&hash, digest);
	memcpy(id_r, digest, THREAD_ID_BYTES);
}

/* FNV-1a: all that is asked of it is to differ. */
static void digest_id(struct slice id, uint8_t bytes_r[THREAD_INDEX_BYTES])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < id.length; i++)
		hash = (hash ^ (uint8_t)id.at[i]) * UINT64_C(0x100000001b3);
	for (int i = 0; i < THREAD_INDEX_BYTES; i++)
		bytes_r[i] = (uint8_t)(hash >> (8 * i + 16));
}

size_t thread_index(struct arena *arena, const struct thread_source *source, uint8_t **index_r)
{
	struct slice ids[THREAD_ANCESTORS_MAX];
	size_t count = read_lineage(source, ids);

	if (count == 0) /* a head there must be */
		ids[count++] = slice_string(source->topic);
	*index_r = arena_alloc(arena, count * THREAD_INDEX_BYTES);
	for (size_t i = 0; i < count; i++)
		digest_id(ids[i], *index_r + i * THREAD_INDEX_BYTES);
	return count * THREAD_INDEX_BYTES;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A phone's mail made ready to be sent, as it is, as a reply and as a forward; what follows the first NUL is the
 * original. No header that is sent has a line end that is not a field's. */
#include <assert.h>

#include "connectors/mail/outgoing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(struct slice fields)
{
	for (size_t i = 0; i < fields.length; i++) {
		assert(fields.at[i] != '\r' || fields.at[i + 1] == '\n');
		assert(fields.at[i] != '\n' || (fields.at[i - 1] == '\r' && fields.at[i + 1] != '\r'));
		assert((unsigned char)fields.at[i] >= ' ' || fields.at[i] == '\r' || fields.at[i] == '\n' || fields.at[i] == '\t');
	}
}

static void check(const struct outgoing *outgoing)
{
	check_fields(outgoing->blind);
	check_fields(outgoing->fields);
	check_fields(outgoing->content);
	for (size_t i = 0; i < outgoing->recipient_count; i++)
		assert(strpbrk(outgoing->recipients[i], " <>\r\n") == NULL);
	assert(outgoing->piece_count <= OUTGOING_PIECES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data, *cut = size == 0 ? NULL : memchr(bytes, '\0', size);
	struct slice mail = slice_of(bytes, cut == NULL ? size : (size_t)(cut - bytes));
	struct slice original = cut == NULL ? mail : slice_of(cut + 1, size - mail.length - 1);

	for (int kind = 0; kind < 3; kind++) {
		struct arena *arena = arena_create(0);
		struct outgoing outgoing;
		struct error error;

		if (outgoing_read(arena, mail, "<intent@example.org>", 0, &outgoing, &error) == OUTGOING_FINE && kind > 0) {
			outgoing_refer(&outgoing, original);
			(kind == 1 ? outgoing_quote : outgoing_enclose)(&outgoing, original);
		}
		check(&outgoing);
		outgoing_is_8bit(&outgoing);
		arena_free(&arena);
	}
	return 0;
}

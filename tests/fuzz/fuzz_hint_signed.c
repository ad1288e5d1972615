/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A key file and a datagram from a stranger, with a NUL between them. */
#include <string.h>

#include "lib/model/hint_signed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nul = size == 0 ? NULL : memchr(text, '\0', size);
	size_t length = nul == NULL ? size : (size_t)(nul - text);
	struct hint_keys *keys = hint_keys_parse(text, length, NULL);
	struct hint_signature signature;
	struct hint_text hint_text;
	struct hint hint;

	if (keys != NULL && nul != NULL)
		hint_verify(keys, nul + 1, size - length - 1, 1000000000, &hint_text, &hint, &signature, NULL);
	hint_keys_free(&keys);
	return 0;
}

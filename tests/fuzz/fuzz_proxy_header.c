/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PROXY headers: what is taken was there, and says the same whatever follows; what is refused stays refused. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(const uint8_t *data, size_t size, struct proxy_header *header_r)
{
	uint8_t *exact = malloc(size + (size == 0)); /* so that a read behind the end is seen */

	memcpy(exact, data, size);
	int result = proxy_header_parse(exact, size, header_r);
	free(exact);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	int result = parse(data, size, &whole);

	assert(result >= -1 && result <= PROXY_HEADER_MAX && (result < 0 || (size_t)result <= size));
	assert(result != 0 || size < PROXY_HEADER_MAX);
	if (result > 0) {
		assert(parse(data, (size_t)result, &part) == result);
		assert(parse(data, (size_t)result - 1, &part) == 0);
	}
	for (size_t length = 0; result == 0 && length < size; length++)
		assert(parse(data, length, &part) == 0);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The query of an ActiveSync request: what is taken has an id and a type that may go anywhere. */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	char *text = malloc(size + 1);
	struct query query;

	memcpy(text, data, size);
	text[size] = '\0';
	if (query_parse(&query, arena, text, NULL) == 0) {
		size_t length = strlen(query.device_id);
		assert(length > 0 && length <= QUERY_DEVICE_ID_MAX);
		for (size_t i = 0; i < length; i++)
			assert(isalnum((unsigned char)query.device_id[i]));
		length = strlen(query.device_type);
		assert(length > 0 && length <= QUERY_DEVICE_TYPE_MAX);
		for (size_t i = 0; i < length; i++)
			assert((unsigned char)query.device_type[i] >= ' ' && query.device_type[i] != 0x7f);
		assert(strlen(query.user) <= QUERY_VALUE_MAX && strlen(query.collection_id) <= QUERY_VALUE_MAX);
		assert(strlen(query.item_id) <= QUERY_VALUE_MAX && strlen(query.attachment_name) <= QUERY_VALUE_MAX);
	}
	free(text);
	arena_free(&arena);
	return 0;
}

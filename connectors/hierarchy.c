/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A digest of a list of collections. */
#include "connectors/hierarchy.h"

#include <string.h>

/* FNV-1a: a user has only himself to fool. */
static uint64_t digest(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t digest_text(uint64_t hash, const char *text)
{
	return digest(hash, text, strlen(text) + 1);
}

uint64_t hierarchy_token(Belfry__Connector__Collection *const *list, size_t count)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < count; i++) {
		const uint8_t kind[] = {(uint8_t)list[i]->kind, (uint8_t)list[i]->role, list[i]->selectable};
		hash = digest_text(hash, list[i]->name);
		hash = digest_text(hash, list[i]->display_name);
		hash = digest_text(hash, list[i]->parent);
		hash = digest(hash, kind, sizeof kind);
	}
	return hash != 0 ? hash : 1;
}

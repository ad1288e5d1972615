/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A few mails in an array. */
#include "connectors/imap/ahead.h"

void ahead_keep(struct ahead *ahead, uint64_t uid, struct imap_text rest)
{
	if (ahead->count == AHEAD_MAX)
		return;
	ahead->mails[ahead->count].uid = uid;
	buffer_append(&ahead->mails[ahead->count].rest, rest.bytes, rest.length);
	ahead->count++;
}

bool ahead_find(const struct ahead *ahead, uint64_t uid, struct imap_response *response_r)
{
	static const char fetch[] = "FETCH";

	for (unsigned i = 0; i < ahead->count; i++)
		if (ahead->mails[i].uid == uid) {
			*response_r = (struct imap_response){.kind = IMAP_UNTAGGED, .has_number = true,
				.keyword = {fetch, sizeof fetch - 1},
				.rest = {ahead->mails[i].rest.data, ahead->mails[i].rest.length}};
			return true;
		}
	return false;
}

void ahead_drop(struct ahead *ahead)
{
	while (ahead->count > 0)
		buffer_release(&ahead->mails[--ahead->count].rest);
}

void ahead_forget(struct ahead *ahead)
{
	ahead_drop(ahead);
	ahead->next = 0;
	ahead->has_news = false;
}

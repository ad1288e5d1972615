/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SyncKeys. */
#include "gateway/activesync/sync_key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

int sync_key_parse(const char *text, struct sync_key *key_r)
{
	char again[SYNC_KEY_TEXT];

	*key_r = (struct sync_key){0, 0};
	if (strcmp(text, "0") == 0)
		return 0;
	if (strlen(text) >= sizeof again || sscanf(text, "%10u-%10u", &key_r->series, &key_r->number) != 2)
		return -1;
	sync_key_format(key_r->series, key_r->number, again);
	return key_r->number != 0 && strcmp(text, again) == 0 ? 0 : -1;
}

void sync_key_format(uint32_t series, uint32_t number, char text_r[SYNC_KEY_TEXT])
{
	snprintf(text_r, SYNC_KEY_TEXT, "%u-%u", series, number);
}

uint32_t sync_key_new_series(void)
{
	uint32_t series = 0;

	do
		RAND_bytes((unsigned char *)&series, sizeof series);
	while (series == 0);
	return series;
}

enum sync_key_is sync_key_compare(const struct sync_key *key, uint32_t series, uint32_t number)
{
	if (key->number == 0)
		return SYNC_KEY_INITIAL;
	if (series == 0 || number == 0 || key->series != series)
		return SYNC_KEY_INVALID;
	if (key->number == number)
		return SYNC_KEY_CURRENT;
	return key->number + 1 == number ? SYNC_KEY_REPEATED : SYNC_KEY_INVALID;
}

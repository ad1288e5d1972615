/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hint's line: whatever is accepted can be written again and means the same. */
#include <assert.h>
#include <string.h>

#include "lib/model/hint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hint_text text, text_again;
	struct hint hint, again;
	char line[HINT_LINE_MAX + 1];

	if (hint_parse((const char *)data, size, &text, &hint, NULL) < 0)
		return 0;
	assert(strlen(hint.user) > 0 && strlen(hint.user) <= HINT_USER_MAX && strlen(hint.id) < HINT_ID_SIZE);
	int length = hint_format(&hint, line, NULL);
	if (length < 0) /* percent signs may have made it longer than it came */
		return 0;
	assert(hint_parse(line, (size_t)length, &text_again, &again, NULL) == 0);
	assert(strcmp(hint.user, again.user) == 0 && strcmp(hint.mailbox, again.mailbox) == 0);
	assert(hint.event == again.event && hint.uid == again.uid && hint.uidvalidity == again.uidvalidity);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker reads of an IMAP server beside mails: structures, lists, names of mailboxes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/folder_list.h"
#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/structure.h"
#include "connectors/mail/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_structure(struct arena *arena, struct imap_text text)
{
	struct imap_cursor cursor = imap_cursor_over(text);
	struct mime_part *root = structure_parse(arena, &cursor);
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes = &wish;
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	struct body_plan plan;

	if (root == NULL)
		return;
	wish.type = BELFRY__CONNECTOR__BODY_TYPE__HTML;
	body_choose(root, &wishes, 1, 0, &plan);
	for (int i = 0; i < plan.count; i++)
		assert(body_octets_needed(&plan, body_source(&plan, &plan.segments[i])) <= BODY_PART_MAX);
	mail_fill(arena, root, &plan, &mail);
	body_fill(arena, &plan, &body);
}

static void try_list(struct arena *arena, struct imap_text text)
{
	struct folder_list list = {.arena = arena};

	folder_list_add(&list, text);
	folder_list_finish(&list);
}

/* Whatever a server calls a mailbox, we can ask for it by that name again. */
static void try_name(struct imap_text text)
{
	struct buffer name = BUFFER_EMPTY, wire = BUFFER_EMPTY, display = BUFFER_EMPTY;
	bool fits = text.length > 0 && text.length < MAILBOX_NAME_MAX / 2 && memchr(text.bytes, 0, text.length) == NULL
		&& memchr(text.bytes, '\r', text.length) == NULL && memchr(text.bytes, '\n', text.length) == NULL;

	mailbox_name_decode(&name, text.bytes, text.length);
	if (fits) {
		assert(mailbox_name_encode(&wire, buffer_string(&name)) == 0);
		assert(wire.length == text.length && memcmp(wire.data, text.bytes, wire.length) == 0);
	}
	mailbox_name_display(&display, buffer_string(&name));
	buffer_release(&name);
	buffer_release(&wire);
	buffer_release(&display);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	char *exact = malloc(size); /* so that a read behind the end is seen */
	struct imap_text text = {exact, size};

	memcpy(exact, data, size);
	try_structure(arena, text);
	try_list(arena, text);
	try_name(text);
	free(exact);
	arena_free(&arena);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hint on its way into the hub: a connection, a line, and gone, as belfry-hook does it. */
#include "tests/replay/hook.h"

#include <string.h>

#include "lib/model/hint.h"
#include "tests/replay/backend.h"

struct told {
	bool refused;
};

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	if (event == STREAM_FAILED)
		((struct told *)owner)->refused = true;
}

int hook_tell(struct world *world, const struct step *step, size_t from, struct arena *arena, struct error *error_r)
{
	char line[HINT_LINE_MAX + 1];
	struct told told = {false};

	if (step->count < from + 3)
		return error_set(error_r, "a hint has a user, a mailbox and an event");
	const char *user = backend_user(step->words[from], arena), *mailbox = word_unquote(step->words[from + 1], arena);
	const char *subject = step->count > from + 3 ? word_unquote(step->words[from + 3], arena) : NULL;
	const char *source = step_value(step, from, "as", arena);
	Belfry__Role__Position position = null_position(world->mailboxes, user, mailbox);
	bool bare = step_has(step, from, "bare");
	int event = hint_event_by_name(step->words[from + 2], strlen(step->words[from + 2]));
	if (event < 0)
		return error_set(error_r, "there is no event %s", step->words[from + 2]);
	const struct hint hint = {
		.user = user,
		.mailbox = strcmp(mailbox, "-") == 0 ? "" : mailbox,
		.event = (enum hint_event)event,
		.uidvalidity = bare ? 0 : position.validity,
		.uid = bare ? 0 : backend_item(world->mailboxes, user, mailbox, subject),
		.id = "",
		.source = source == NULL ? "" : source,
	};
	int length = hint_format(&hint, line, error_r);
	if (length < 0)
		return -1;
	struct stream *stream = net_connect(world->hub_net, "hook", happened, &told);
	stream_write(stream, line, (size_t)length);
	loop_settle(world->loop);
	stream_finish(&stream);
	loop_settle(world->loop);
	return told.refused && world->hub != NULL ? error_set(error_r, "nobody takes hints") : 0;
}

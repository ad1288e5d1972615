/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/worker_mailbox.h"

struct root {
	struct mailbox_root *root;
	struct arena *arena;
};

static char delimiter_of(struct imap_token token)
{
	return token.kind == IMAP_QUOTED && token.text.length > 0 ? token.text.bytes[token.text.length - 1] : '\0';
}

/* * NAMESPACE (("INBOX." ".")) NIL NIL */
static void hear_namespace(const struct imap_response *response, void *data)
{
	const struct root *root = data;
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct buffer wire = BUFFER_EMPTY, name = BUFFER_EMPTY;
	struct imap_token token;

	if (!imap_text_is(response->keyword, "NAMESPACE") || imap_token_next(&cursor).kind != IMAP_OPEN
		|| imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	token = imap_token_next(&cursor);
	if (imap_token_append(&token, &wire)) {
		mailbox_name_decode(&name, buffer_string(&wire), wire.length);
		root->root->prefix = arena_strdup(root->arena, buffer_string(&name));
		root->root->delimiter = delimiter_of(imap_token_next(&cursor));
	}
	buffer_release(&wire);
	buffer_release(&name);
}

/* * LIST (\Noselect) "/" "" */
static void hear_delimiter(const struct imap_response *response, void *data)
{
	const struct root *root = data;
	struct imap_cursor cursor = imap_cursor_over(response->rest);

	if (!imap_text_is(response->keyword, "LIST") || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while (imap_token_next(&cursor).kind == IMAP_ATOM)
		;
	root->root->delimiter = delimiter_of(imap_token_next(&cursor));
}

enum session_answer mailbox_root(struct session *session, struct arena *arena, struct mailbox_root *root_r,
	struct error *error_r)
{
	struct root root = {root_r, arena};
	bool has_namespace = session->capabilities & IMAP_CAP_NAMESPACE;

	*root_r = (struct mailbox_root){.prefix = ""};
	session_queue(session, has_namespace ? "NAMESPACE" : "LIST \"\" \"\"");
	return session_await(session, has_namespace ? hear_namespace : hear_delimiter, &root, error_r);
}

enum session_answer mailbox_command(struct session *session, const char *command, const char *name, const char *after,
	struct error *said)
{
	struct buffer text = BUFFER_EMPTY;

	buffer_append_string(&text, command);
	if (mailbox_name_quote(&text, name) != 0) {
		buffer_release(&text);
		error_set(said, "no mailbox can have this name");
		return SESSION_BAD;
	}
	buffer_append_string(&text, after);
	session_queue_buffer(session, &text);
	return session_await(session, NULL, NULL, said);
}

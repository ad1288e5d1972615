/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The copy of a mail that is sent: found again, or put into the collection of sent mails. */
#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/outgoing_stream.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_send.h"

/* Servers whose mailboxes are all below INBOX refuse the first name. */
static const char *make_sent(struct session *session, struct error *error_r)
{
	static const char *const names[] = {"Sent", "INBOX.Sent"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		session_queue(session, "CREATE \"%s\"", names[i]);
		enum session_answer answer = session_await(session, NULL, NULL, error_r);
		if (answer == SESSION_LOST)
			return NULL;
		if (answer != SESSION_OK)
			continue;
		session_queue(session, "SUBSCRIBE \"%s\"", names[i]);
		return session_await(session, NULL, NULL, error_r) == SESSION_LOST ? NULL : names[i];
	}
	return NULL;
}

/* NULL in kept_in: there is none (and none was made). -1: cannot be found out. */
static int find_sent(struct sending *sending, bool make, struct error *error_r)
{
	struct session *session = sending->call->session;
	struct folder_list list = {.arena = sending->call->arena};
	const Belfry__Connector__Collection *found;

	if (sending->kept_in != NULL)
		return 0;
	if (worker_folders(session, &list, error_r) != SESSION_OK)
		return -1;
	found = folder_list_find(&list, BELFRY__CONNECTOR__ROLE__SENT);
	sending->kept_in = found != NULL ? found->name : make ? make_sent(session, error_r) : NULL;
	return 0;
}

static void hear_search(const struct imap_response *response, void *data)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);

	if (imap_text_is(response->keyword, "SEARCH") && imap_token_next(&cursor).kind == IMAP_ATOM)
		*(bool *)data = true;
}

static int look_once(struct sending *sending, bool *found_r, struct error *error_r)
{
	struct session *session = sending->call->session;
	int selecting;

	*found_r = false;
	if (find_sent(sending, false, error_r) < 0)
		return -1;
	if (sending->kept_in == NULL)
		return 0;
	selecting = session_select(session, sending->kept_in, error_r);
	if (selecting < 0 || (selecting == 0 ? session_refresh(session, error_r)
		: session_selected(session, sending->kept_in, NULL, NULL, error_r)) != SESSION_OK)
		return -1;
	session_queue(session, "UID SEARCH HEADER Message-ID \"%s\"", sending->outgoing.message_id);
	return session_await(session, hear_search, found_r, error_r) == SESSION_OK ? 0 : -1;
}

int sending_look(struct sending *sending, bool *found_r, struct error *error_r)
{
	int result = look_once(sending, found_r, error_r);

	return result < 0 && worker_try_again(sending->call) ? look_once(sending, found_r, error_r) : result;
}

static int write_piece(const struct buffer *piece, void *data, struct error *error_r)
{
	struct sending *sending = data;

	sending_progress(sending);
	return etpan_stream_send(sending->call->session->stream, piece->data, piece->length, error_r);
}

static int write_copy(struct session *session, void *data, struct error *error_r)
{
	(void)session;
	return outgoing_stream(&((struct sending *)data)->outgoing, OUTGOING_FOR_COPY, write_piece, data, error_r);
}

static int keep_once(struct sending *sending, struct error *error_r)
{
	struct session *session = sending->call->session;

	if (find_sent(sending, true, error_r) < 0 || sending->kept_in == NULL)
		return -1;
	session_unselect(session); /* its view, if it is that mailbox, would be old */
	return session_append(session, sending->kept_in, outgoing_size(&sending->outgoing, OUTGOING_FOR_COPY), write_copy,
		sending, error_r) == SESSION_OK ? 0 : -1;
}

void sending_keep(struct sending *sending)
{
	struct error error = {""}, ignored;
	int result = keep_once(sending, &error);

	if (result < 0 && sending->call->session->is_broken && worker_reopen(sending->call, &ignored) != NULL)
		result = keep_once(sending, &error);
	sending->sent.saved = result == 0;
	if (result < 0)
		sending_complain(sending, "was sent, but no copy could be kept", &error);
}

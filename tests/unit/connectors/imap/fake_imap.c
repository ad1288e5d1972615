/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small IMAP server for tests. */
#include "tests/unit/connectors/imap/fake_imap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/backend.h"
#include "lib/core/mem.h"

struct fake_session {
	struct fake_imap *fake;
	struct fake_session *next;
	struct stream *stream;
	bool is_in, has_notify, has_names;
	char idle_tag[16], held_tag[16], selected[64];
	struct fake_box view; /* of the selected mailbox */
};

static const char *capabilities_of(const struct fake_imap *fake)
{
	return fake->capabilities != NULL ? fake->capabilities : "IMAP4rev1 IDLE NOTIFY ENABLE CONDSTORE";
}

static void say(struct fake_session *session, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	stream_write(session->stream, line, (size_t)length);
	stream_write(session->stream, "\r\n", 2);
}

static void session_end(struct fake_session *session)
{
	struct fake_session **link = &session->fake->sessions;

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	session->fake->connected--;
	if (!session->is_in)
		session->fake->logging_in--;
	stream_close(&session->stream);
	free(session);
}

static void refuse(struct fake_session *session)
{
	say(session, "%s NO [AUTHENTICATIONFAILED] wrong", session->held_tag);
	session->held_tag[0] = '\0';
}

/* AUTHENTICATE PLAIN with an initial response. */
static void login(struct fake_session *session, const char *tag, const char *encoded)
{
	static char identity[512];
	struct fake_imap *fake = session->fake;
	unsigned char plain[512];
	int length = EVP_DecodeBlock(plain, (const unsigned char *)encoded, (int)strlen(encoded));

	assert_true(length > 0);
	plain[length] = '\0';
	const char *user = (const char *)plain + strlen((const char *)plain) + 1, *password = user + strlen(user) + 1;
	snprintf(identity, sizeof identity, "%s", plain[0] != '\0' ? (const char *)plain : user);
	fake->last_user = identity;
	if (fake->login_refusal != NULL) {
		say(session, "%s %s", tag, fake->login_refusal);
	} else if (strcmp(password, fake->password != NULL ? fake->password : "secret") != 0) {
		snprintf(session->held_tag, sizeof session->held_tag, "%s", tag);
		if (!fake->holds_refusals)
			refuse(session);
	} else {
		session->is_in = true;
		fake->logging_in--;
		fake->logins++;
		say(session, "%s OK [CAPABILITY %s] in", tag, capabilities_of(fake));
	}
}

static struct fake_box *box_of(struct fake_imap *fake, const char *name)
{
	for (int i = 0; i < FAKE_BOXES; i++)
		if (fake->boxes[i].name != NULL && strcmp(fake->boxes[i].name, name) == 0)
			return &fake->boxes[i];
	return NULL;
}

static void say_status(struct fake_session *session, const struct fake_box *box, bool is_whole)
{
	char modseq[40] = "";

	if (strstr(capabilities_of(session->fake), "CONDSTORE") != NULL)
		snprintf(modseq, sizeof modseq, " HIGHESTMODSEQ %u", box->modseq);
	say(session, "* STATUS %s (MESSAGES %u UIDNEXT %u UNSEEN %u%s%s)", box->name, box->messages, box->next, box->unseen,
		is_whole ? " UIDVALIDITY 7" : "", modseq);
}

/* What stands between the first two quotes. */
static void quoted(const char *line, char *name, size_t size)
{
	const char *start = strchr(line, '"');

	snprintf(name, size, "%.*s", start == NULL ? 0 : (int)strcspn(start + 1, "\""), start == NULL ? "" : start + 1);
}

static void status(struct fake_session *session, const char *tag, const char *line)
{
	char name[64];
	const struct fake_box *box;

	quoted(line, name, sizeof name);
	box = box_of(session->fake, name);
	session->fake->statuses++;
	if (box == NULL) {
		say(session, "%s NO [NONEXISTENT] no such mailbox", tag);
		return;
	}
	say_status(session, session->fake->is_view_late && strcmp(session->selected, name) == 0 ? &session->view : box, true);
	say(session, "%s OK done", tag);
}

static void list(struct fake_session *session, const char *tag)
{
	session->fake->lists++;
	for (int i = 0; i < FAKE_BOXES; i++)
		if (session->fake->boxes[i].name != NULL)
			say(session, "* LIST () \"/\" \"%s\"", session->fake->boxes[i].name);
	say(session, "%s OK done", tag);
}

/* False: the session is over. */
static bool line_came(struct fake_session *session, char *line)
{
	char tag[16] = "", verb[32] = "", *rest;

	if (strcmp(line, "DONE") == 0) {
		say(session, "%s OK idled", session->idle_tag);
		session->idle_tag[0] = '\0';
		return true;
	}
	sscanf(line, "%15s %31s", tag, verb);
	rest = strstr(line, verb) + strlen(verb);
	if (strcmp(verb, "AUTHENTICATE") == 0) {
		login(session, tag, rest + strlen(" PLAIN "));
	} else if (strcmp(verb, "STATUS") == 0) {
		status(session, tag, rest);
	} else if (strcmp(verb, "LIST") == 0) {
		list(session, tag);
	} else if (strcmp(verb, "IDLE") == 0) {
		snprintf(session->idle_tag, sizeof session->idle_tag, "%s", tag);
		say(session, "+ idling");
	} else if (strcmp(verb, "LOGOUT") == 0) {
		session->fake->logouts++;
		session_end(session);
		return false;
	} else {
		if (strcmp(verb, "EXAMINE") == 0)
			quoted(rest, session->selected, sizeof session->selected);
		const struct fake_box *box = box_of(session->fake, session->selected);
		if (box != NULL && (strcmp(verb, "EXAMINE") == 0 || strcmp(verb, "NOOP") == 0))
			session->view = *box;
		if (strcmp(verb, "NOTIFY") == 0)
			session->has_notify = strncmp(rest, " SET", 4) == 0;
		if (strcmp(verb, "NOTIFY") == 0)
			session->has_names = strstr(rest, "(personal (MailboxName))") != NULL;
		say(session, "%s OK done", tag);
	}
	return true;
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct fake_session *session = owner;
	struct buffer *input = stream_input(stream);

	if (event == STREAM_ENDED || event == STREAM_FAILED) {
		session_end(session);
		return;
	}
	while (event == STREAM_DATA && !session->fake->is_silent && input->length > 0) {
		char *end = memmem(input->data, input->length, "\r\n", 2), line[1024];
		if (end == NULL)
			return;
		snprintf(line, sizeof line, "%.*s", (int)(end - input->data), input->data);
		buffer_consume(input, (size_t)(end + 2 - input->data));
		if (!line_came(session, line))
			return;
	}
}

static void came(struct stream *stream, void *data)
{
	struct fake_imap *fake = data;
	struct fake_session *session = mem_alloc(sizeof *session);

	session->fake = fake;
	session->stream = stream;
	session->next = fake->sessions;
	fake->sessions = session;
	fake->connections++;
	fake->connected++;
	if (++fake->logging_in > fake->most_logging_in)
		fake->most_logging_in = fake->logging_in;
	stream_own(stream, happened, session);
	if (fake->is_down)
		session_end(session);
	else if (!fake->is_silent)
		say(session, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready");
}

void fake_imap_start(struct fake_imap *fake, struct net *net)
{
	*fake = (struct fake_imap){.loop = net_loop(net), .net = net,
		.boxes = {{"INBOX", 0, 1, 0, 2}, {"Sent", 0, 1, 0, 2}}};
	fake->listener = net_listen(net, BACKEND_PLACE, came, fake, NULL);
}

void fake_imap_drop(struct fake_imap *fake)
{
	while (fake->sessions != NULL)
		session_end(fake->sessions);
}

void fake_imap_refuse(struct fake_imap *fake)
{
	for (struct fake_session *session = fake->sessions; session != NULL; session = session->next)
		if (session->held_tag[0] != '\0')
			refuse(session);
	loop_settle(fake->loop);
}

void fake_imap_stop(struct fake_imap *fake)
{
	fake_imap_drop(fake);
	listener_close(&fake->listener);
}

void fake_imap_create(struct fake_imap *fake, const char *name)
{
	int at = 0;

	while (fake->boxes[at].name != NULL)
		at++;
	assert_true(at < FAKE_BOXES);
	fake->boxes[at] = (struct fake_box){.name = name, .next = 1, .modseq = 2};
	for (struct fake_session *session = fake->sessions; session != NULL; session = session->next)
		if (session->idle_tag[0] != '\0' && session->has_names)
			say(session, "* LIST () \"/\" \"%s\"", name);
	loop_settle(fake->loop);
}

void fake_imap_deliver(struct fake_imap *fake, const char *name)
{
	struct fake_box *box = box_of(fake, name);

	box->messages++;
	box->unseen++;
	box->next++;
	box->modseq++;
	for (struct fake_session *session = fake->sessions; session != NULL; session = session->next) {
		if (session->idle_tag[0] == '\0' || fake->is_view_late)
			continue;
		if (session->has_notify)
			say_status(session, box, false);
		else if (strcmp(session->selected, name) == 0)
			say(session, "* %u EXISTS", box->messages);
	}
	loop_settle(fake->loop);
}

unsigned fake_imap_idling(const struct fake_imap *fake)
{
	unsigned count = 0;

	for (const struct fake_session *session = fake->sessions; session != NULL; session = session->next)
		count += session->idle_tag[0] != '\0';
	return count;
}

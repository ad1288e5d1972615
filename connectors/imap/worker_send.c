/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Send: the mail is made ready, handed in, told to the daemon as handed in, kept in Sent, and its original is marked.
 * Dying anywhere costs no second mail but between the end of the mail and the server's reply to it: a request that
 * comes again is looked for in Sent first, and the daemon knows what was handed in since it was started.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/submit.h"
#include "connectors/imap/worker_send.h"
#include "lib/core/log.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

/* A worker whose daemon died may be just about to keep its mail: it is given that long before the mail is sent again. */
enum { ORPHAN_S = 2 };
enum { PROGRESS_S = 5 };

/* --- answers --------------------------------------------------------------------------------------------------- */

static void answer(struct sending *sending, bool is_last)
{
	worker_response *response = worker_response_create(sending->call);

	sending->told_s = time(NULL);
	sending->sent.last = is_last;
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SENT;
	response->sent = &sending->sent;
	worker_answer(sending->call, response, is_last, -1);
	worker_link_flush(sending->call->link);
}

void sending_progress(void *data)
{
	struct sending *sending = data;
	int third_s = sending->call->settings->timeout_s / 3;

	if (time(NULL) - sending->told_s >= (third_s < PROGRESS_S ? third_s : PROGRESS_S))
		answer(sending, false);
}

/* The daemon's end is ours (connectors/imap/main.c), but not between the end of the mail and its copy, which is all that
 * the next daemon can know it by. */
static bool may_end(void *data)
{
	prctl(PR_SET_PDEATHSIG, 0);
	return worker_link_is_alive(((struct sending *)data)->call->link);
}

void sending_complain(const struct sending *sending, const char *what, const struct error *error)
{
	log_warning(LOG_IMAP, "user=%s message_id=%s %s: %s", log_quote(sending->call->request->user),
		log_quote(sending->outgoing.message_id), what, log_quote(error->text));
}

/* --- the original ---------------------------------------------------------------------------------------------- */

static worker_status find_original(struct sending *sending, struct error *error_r)
{
	const Belfry__Connector__Send *request = sending->request;
	struct worker_call *call = sending->call;
	worker_status status;

	if (request->kind == BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE || request->replace)
		return STATUS(OK);
	status = worker_original(call, request, sending_progress, sending, &sending->original, error_r);
	if (status != STATUS(OK) && worker_try_again(call))
		status = worker_original(call, request, sending_progress, sending, &sending->original, error_r);
	if (status != STATUS(OK))
		return status == STATUS(UNAVAILABLE) ? STATUS(DEFERRED) : STATUS(NOT_FOUND);
	outgoing_refer(&sending->outgoing, sending->original);
	if (request->kind == BELFRY__CONNECTOR__ORIGINAL__REPLIED)
		outgoing_quote(&sending->outgoing, sending->original);
	else
		outgoing_enclose(&sending->outgoing, sending->original);
	return STATUS(OK);
}

/* SELECT, because flags are changed; what is selected then is nobody's. */
static void mark_original(struct sending *sending)
{
	const Belfry__Connector__Send *request = sending->request;
	struct session *session = sending->call->session;
	struct buffer command = BUFFER_EMPTY;
	struct error error = {"the mailbox has another validity"};
	bool is_reply = request->kind == BELFRY__CONNECTOR__ORIGINAL__REPLIED;
	enum session_answer answer;

	if (request->kind == BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE || session->is_broken)
		return;
	buffer_append_string(&command, "SELECT ");
	if (mailbox_name_quote(&command, request->collection) != 0) {
		buffer_release(&command);
		return;
	}
	session_unselect(session);
	session_queue_buffer(session, &command);
	answer = session_selected(session, request->collection, NULL, NULL, &error);
	if (answer == SESSION_OK && (request->validity == 0 || request->validity == session->validity)) {
		session_queue(session, "UID STORE %llu +FLAGS.SILENT (%s)", (unsigned long long)request->item,
			is_reply ? "\\Answered" : "$Forwarded");
		answer = session_await(session, NULL, NULL, &error);
	} else {
		answer = SESSION_NO;
	}
	session_unselect(session);
	if (answer != SESSION_OK)
		sending_complain(sending, "was sent, but its original could not be marked", &error);
}

/* --- handing in ------------------------------------------------------------------------------------------------ */

static worker_status status_of(enum submitted submitted)
{
	switch (submitted) {
	case SUBMIT_DONE: return STATUS(OK);
	case SUBMIT_REFUSED: return STATUS(NOT_SENT);
	case SUBMIT_BAD_RECIPIENT: return STATUS(BAD_RECIPIENT);
	case SUBMIT_TOO_LARGE: return STATUS(TOO_LARGE);
	case SUBMIT_DEFERRED: return STATUS(DEFERRED);
	case SUBMIT_UNKNOWN: break;
	}
	return STATUS(UNAVAILABLE);
}

static worker_status hand_in(struct sending *sending, struct error *error_r)
{
	static const struct submit_events events = {sending_progress, may_end};
	const Belfry__Worker__WorkerRequest *request = sending->call->request;
	char *password = arena_strndup(sending->call->arena, (const char *)request->password.data, request->password.len);
	struct session_login login = {request->user, password, request->authorize_as};
	enum submitted submitted = submit_mail(sending->call->settings, sending->call->tls, &login, &sending->outgoing, &events,
		sending, error_r);

	explicit_bzero(password, request->password.len);
	return status_of(submitted);
}

/* Whether it was sent before can be known only from its copy. */
static worker_status look_for_earlier(struct sending *sending, bool *found_r, struct error *error_r)
{
	*found_r = false;
	if (!sending->request->again && !sending->call->request->submitted)
		return STATUS(OK);
	for (int tries = sending->call->request->submitted ? 1 : 2; tries > 0; tries--) {
		if (sending_look(sending, found_r, error_r) < 0)
			return STATUS(UNAVAILABLE);
		if (*found_r)
			return STATUS(OK);
		if (tries > 1) {
			sleep(ORPHAN_S);
			sending_progress(sending);
		}
	}
	sending->sent.twice = !sending->call->request->submitted;
	if (sending->sent.twice)
		sending_complain(sending, "is sent again", &(struct error){"an earlier request for it was cut off, and no copy is there"});
	return STATUS(OK);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static worker_status read_mail(struct sending *sending, struct error *error_r)
{
	const Belfry__Connector__Send *request = sending->request;
	struct stat file;
	void *octets;

	sending->mail = slice_of((const char *)request->mime.data, request->mime.len);
	if (!request->in_descriptor)
		return STATUS(OK);
	if (sending->call->fd < 0 || fstat(sending->call->fd, &file) < 0 || file.st_size <= 0) {
		error_set(error_r, "the mail did not come with the request");
		return STATUS(BAD_MAIL);
	}
	octets = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, sending->call->fd, 0);
	if (octets == MAP_FAILED) {
		error_set(error_r, "the mail cannot be read");
		return STATUS(DEFERRED);
	}
	sending->mail = slice_of(octets, (size_t)file.st_size);
	return STATUS(OK);
}

static worker_status make_ready(struct sending *sending, struct error *error_r)
{
	if (sending->call->settings->smtp_host == NULL) {
		error_set(error_r, "no smtp_host is set for this connector");
		return STATUS(UNSUPPORTED);
	}
	worker_status status = read_mail(sending, error_r);
	if (status != STATUS(OK))
		return status;
	switch (outgoing_read(sending->call->arena, sending->mail, sending->request->message_id, (int64_t)time(NULL),
		&sending->outgoing, error_r)) {
	case OUTGOING_FINE: return STATUS(OK);
	case OUTGOING_NO_RECIPIENT: return STATUS(NO_RECIPIENT);
	case OUTGOING_TOO_MANY: return STATUS(NOT_SENT);
	case OUTGOING_BAD: break;
	}
	return STATUS(BAD_MAIL);
}

/* After the server has taken it nothing is a failure any more. */
static void finish(struct sending *sending, bool keep)
{
	sending->sent.submitted = true;
	answer(sending, false); /* from now on the daemon knows */
	log_info(LOG_IMAP, "user=%s message_id=%s recipients=%zu sent", log_quote(sending->call->request->user),
		log_quote(sending->outgoing.message_id), sending->outgoing.recipient_count);
	if (sending->request->save && keep)
		sending_keep(sending);
	mark_original(sending);
}

static worker_status steps(struct sending *sending, struct error *error_r)
{
	bool is_kept = false, is_submitted = sending->call->request->submitted;
	worker_status status = make_ready(sending, error_r);

	if (status == STATUS(OK))
		status = look_for_earlier(sending, &is_kept, error_r);
	if (status != STATUS(OK))
		return status;
	sending->sent.saved = is_kept;
	status = is_kept ? STATUS(OK) : find_original(sending, error_r);
	if (status == STATUS(OK) && !is_kept && !is_submitted)
		status = hand_in(sending, error_r);
	if (status != STATUS(OK) && !is_submitted)
		return status;
	finish(sending, !is_kept && status == STATUS(OK));
	return STATUS(OK);
}

void worker_send(struct worker_call *call)
{
	struct sending sending = {.call = call, .request = call->request->request->send,
		.sent = BELFRY__CONNECTOR__SENT__INIT};
	struct error error = {""};
	worker_status status = steps(&sending, &error);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a daemon that ended meanwhile is missed when the answer is sent */
	if (status == STATUS(OK)) {
		answer(&sending, true);
	} else {
		if (sending.outgoing.message_id != NULL)
			sending_complain(&sending, "was not sent", &error);
		worker_refuse(call, status, error.text);
	}
	if (sending.request->in_descriptor && sending.mail.length > 0)
		munmap((void *)(uintptr_t)sending.mail.at, sending.mail.length);
	if (sending.original.length > 0)
		munmap((void *)(uintptr_t)sending.original.at, sending.original.length);
}

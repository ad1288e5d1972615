/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker: takes a request, finds a session for it, has it done, answers. One at a time. */
#include "connectors/imap/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/session_cache.h"
#include "connectors/imap/worker_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/trace.h"

enum { TIDY_MS = 10000 }; /* how often idle sessions are looked at while no request comes */

struct worker {
	const struct imap_settings *settings;
	SSL_CTX *tls; /* NULL: the backend is on this machine and all is spoken in plain text */
	struct board *board;
	struct worker_link link;
	struct session_cache *cache;
};

/* --- answers --------------------------------------------------------------------------------------------------- */

worker_response *worker_response_create(struct worker_call *call)
{
	worker_response *response = arena_alloc(call->arena, sizeof *response);

	belfry__connector__response__init(response);
	response->id = call->request->request->id;
	return response;
}

void worker_answer(struct worker_call *call, worker_response *response, bool is_last, int fd)
{
	Belfry__Worker__WorkerResponse answer = BELFRY__WORKER__WORKER_RESPONSE__INIT;
	size_t length = belfry__connector__response__get_packed_size(response);
	uint8_t small[4096], *packed = length <= sizeof small ? small : mem_alloc(length);

	answer.id = call->request->id;
	answer.last = is_last;
	answer.login = call->login;
	answer.not_found = response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	answer.response.data = packed;
	answer.response.len = belfry__connector__response__pack(response, packed);
	if (fd >= 0)
		worker_link_send_fd(call->link, &answer.base, fd);
	else
		worker_link_send(call->link, &answer.base);
	if (packed != small)
		free(packed);
	call->login = BELFRY__WORKER__OUTCOME__NONE;
}

void worker_refuse(struct worker_call *call, worker_status status, const char *why)
{
	worker_response *response = worker_response_create(call);

	response->status = status;
	response->reason = arena_strdup(call->arena, why);
	worker_answer(call, response, true, -1);
}

worker_status worker_status_of(enum session_answer answer, const struct error *said)
{
	switch (answer) {
	case SESSION_OK: return BELFRY__CONNECTOR__STATUS__OK;
	case SESSION_NO:
		return session_is_busy(said) ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	case SESSION_BAD:
	case SESSION_LOST: break;
	}
	return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
}

/* --- one request ----------------------------------------------------------------------------------------------- */

static void do_request(struct worker_call *call)
{
	switch (call->request->request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LIST: worker_list(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SURVEY: worker_survey(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH: worker_fetch(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART: worker_fetch_part(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_APPLY: worker_apply(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_ALTER: worker_alter(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SEARCH: worker_search(call); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SEND: worker_send(call); break;
	default: worker_refuse(call, BELFRY__CONNECTOR__STATUS__UNSUPPORTED, "the worker does not know this request"); break;
	}
}

static struct session *log_in(struct worker_call *call, enum session_opened *opened_r, struct error *error_r)
{
	const Belfry__Worker__WorkerRequest *request = call->request;
	char *password = mem_strndup((const char *)request->password.data, request->password.len);
	struct session_login login = {request->user, password, request->authorize_as, request->canonical};
	struct session *session = session_open(call->settings, call->tls, &login, opened_r, error_r);

	mem_wipe(password, request->password.len);
	free(password);
	return session;
}

struct session *worker_reopen(struct worker_call *call, struct error *error_r)
{
	enum session_opened opened;
	struct session *session = log_in(call, &opened, error_r);

	if (session == NULL)
		return NULL;
	session_close(&call->session);
	call->session = session;
	return session;
}

bool worker_try_again(struct worker_call *call)
{
	struct error ignored;

	if (!call->session->is_broken || !call->is_cached)
		return false;
	call->is_cached = false;
	return worker_reopen(call, &ignored) != NULL;
}

/* It is another server's. */
static bool is_oof(const Belfry__Worker__WorkerRequest *request)
{
	return request->request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF ||
		request->request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
}

/* For a Send it matters that nothing was sent. */
static bool is_send(const Belfry__Worker__WorkerRequest *request)
{
	return request->request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SEND;
}

/* A session of the cache, or a new one; NULL: answered. */
static struct session *find_session(struct worker *worker, struct worker_call *call)
{
	const Belfry__Worker__WorkerRequest *request = call->request;
	struct session *session = session_cache_take(worker->cache, request->session_key.data, request->session_key.len);
	enum session_opened opened;
	struct error error;

	call->is_cached = session != NULL;
	if (session != NULL)
		return session;
	session = log_in(call, &opened, &error);
	if (opened == SESSION_OPENED)
		call->login = BELFRY__WORKER__OUTCOME__ACCEPTED;
	if (opened == SESSION_REFUSED)
		call->login = BELFRY__WORKER__OUTCOME__REFUSED;
	if (session == NULL)
		worker_refuse(call, opened == SESSION_REFUSED ? BELFRY__CONNECTOR__STATUS__REFUSED
			: is_send(request) ? BELFRY__CONNECTOR__STATUS__DEFERRED : BELFRY__CONNECTOR__STATUS__UNAVAILABLE, error.text);
	return session;
}

static void serve(struct worker *worker, const Belfry__Worker__WorkerRequest *request, struct arena *arena)
{
	struct worker_call call = {.link = &worker->link, .board = worker->board, .arena = arena, .request = request,
		.settings = worker->settings, .tls = worker->tls, .fd = worker_link_take_fd(&worker->link)};

	if (request->forget.len > 0)
		session_cache_forget(worker->cache, request->forget.data, request->forget.len);
	else if (request->trace != NULL)
		trace_apply(request->trace);
	else if (request->request != NULL && is_oof(request))
		worker_oof(&call);
	else if (request->request != NULL)
		call.session = find_session(worker, &call);
	if (call.session != NULL) {
		do_request(&call);
		session_cache_put(worker->cache, request->session_key.data, request->session_key.len, &call.session);
	}
	if (call.fd >= 0)
		close(call.fd);
	board_wipe(worker->board);
	worker_link_flush(&worker->link);
}

/* --- the loop -------------------------------------------------------------------------------------------------- */

/* False: the daemon is gone, or does not make sense. */
static bool turn(struct worker *worker)
{
	const uint8_t *body;
	size_t length;
	int received = worker_link_receive(&worker->link, TIDY_MS, &body, &length);
	struct arena *arena;
	Belfry__Worker__WorkerRequest *request;

	if (received < 0 || worker->link.is_lost)
		return false;
	session_cache_tidy(worker->cache);
	if (received == 0)
		return true;
	arena = arena_create(0);
	arena_carry_secrets(arena);
	request = belfry__worker__worker_request__unpack(arena_protobuf(arena), length, body);
	if (request != NULL)
		serve(worker, request, arena);
	arena_free(&arena);
	return request != NULL;
}

int worker_run(int link_fd, const struct imap_settings *settings, struct board *board)
{
	struct worker worker = {.settings = settings, .board = board, .link = {.fd = link_fd, .received_fd = -1, .input = BUFFER_WIPING}};
	struct error error;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	if (settings->tls != IMAP_TLS_NONE || (settings->smtp_host != NULL && settings->smtp_tls != IMAP_TLS_NONE) ||
	    (settings->sieve_host != NULL && settings->sieve_tls != IMAP_TLS_NONE)) {
		worker.tls = etpan_stream_context(*settings->ca_file != '\0' ? settings->ca_file : NULL, &error);
		if (worker.tls == NULL) {
			log_error(LOG_IMAP, "worker: %s", error.text);
			return EXIT_FAILURE;
		}
	}
	worker.cache = session_cache_create();
	while (turn(&worker))
		;
	session_cache_free(&worker.cache);
	worker_link_release(&worker.link);
	SSL_CTX_free(worker.tls);
	return EXIT_SUCCESS;
}

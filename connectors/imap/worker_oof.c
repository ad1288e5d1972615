/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GetOof and SetOof: a Sieve script of our own, at a ManageSieve server.
 *
 *	list ─ read ours ─▶ (set) ─ look at the former one ─ PUTSCRIPT ours ─ SETACTIVE ours      on
 *	                                                     SETACTIVE the former one ─ PUTSCRIPT   off
 *
 * Whether it is in force is told by whether it is active, and by nothing else. So whoever dies between the two steps leaves
 * what holds, either all that was set before or the user's own filters alone; and the request that comes again does what
 * is missing. The former script stands in ours, which is written before it takes the other's place.
 */
#include <string.h>

#include "connectors/imap/oof_script.h"
#include "connectors/imap/sieve_session.h"
#include "connectors/imap/worker_internal.h"
#include "connectors/oof.h"
#include "lib/managesieve/response.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

struct oof_work {
	struct worker_call *call;
	struct sieve_session sieve;
	char *active;                /* name of the script that is; "": none */
	bool has_former, is_there;   /* the former one is still there; ours is */
	Belfry__Oof__Kept *kept;
	struct error error;
};

static bool is_ours(const char *name)
{
	return strcmp(name, OOF_SCRIPT_NAME) == 0;
}

static worker_status status_of(enum sieve_answer answer)
{
	return answer == SIEVE_DONE ? STATUS(OK) : answer == SIEVE_REFUSED ? STATUS(LIMIT) : STATUS(UNAVAILABLE);
}

static worker_status refuse(struct oof_work *work, worker_status status, const char *why)
{
	error_set(&work->error, "%s", why);
	return status;
}

/* --- how things are -------------------------------------------------------------------------------------------- */

static worker_status connect_server(struct oof_work *work)
{
	const Belfry__Worker__WorkerRequest *request = work->call->request;
	char *password = arena_strndup(work->call->arena, (const char *)request->password.data, request->password.len);
	struct session_login login = {request->user, password, request->authorize_as, request->canonical};

	return status_of(sieve_session_open(&work->sieve, work->call->settings, work->call->tls, &login, &work->error));
}

static void hear_script(const char *name, bool is_active, void *data)
{
	struct oof_work *work = data;

	if (is_active)
		work->active = arena_strdup(work->call->arena, name);
	work->is_there |= is_ours(name);
}

static void hear_former(const char *name, bool is_active, void *data)
{
	struct oof_work *work = data;

	(void)is_active;
	work->has_former |= strcmp(name, work->kept->former) == 0;
}

static Belfry__Oof__Kept *nothing_kept(struct arena *arena)
{
	Belfry__Oof__Kept *kept = arena_alloc(arena, sizeof *kept);

	belfry__oof__kept__init(kept);
	kept->oof = arena_alloc(arena, sizeof *kept->oof);
	belfry__connector__oof__init(kept->oof);
	return kept;
}

static worker_status read_kept(struct oof_work *work)
{
	struct buffer script = BUFFER_EMPTY;
	worker_status status = status_of(sieve_session_get(&work->sieve, OOF_SCRIPT_NAME, &script, &work->error));

	if (status == STATUS(OK))
		work->kept = oof_script_read(slice_of(script.data, script.length), work->call->arena);
	buffer_release(&script);
	if (status == STATUS(OK) && work->kept == NULL)
		return refuse(work, STATUS(LIMIT), "somebody has changed the script " OOF_SCRIPT_NAME ": it is his now");
	return status;
}

static worker_status look(struct oof_work *work)
{
	worker_status status = connect_server(work);

	if (status == STATUS(OK))
		status = status_of(sieve_session_list(&work->sieve, hear_script, work, &work->error));
	if (status != STATUS(OK))
		return status;
	if (work->is_there)
		status = read_kept(work);
	else
		work->kept = nothing_kept(work->call->arena);
	if (status == STATUS(OK) && !is_ours(work->active))
		work->kept->oof->state = BELFRY__CONNECTOR__OOF_STATE__OOF_OFF;
	return status;
}

/* --- setting --------------------------------------------------------------------------------------------------- */

/* What filters besides is the user's own, and goes on: as far as it can be had together with ours. */
static worker_status look_at_former(struct oof_work *work)
{
	struct buffer script = BUFFER_EMPTY;
	worker_status status = STATUS(OK);

	if (!is_ours(work->active))
		work->kept->former = work->active;
	if (work->kept->former[0] == '\0')
		return STATUS(OK);
	status = status_of(sieve_session_list(&work->sieve, hear_former, work, &work->error));
	if (status == STATUS(OK) && !work->has_former)
		work->kept->former = (char *)"";
	if (status != STATUS(OK) || !work->has_former || work->kept->oof->state == BELFRY__CONNECTOR__OOF_STATE__OOF_OFF)
		return status;
	status = status_of(sieve_session_get(&work->sieve, work->kept->former, &script, &work->error));
	if (status == STATUS(OK) && oof_script_answers(slice_of(script.data, script.length)))
		status = refuse(work, STATUS(LIMIT), "the user's own script answers mails already");
	buffer_release(&script);
	return status;
}

static worker_status check(struct oof_work *work)
{
	unsigned missing = oof_script_needs(work->kept) & ~work->sieve.can;

	if (!oof_script_fits(work->kept))
		return refuse(work, STATUS(LIMIT), "a text is too long");
	if (missing == MANAGESIEVE_CAN_INCLUDE)
		return refuse(work, STATUS(LIMIT), "the user has filters, and the server cannot include them in a script");
	return missing == 0 ? STATUS(OK) : refuse(work, STATUS(UNSUPPORTED), "the server lacks extensions of Sieve");
}

static worker_status put(struct oof_work *work)
{
	struct buffer script = BUFFER_EMPTY;
	worker_status status;

	oof_script_write(&script, work->kept, work->call->request->canonical, work->sieve.can);
	status = status_of(sieve_session_put(&work->sieve, OOF_SCRIPT_NAME, &script, &work->error));
	buffer_release(&script);
	return status;
}

static worker_status activate(struct oof_work *work, const char *name)
{
	if (strcmp(work->active, name) == 0)
		return STATUS(OK);
	return status_of(sieve_session_activate(&work->sieve, name, &work->error));
}

static worker_status turn_on(struct oof_work *work)
{
	worker_status status = put(work);

	return status != STATUS(OK) ? status : activate(work, OOF_SCRIPT_NAME);
}

/* Another one that is active meanwhile stays so. */
static worker_status turn_off(struct oof_work *work)
{
	worker_status status = is_ours(work->active) ? activate(work, work->kept->former) : STATUS(OK);

	return status != STATUS(OK) ? status : put(work);
}

static worker_status set(struct oof_work *work)
{
	worker_status status;

	oof_merge(work->kept->oof, work->call->request->request->set_oof);
	if ((status = look_at_former(work)) != STATUS(OK) || (status = check(work)) != STATUS(OK))
		return status;
	return work->kept->oof->state == BELFRY__CONNECTOR__OOF_STATE__OOF_OFF ? turn_off(work) : turn_on(work);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static Belfry__Connector__Oof *told(struct oof_work *work)
{
	Belfry__Connector__Oof *oof = work->kept->oof;
	bool html = work->call->request->request->get_oof->html;
	struct arena *arena = work->call->arena;

	oof->internal = oof_script_message_as(oof->internal, html, arena);
	oof->known = oof_script_message_as(oof->known, html, arena);
	oof->unknown = oof_script_message_as(oof->unknown, html, arena);
	return oof;
}

void worker_oof(struct worker_call *call)
{
	struct oof_work work = {.call = call, .active = (char *)""};
	bool is_set = call->request->request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
	worker_response *response = worker_response_create(call);

	if (call->settings->sieve_host == NULL) {
		worker_refuse(call, STATUS(UNSUPPORTED), "there is no sieve_host");
		return;
	}
	response->status = look(&work);
	if (response->status == STATUS(OK) && is_set)
		response->status = set(&work);
	sieve_session_close(&work.sieve);
	if (response->status != STATUS(OK)) {
		worker_refuse(call, response->status, work.error.text);
		return;
	}
	if (!is_set) {
		response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_OOF;
		response->oof = told(&work);
	}
	worker_answer(call, response, true, -1);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How answers leave, and those that are not a command's own. */
#include "gateway/activesync/answer.h"

#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/service/login.h"
#include "lib/core/log.h"

static const unsigned versions[] = {121, 140, 141};
#define VERSIONS_TEXT "12.1,14.0,14.1"

bool answer_version_is_served(unsigned version)
{
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		if (versions[i] == version)
			return true;
	return false;
}

void answer_headers(struct http_response *response)
{
	http_response_header(response, "MS-Server-ActiveSync", "14.1");
	http_response_header(response, "Cache-Control", "private");
}

/* --- the end of a request -------------------------------------------------------------------------------------- */

void request_log(struct request *request, const char *result)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Outcome outcome = BELFRY__ROLE__OUTCOME__INIT;
	const char *agent = http_exchange_header(request->exchange, "User-Agent");
	const char *command = request->command == NULL ? request->exchange->method : request->command->name;
	char address[64];

	http_exchange_address(request->exchange, address, sizeof address);
	int64_t took_ms = loop_now_ms(request->engine->host.loop) - request->started_ms;
	log_info(LOG_ACTIVESYNC, "user=%s device=%s command=%s %s took_ms=%lld address=%s", log_quote(request->user),
		log_quote(request->device), command, result, (long long)took_ms, log_quote(address));
	if (request->handle.len == 0)
		return; /* nothing of a stranger goes to the hub */
	principal.user = (char *)request->user;
	principal.device = (char *)request->device;
	outcome.principal = &principal;
	outcome.command = (char *)command;
	outcome.result = (char *)result;
	outcome.duration_ms = (uint32_t)took_ms;
	outcome.agent = agent == NULL ? "" : arena_strndup(request->arena, agent, 200);
	outcome.address = address;
	hub_outcome(request->engine->host.hub, &outcome);
}

static void let_go(struct request *request)
{
	if (request->transaction != 0)
		hub_release(request->engine->host.hub, request->transaction);
	request->transaction = 0;
	if (request->release != NULL)
		request->release(request);
	buffer_release(&request->body);
	DL_DELETE(request->engine->under_way, request);
}

void request_abandon(struct request *request)
{
	connector_call_cancel(&request->connector_call);
	hub_call_cancel(&request->hub_call);
	let_go(request);
	http_abandon(request->exchange);
}

static void send_response(struct request *request, struct http_response *response, const char *result)
{
	request_log(request, result);
	let_go(request);
	answer_headers(response);
	http_respond(request->exchange, response);
}

void request_answer_http(struct request *request, unsigned status, const char *text)
{
	struct http_response response = HTTP_RESPONSE(status);
	char result[200];

	snprintf(result, sizeof result, "http=%u (%s)", status, text);
	http_response_header(&response, "Content-Type", "text/plain; charset=utf-8");
	if (status == 503)
		http_response_header(&response, "Retry-After", "%d", LOGIN_RETRY_AFTER_S);
	if (status == 405)
		http_response_header(&response, "Allow", "OPTIONS, POST");
	http_response_string(&response, text);
	send_response(request, &response, result);
}

void request_begin_answer(struct request *request)
{
	buffer_release(&request->body);
	wbxml_writer_begin(&request->writer, &request->body, &activesync_language);
	wbxml_writer_start(&request->writer, request->command->root);
}

void request_answer_as(struct request *request, struct http_response *response, const char *content_type)
{
	http_response_header(response, "Content-Type", "%s", content_type);
	send_response(request, response, request->result == NULL ? "http=200" : request->result);
}

void request_answer_response(struct request *request, struct http_response *response)
{
	request_answer_as(request, response, ANSWER_CONTENT_TYPE);
}

void request_answer(struct request *request)
{
	struct http_response response = HTTP_RESPONSE(200);

	wbxml_writer_end(&request->writer);
	wbxml_writer_finish(&request->writer);
	http_response_bytes(&response, &request->body);
	request_answer_response(request, &response);
}

/* What HTTP says until 12.1 for a common status (MS-ASCMD 2.2.2): 400 for what is wrong with the request, also where the
 * section does not say what. */
static unsigned http_status_of(int status)
{
	switch (status) {
	case COMMON_SERVER_ERROR_RETRY: return 503;
	case COMMON_SUBMISSION_FAILED: return 500;
	case COMMON_TOO_LARGE: return 413;
	default: return 400;
	}
}

void request_answer_status(struct request *request, int status)
{
	if (status > 100 && request->version < 140) {
		request_answer_http(request, http_status_of(status), arena_printf(request->arena, "status %d", status));
		return;
	}
	request->result = arena_printf(request->arena, "status=%d", status);
	request_begin_answer(request);
	if (request->command->within != 0)
		wbxml_writer_start(&request->writer, request->command->within);
	wbxml_writer_number_element(&request->writer, request->command->status, status);
	if (request->command->within != 0)
		wbxml_writer_end(&request->writer);
	request_answer(request);
}

void request_answer_empty(struct request *request)
{
	struct http_response response = HTTP_RESPONSE(200);

	request_answer_response(request, &response);
}

void request_answer_retry(struct request *request, const char *why)
{
	log_warning(LOG_ACTIVESYNC, "user=%s device=%s command=%s cannot be answered now: %s; the device is told to retry",
		log_quote(request->user), log_quote(request->device), request->command->name, why);
	if (request->command->retry_status != 0)
		request_answer_status(request, request->command->retry_status);
	else
		request_answer_http(request, 503, "not now; come again");
}

struct http_held *request_hold(struct request *request, const struct http_held_events *events, void *owner)
{
	let_go(request);
	return http_hold(request->exchange, events, owner);
}

/* --- refusals -------------------------------------------------------------------------------------------------- */

void answer_options(struct request *request)
{
	struct http_response response = HTTP_RESPONSE(200);

	http_response_header(&response, "MS-ASProtocolVersions", VERSIONS_TEXT);
	http_response_header(&response, "MS-ASProtocolCommands", "%s", command_names());
	http_response_header(&response, "Allow", "OPTIONS,POST");
	http_response_header(&response, "Public", "OPTIONS,POST");
	send_response(request, &response, "http=200");
}

void answer_challenge(struct request *request)
{
	struct http_response response;

	login_challenge(&response);
	send_response(request, &response, "http=401");
}

void answer_login_refused(struct request *request, const Belfry__Connector__Response *login)
{
	struct http_response response;

	if (login->status == BELFRY__CONNECTOR__STATUS__REFUSED) {
		answer_challenge(request);
		return;
	}
	login_refused(login, &response);
	log_warning(LOG_ACTIVESYNC, "user=%s device=%s login not checked: %s", log_quote(request->user),
		log_quote(request->device), log_quote(login->reason));
	send_response(request, &response,
		login->status == BELFRY__CONNECTOR__STATUS__THROTTLED ? "http=503 (throttled)" : "http=503 (backend)");
}

void answer_too_many_devices(struct request *request)
{
	if (request->version >= 140 && request->command->status != 0)
		request_answer_status(request, COMMON_MAXIMUM_DEVICES_REACHED);
	else
		request_answer_http(request, 403, "this user has as many devices as are allowed");
}

/* MS-ASHTTP 3.1.5.2.3. A Status would be asked again about at once. */
void answer_too_often(struct request *request, unsigned wait_s)
{
	struct http_response response = HTTP_RESPONSE(503);

	http_response_header(&response, "Content-Type", "text/plain; charset=utf-8");
	http_response_header(&response, "Retry-After", "%u", wait_s);
	http_response_string(&response, "this device comes too often and gets nowhere; come again later");
	send_response(request, &response, "http=503 (comes too often)");
}

bool answer_bad_device(struct request *request)
{
	enum query_fault fault = request->query.fault;

	if (fault != QUERY_DEVICE_ID && fault != QUERY_DEVICE_TYPE)
		return false;
	if (request->command == NULL || request->command->status == 0 || request->version < 140 ||
	    !answer_version_is_served(request->version))
		return false;
	request_answer_status(request, fault == QUERY_DEVICE_ID ? COMMON_INVALID_DEVICE_ID : COMMON_INVALID_DEVICE_TYPE);
	return true;
}

/* Until 12.1 there are no common statuses: a malformed request is an HTTP error (MS-ASCMD 2.2.2). */
void answer_bad_body(struct request *request, int common)
{
	if (request->version >= 140 && request->command->status != 0)
		request_answer_status(request, common);
	else
		request_answer_http(request, common == COMMON_TOO_LARGE ? 413 : 400, "the body is not what this command takes");
}

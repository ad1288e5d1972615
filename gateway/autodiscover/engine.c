/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a request to its document:
 *
 *	method ─▶ (redirect) ─▶ Login at the connector ─▶ parse ─▶ answer
 *
 * A stranger learns nothing but where to go, and nothing of his is parsed before he has logged in.
 */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "gateway/autodiscover/address.h"
#include "gateway/autodiscover/autodiscover.h"
#include "gateway/autodiscover/document.h"
#include "gateway/autodiscover/question.h"
#include "gateway/service/access.h"
#include "gateway/service/login.h"
#include "gateway/service/user.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

#define AUTODISCOVER_PATH "/autodiscover/autodiscover.xml"
#define ACTIVESYNC_PATH "/Microsoft-Server-ActiveSync"

enum { BODY_MAX = 16 * 1024 }; /* phones send about 400 bytes */

struct autodiscover {
	struct engine_host host;
	const struct autodiscover_engine_settings *settings;
	struct request *under_way; /* a list (utlist) */
};

struct request {
	struct request *next, *prev;
	struct autodiscover *engine;
	struct http_exchange *exchange;
	struct login login;
	struct connector_call *call;
};

/* --- answers --------------------------------------------------------------------------------------------------- */

static void send_response(struct request *request, struct http_response *response, const char *result)
{
	char address[64];

	http_exchange_address(request->exchange, address, sizeof address);
	log_info(LOG_AUTODISCOVER, "user=%s %s address=%s", log_quote(request->login.user), result, log_quote(address));
	http_response_header(response, "Cache-Control", "private");
	DL_DELETE(request->engine->under_way, request);
	http_respond(request->exchange, response);
}

static void send_document(struct request *request, struct buffer *document, const char *result)
{
	struct http_response response = HTTP_RESPONSE(200);

	http_response_header(&response, "Content-Type", DOCUMENT_CONTENT_TYPE);
	http_response_bytes(&response, document);
	send_response(request, &response, result);
}

static void send_error(struct request *request, enum document_code code, const char *why)
{
	struct buffer document = BUFFER_EMPTY;

	document_error(&document, code);
	send_document(request, &document, arena_printf(request->exchange->arena, "error=%d (%s)", code, why));
}

static void send_settings(struct request *request, const char *email)
{
	const char *house = address_of_house(request->engine->settings->public_url, request->exchange);
	struct buffer document = BUFFER_EMPTY;

	if (house == NULL) {
		document_failure(&document, email, "The server does not know by which name it is reached", "public_url");
		send_document(request, &document, "status=2 (set public_url, or let the proxy pass Host on)");
		return;
	}
	document_settings(&document, email, arena_printf(request->exchange->arena, "%s" ACTIVESYNC_PATH, house));
	send_document(request, &document, "status=1");
}

static void send_challenge(struct request *request)
{
	struct http_response response;

	login_challenge(&response);
	send_response(request, &response, "http=401");
}

/* Where the question is to be asked. */
static void send_elsewhere(struct request *request, const char *house)
{
	struct http_response response = HTTP_RESPONSE(302);

	http_response_header(&response, "Location", "%s" AUTODISCOVER_PATH, house);
	send_response(request, &response, "http=302");
}

static void send_method_refused(struct request *request)
{
	struct http_response response = HTTP_RESPONSE(405);

	http_response_header(&response, "Allow", "GET, HEAD, POST");
	send_response(request, &response, "http=405");
}

/* --- who has logged in ----------------------------------------------------------------------------------------- */

/* The address may be an alias that only the mail server knows: it is not compared with the user, who learns nothing
 * from it but where his own ActiveSync is. */
static bool is_served(const struct request *request, const char *email)
{
	const struct directory *directory = request->engine->settings->directory;
	char user[USER_MAX + 1];

	return strchr(email, '@') != NULL && user_canonical(email, NULL, user, NULL) == 0 &&
		directory->instance_for(directory, user) != NULL;
}

static void answer_question(struct request *request)
{
	const struct buffer *body = &request->exchange->body;
	struct question question;
	struct error error;

	if (question_parse(&question, request->exchange->arena, body->data, body->length, &error) < 0)
		send_error(request, DOCUMENT_INVALID_REQUEST, error.text);
	else if (strcmp(question.schema, DOCUMENT_SCHEMA) != 0)
		send_error(request, DOCUMENT_NO_PROVIDER, "only phones are answered");
	else if (!is_served(request, question.email))
		send_error(request, DOCUMENT_ADDRESS_UNKNOWN, "no connector serves the address");
	else
		send_settings(request, question.email);
}

static void refuse_login(struct request *request, const Belfry__Connector__Response *answer)
{
	struct http_response response;

	login_refused(answer, &response);
	if (answer->status != BELFRY__CONNECTOR__STATUS__REFUSED)
		log_warning(LOG_AUTODISCOVER, "user=%s login not checked: %s", log_quote(request->login.user),
			log_quote(answer->reason));
	send_response(request, &response, response.status == 401 ? "http=401" : "http=503");
}

static void logged_in(const Belfry__Connector__Response *answer, int fd, bool is_last, void *data)
{
	struct request *request = data;

	(void)fd;
	(void)is_last;
	request->call = NULL;
	if (answer->status != BELFRY__CONNECTOR__STATUS__OK) {
		refuse_login(request, answer);
		return;
	}
	http_exchange_welcome(request->exchange);
	if (strcmp(request->exchange->method, "POST") == 0)
		answer_question(request);
	else
		send_error(request, DOCUMENT_INVALID_REQUEST, "no POST");
}

/* --- who comes ------------------------------------------------------------------------------------------------- */

static void log_in(struct request *request)
{
	const struct principal principal = {request->login.user, ""};
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Login login = BELFRY__CONNECTOR__LOGIN__INIT;
	char address[64], *password = (char *)request->login.password;

	if (!principal_may(&principal, ACTION_LOG_IN, &(struct object){.user = principal.user})) {
		send_challenge(request);
		return;
	}
	http_exchange_address(request->exchange, address, sizeof address);
	login.user = (char *)request->login.user;
	login.password = password;
	login.address = address;
	login.device = ""; /* a phone says what it is only when it synchronises */
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LOGIN;
	question.login = &login;
	request->call = connector_ask(request->engine->host.connectors, request->login.instance, &question, logged_in, request);
	mem_wipe(password, strlen(password));
}

static struct request *begin(struct autodiscover *engine, struct http_exchange *exchange)
{
	struct request *request = arena_alloc(exchange->arena, sizeof *request);

	*request = (struct request){.engine = engine, .exchange = exchange};
	DL_APPEND(engine->under_way, request);
	return request;
}

/* What asks without a login only looks where to go: the third step of a phone, or a browser. */
static void send_stranger(struct request *request)
{
	const char *public_url = request->engine->settings->public_url;
	const char *house = address_of_house(public_url, request->exchange);

	if (strcmp(request->exchange->method, "POST") != 0 && house != NULL &&
	    address_is_another(public_url, request->exchange))
		send_elsewhere(request, house);
	else
		send_challenge(request);
}

static bool method_is_served(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void header(void *instance, struct http_exchange *exchange)
{
	if (!method_is_served(exchange->method))
		send_method_refused(begin(instance, exchange));
	else if (http_exchange_header(exchange, "Authorization") == NULL)
		send_stranger(begin(instance, exchange));
}

static void request(void *instance, struct http_exchange *exchange)
{
	struct autodiscover *engine = instance;
	struct request *request = begin(engine, exchange);

	if (login_read(exchange, engine->settings->directory, &request->login) < 0)
		send_challenge(request);
	else if (request->login.instance == NULL)
		send_error(request, DOCUMENT_ADDRESS_UNKNOWN, "no connector serves the user");
	else
		log_in(request);
}

static void *create(const struct engine_host *host, struct error *error_r)
{
	struct autodiscover *engine = mem_alloc(sizeof *engine);

	(void)error_r;
	engine->host = *host;
	engine->settings = host->settings;
	return engine;
}

static void destroy(void *instance)
{
	struct autodiscover *engine = instance;

	while (engine->under_way != NULL) {
		struct request *request = engine->under_way;
		connector_call_cancel(&request->call);
		DL_DELETE(engine->under_way, request);
		http_abandon(request->exchange);
	}
	free(engine);
}

const struct engine autodiscover_engine = {
	.name = "autodiscover",
	.path = AUTODISCOVER_PATH,
	.body_max = BODY_MAX,
	.create = create,
	.header = header,
	.request = request,
	.destroy = destroy,
};

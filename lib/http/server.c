/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server half of HTTP: connections, their timers and limits, and reading. Answering is in answer.c. */
#include "lib/http/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/http/connection.h"
#include "lib/http/gzip.h"

/* --- the lists ------------------------------------------------------------------------------------------------- */

static void list_append(struct http_list *list, struct http_connection *connection)
{
	connection->next = NULL;
	connection->link = list->last;
	*list->last = connection;
	list->last = &connection->next;
}

static void list_remove(struct http_list *list, struct http_connection *connection)
{
	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	else
		list->last = connection->link;
}

static void set_list(struct http_connection *connection, enum http_list_number list)
{
	struct http_server *server = connection->server;

	if (connection->list == list)
		return;
	list_remove(&server->lists[connection->list], connection);
	list_append(&server->lists[list], connection);
	server->counts.idle -= connection->list == HTTP_LIST_IDLE;
	server->counts.idle += list == HTTP_LIST_IDLE;
	connection->list = (uint8_t)list;
}

/* --- the server ------------------------------------------------------------------------------------------------ */

struct http_server *http_server_create(const struct http_server_settings *settings)
{
	struct http_server *server = mem_alloc(sizeof *server);

	server->settings = *settings;
	for (struct http_list *list = server->lists; list < server->lists + HTTP_LISTS; list++)
		list->last = &list->first;
	server->last_answer = &server->answers;
	if (server->settings.answers_max == 0)
		server->settings.answers_max = HTTP_ANSWERS_MAX;
	server->date_s = -1;
	return server;
}

void http_server_free(struct http_server **owner)
{
	struct http_server *server = *owner;

	if (server == NULL)
		return;
	*owner = NULL;
	for (struct http_list *list = server->lists; list < server->lists + HTTP_LISTS; list++)
		while (list->first != NULL)
			http_connection_close(list->first);
	free(server);
}

void http_server_drain(struct http_server *server)
{
	server->is_draining = true;
	while (server->lists[HTTP_LIST_IDLE].first != NULL)
		http_connection_close(server->lists[HTTP_LIST_IDLE].first);
}

void http_server_counts(const struct http_server *server, struct http_server_counts *counts_r)
{
	*counts_r = server->counts;
}

/* --- the end of a connection ----------------------------------------------------------------------------------- */

void http_request_discard(struct http_server *server, struct http_request **request)
{
	if (server != NULL)
		server->bodies -= (*request)->counted_bytes;
	http_request_free(request);
}

static void request_lost(struct http_server *server, struct http_request *request)
{
	server->bodies -= request->counted_bytes;
	request->counted_bytes = 0;
	request->connection = NULL;
	if (request->exchange.is_gone)
		return;
	request->exchange.is_gone = true;
	if (request->exchange.gone != NULL)
		request->exchange.gone(&request->exchange);
}

static void connection_free(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	set_list(connection, HTTP_LIST_REST);
	list_remove(&server->lists[HTTP_LIST_REST], connection);
	http_guest_goes(connection);
	http_proxied_forget(connection);
	server->counts.connections--;
	server->overflow -= connection->is_overflow;
	timer_stop(server->settings.loop, &connection->timer);
	stream_close(&connection->stream);
	free(connection);
}

void http_connection_close(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	const struct http_held_events *events = server->holders[connection->holder];
	struct http_answer *answer = connection->answer;
	struct http_request *request = connection->request;
	void *owner = connection->held.owner;

	switch ((enum http_state)connection->state) {
	case HTTP_STATE_HELD:
		server->counts.held--;
		connection_free(connection);
		events->gone(events, owner);
		break;
	case HTTP_STATE_BUSY:
		connection_free(connection);
		request_lost(server, request);
		break;
	case HTTP_STATE_BODY:
		connection_free(connection);
		http_request_discard(server, &request);
		break;
	case HTTP_STATE_ANSWER:
		connection_free(connection);
		http_answer_free(server, &answer);
		break;
	default:
		connection_free(connection);
	}
}

/* --- timers ---------------------------------------------------------------------------------------------------- */

static const struct http_fault too_slow = {408, "too slow"};

static void body_window_over(struct http_connection *connection)
{
	struct http_request *request = connection->request;

	if (request->raw_bytes - request->window_bytes < HTTP_RATE_MIN_BYTES) {
		http_connection_refuse(connection, &too_slow);
		return;
	}
	request->window_bytes = request->raw_bytes;
	http_connection_time(connection, HTTP_RATE_WINDOW_MS);
}

static void timer_fired(struct timer *timer)
{
	struct http_connection *connection = container_of(timer, struct http_connection, timer);
	const struct http_held_events *events = connection->server->holders[connection->holder];

	switch ((enum http_state)connection->state) {
	case HTTP_STATE_HEADER:
		if (connection->header_begun)
			http_connection_refuse(connection, &too_slow);
		else
			http_connection_close(connection);
		break;
	case HTTP_STATE_BODY:
		body_window_over(connection);
		break;
	case HTTP_STATE_HELD:
		events->expired(events, &connection->held, connection->held.owner);
		break;
	case HTTP_STATE_ANSWER:
		if (connection->answer->gzip != NULL)
			http_answer_compress(connection);
		else if (http_answer_goes_on(connection))
			http_connection_time(connection, HTTP_RATE_WINDOW_MS);
		else
			http_connection_close(connection);
		break;
	default:
		http_connection_close(connection);
	}
}

void http_connection_time(struct http_connection *connection, int64_t delay_ms)
{
	timer_start(connection->server->settings.loop, &connection->timer, delay_ms, timer_fired);
}

static void connection_untime(struct http_connection *connection)
{
	timer_stop(connection->server->settings.loop, &connection->timer);
}

/* --- refusing -------------------------------------------------------------------------------------------------- */

void http_response_retry_after(struct http_server *server, struct http_response *response)
{
	uint64_t refused = server->counts.refused + server->counts.answers_refused;

	http_response_header(response, "Retry-After", "%d", HTTP_RETRY_AFTER_S + (int)(refused % HTTP_RETRY_SPREAD_S));
}

void http_connection_refuse(struct http_connection *connection, const struct http_fault *fault)
{
	struct http_server *server = connection->server;
	struct http_response response = HTTP_RESPONSE(fault->status);
	char address[64];

	if (connection->state == HTTP_STATE_BODY)
		http_request_discard(server, &connection->request);
	connection->keep_alive = false;
	connection->is_cut = true;
	server->counts.refused++;
	if (log_traced(LOG_HTTP, NULL, NULL)) {
		http_connection_address(connection, address, sizeof address);
		log_trace_write(LOG_HTTP, "address=%s refused status=%u why=\"%s\"", log_quote(address), fault->status, fault->why);
	}
	if (fault->status == 503)
		http_response_retry_after(server, &response);
	if (fault->status == 415) /* RFC 9110 12.5.3: what would have been taken */
		http_response_header(&response, "Accept-Encoding", "identity");
	http_response_header(&response, "Content-Type", "text/plain");
	http_response_string(&response, fault->why);
	http_response_string(&response, "\n");
	http_connection_answer(connection, &response);
}

/* --- the body -------------------------------------------------------------------------------------------------- */

/* The request is whole. Nothing of the connection may be touched afterwards. */
static void request_complete(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_exchange *exchange = &connection->request->exchange;

	connection_untime(connection);
	connection->state = HTTP_STATE_BUSY;
	server->counts.requests++;
	server->settings.request(exchange, server->settings.data);
}

static int count_body(struct http_connection *connection, struct http_fault *fault_r)
{
	struct http_request *request = connection->request;
	size_t more = request->exchange.body.length - request->counted_bytes;

	connection->server->bodies += more;
	request->counted_bytes += more;
	size_t most = request->exchange.body.length > HTTP_BODY_SMALL ? HTTP_BODIES_LARGE_MAX : HTTP_BODIES_MAX;
	if (more == 0 || connection->server->bodies <= most)
		return 0;
	*fault_r = (struct http_fault){503, "too many requests under way"};
	return -1;
}

static void read_body(struct http_connection *connection)
{
	struct buffer *input = stream_input(connection->stream);
	struct http_fault fault;
	size_t used = 0;

	if (http_request_body(connection->request, input->data, input->length, &used, &fault) < 0 ||
	    count_body(connection, &fault) < 0) {
		http_connection_refuse(connection, &fault);
		return;
	}
	buffer_consume(input, used);
	connection->has_input = input->length > 0;
	if (connection->request->complete)
		request_complete(connection);
}

static void begin_body(struct http_connection *connection)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	static const struct http_fault too_long = {413, "body too long"};
	struct http_request *request = connection->request;

	if (request->parser.content_length > request->exchange.body_max || request->exchange.body_max == 0) {
		http_connection_refuse(connection, &too_long);
		return;
	}
	http_connection_time(connection, HTTP_RATE_WINDOW_MS);
	if (connection->has_input)
		read_body(connection);
	else if (request->wants_continue)
		stream_write(connection->stream, go_on, sizeof go_on - 1);
}

/* --- the header ------------------------------------------------------------------------------------------------ */

/* What header() said at once; the body, if there is one, is not read. */
static void answer_early(struct http_connection *connection)
{
	struct http_request *request = connection->request;
	struct http_response response = request->early;

	request->early = HTTP_RESPONSE(0);
	if (request->is_abandoned) {
		http_connection_close(connection);
		return;
	}
	connection->is_cut = request->has_body;
	connection->keep_alive = connection->keep_alive && !request->has_body;
	http_request_discard(connection->server, &connection->request);
	http_connection_answer(connection, &response);
}

static void header_parsed(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_request *request = connection->request;

	request->connection = connection;
	connection->state = HTTP_STATE_BODY;
	connection->keep_alive = request->keep_alive;
	connection->is_head = request->parser.method == HTTP_HEAD;
	connection->accepts_gzip = server->settings.has_gzip &&
		http_gzip_is_accepted(http_exchange_header(&request->exchange, "Accept-Encoding"));
	request->answers_early = true;
	server->settings.header(&request->exchange, server->settings.data);
	request->answers_early = false;
	if (request->is_abandoned || request->early.status != 0)
		answer_early(connection);
	else if (request->has_body)
		begin_body(connection);
	else
		request_complete(connection);
}

/* RFC 9112 2.2: empty lines before a request are passed over. */
static void skip_empty_lines(struct http_connection *connection, struct buffer *input)
{
	if (connection->scan.at != 0)
		return;
	while (input->length >= 2 && memcmp(input->data, "\r\n", 2) == 0)
		buffer_consume(input, 2);
}

static void begin_header(struct http_connection *connection)
{
	if (connection->header_begun)
		return;
	connection->header_begun = true;
	if (connection->list != HTTP_LIST_IDLE)
		return;
	http_connection_time(connection, HTTP_HEADER_TIMEOUT_MS);
	set_list(connection, HTTP_LIST_REST);
}

/* The proxy has said of whom it speaks: from here on that one counts as a guest, like those who come themselves.
 * false: the connection is no more. */
static bool phone_named(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	char address[64];

	http_connection_address(connection, address, sizeof address);
	if (connection->is_overflow || !connection->is_proxied || http_is_trusted_address(server, address))
		return true;
	if (!http_guests_are_enough(server, address)) {
		http_guest_comes(connection);
		return true;
	}
	server->counts.overflowed++;
	if (server->overflow >= HTTP_OVERFLOW_MAX) {
		http_connection_close(connection);
		return false;
	}
	connection->is_overflow = true;
	server->overflow++;
	http_connection_time(connection, HTTP_OVERFLOW_TIMEOUT_MS);
	return true;
}

/* false: there is nothing to go on with, and perhaps no connection any more. */
static bool read_proxy_header(struct http_connection *connection)
{
	static const struct http_fault none = {400, "a PROXY header is expected first at this address"};
	int result = http_proxy_header_take(connection);

	if (result < 0)
		http_connection_refuse(connection, &none);
	return result > 0 && phone_named(connection);
}

static void read_header(struct http_connection *connection)
{
	static const struct http_fault full = {503, "too many connections"};
	struct buffer *input = stream_input(connection->stream);
	struct http_scan *scan = &connection->scan;
	struct http_request *request = NULL;
	struct http_fault fault;

	if (connection->awaits_proxy_header && !read_proxy_header(connection))
		return;
	skip_empty_lines(connection, input);
	if (input->length == 0 || (input->length == 1 && input->data[0] == '\r'))
		return;
	begin_header(connection);
	int length = http_header_scan(input->data, input->length, scan, &fault);
	if (length == 0)
		return;
	if (length > 0)
		request = http_request_create(input->data, (size_t)length, scan->lines, &fault);
	if (request == NULL) {
		http_connection_refuse(connection, &fault);
		return;
	}
	buffer_consume(input, (size_t)length);
	connection->has_input = input->length > 0;
	connection->header_begun = false;
	connection->request = request;
	set_list(connection, HTTP_LIST_REST);
	if (!connection->is_overflow) {
		header_parsed(connection);
		return;
	}
	connection->state = HTTP_STATE_BODY;
	http_connection_refuse(connection, &full);
}

void http_connection_next(struct http_connection *connection)
{
	connection->state = HTTP_STATE_HEADER;
	connection->scan = (struct http_scan){0};
	connection->header_begun = false;
	set_list(connection, HTTP_LIST_IDLE);
	http_connection_time(connection, HTTP_IDLE_TIMEOUT_MS);
	stream_resume(connection->stream);
	if (connection->has_input)
		read_header(connection);
	else if (connection->ended)
		http_connection_close(connection);
}

/* --- events ---------------------------------------------------------------------------------------------------- */

/* Bytes of a later request, while one is under way: they wait. A held phone that goes on talking is cut off, because
 * we have to go on reading there to see that it hangs up. */
static void received_early(struct http_connection *connection)
{
	size_t waiting = stream_input(connection->stream)->length;

	connection->has_input = true;
	if (waiting <= HTTP_HEADER_MAX)
		return;
	if (connection->state == HTTP_STATE_HELD)
		http_connection_close(connection);
	else
		stream_pause(connection->stream);
}

static void received(struct http_connection *connection)
{
	switch ((enum http_state)connection->state) {
	case HTTP_STATE_HEADER:
		read_header(connection);
		break;
	case HTTP_STATE_BODY:
		read_body(connection);
		break;
	case HTTP_STATE_LINGER:
		buffer_consume(stream_input(connection->stream), stream_input(connection->stream)->length);
		break;
	default:
		received_early(connection);
	}
}

/* The phone has closed its half. It may still read the answer to a whole request; for a held one nobody waits. */
static void ended(struct http_connection *connection)
{
	struct http_exchange *exchange;

	connection->ended = true;
	if (connection->state == HTTP_STATE_ANSWER)
		return;
	if (connection->state != HTTP_STATE_BUSY) {
		http_connection_close(connection);
		return;
	}
	exchange = &connection->request->exchange;
	exchange->is_gone = true;
	if (exchange->gone != NULL)
		exchange->gone(exchange);
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct http_connection *connection = owner;

	(void)stream;
	switch (event) {
	case STREAM_CONNECTED:
		break;
	case STREAM_DATA:
		received(connection);
		break;
	case STREAM_DRAINED:
		if (connection->state == HTTP_STATE_ANSWER)
			http_connection_drained(connection);
		break;
	case STREAM_ENDED:
		ended(connection);
		break;
	case STREAM_FAILED:
		log_trace(LOG_HTTP, NULL, NULL, "connection broken: %s", stream_error(stream));
		http_connection_close(connection);
		break;
	}
}

/* The first of the list that is there long enough; its timer was started with whole_ms when it came there. */
static struct http_connection *first_of(const struct http_server *server, enum http_list_number list, int64_t whole_ms,
	int64_t safe_ms)
{
	struct http_connection *first = server->lists[list].first;

	if (first == NULL || first->timer.at_ms - loop_now_ms(server->settings.loop) > whole_ms - safe_ms)
		return NULL;
	return first;
}

/* Who gives way to a newcomer: a phone between two requests, or one that has never brought one. NULL: nobody. */
static struct http_connection *gives_way(const struct http_server *server)
{
	struct http_connection *idle = first_of(server, HTTP_LIST_IDLE, HTTP_IDLE_TIMEOUT_MS, HTTP_IDLE_SAFE_MS);

	return idle != NULL ? idle : first_of(server, HTTP_LIST_NEW, HTTP_HEADER_TIMEOUT_MS, HTTP_NEW_SAFE_MS);
}

static bool has_room(const struct http_server *server)
{
	return server->counts.connections - server->overflow < server->settings.connections_max;
}

bool http_server_is_full(const struct http_server *server)
{
	return !has_room(server) && gives_way(server) == NULL;
}

static struct http_connection *connection_create(struct http_server *server, struct stream *stream, bool is_overflow)
{
	struct http_connection *connection = mem_alloc(sizeof *connection);

	connection->server = server;
	connection->stream = stream;
	connection->is_overflow = is_overflow;
	connection->list = is_overflow ? HTTP_LIST_REST : HTTP_LIST_NEW;
	list_append(&server->lists[connection->list], connection);
	server->counts.connections++;
	server->overflow += is_overflow;
	return connection;
}

void http_server_accept(struct http_server *server, struct stream *stream, enum http_from from)
{
	char address[64];

	stream_peer_address(stream, address, sizeof address);
	/* A proxy's address says nothing of the phone's network. */
	bool may_be_guest = from == HTTP_FROM_PHONE && !http_is_trusted_address(server, address);
	bool is_overflow = http_server_is_full(server) || (may_be_guest && http_guests_are_enough(server, address));

	if (!is_overflow && !has_room(server))
		http_connection_close(gives_way(server));
	server->counts.accepted++;
	server->counts.overflowed += is_overflow;
	if (is_overflow && server->overflow >= HTTP_OVERFLOW_MAX) {
		stream_close(&stream);
		return;
	}
	struct http_connection *connection = connection_create(server, stream, is_overflow);
	connection->awaits_proxy_header = from == HTTP_FROM_PROXY_PROTOCOL;
	if (may_be_guest && !is_overflow)
		http_guest_comes(connection);
	http_connection_time(connection, is_overflow ? HTTP_OVERFLOW_TIMEOUT_MS : HTTP_HEADER_TIMEOUT_MS);
	stream_carry_secrets(stream);
	stream_own(stream, happened, connection);
}

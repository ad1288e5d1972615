/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answering and holding. An answer leaves piece by piece, the next when the phone has taken the last. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/http/connection.h"
#include "lib/http/gzip.h"

/* So much of an answer's file is in our memory at once; more would not leave faster. */
enum { HTTP_PUMP_BYTES = 64 * 1024 };

static struct http_request *request_of(struct http_exchange *exchange)
{
	return container_of(exchange, struct http_request, exchange);
}

static struct http_connection *connection_of(struct http_held *held)
{
	struct http_connection *connection = container_of(held, struct http_connection, held);

	assert(connection->state == HTTP_STATE_HELD);
	return connection;
}

/* --- how much is under way, and for how long ------------------------------------------------------------------- */

enum { COMPLAIN_MS = 60000 }; /* one line in this time, however many answers there is no room for */

static size_t bytes_left(const struct http_connection *connection)
{
	size_t left = stream_pending(connection->stream);

	for (const struct http_piece *piece = connection->answer->pieces; piece != NULL; piece = piece->next)
		left += piece->length;
	return left;
}

static void count(struct http_server *server, struct http_answer *answer, size_t bytes)
{
	server->counts.answers += bytes - answer->counted_bytes;
	answer->counted_bytes = bytes;
}

bool http_answer_goes_on(struct http_connection *connection)
{
	struct http_answer *answer = connection->answer;
	size_t left = bytes_left(connection);
	bool moved = answer->left_before - left >= HTTP_RATE_MIN_BYTES;
	bool in_time = loop_now_ms(connection->server->settings.loop) < answer->until_ms;

	answer->left_before = left;
	count(connection->server, answer, left);
	connection->server->counts.answers_cut += !moved || !in_time;
	return moved && in_time;
}

static struct http_answer *answer_create(struct http_connection *connection, size_t length)
{
	struct http_server *server = connection->server;
	struct http_answer *answer = mem_alloc(sizeof *answer);

	*answer = (struct http_answer){.link = server->last_answer, .connection = connection,
		.began_ms = loop_now_ms(server->settings.loop)};
	answer->until_ms = answer->began_ms + HTTP_ANSWER_MS + (int64_t)length * 1000 / HTTP_ANSWER_BYTES_S;
	count(server, answer, length);
	*server->last_answer = answer;
	server->last_answer = &answer->next;
	return answer;
}

void http_answer_free(struct http_server *server, struct http_answer **owner)
{
	struct http_answer *answer = *owner;
	struct http_response unsent = {.first = answer->pieces};

	http_response_release(&unsent);
	server->gzips -= answer->gzip != NULL;
	http_gzip_free(&answer->gzip);
	count(server, answer, 0);
	*answer->link = answer->next;
	if (answer->next != NULL)
		answer->next->link = answer->link;
	else
		server->last_answer = answer->link;
	free(answer);
	*owner = NULL;
}

static void complain(struct http_server *server, size_t length)
{
	int64_t now_ms = loop_now_ms(server->settings.loop);

	if (server->complained_ms != 0 && now_ms - server->complained_ms < COMPLAIN_MS)
		return;
	server->complained_ms = now_ms;
	log_warning(LOG_HTTP, "no room for an answer of %zu bytes: phones have not taken %zu bytes of others yet; %llu were "
		"refused so far, and %llu cut off", length, server->counts.answers,
		(unsigned long long)server->counts.answers_refused, (unsigned long long)server->counts.answers_cut);
}

/* Phones that take an answer as slowly as they may would fill the memory. Those who had the most time give way. */
static bool make_room(struct http_server *server, size_t length)
{
	int64_t now_ms = loop_now_ms(server->settings.loop);

	if (length <= HTTP_ANSWER_SMALL)
		return true;
	while (server->counts.answers + length > server->settings.answers_max) {
		complain(server, length);
		if (server->answers == NULL || now_ms - server->answers->began_ms < HTTP_ANSWER_SAFE_MS)
			return false;
		server->counts.answers_cut++;
		http_connection_close(server->answers->connection);
	}
	return true;
}

static void become_refusal(struct http_server *server, struct http_response *response)
{
	http_response_release(response);
	response->status = 503;
	server->counts.answers_refused++;
	http_response_retry_after(server, response);
	http_response_header(response, "Content-Type", "text/plain");
	http_response_string(response, "too many answers on their way\n");
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void piece_done(struct http_connection *connection)
{
	struct http_piece *piece = connection->answer->pieces;

	connection->answer->pieces = piece->next;
	if (piece->fd >= 0)
		close(piece->fd);
	buffer_release(&piece->bytes);
	free(piece);
}

static int send_from_file(struct http_connection *connection, struct http_piece *piece)
{
	size_t wanted = piece->length < HTTP_PUMP_BYTES ? piece->length : HTTP_PUMP_BYTES;
	struct buffer bytes = BUFFER_EMPTY;
	ssize_t got = pread(piece->fd, buffer_reserve(&bytes, wanted), wanted, piece->offset);

	if (got <= 0) {
		log_error(LOG_HTTP, "an answer's file is shorter than was said: %s", got < 0 ? strerror(errno) : "it ends");
		buffer_release(&bytes);
		return -1;
	}
	buffer_grow(&bytes, (size_t)got);
	stream_write_buffer(connection->stream, &bytes);
	piece->offset += got;
	piece->length -= (size_t)got;
	return 0;
}

/* Hands on what the stream should have now: small pieces together, a large one alone, so that it is not copied. */
static int pump(struct http_connection *connection)
{
	struct http_piece *piece;

	while ((piece = connection->answer->pieces) != NULL) {
		size_t pending = stream_pending(connection->stream);
		if (pending >= HTTP_PUMP_BYTES || (pending > 0 && piece->fd < 0 && piece->length > HTTP_PUMP_BYTES))
			return 0;
		if (piece->fd < 0) {
			stream_write_buffer(connection->stream, &piece->bytes);
			piece->length = 0;
		} else if (send_from_file(connection, piece) < 0) {
			return -1;
		}
		if (piece->length == 0)
			piece_done(connection);
	}
	return 0;
}

static const char *date_now(struct http_server *server)
{
	time_t now_s = loop_wall_s(server->settings.loop);
	struct tm tm;

	if (now_s != server->date_s) {
		server->date_s = now_s;
		gmtime_r(&now_s, &tm);
		strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return server->date;
}

static void write_head(struct http_connection *connection, struct http_response *response)
{
	struct buffer head = BUFFER_EMPTY;

	buffer_printf(&head, "HTTP/1.1 %u %s\r\nDate: %s\r\n", response->status, http_status_text(response->status),
		date_now(connection->server));
	buffer_append(&head, response->header.data, response->header.length);
	if (response->status != 204 && response->status != 304)
		buffer_printf(&head, "Content-Length: %zu\r\n", response->length);
	if (!connection->keep_alive)
		buffer_append_string(&head, "Connection: close\r\n");
	buffer_append_string(&head, "\r\n");
	stream_write_buffer(connection->stream, &head);
}

/* May free the connection. */
static void send_answer(struct http_connection *connection, struct http_response *response)
{
	struct http_answer *answer = connection->answer;

	if (connection->server->is_draining || connection->ended)
		connection->keep_alive = false;
	write_head(connection, response);
	if (connection->is_head)
		http_response_release(response);
	answer->pieces = response->first;
	response->first = NULL;
	http_response_release(response);
	answer->left_before = bytes_left(connection);
	count(connection->server, answer, answer->left_before);
	http_connection_time(connection, HTTP_RATE_WINDOW_MS);
	if (pump(connection) < 0)
		http_connection_close(connection);
}

/* --- compressing first ------------------------------------------------------------------------------------------ */

static bool is_compressed(const struct http_connection *connection, const struct http_response *response)
{
	return connection->accepts_gzip && !connection->is_head && http_gzip_is_worth(response) &&
		connection->server->gzips < HTTP_GZIP_STEPS;
}

void http_answer_compress(struct http_connection *connection)
{
	struct http_answer *answer = connection->answer;
	struct http_response response;

	if (http_gzip_step(answer->gzip)) {
		http_connection_time(connection, 0); /* when all others have had their turn */
		return;
	}
	connection->server->gzips--;
	http_gzip_finish(&answer->gzip, &response);
	send_answer(connection, &response);
}

void http_connection_answer(struct http_connection *connection, struct http_response *response)
{
	struct http_server *server = connection->server;

	if (!connection->is_head && !make_room(server, response->length))
		become_refusal(server, response);
	if (server->settings.has_gzip && http_gzip_is_worth(response))
		http_response_header(response, "Vary", "Accept-Encoding");
	connection->state = HTTP_STATE_ANSWER;
	connection->answer = answer_create(connection, response->length);
	if (!is_compressed(connection, response)) {
		send_answer(connection, response);
		return;
	}
	server->gzips++;
	connection->answer->gzip = http_gzip_create(response);
	http_answer_compress(connection);
}

void http_connection_drained(struct http_connection *connection)
{
	if (connection->answer->gzip != NULL) /* what has left is a "100 Continue" */
		return;
	if (pump(connection) < 0) {
		http_connection_close(connection);
		return;
	}
	if (stream_pending(connection->stream) > 0) {
		count(connection->server, connection->answer, bytes_left(connection));
		return;
	}
	http_answer_free(connection->server, &connection->answer);
	if (connection->is_cut && !connection->ended) {
		connection->state = HTTP_STATE_LINGER;
		http_connection_time(connection, HTTP_LINGER_MS);
		stream_resume(connection->stream);
	} else if (connection->keep_alive) {
		http_connection_next(connection);
	} else {
		connection->state = HTTP_STATE_LINGER;
		http_connection_close(connection);
	}
}

/* --- the exchange ---------------------------------------------------------------------------------------------- */

void http_respond(struct http_exchange *exchange, struct http_response *response)
{
	struct http_request *request = request_of(exchange);
	struct http_connection *connection = request->connection;

	assert(response->status != 0 && request->early.status == 0);
	if (request->answers_early) {
		request->early = *response;
		*response = HTTP_RESPONSE(0);
		return;
	}
	http_request_discard(connection == NULL ? NULL : connection->server, &request);
	if (connection == NULL)
		http_response_release(response);
	else
		http_connection_answer(connection, response);
}

void http_respond_text(struct http_exchange *exchange, unsigned status, const char *text)
{
	struct http_response response = HTTP_RESPONSE(status);

	http_response_header(&response, "Content-Type", "text/plain; charset=utf-8");
	http_response_string(&response, text);
	http_respond(exchange, &response);
}

void http_abandon(struct http_exchange *exchange)
{
	struct http_request *request = request_of(exchange);
	struct http_connection *connection = request->connection;

	if (request->answers_early) {
		request->is_abandoned = true;
		return;
	}
	exchange->is_gone = true; /* whoever abandons it need not be told */
	if (connection != NULL)
		http_connection_close(connection);
	http_request_free(&request);
}

/* --- held ------------------------------------------------------------------------------------------------------ */

static uint8_t holder_of(struct http_server *server, const struct http_held_events *events)
{
	uint8_t holder = 0;

	while (server->holders[holder] != NULL && server->holders[holder] != events)
		holder++;
	assert(holder < HTTP_HOLDERS_MAX - 1); /* the last stays free: the loop's end */
	server->holders[holder] = events;
	return holder;
}

struct http_held *http_hold(struct http_exchange *exchange, const struct http_held_events *events, void *owner)
{
	struct http_request *request = request_of(exchange);
	struct http_connection *connection = request->connection;

	assert(!request->answers_early);
	if (exchange->is_gone) {
		http_abandon(exchange);
		return NULL;
	}
	http_request_discard(connection->server, &request);
	connection->state = HTTP_STATE_HELD;
	connection->holder = holder_of(connection->server, events);
	connection->held.owner = owner;
	connection->server->counts.held++;
	return &connection->held;
}

void http_held_expire(struct http_held *held, int64_t delay_ms)
{
	http_connection_time(connection_of(held), delay_ms);
}

void *http_held_owner(const struct http_held *held)
{
	return held->owner;
}

void http_held_respond(struct http_held *held, struct http_response *response)
{
	struct http_connection *connection = connection_of(held);

	connection->server->counts.held--;
	http_connection_answer(connection, response);
}

void http_held_abandon(struct http_held *held)
{
	struct http_connection *connection = connection_of(held);

	connection->server->counts.held--;
	connection->state = HTTP_STATE_LINGER;
	http_connection_close(connection);
}

size_t http_held_size(void)
{
	return sizeof(struct http_connection) + sizeof(struct timer *);
}

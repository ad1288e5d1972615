/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /metrics. */
#include "gateway/metrics_page.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"
#include "lib/http/server.h"

struct metrics_page {
	struct hub_client *hub;
	struct http_server *http;
	struct listener *listener;
};

static void header(struct http_exchange *exchange, void *data)
{
	(void)data;
	if (strcmp(exchange->path, "/metrics") != 0)
		http_respond_text(exchange, 404, "There is /metrics here.\n");
	else if (strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0)
		http_respond_text(exchange, 405, "GET it.\n");
}

static void came(const Belfry__Role__Metrics *metrics, void *data)
{
	struct http_exchange *exchange = data;
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer text = BUFFER_EMPTY;

	if (metrics == NULL) {
		http_respond_text(exchange, 503, "The hub does not answer.\n");
		return;
	}
	buffer_append(&text, metrics->text.data, metrics->text.len);
	http_response_header(&response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	http_response_bytes(&response, &text);
	http_respond(exchange, &response);
}

static void request(struct http_exchange *exchange, void *data)
{
	const struct metrics_page *page = data;

	hub_ask_metrics(page->hub, came, exchange);
}

static void accepted(struct stream *stream, void *data)
{
	http_server_accept(((struct metrics_page *)data)->http, stream, HTTP_FROM_PHONE);
}

struct metrics_page *metrics_page_create(struct net *net, struct hub_client *hub, struct error *error_r)
{
	struct metrics_page *page = mem_alloc(sizeof *page);
	struct http_server_settings settings = {.loop = net_loop(net), .connections_max = METRICS_CONNECTIONS_MAX,
		.header = header, .request = request, .data = page};

	page->hub = hub;
	page->http = http_server_create(&settings);
	page->listener = net_listen(net, "metrics", accepted, page, error_r);
	if (page->listener == NULL)
		metrics_page_free(&page);
	return page;
}

void metrics_page_free(struct metrics_page **owner)
{
	struct metrics_page *page = *owner;

	if (page == NULL)
		return;
	*owner = NULL;
	listener_close(&page->listener);
	http_server_free(&page->http);
	free(page);
}

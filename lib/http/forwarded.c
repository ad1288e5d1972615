/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who the phone is when proxies stand before us: what the PROXY protocol said of a connection, and X-Forwarded-For of
 * a request, as far as those who say it are listed. Addresses lie beside the connections, for most have none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uthash.h>

#include "lib/core/mem.h"
#include "lib/http/connection.h"
#include "lib/net/proxy_header.h"

struct http_proxied {
	UT_hash_handle hh;
	struct http_connection *connection; /* the key */
	struct ip source;
};

/* --- the PROXY protocol ----------------------------------------------------------------------------------------- */

static void remember_source(struct http_connection *connection, const struct ip *source)
{
	struct http_proxied *proxied = mem_alloc(sizeof *proxied);

	proxied->connection = connection;
	proxied->source = *source;
	HASH_ADD_PTR(connection->server->proxied, connection, proxied);
	connection->is_proxied = true;
}

int http_proxy_header_take(struct http_connection *connection)
{
	struct buffer *input = stream_input(connection->stream);
	struct proxy_header header;
	int length = proxy_header_parse(input->data, input->length, &header);

	if (length <= 0)
		return length;
	buffer_consume(input, (size_t)length);
	connection->awaits_proxy_header = false;
	if (header.has_source)
		remember_source(connection, &header.source);
	return 1;
}

void http_proxied_forget(struct http_connection *connection)
{
	struct http_proxied *proxied;

	if (!connection->is_proxied)
		return;
	HASH_FIND_PTR(connection->server->proxied, &connection, proxied);
	HASH_DEL(connection->server->proxied, proxied);
	free(proxied);
}

void http_connection_address(const struct http_connection *connection, char *text, size_t size)
{
	struct http_proxied *proxied;

	if (!connection->is_proxied) {
		stream_peer_address(connection->stream, text, size);
		return;
	}
	HASH_FIND_PTR(connection->server->proxied, &connection, proxied);
	ip_print(&proxied->source, text, size);
}

/* --- X-Forwarded-For -------------------------------------------------------------------------------------------- */

static bool is_trusted(const struct http_server *server, const struct ip *ip)
{
	return ip_is_listed(ip, server->settings.trusted, server->settings.trusted_count);
}

bool http_is_trusted_address(const struct http_server *server, const char *address)
{
	struct ip ip;

	return ip_parse(address, strlen(address), &ip) == 0 && is_trusted(server, &ip);
}

/* The addresses of one line, the last first, as long as those are trusted who say them. false: one is no address. */
static bool follow_line(const struct http_server *server, const char *line, struct ip *ip)
{
	size_t end = strlen(line);

	while (is_trusted(server, ip)) {
		size_t begin = end;
		while (begin > 0 && line[begin - 1] != ',')
			begin--;
		size_t from = begin + strspn(line + begin, " \t"), to = end;
		while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t'))
			to--;
		if (from >= to || ip_parse(line + from, to - from, ip) < 0)
			return false;
		if (begin == 0)
			return true;
		end = begin - 1;
	}
	return true;
}

/* Each proxy adds whom it saw at the end, in the same line or in one of its own. */
void http_exchange_address(const struct http_exchange *exchange, char *text, size_t size)
{
	const struct http_connection *connection =
		container_of((struct http_exchange *)(uintptr_t)exchange, struct http_request, exchange)->connection;
	struct ip ip;

	if (connection == NULL) {
		snprintf(text, size, "unknown");
		return;
	}
	http_connection_address(connection, text, size);
	if (ip_parse(text, strlen(text), &ip) < 0) /* AF_UNIX, memory */
		return;
	for (size_t i = exchange->header_count; i-- > 0;)
		if (strcasecmp(exchange->headers[i].name, "X-Forwarded-For") == 0 &&
		    !follow_line(connection->server, exchange->headers[i].value, &ip))
			break;
	ip_print(&ip, text, size);
}

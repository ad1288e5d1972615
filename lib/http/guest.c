/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Guests: connections of which nobody has said yet who it is. Counted by network, so that one network cannot take all
 * places by saying nothing, or nothing that is true. Kept beside the connections: one that is held is no guest any more.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/mem.h"
#include "lib/http/connection.h"

struct http_network {
	UT_hash_handle hh;
	char name[INET6_ADDRSTRLEN];
	unsigned guests;
};

struct http_guest {
	UT_hash_handle hh;
	struct http_connection *connection; /* the key */
	struct http_network *network;
};

/* Whoever has an IPv6 network has 2^64 addresses: the network counts. */
static void network_name(const char *address, char name_r[INET6_ADDRSTRLEN])
{
	char number[INET6_ADDRSTRLEN];
	struct in6_addr six;

	snprintf(number, sizeof number, "%.*s", (int)strcspn(address + (address[0] == '['), "]"), address + (address[0] == '['));
	if (address[0] == '[' && inet_pton(AF_INET6, number, &six) == 1) {
		memset(&six.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &six, name_r, INET6_ADDRSTRLEN);
	} else {
		memcpy(name_r, number, sizeof number);
	}
}

static struct http_network *network_find(const struct http_server *server, const char *name)
{
	struct http_network *network;

	HASH_FIND_STR(server->networks, name, network);
	return network;
}

static unsigned guests_max(const struct http_server *server)
{
	unsigned share = server->settings.connections_max / HTTP_GUESTS_SHARE;

	return share > HTTP_GUESTS_MIN ? share : HTTP_GUESTS_MIN;
}

bool http_guests_are_enough(const struct http_server *server, const char *address)
{
	char name[INET6_ADDRSTRLEN];

	if (server->counts.connections < server->settings.connections_max / 2)
		return false;
	network_name(address, name);
	const struct http_network *network = network_find(server, name);
	return network != NULL && network->guests >= guests_max(server);
}

void http_guest_comes(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_guest *guest = mem_alloc(sizeof *guest);
	char address[64], name[INET6_ADDRSTRLEN];

	http_connection_address(connection, address, sizeof address);
	network_name(address, name);
	guest->connection = connection;
	guest->network = network_find(server, name);
	if (guest->network == NULL) {
		guest->network = mem_alloc(sizeof *guest->network);
		memcpy(guest->network->name, name, sizeof name);
		HASH_ADD_STR(server->networks, name, guest->network);
	}
	guest->network->guests++;
	HASH_ADD_PTR(server->guests, connection, guest);
	connection->is_guest = true;
}

void http_guest_goes(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_guest *guest;

	if (!connection->is_guest)
		return;
	connection->is_guest = false;
	HASH_FIND_PTR(server->guests, &connection, guest);
	HASH_DEL(server->guests, guest);
	if (--guest->network->guests == 0) {
		HASH_DEL(server->networks, guest->network);
		free(guest->network);
	}
	free(guest);
}

void http_exchange_welcome(struct http_exchange *exchange)
{
	struct http_connection *connection = container_of(exchange, struct http_request, exchange)->connection;

	if (connection != NULL)
		http_guest_goes(connection);
}

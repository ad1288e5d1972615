/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks a connector as hub or front would, for tests: over the same link, in the same loop. */
#ifndef BELFRY_TESTS_UNIT_CONNECTORS_ASKER_H
#define BELFRY_TESTS_UNIT_CONNECTORS_ASKER_H

#include "lib/ipc/connector.pb-c.h"
#include "lib/ipc/link.h"
#include "lib/net/net.h"

enum { ASKER_ANSWERS_MAX = 256, ASKER_HANDLE_BYTES = 16 };

struct asker {
	struct loop *loop;
	struct link *link;
	uint64_t last_id;
	bool is_lost;
	unsigned count;                                      /* answers so far */
	Belfry__Connector__Response *answers[ASKER_ANSWERS_MAX];
	int fds[ASKER_ANSWERS_MAX];
	uint8_t handle[ASKER_HANDLE_BYTES];                  /* of the last login */
	unsigned backends;                                   /* how often it was told of the backend: none of the answers */
	char trouble[256];                                   /* … and what was wrong; "": nothing */
};

void asker_connect(struct asker *, struct net *, const char *place, const char *role);
void asker_free(struct asker *);
/* Drops the answers so far. */
void asker_clear(struct asker *);

/* Sends a request with the next id (its id field is set) and settles a manual loop. */
uint64_t asker_ask(struct asker *, Belfry__Connector__Request *);
/* The n-th answer to that id, from 0; NULL: not there (yet). */
Belfry__Connector__Response *asker_answer(const struct asker *, uint64_t id, unsigned n);

/* The usual requests; each returns the id. Those of the access half use the handle of the last login. */
uint64_t asker_login(struct asker *, const char *user, const char *password, const char *address, const char *device);
uint64_t asker_list(struct asker *);
uint64_t asker_survey(struct asker *, const char *collection, uint64_t validity, uint64_t since_token);
uint64_t asker_fetch(struct asker *, const char *collection, const uint64_t *ids, size_t count);
uint64_t asker_flag(struct asker *, const char *collection, uint64_t id, uint32_t set, uint32_t clear);
/* With a mail in a file of its own. */
uint64_t asker_send(struct asker *, const char *message_id);
/* collections: names ended by NULL. */
uint64_t asker_watch(struct asker *, const char *user, const char *const *collections, bool hooked);
uint64_t asker_unwatch(struct asker *, const char *user);
uint64_t asker_check(struct asker *, const char *user, const char *const *collections);
/* The status of the (first) answer to a request; -1: none. */
int asker_status(const struct asker *, uint64_t id);

#endif

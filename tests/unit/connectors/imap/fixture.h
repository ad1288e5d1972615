/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole daemon in memory: a fake IMAP server behind it, workers that the test plays, a front and the hub before. */
#ifndef BELFRY_TESTS_UNIT_CONNECTORS_IMAP_FIXTURE_H
#define BELFRY_TESTS_UNIT_CONNECTORS_IMAP_FIXTURE_H

#include "connectors/imap/imap.h"
#include "connectors/imap/worker.pb-c.h"
#include "tests/unit/connectors/asker.h"
#include "tests/unit/connectors/imap/fake_imap.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

enum { FIXTURE_WORKERS_MAX = 64 };

/* A worker process, as the test plays it. */
struct fake_worker {
	struct board board;
	struct link *link;       /* NULL: has ended or was let go */
	bool was_killed;
	int wait_status;         /* how it died, as of waitpid(2) */
	unsigned count;          /* requests received … */
	unsigned descriptors;    /* … and descriptors with them */
	Belfry__Worker__WorkerRequest *requests[64];
};

struct fixture {
	struct loop *loop;
	struct net *net;
	struct fake_imap backend;
	struct imap_settings settings;
	struct imap *imap;
	struct asker front, hub;
	unsigned started;        /* workers ever */
	struct fake_worker workers[FIXTURE_WORKERS_MAX];
};

/* settings: further lines "key=value\n"; tls is none. One a process at a time. */
void fixture_start(struct fixture *, const char *settings);
void fixture_stop(struct fixture *);
/* Logs the front in; must succeed. The hub gets the handle too. */
void fixture_login(struct fixture *, const char *user);

/* The n-th worker answers its last request: with a status, or with this response (its id is set). */
void worker_answer(struct fixture *, unsigned worker, Belfry__Connector__Status, bool is_last);
void worker_answer_sent(struct fixture *, unsigned worker, bool submitted, bool is_last);
void worker_answer_login(struct fixture *, unsigned worker, Belfry__Worker__Outcome);
/* The n-th worker's process dies of a signal, or with a status (W_EXITCODE). */
void worker_die(struct fixture *, unsigned worker, int wait_status);
/* Its last request. */
const Belfry__Worker__WorkerRequest *worker_request(const struct fixture *, unsigned worker);
/* Which worker (of those alive) has got a request of this user that is its last; -1: none. */
int worker_of(const struct fixture *, const char *user);

#endif

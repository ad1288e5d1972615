/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The daemon of belfry-imap between a fake server, fake workers and askers. */
#include "tests/unit/connectors/imap/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"

static struct fixture *current;

/* --- workers --------------------------------------------------------------------------------------------------- */

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct fake_worker *worker = owner;

	(void)link;
	if (fd >= 0)
		close(fd);
	worker->descriptors += fd >= 0;
	assert_true(worker->count < 64);
	worker->requests[worker->count++] = belfry__worker__worker_request__unpack(NULL, length, body);
}

static void lost(struct link *link, const char *why, void *owner)
{
	struct fake_worker *worker = owner;

	(void)link;
	(void)why;
	link_close(&worker->link);
}

static int start(struct loop *loop, struct process *process_r, struct error *error_r)
{
	static const struct link_events events = {.received = received, .lost = lost};
	struct fake_worker *worker = &current->workers[current->started];
	struct stream *theirs;

	(void)error_r;
	assert_true(current->started < FIXTURE_WORKERS_MAX);
	process_r->pid = (pid_t)(1000 + current->started++);
	process_r->board = &worker->board;
	stream_memory_pair(loop, &process_r->stream, &theirs);
	worker->link = link_create(theirs, &events, worker);
	return 0;
}

static void release(struct process *process)
{
	process->board = NULL;
}

static void kill_worker(pid_t pid)
{
	struct fake_worker *worker = &current->workers[pid - 1000];

	worker->was_killed = true;
	if (worker->link != NULL)
		worker->wait_status = SIGKILL;
	link_close(&worker->link);
}

static bool is_gone(pid_t pid, bool wait, int *status_r)
{
	(void)wait;
	*status_r = current->workers[pid - 1000].wait_status;
	return current->workers[pid - 1000].link == NULL;
}

static const struct process_ways ways = {start, release, kill_worker, is_gone};

/* --- the fixture ----------------------------------------------------------------------------------------------- */

void fixture_start(struct fixture *fixture, const char *text)
{
	struct buffer lines = BUFFER_EMPTY;
	struct error error;

	memset(fixture, 0, sizeof *fixture);
	current = fixture;
	fixture->loop = loop_create_manual(1000000);
	fixture->net = net_create_memory(fixture->loop);
	fake_imap_start(&fixture->backend, fixture->net);
	buffer_printf(&lines, "tls=none\n%s", text);
	struct settings *settings = settings_parse(lines.data, lines.length, &error);
	assert_non_null(settings);
	assert_int_equal(imap_settings_from(settings, &fixture->settings, &error), 0);
	buffer_release(&lines);
	fixture->imap = imap_start(fixture->net, "connector/imap", &fixture->settings, &ways, &error);
	asker_connect(&fixture->front, fixture->net, "connector/imap", "front");
	asker_connect(&fixture->hub, fixture->net, "connector/imap", "hub");
	loop_settle(fixture->loop);
}

void fixture_stop(struct fixture *fixture)
{
	asker_free(&fixture->front);
	asker_free(&fixture->hub);
	imap_stop(&fixture->imap);
	imap_settings_free(&fixture->settings);
	fake_imap_stop(&fixture->backend);
	for (unsigned i = 0; i < fixture->started; i++) {
		struct fake_worker *worker = &fixture->workers[i];
		for (unsigned j = 0; j < worker->count; j++)
			belfry__worker__worker_request__free_unpacked(worker->requests[j], NULL);
		link_close(&worker->link);
	}
	loop_settle(fixture->loop);
	net_free(&fixture->net);
	loop_free(&fixture->loop);
}

void fixture_login(struct fixture *fixture, const char *user)
{
	assert_int_equal(asker_status(&fixture->front, asker_login(&fixture->front, user, "secret", "192.0.2.1", "d")),
		STATUS(OK));
	memcpy(fixture->hub.handle, fixture->front.handle, ASKER_HANDLE_BYTES);
}

/* --- playing a worker ------------------------------------------------------------------------------------------ */

const Belfry__Worker__WorkerRequest *worker_request(const struct fixture *fixture, unsigned worker)
{
	assert_true(fixture->workers[worker].count > 0);
	return fixture->workers[worker].requests[fixture->workers[worker].count - 1];
}

static void answer_with(struct fixture *fixture, unsigned worker, Belfry__Connector__Response response, bool is_last,
	Belfry__Worker__Outcome login)
{
	const Belfry__Worker__WorkerRequest *request = worker_request(fixture, worker);
	Belfry__Worker__WorkerResponse message = BELFRY__WORKER__WORKER_RESPONSE__INIT;
	uint8_t packed[256];

	response.id = request->request->id;
	message.id = request->id;
	message.last = is_last;
	message.login = login;
	message.not_found = response.status == BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	message.response = (ProtobufCBinaryData){belfry__connector__response__pack(&response, packed), packed};
	link_send(fixture->workers[worker].link, &message.base, -1);
	loop_settle(fixture->loop);
}

static void answer(struct fixture *fixture, unsigned worker, Belfry__Connector__Status status, bool is_last,
	Belfry__Worker__Outcome login)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	response.status = status;
	answer_with(fixture, worker, response, is_last, login);
}

void worker_answer_sent(struct fixture *fixture, unsigned worker, bool submitted, bool is_last)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__Sent sent = BELFRY__CONNECTOR__SENT__INIT;

	sent.submitted = submitted;
	sent.last = is_last;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SENT;
	response.sent = &sent;
	answer_with(fixture, worker, response, is_last, BELFRY__WORKER__OUTCOME__NONE);
}

void worker_answer(struct fixture *fixture, unsigned worker, Belfry__Connector__Status status, bool is_last)
{
	answer(fixture, worker, status, is_last, BELFRY__WORKER__OUTCOME__NONE);
}

void worker_answer_login(struct fixture *fixture, unsigned worker, Belfry__Worker__Outcome login)
{
	answer(fixture, worker, STATUS(REFUSED), true, login);
}

void worker_die(struct fixture *fixture, unsigned worker, int wait_status)
{
	fixture->workers[worker].wait_status = wait_status;
	link_close(&fixture->workers[worker].link);
	loop_settle(fixture->loop);
}

int worker_of(const struct fixture *fixture, const char *user)
{
	for (unsigned i = 0; i < fixture->started; i++)
		if (fixture->workers[i].link != NULL && fixture->workers[i].count > 0
			&& strcmp(worker_request(fixture, i)->user, user) == 0)
			return (int)i;
	return -1;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A process that has no descriptor left: who comes waits, nothing spins, and all goes on when there are some again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/net/net.h"

enum { CLIENTS = 5, LOOK_MS = 20, LOOKS = 15 };

struct world {
	struct loop *loop;
	struct net *net;
	struct listener *listener;
	struct stream *near[CLIENTS], *far[CLIENTS];
	unsigned accepted, looks, warnings;
	struct timer look;
	char folder[64], address[100];
};

static void ignore(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

static void accepted(struct stream *stream, void *data)
{
	struct world *world = data;

	world->far[world->accepted++] = stream;
	stream_own(stream, ignore, NULL);
	if (world->accepted == CLIENTS)
		loop_stop(world->loop);
}

static void sink(enum log_level level, const char *line, void *data)
{
	(void)level;
	assert_non_null(strstr(line, "place=here cannot accept: Too many open files; failures=1,"));
	((struct world *)data)->warnings++;
}

static void looked(struct timer *timer)
{
	struct world *world = container_of(timer, struct world, look);

	if (++world->looks == LOOKS)
		loop_stop(world->loop);
	else
		timer_start(world->loop, &world->look, LOOK_MS, looked);
}

/* No descriptor beyond those that there are. */
static void forbid_more(struct rlimit *before)
{
	int next = dup(STDIN_FILENO);

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	struct rlimit none = {(rlim_t)next, before->rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(dup(STDIN_FILENO), -1);
}

static void begin(struct world *world)
{
	struct error error;

	*world = (struct world){.folder = "/tmp/belfry-test-XXXXXX"};
	assert_non_null(mkdtemp(world->folder));
	snprintf(world->address, sizeof world->address, "unix:%s/socket", world->folder);
	world->loop = loop_create();
	world->net = net_create(world->loop);
	net_add_listener(world->net, "here", net_bind(world->address, 0600, &error));
	world->listener = net_listen(world->net, "here", accepted, world, &error);
	assert_non_null(world->listener);
	for (int i = 0; i < CLIENTS; i++)
		assert_non_null(world->near[i] = net_connect_address(world->loop, world->address, ignore, NULL, &error));
	log_set_sink(sink, world);
}

static void end(struct world *world)
{
	for (int i = 0; i < CLIENTS; i++) {
		stream_close(&world->near[i]);
		stream_close(&world->far[i]);
	}
	listener_close(&world->listener);
	net_free(&world->net);
	loop_free(&world->loop);
	unlink(world->address + 5);
	rmdir(world->folder);
	log_set_sink(NULL, NULL);
}

static void without_descriptors_it_waits_and_says_so_once(void **state)
{
	struct rlimit before;
	struct world world;

	(void)state;
	begin(&world);
	forbid_more(&before);
	timer_start(world.loop, &world.look, LOOK_MS, looked);
	loop_run(world.loop);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(world.looks, LOOKS);
	assert_int_equal(world.accepted, 0);
	assert_int_equal(world.warnings, 1);
	loop_run(world.loop); /* until all are in */
	assert_int_equal(world.accepted, CLIENTS);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_descriptors_it_waits_and_says_so_once),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How hints come in, and who may say what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/hub/hook.h"
#include "lib/model/hint_spool.h"
#include "tests/unit/gateway/hub/try_hub.h"

#define ALICE "alice@example.org"
#define INBOX "INBOX"
#define LINE "BELFRY1\tuser=alice@example.org\tevent=MessageNew\tmailbox=INBOX\tuidvalidity=7\tuid=17\tid=abc\tsource=hook\n"

static struct try_hub try;
static struct try_front front;
static uid_t trusted;
static char folder[] = "/tmp/belfry-spool-XXXXXX";

/* In memory everybody is the user who runs the test; here he is called alice. */
static int name_of(uid_t uid, char *name_r, size_t size)
{
	return uid == geteuid() && snprintf(name_r, size, "alice") < (int)size ? 0 : -1;
}

static int name_of_nobody(uid_t uid, char *name_r, size_t size)
{
	(void)uid;
	(void)name_r;
	(void)size;
	return -1;
}

static void prepare(void)
{
	try_hub_prepare(&try);
	trusted = geteuid();
	try.settings.trusted_users = &trusted;
	try.settings.user_name = name_of;
}

static void go(bool is_trusted)
{
	try.settings.trusted_user_count = is_trusted;
	try_hub_begin(&try);
	try_front_connect(&try, &front);
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
}

static void end(void)
{
	try_front_close(&try, &front);
	try_hub_stop(&try);
}

static struct hub_counters counted(void)
{
	struct hub_counters counters;

	hub_count(try.hub, &counters);
	return counters;
}

static void bell(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

static struct stream *say_open(const char *text)
{
	struct stream *stream = net_connect(try.net, "hook", bell, NULL);

	stream_write(stream, text, strlen(text));
	loop_settle(try.loop);
	return stream;
}

static void say(const char *text)
{
	struct stream *stream = say_open(text);

	stream_close(&stream);
	loop_settle(try.loop);
}

static void a_line_wakes_as_soon_as_it_is_whole(void **state)
{
	struct stream *stream;

	(void)state;
	prepare();
	go(true);
	stream = say_open("BELFRY1\tuser=alice\tevent=MessageNew\tmailbox=INBOX\tuidvalidity=7");
	assert_null(try_woken(&front, 0));
	stream_write(stream, "\tuid=17\tid=abc\tsource=lua\n", 26);
	loop_settle(try.loop);
	const Belfry__Role__Wake *wake = try_woken(&front, 0);
	assert_non_null(wake);
	assert_string_equal(wake->change_id, "abc");
	assert_string_equal(wake->source, "lua");
	stream_close(&stream);
	end();
}

static void a_last_line_needs_no_newline(void **state)
{
	(void)state;
	prepare();
	go(true);
	say("BELFRY1\tuser=alice\tevent=MessageNew\tmailbox=INBOX\tuidvalidity=7\tuid=17");
	assert_non_null(try_woken(&front, 0));
	end();
}

static void another_user_speaks_for_himself_only(void **state)
{
	(void)state;
	prepare();
	go(false);
	say("BELFRY1\tuser=bob\tevent=MessageNew\n");
	assert_true(try_warning(&try, "another user's mail"));
	assert_int_equal(counted().hints_refused, 1);
	assert_null(try_woken(&front, 0));
	say("BELFRY1\tuser=bob\tevent=MessageNew\n"); /* he is told about once a minute */
	assert_int_equal(counted().hints_refused, 2);
	say(LINE);
	assert_non_null(try_woken(&front, 0));
	end();
}

static const struct hub_source_counters *source(const char *name)
{
	static struct hub_counters counters;

	counters = counted();
	for (size_t i = 0; i < counters.source_count; i++)
		if (strcmp(counters.sources[i].name, name) == 0)
			return &counters.sources[i];
	return NULL;
}

static void the_word_of_who_speaks_for_himself_names_no_source(void **state)
{
	static const char *const words[] = {"hook", "lua", "udp", "idle", "invented", ""};
	char line[HINT_LINE_MAX];

	(void)state;
	for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
		prepare();
		go(is_trusted);
		for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
			snprintf(line, sizeof line, "BELFRY1\tuser=alice\tevent=MessageNew\tsource=%s\n", words[i]);
			say(line);
		}
		if (is_trusted) {
			assert_int_equal(source("lua")->told, 1);
			assert_int_equal(source("hook")->told, sizeof words / sizeof *words - 1);
			assert_null(source(HUB_SOURCE_OWN));
		} else {
			assert_int_equal(source(HUB_SOURCE_OWN)->told, sizeof words / sizeof *words);
			assert_int_equal(counted().source_count, 1);
		}
		assert_null(source("invented"));
		end();
	}
}

static void a_uid_without_a_name_speaks_for_nobody(void **state)
{
	(void)state;
	prepare();
	try.settings.user_name = name_of_nobody;
	go(false);
	say(LINE);
	assert_true(try_warning(&try, "speaks for nobody"));
	assert_null(try_woken(&front, 0));
	end();
}

static void over_his_rate_one_hint_a_second_stands_for_all(void **state)
{
	(void)state;
	prepare();
	try.settings.hook_rate = 10;
	go(false);
	for (int i = 0; i < 200; i++)
		say("BELFRY1\tuser=alice\tevent=FlagsSet\tmailbox=INBOX\n");
	assert_in_range(counted().sources[0].told, 10, 11);
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 40); /* before the first "same" is asked again */
	say("BELFRY1\tuser=alice\tevent=MessageNew\tmailbox=INBOX\n");
	assert_null(try_woken(&front, 0));
	loop_advance(try.loop, 1000);
	assert_non_null(try_woken(&front, 0));
	end();
}

static void what_is_no_hint_is_refused_and_cut_off(void **state)
{
	static const char *const cases[] = {
		"GET / HTTP/1.1\r\n\r\n", "BELFRY1\tuser=\tevent=MessageNew\n", "BELFRY1\tuser=al/ice\tevent=MessageNew\n",
		"\n", "BELFRY2\tuser=alice\tevent=MessageNew\n",
	};
	char endless[HINT_LINE_MAX * 2];

	(void)state;
	prepare();
	go(true);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		say(cases[i]);
		assert_true(try_warning(&try, "hint refused"));
		assert_int_equal(counted().hints_refused, i + 1);
	}
	memset(endless, 'x', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	struct stream *stream = say_open(endless);
	assert_true(try_warning(&try, "hint refused"));
	stream_close(&stream);
	assert_int_equal(try.hub->hooks->open, 0);
	assert_null(try_woken(&front, 0));
	end();
}

static void a_connection_is_bounded_in_lines_and_time(void **state)
{
	struct buffer lines = BUFFER_EMPTY;

	(void)state;
	prepare();
	go(true);
	for (int i = 0; i <= HINT_LINES_MAX; i++)
		buffer_append_string(&lines, "BELFRY1\tuser=bob\tevent=MessageNew\n");
	say(buffer_string(&lines));
	assert_true(try_warning(&try, "too many lines"));
	assert_int_equal(counted().sources[0].told, HINT_LINES_MAX);
	struct stream *stream = say_open("BELFRY1\tuser=");
	assert_int_equal(try.hub->hooks->open, 1);
	loop_advance(try.loop, HOOK_TIME_MS);
	assert_int_equal(try.hub->hooks->open, 0);
	assert_true(try_warning(&try, "nothing in time"));
	stream_close(&stream);
	buffer_release(&lines);
	end();
}

static void too_many_open_connections_wait_in_the_backlog(void **state)
{
	static struct stream *streams[HOOK_OPEN_MAX];
	struct stream *late;

	(void)state;
	prepare();
	go(true);
	for (int i = 0; i < HOOK_OPEN_MAX; i++)
		streams[i] = net_connect(try.net, "hook", bell, NULL);
	loop_settle(try.loop);
	assert_int_equal(try.hub->hooks->open, HOOK_OPEN_MAX);
	assert_null(try.hub->hooks->listener); /* sockets keep them; memory refuses */
	for (int i = 0; i < HOOK_OPEN_MAX; i++)
		stream_close(&streams[i]);
	loop_settle(try.loop);
	assert_int_equal(try.hub->hooks->open, 0);
	late = say_open(LINE);
	assert_non_null(try_woken(&front, 0));
	stream_close(&late);
	end();
}

static void silent_connections_of_one_user_keep_nobody_out(void **state)
{
	static struct stream *streams[HOOK_OPEN_MAX];
	struct stream *late;

	(void)state;
	prepare();
	go(false);
	for (int i = 0; i < HOOK_OPEN_MAX; i++)
		streams[i] = net_connect(try.net, "hook", bell, NULL);
	loop_settle(try.loop);
	assert_int_equal(try.hub->hooks->open, HOOK_OPEN_UID_MAX);
	assert_non_null(try.hub->hooks->listener);
	assert_true(try_warning(&try, "too many connections open"));
	late = say_open(LINE);
	assert_non_null(try_woken(&front, 0));
	stream_close(&late);
	for (int i = 0; i < HOOK_OPEN_MAX; i++)
		stream_close(&streams[i]);
	loop_settle(try.loop);
	assert_int_equal(try.hub->hooks->open, 0);
	assert_int_equal(try.hub->hooks->open_own, 0);
	end();
}

static void the_spool_is_taken_at_the_start_and_looked_at_each_second(void **state)
{
	char path[] = "/tmp/belfry-spool-XXXXXX";
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(hint_spool_leave(path, "BELFRY1\tuser=bob\tevent=MessageNew\n", 34, &error), 0);
	prepare();
	try.settings.spool_folder = path;
	go(true);
	assert_int_equal(counted().sources[0].told, 1);
	assert_string_equal(counted().sources[0].name, "spool");
	assert_int_equal(hint_spool_leave(path, LINE, strlen(LINE), &error), 0);
	loop_advance(try.loop, HOOK_SPOOL_LOOK_MS);
	assert_non_null(try_woken(&front, 0));
	assert_int_equal(rmdir(path), 0);
	end();
}

static void a_spool_file_has_the_rights_of_its_owner(void **state)
{
	char path[] = "/tmp/belfry-spool-XXXXXX";
	struct error error;

	(void)state;
	assert_non_null(mkdtemp(path));
	prepare();
	try.settings.spool_folder = path;
	go(false); /* its owner is alice */
	assert_int_equal(hint_spool_leave(path, "BELFRY1\tuser=bob\tevent=MessageNew\n", 34, &error), 0);
	loop_advance(try.loop, HOOK_SPOOL_LOOK_MS);
	assert_true(try_warning(&try, "another user's mail"));
	assert_int_equal(hint_spool_leave(path, LINE, strlen(LINE), &error), 0);
	loop_advance(try.loop, HOOK_SPOOL_LOOK_MS);
	assert_non_null(try_woken(&front, 0));
	assert_int_equal(rmdir(path), 0);
	end();
}

static void a_datagram_is_taken_once_if_its_sender_may(void **state)
{
	static const char text[] = "mx1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f example.org\n";
	static const char other[] = "mx1 ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f example.org\n";
	static const char stranger[] = "BELFRY1\tuser=bob@example.net\tevent=MessageNew\n";
	struct hint_keys *keys, *others;
	char datagram[HINT_DATAGRAM_MAX];
	struct error error;
	int length;

	(void)state;
	keys = hint_keys_parse(text, strlen(text), &error);
	others = hint_keys_parse(other, strlen(other), &error);
	assert_non_null(keys);
	assert_non_null(others);
	prepare();
	try.settings.hook_keys = keys;
	go(true);
	struct hub_datagrams *datagrams = try.hub->hooks->datagrams;
	int64_t now_s = loop_wall_s(try.loop);

	length = hint_sign(others, LINE, strlen(LINE), now_s, datagram, &error);
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.1");
	assert_true(try_warning(&try, "from=192.0.2.1"));
	length = hint_sign(keys, LINE, strlen(LINE), now_s - HINT_SIGNED_WINDOW_S - 1, datagram, &error);
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.1");
	length = hint_sign(keys, stranger, strlen(stranger), now_s, datagram, &error);
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.1");
	assert_int_equal(counted().hints_refused, 3);
	assert_true(try_warning(&try, "does not serve this user"));
	assert_null(try_woken(&front, 0));

	length = hint_sign(keys, LINE, strlen(LINE), now_s, datagram, &error);
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.1");
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.1");
	loop_settle(try.loop);
	assert_non_null(try_woken(&front, 0));
	assert_int_equal(source("udp:mx1")->told, 1);
	assert_int_equal(counted().hints_refused, 4);
	end();
	hint_keys_free(&keys);
	hint_keys_free(&others);
}

static void count_event(const struct hub_event *event, void *data)
{
	((unsigned *)data)[event->kind]++;
}

/* Whoever may connect, or reach our port, could otherwise have belfryctl why forget. */
static void what_is_refused_does_not_push_out_the_history(void **state)
{
	static const char text[] = "mx1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f example.org\n";
	static const char stranger[] = "BELFRY1\tuser=bob@example.net\tevent=MessageNew\n";
	enum { REFUSED = 100 };
	unsigned kinds[EVENT_KINDS] = {0};
	struct hint_keys *keys;
	char datagram[HINT_DATAGRAM_MAX];
	struct error error;

	(void)state;
	keys = hint_keys_parse(text, strlen(text), &error);
	prepare();
	try.settings.hook_keys = keys;
	try.settings.events_max = 16;
	go(false);
	struct hub_datagrams *datagrams = try.hub->hooks->datagrams;
	for (int i = 0; i < REFUSED; i++) {
		say("rubbish\n");
		hub_datagrams_take(datagrams, "rubbish", 7, "192.0.2.1");
	}
	/* what a known sender does wrong is told all the same */
	assert_true(try_warning(&try, "from=192.0.2.1"));
	int length = hint_sign(keys, stranger, strlen(stranger), loop_wall_s(try.loop), datagram, &error);
	hub_datagrams_take(datagrams, datagram, (size_t)length, "192.0.2.2");
	assert_true(try_warning(&try, "does not serve"));
	assert_int_equal(counted().hints_refused, 2 * REFUSED + 1);
	hub_ring_each(try.hub->ring, NULL, NULL, count_event, kinds);
	assert_int_equal(kinds[EVENT_HINT_REFUSED], 3);
	assert_int_equal(kinds[EVENT_PARKED], 1);
	hub_note(try.hub, &(struct hub_event){.kind = EVENT_PARKED});
	for (int i = 0; i < REFUSED; i++)
		hub_note(try.hub, &(struct hub_event){.kind = EVENT_HINT_REFUSED});
	memset(kinds, 0, sizeof kinds);
	hub_ring_each(try.hub->ring, NULL, NULL, count_event, kinds);
	assert_int_equal(kinds[EVENT_PARKED], 2);
	end();
	hint_keys_free(&keys);
}

/* --- over real sockets ---------------------------------------------------------------------------------------------- */

struct burst {
	struct loop *loop;
	struct hub *hub;
	struct timer look;
	int looks;
};

enum { BURST = 4000, LOOK_MS = 20, LOOKS_MAX = 1000 };

static void burst_look(struct timer *timer)
{
	struct burst *burst = container_of(timer, struct burst, look);
	struct hub_counters counters;

	hub_count(burst->hub, &counters);
	if (counters.sources[0].told >= BURST || ++burst->looks == LOOKS_MAX)
		loop_stop(burst->loop);
	else
		timer_start(burst->loop, timer, LOOK_MS, burst_look);
}

static void connect_and_write(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
	assert_int_equal(write(fd, LINE, strlen(LINE)), strlen(LINE));
	close(fd);
}

static int bound(struct net *net, const char *place, const char *name, struct sockaddr_un *address_r)
{
	char path[100];
	struct error error;

	snprintf(path, sizeof path, "unix:%s/%s", folder, name);
	int fd = net_bind(path, 0600, &error);
	assert_true(fd >= 0);
	net_add_listener(net, place, fd);
	*address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address_r->sun_path, path + 5, strlen(path) - 4);
	return fd;
}

static void a_burst_that_came_while_the_hub_was_away_is_taken_whole(void **state)
{
	struct burst burst = {.loop = loop_create()};
	struct net *net = net_create(burst.loop);
	struct store *store = store_memory_create(burst.loop);
	struct sockaddr_un hook, unused;
	struct hub_settings settings;
	struct hub_counters counters;
	struct error error;

	(void)state;
	prepare();
	settings = try.settings;
	settings.trusted_user_count = 1;
	settings.instance_count = 0;
	settings.user_name = NULL;
	bound(net, "hub", "hub", &unused);
	unlink(unused.sun_path);
	bound(net, "control", "control", &unused);
	unlink(unused.sun_path);
	bound(net, "hook", "hook", &hook);
	for (int i = 0; i < BURST; i++)
		connect_and_write(&hook);
	burst.hub = hub_start(net, &settings, store, &error);
	assert_non_null(burst.hub);
	timer_start(burst.loop, &burst.look, LOOK_MS, burst_look);
	loop_run(burst.loop);
	hub_count(burst.hub, &counters);
	assert_int_equal(counters.sources[0].told, BURST);
	assert_int_equal(counters.hints_refused, 0);
	hub_stop(&burst.hub);
	store_close(&store);
	net_free(&net);
	loop_free(&burst.loop);
	unlink(hook.sun_path);
	try_hub_stop(&try);
}

/* The system's answer comes from a thread: root is root everywhere, and we may be he or not. */
static void names_come_from_the_system_without_waiting(void **state)
{
	struct burst burst = {.loop = loop_create()};
	struct net *net = net_create(burst.loop);
	struct store *store = store_memory_create(burst.loop);
	struct sockaddr_un hook, unused;
	struct hub_settings settings;
	struct hub_counters counters;
	struct error error;

	(void)state;
	prepare();
	settings = try.settings;
	settings.trusted_user_count = 0;
	settings.instance_count = 0;
	settings.user_name = NULL;
	bound(net, "hub", "hub", &unused);
	unlink(unused.sun_path);
	bound(net, "control", "control", &unused);
	unlink(unused.sun_path);
	bound(net, "hook", "hook", &hook);
	burst.hub = hub_start(net, &settings, store, &error);
	for (int i = 0; i < 10; i++)
		connect_and_write(&hook); /* for alice, who we are not */
	timer_start(burst.loop, &burst.look, LOOK_MS, burst_look);
	burst.looks = LOOKS_MAX - 25;
	loop_run(burst.loop);
	hub_count(burst.hub, &counters);
	assert_int_equal(counters.hints_refused, 10);
	assert_true(try_warning(&try, "another user's mail"));
	hub_stop(&burst.hub);
	store_close(&store);
	net_free(&net);
	loop_free(&burst.loop);
	unlink(hook.sun_path);
	try_hub_stop(&try);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_wakes_as_soon_as_it_is_whole),
		cmocka_unit_test(a_last_line_needs_no_newline),
		cmocka_unit_test(another_user_speaks_for_himself_only),
		cmocka_unit_test(the_word_of_who_speaks_for_himself_names_no_source),
		cmocka_unit_test(a_uid_without_a_name_speaks_for_nobody),
		cmocka_unit_test(over_his_rate_one_hint_a_second_stands_for_all),
		cmocka_unit_test(what_is_no_hint_is_refused_and_cut_off),
		cmocka_unit_test(a_connection_is_bounded_in_lines_and_time),
		cmocka_unit_test(too_many_open_connections_wait_in_the_backlog),
		cmocka_unit_test(silent_connections_of_one_user_keep_nobody_out),
		cmocka_unit_test(the_spool_is_taken_at_the_start_and_looked_at_each_second),
		cmocka_unit_test(a_spool_file_has_the_rights_of_its_owner),
		cmocka_unit_test(a_datagram_is_taken_once_if_its_sender_may),
		cmocka_unit_test(what_is_refused_does_not_push_out_the_history),
		cmocka_unit_test(a_burst_that_came_while_the_hub_was_away_is_taken_whole),
		cmocka_unit_test(names_come_from_the_system_without_waiting),
	};

	if (mkdtemp(folder) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}

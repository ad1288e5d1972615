/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Holds many phones, and rings them: the hook's message is written and the phone's answer read in this one process,
 * so that one clock measures both. Driven by lines on standard input; each is answered by one line.
 *
 *	visit        each phone does all up to its Ping and leaves: its state is in the store then, as if it had been held
 *	hold         starts the phones; "held=N broken=N waits=N ms=N" when all have sent their Ping
 *	ring N GAP   N times: one message, wait for that phone's answer, wait until it holds again and GAP ms more
 *	burst N      N messages to N phones at once; answered when all of them have rung, or after BURST_TIMEOUT_MS
 *	go           those who rang in a burst synchronise and hold again
 *	count        "held=N broken=N rung=N"
 *	quit
 *
 * phones [-f first user] [-n phones] [-a address] [-c CA file: TLS] [-k hook socket] [-v uidvalidity] [-w at once]
 *        [-F: floor server] [-d domain] [-p password] [-b heartbeat_s] [-r file for each time taken, in ns]
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>

#include "lib/core/mem.h"
#include "lib/model/hint.h"
#include "lib/net/net.h"
#include "tests/load/phone.h"

enum {
	RING_TIMEOUT_MS = 5000,
	BURST_TIMEOUT_MS = 30000,
	COMPLAINTS_MAX = 5,      /* of broken phones: the first few say it all */
	SETTLE_MS = 20           /* from a Ping's sending until the bell may ring: it has to arrive first */
};

enum task { IDLE, VISITING, HOLDING, RINGING, BURSTING };

static struct {
	struct phone_settings phone;
	uint32_t first, count, at_once;
	const char *hook, *raw_path;
	uint64_t uidvalidity;
	struct loop *loop;
	struct phone *phones;
	uint32_t started, held, broken;     /* held: sent their first Ping */
	uint32_t waits;                     /* times that a phone was told to come again later */
	uint32_t complaints;
	enum task task;
	int64_t since_ns;
	struct timer timer;
	uint32_t wanted, gap_ms, rung;
	struct phone *ringing;              /* whose bell is awaited */
	bool has_rung;
	uint32_t next;
	int64_t *took_ns;
	uint64_t uid;
} load = {.phone = {.address = "127.0.0.1:8080", .domain = "bench.example", .password = "secret", .heartbeat_s = 3540},
	.count = 10, .at_once = 50, .uidvalidity = 1, .uid = 1000000};

static void done(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void done(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	load.task = IDLE;
	timer_stop(load.loop, &load.timer);
}

/* --- the hook -------------------------------------------------------------------------------------------------- */

/* As belfry-hook does it: connect, write, close. -1: the backlog is full. */
static int hook_write(uint32_t number)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char line[HINT_LINE_MAX + 1], user[HINT_USER_MAX];
	struct hint hint = {.user = user, .mailbox = "INBOX", .event = HINT_MESSAGE_NEW, .uidvalidity = load.uidvalidity,
		.uid = load.uid++, .id = "", .source = "hook"};

	snprintf(user, sizeof user, "u%u@%s", number, load.phone.domain);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", load.hook);
	int length = hint_format(&hint, line, NULL);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		int error = errno;
		close(fd);
		if (error == EAGAIN)
			return -1;
		fprintf(stderr, "%s: %s\n", load.hook, strerror(error));
		exit(1);
	}
	if (write(fd, line, (size_t)length) != length)
		perror("write to the hook's socket");
	close(fd);
	return 0;
}

/* --- numbers --------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return one < other ? -1 : one > other;
}

static void write_raw(void)
{
	FILE *file = load.raw_path == NULL ? NULL : fopen(load.raw_path, "a");

	for (uint32_t i = 0; file != NULL && i < load.rung; i++)
		fprintf(file, "%lld\n", (long long)load.took_ns[i]);
	if (file != NULL)
		fclose(file);
}

static void report(uint32_t lost, int64_t all_ns)
{
	uint32_t n = load.rung;

	if (n == 0) {
		done("rung=0 lost=%u", lost);
		return;
	}
	write_raw();
	qsort(load.took_ns, n, sizeof *load.took_ns, compare);
	done("rung=%u lost=%u p50_us=%.1f p90_us=%.1f p99_us=%.1f max_us=%.1f all_ms=%.1f", n, lost,
		(double)load.took_ns[n / 2] / 1e3, (double)load.took_ns[n * 9 / 10] / 1e3,
		(double)load.took_ns[n * 99 / 100] / 1e3, (double)load.took_ns[n - 1] / 1e3, (double)all_ns / 1e6);
}

/* --- hold ------------------------------------------------------------------------------------------------------ */

static void start_some(void)
{
	while (load.started < load.count && load.started - load.held - load.broken < load.at_once) {
		uint32_t i = load.started++;
		phone_start(&load.phones[i], &load.phone, load.first + i);
	}
	if ((load.task == HOLDING || load.task == VISITING) && load.held + load.broken == load.count)
		done("held=%u broken=%u waits=%u ms=%lld", load.held, load.broken, load.waits,
			(long long)((phone_now_ns() - load.since_ns) / 1000000));
}

static void hold(enum task task)
{
	load.task = task;
	load.started = load.held = load.broken = 0;
	load.since_ns = phone_now_ns();
	start_some();
}

/* --- ring ------------------------------------------------------------------------------------------------------ */

static void ring_one(struct timer *timer);

static void ring_lost(struct timer *timer)
{
	(void)timer;
	fprintf(stderr, "u%u did not ring within %d ms\n", load.ringing->number, RING_TIMEOUT_MS);
	load.ringing = NULL;
	report(load.wanted - load.rung, phone_now_ns() - load.since_ns);
}

static void ring_one(struct timer *timer)
{
	uint32_t tried = 0;

	(void)timer;
	if (load.rung == load.wanted) {
		load.ringing = NULL;
		report(0, phone_now_ns() - load.since_ns);
		return;
	}
	while (load.phones[load.next].state != PHONE_HELD && tried++ < load.count)
		load.next = (load.next + 1) % load.count;
	load.ringing = &load.phones[load.next];
	load.next = (load.next + 1) % load.count;
	timer_start(load.loop, &load.timer, RING_TIMEOUT_MS, ring_lost);
	load.has_rung = false;
	load.took_ns[load.rung] = -phone_now_ns();
	hook_write(load.ringing->number);
}

/* --- burst ----------------------------------------------------------------------------------------------------- */

static void burst_over(struct timer *timer)
{
	(void)timer;
	report(load.wanted - load.rung, phone_now_ns() - load.since_ns);
}

/* The backlog is bounded: what did not fit is written as soon as it does. */
static void burst_write(struct timer *timer)
{
	(void)timer;
	for (; load.next < load.count && load.started < load.wanted; load.next++) {
		struct phone *phone = &load.phones[load.next];
		if (phone->state != PHONE_HELD)
			continue;
		phone->stops_after_bell = true;
		if (hook_write(phone->number) < 0) {
			timer_start(load.loop, &load.timer, 1, burst_write);
			return;
		}
		load.started++;
	}
	load.wanted = load.started;
	timer_start(load.loop, &load.timer, BURST_TIMEOUT_MS, burst_over);
}

static void go_on(void)
{
	for (uint32_t i = 0; i < load.count; i++) {
		load.phones[i].stops_after_bell = false;
		if (load.phones[i].state == PHONE_STOPPED)
			phone_go_on(&load.phones[i]);
	}
	done("going=1");
}

/* --- what phones say ------------------------------------------------------------------------------------------- */

static void phone_held(struct phone *phone)
{
	if (load.task == VISITING)
		phone_stop(phone);
	if (load.task == VISITING || (load.task == HOLDING && phone->rung == 0)) {
		load.held++;
		start_some();
	} else if (load.task == RINGING && phone == load.ringing && load.has_rung) {
		timer_start(load.loop, &load.timer, SETTLE_MS + load.gap_ms, ring_one);
	}
}

static void phone_rung(struct phone *phone, int64_t answered_ns)
{
	if (load.task == BURSTING) {
		load.took_ns[load.rung++] = answered_ns - load.since_ns;
		if (load.rung == load.wanted && load.started == load.wanted)
			report(0, phone_now_ns() - load.since_ns);
	} else if (load.task == RINGING && phone == load.ringing) {
		if (!load.has_rung)
			load.took_ns[load.rung++] += answered_ns;
		load.has_rung = true; /* belfry-null never has the item: a second bell may come of the same hint */
		timer_stop(load.loop, &load.timer);
		phone_go_on(phone);
	}
}

/* It counts as started until it holds after all. */
static void phone_told_to_wait(struct phone *phone)
{
	(void)phone;
	load.waits++;
}

static void phone_broken(struct phone *phone, const char *why)
{
	load.broken++;
	if (load.complaints++ < COMPLAINTS_MAX)
		fprintf(stderr, "u%u: %s\n", phone->number, why);
	if (load.task == HOLDING || load.task == VISITING)
		start_some();
	if (load.task == RINGING && phone == load.ringing)
		ring_lost(NULL);
}

static const struct phone_events phone_events = {phone_held, phone_rung, phone_told_to_wait, phone_broken};

/* --- commands -------------------------------------------------------------------------------------------------- */

static void begin(enum task task, uint32_t wanted)
{
	free(load.took_ns);
	load.took_ns = mem_alloc_array(wanted + 1, sizeof *load.took_ns);
	load.task = task;
	load.wanted = wanted;
	load.rung = 0;
	load.next = 0;
	load.since_ns = phone_now_ns();
}

static void count(void)
{
	uint32_t held = 0, rung = 0;

	for (uint32_t i = 0; i < load.count; i++) {
		held += load.phones[i].state == PHONE_HELD;
		rung += load.phones[i].rung;
	}
	done("held=%u broken=%u rung=%u", held, load.broken, rung);
}

static void obey(const char *line)
{
	unsigned wanted, gap_ms = 0;

	if (load.task != IDLE && strcmp(line, "quit") != 0) {
		fprintf(stderr, "%s: one thing at a time\n", line);
	} else if (strcmp(line, "hold") == 0) {
		hold(HOLDING);
	} else if (strcmp(line, "visit") == 0) {
		hold(VISITING);
	} else if (sscanf(line, "ring %u %u", &wanted, &gap_ms) >= 1) {
		begin(RINGING, wanted);
		load.gap_ms = gap_ms;
		for (uint32_t i = 0; i < load.count; i++)
			load.phones[i].stops_after_bell = true;
		ring_one(NULL);
	} else if (sscanf(line, "burst %u", &wanted) == 1) {
		begin(BURSTING, wanted);
		load.started = 0;
		burst_write(NULL);
	} else if (strcmp(line, "go") == 0) {
		go_on();
	} else if (strcmp(line, "count") == 0) {
		count();
	} else {
		loop_stop(load.loop);
	}
}

static void commanded(struct ev_loop *ev, ev_io *io, int events)
{
	static struct buffer input;
	ssize_t length = read(io->fd, buffer_reserve(&input, 256), 256);
	char *end;

	(void)events;
	if (length <= 0) {
		ev_io_stop(ev, io);
		loop_stop(load.loop);
		return;
	}
	buffer_grow(&input, (size_t)length);
	while ((end = memchr(input.data, '\n', input.length)) != NULL) {
		*end = '\0';
		obey(input.data);
		buffer_consume(&input, (size_t)(end + 1 - input.data));
	}
}

static void parse_options(int argc, char **argv, const char **ca_file_r)
{
	int option;

	while ((option = getopt(argc, argv, "f:n:a:c:k:v:w:Fd:p:b:r:")) >= 0)
		switch (option) {
		case 'f': load.first = (uint32_t)atol(optarg); break;
		case 'n': load.count = (uint32_t)atol(optarg); break;
		case 'a': load.phone.address = optarg; break;
		case 'c': *ca_file_r = optarg; break;
		case 'k': load.hook = optarg; break;
		case 'v': load.uidvalidity = strtoull(optarg, NULL, 10); break;
		case 'w': load.at_once = (uint32_t)atol(optarg); break;
		case 'F': load.phone.floor = true; break;
		case 'd': load.phone.domain = optarg; break;
		case 'p': load.phone.password = optarg; break;
		case 'b': load.phone.heartbeat_s = (unsigned)atol(optarg); break;
		case 'r': load.raw_path = optarg; break;
		default: exit(2);
		}
}

int main(int argc, char **argv)
{
	struct rlimit descriptors;
	const char *ca_file = NULL;
	struct error error;
	ev_io commands;

	parse_options(argc, argv, &ca_file);
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	load.loop = load.phone.loop = loop_create();
	load.phone.events = &phone_events;
	load.phones = mem_alloc_array(load.count, sizeof *load.phones);
	if (ca_file != NULL && (load.phone.tls = tls_client_context_create(ca_file, &error)) == NULL) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	ev_io_init(&commands, commanded, STDIN_FILENO, EV_READ);
	ev_io_start(loop_ev(load.loop), &commands);
	loop_run(load.loop);
	for (uint32_t i = 0; i < load.count; i++)
		phone_stop(&load.phones[i]);
	ev_io_stop(loop_ev(load.loop), &commands);
	timer_stop(load.loop, &load.timer);
	loop_free(&load.loop);
	tls_client_context_free(&load.phone.tls);
	free(load.phones);
	free(load.took_ns);
	return 0;
}

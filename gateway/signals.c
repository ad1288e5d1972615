/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signals as calls from the loop: the handler writes one byte into a socket pair whose other end is a stream. */
#include "gateway/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/mem.h"
#include "lib/net/net.h"

static const int told_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
static const int ignored_signals[] = {SIGPIPE, SIGUSR1};
enum { TOLD = sizeof told_signals / sizeof told_signals[0], IGNORED = sizeof ignored_signals / sizeof ignored_signals[0] };

struct signals {
	struct stream *stream;
	signals_told *told;
	void *data;
};

/* A handler has no other way to know it. */
static volatile int write_end = -1;

static void caught(int number)
{
	int saved = errno;
	char byte = (char)number;

	/* A full socket holds hundreds of the same signals already: one more says nothing new. */
	if (send(write_end, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	errno = saved;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void arrived(struct stream *stream, enum stream_event event, void *owner)
{
	struct signals *signals = owner;
	struct buffer *input = stream_input(stream);

	if (event != STREAM_DATA)
		return;
	for (size_t i = 0; i < input->length; i++)
		signals->told(input->data[i], signals->data);
	buffer_consume(input, input->length);
}

struct signals *signals_open(struct loop *loop, signals_told *told, void *data)
{
	struct signals *signals = mem_alloc(sizeof *signals);
	sigset_t none;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	*signals = (struct signals){.stream = net_stream(loop, ends[0]), .told = told, .data = data};
	stream_own(signals->stream, arrived, signals);
	write_end = ends[1];
	sigemptyset(&none); /* whoever started us may have blocked some */
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < TOLD; i++)
		handle(told_signals[i], caught);
	for (int i = 0; i < IGNORED; i++)
		handle(ignored_signals[i], SIG_IGN);
	return signals;
}

void signals_close(struct signals **owner)
{
	if (*owner == NULL)
		return;
	signals_reset();
	close(write_end);
	write_end = -1;
	stream_close(&(*owner)->stream);
	free(*owner);
	*owner = NULL;
}

void signals_reset(void)
{
	sigset_t none;

	for (int i = 0; i < TOLD; i++)
		handle(told_signals[i], SIG_DFL);
	for (int i = 0; i < IGNORED; i++)
		handle(ignored_signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

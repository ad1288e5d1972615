/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread that asks the system for names of uids; questions and answers pass over a socket pair. */
#include "gateway/hub/names.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/core/stream.h"
#include "lib/net/net.h"

struct answer {
	uid_t uid;
	char name[HUB_NAME_MAX + 1];  /* "": there is none */
};

struct hub_names {
	hub_name_lookup *lookup;
	hub_name_found *found;
	void *data;
	struct stream *stream;    /* to the thread; NULL: none */
};

static int lookup_system(uid_t uid, char *name_r, size_t size)
{
	struct passwd entry, *result = NULL;
	char buffer[16384];

	if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &result) != 0 || result == NULL || strlen(result->pw_name) >= size)
		return -1;
	strcpy(name_r, result->pw_name);
	return 0;
}

/* Lives until its end of the pair is closed by us; nobody waits for it then. */
static void *thread_main(void *data)
{
	int fd = (int)(intptr_t)data;
	struct answer answer;
	uid_t uid;

	while (read(fd, &uid, sizeof uid) == sizeof uid) {
		memset(&answer, 0, sizeof answer);
		answer.uid = uid;
		if (lookup_system(uid, answer.name, sizeof answer.name) < 0)
			answer.name[0] = '\0';
		if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
			break;
	}
	close(fd);
	return NULL;
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct hub_names *names = owner;
	struct buffer *input = stream_input(stream);
	struct answer answer;

	if (event == STREAM_ENDED || event == STREAM_FAILED) {
		log_error(LOG_HOOK, "the thread that looks up users has ended: hints of users for themselves are refused");
		stream_close(&names->stream);
		return;
	}
	while (event == STREAM_DATA && input->length >= sizeof answer) {
		memcpy(&answer, input->data, sizeof answer);
		buffer_consume(input, sizeof answer);
		names->found(answer.uid, answer.name[0] == '\0' ? NULL : answer.name, names->data);
	}
}

/* Signals are the loop's: the thread takes none. */
static int thread_start(int fd)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int result = pthread_create(&thread, &attributes, thread_main, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

static void start(struct hub_names *names, struct loop *loop)
{
	char first[HUB_NAME_MAX + 1];
	int pair[2];

	lookup_system(0, first, sizeof first); /* loads what the system needs for it, before a sandbox forbids that */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error(LOG_HOOK, "cannot start a thread to look up users: %s", strerror(errno));
		return;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	names->stream = net_stream(loop, pair[0]);
	stream_own(names->stream, happened, names);
	int error = thread_start(pair[1]);
	if (error == 0)
		return;
	log_error(LOG_HOOK, "cannot start a thread to look up users: %s", strerror(error));
	close(pair[1]);
	stream_close(&names->stream);
}

struct hub_names *hub_names_create(struct loop *loop, hub_name_lookup *lookup, hub_name_found *found, void *data)
{
	struct hub_names *names = mem_alloc(sizeof *names);

	*names = (struct hub_names){.lookup = lookup, .found = found, .data = data};
	if (lookup == NULL && loop_is_manual(loop)) /* has no sockets, and nobody who would wait */
		names->lookup = lookup_system;
	else if (lookup == NULL)
		start(names, loop);
	return names;
}

void hub_names_free(struct hub_names **owner)
{
	if (*owner == NULL)
		return;
	stream_close(&(*owner)->stream);
	free(*owner);
	*owner = NULL;
}

void hub_names_ask(struct hub_names *names, uid_t uid)
{
	char name[HUB_NAME_MAX + 1];

	if (names->stream != NULL)
		stream_write(names->stream, &uid, sizeof uid);
	else if (names->lookup != NULL && names->lookup(uid, name, sizeof name) == 0)
		names->found(uid, name, names->data);
	else
		names->found(uid, NULL, names->data);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* getaddrinfo() in a thread. While `busy` is set the thread alone touches what is below it; the wakeup ends that. */
#include "lib/net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/loop_wakeup.h"
#include "lib/core/mem.h"

enum { ADDRESS_BYTES = INET6_ADDRSTRLEN + 10 };

struct addresses {
	unsigned count;
	char text[RESOLVE_ADDRESSES_MAX][ADDRESS_BYTES];
};

struct resolver {
	struct loop *loop;
	struct loop_wakeup *wakeup;
	char *host;
	unsigned port;
	bool is_numeric, is_known, busy, has_failed;
	int64_t asked_ms;
	struct addresses addresses;
	struct error trouble;
	pthread_t thread;
	/* the thread's */
	int code;
	struct addresses found;
};

static void write_address(char text[ADDRESS_BYTES], const struct sockaddr *address, unsigned port)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
		snprintf(text, ADDRESS_BYTES, "[%s]:%u", host, port);
	} else {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof host);
		snprintf(text, ADDRESS_BYTES, "%s:%u", host, port);
	}
}

/* In the order of RFC 6724, as the system has it. */
static int look_up(const char *host, int flags, struct addresses *addresses_r, unsigned port)
{
	struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM}, *found = NULL;
	int code = getaddrinfo(host, NULL, &hints, &found);

	addresses_r->count = 0;
	for (const struct addrinfo *at = found; at != NULL && addresses_r->count < RESOLVE_ADDRESSES_MAX; at = at->ai_next)
		write_address(addresses_r->text[addresses_r->count++], at->ai_addr, port);
	if (found != NULL)
		freeaddrinfo(found);
	return code;
}

static void *run(void *data)
{
	struct resolver *resolver = data;

	resolver->code = look_up(resolver->host, AI_ADDRCONFIG, &resolver->found, resolver->port);
	if (resolver->code == EAI_NONAME || resolver->code == EAI_ADDRFAMILY) /* a machine with loopback alone */
		resolver->code = look_up(resolver->host, 0, &resolver->found, resolver->port);
	loop_wakeup_ring(resolver->wakeup);
	return NULL;
}

static void looked_up(void *owner)
{
	struct resolver *resolver = owner;

	if (!resolver->busy)
		return;
	pthread_join(resolver->thread, NULL);
	resolver->busy = false;
	if (resolver->code != 0) {
		resolver->has_failed = true;
		error_set(&resolver->trouble, "%s: %s", resolver->host, gai_strerror(resolver->code));
		return;
	}
	resolver->addresses = resolver->found;
	resolver->is_known = true;
}

static void start(struct resolver *resolver)
{
	sigset_t all, before;

	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_BLOCK, &all, &before);
	resolver->asked_ms = loop_now_ms(resolver->loop);
	resolver->busy = pthread_create(&resolver->thread, NULL, run, resolver) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct resolver *resolver_create(struct loop *loop, const char *host, unsigned port)
{
	struct resolver *resolver = mem_alloc(sizeof *resolver);

	resolver->loop = loop;
	resolver->host = mem_strdup(host);
	resolver->port = port;
	error_set(&resolver->trouble, "%s: not looked up yet", host);
	resolver->is_numeric = look_up(host, AI_NUMERICHOST, &resolver->addresses, port) == 0;
	if (!resolver->is_numeric) {
		resolver->wakeup = loop_wakeup_create(loop, looked_up, resolver);
		start(resolver);
	}
	return resolver;
}

const char *resolver_address(struct resolver *resolver, unsigned number, struct error *error_r)
{
	int64_t age_ms = loop_now_ms(resolver->loop) - resolver->asked_ms;
	int64_t limit_s = resolver->is_known ? RESOLVE_AGE_S : RESOLVE_RETRY_S;

	if (!resolver->is_numeric && !resolver->busy && age_ms >= limit_s * 1000)
		start(resolver);
	if (number < resolver->addresses.count)
		return resolver->addresses.text[number];
	error_set(error_r, "%s", resolver->addresses.count > 0 ? "no further address" : resolver->trouble.text);
	return NULL;
}

bool resolver_is_starting(const struct resolver *resolver)
{
	return resolver->busy && !resolver->is_known && !resolver->has_failed;
}

void resolver_free(struct resolver **owner)
{
	struct resolver *resolver = *owner;

	*owner = NULL;
	if (resolver == NULL)
		return;
	if (resolver->busy)
		pthread_join(resolver->thread, NULL);
	loop_wakeup_free(&resolver->wakeup);
	free(resolver->host);
	free(resolver);
}

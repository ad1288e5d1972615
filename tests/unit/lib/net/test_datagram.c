/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams over loopback: taken whole, from whom, and not when they are too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/net/datagram.h"

struct seen {
	struct loop *loop;
	unsigned count;
	char last[64], from[64];
};

static void received(const void *bytes, size_t length, const char *from, void *data)
{
	struct seen *seen = data;

	seen->count++;
	memcpy(seen->last, bytes, length < sizeof seen->last - 1 ? length : sizeof seen->last - 1);
	strncpy(seen->from, from, sizeof seen->from - 1);
	if (length == 4 && memcmp(bytes, "last", 4) == 0)
		loop_stop(seen->loop);
}

static void they_arrive_whole_and_too_long_ones_do_not(void **state)
{
	struct loop *loop = loop_create();
	struct net *net = net_create(loop);
	struct seen seen = {.loop = loop};
	struct sockaddr_in to = {0};
	socklen_t length = sizeof to;
	char longest[DATAGRAM_MAX + 1] = "";
	struct error error;

	(void)state;
	assert_null(datagrams_open(net, "hook-udp", received, &seen, &error));
	int fd = datagram_bind("127.0.0.1:0", &error), sender = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &length), 0);
	net_add_listener(net, "hook-udp", fd);
	struct datagrams *datagrams = datagrams_open(net, "hook-udp", received, &seen, &error);
	assert_non_null(datagrams);
	assert_int_equal(sendto(sender, longest, sizeof longest, 0, (struct sockaddr *)&to, length), sizeof longest);
	assert_int_equal(sendto(sender, longest, sizeof longest - 1, 0, (struct sockaddr *)&to, length), sizeof longest - 1);
	assert_int_equal(sendto(sender, "last", 4, 0, (struct sockaddr *)&to, length), 4);
	loop_run(loop);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.last, "last");
	assert_string_equal(seen.from, "127.0.0.1");
	datagrams_close(&datagrams);
	close(sender);
	net_free(&net);
	loop_free(&loop);
}

static void wrong_addresses_are_refused_in_words(void **state)
{
	static const char *const cases[] = {"", "localhost:1", "1.2.3.4:x", "[::1:5", "999.1.1.1:1"};
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(datagram_bind(cases[i], &error), -1);
	int fd = datagram_bind("[::1]:0", &error);
	assert_true(fd >= 0 || strstr(error.text, "udp") != NULL); /* a machine may have no IPv6 */
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_arrive_whole_and_too_long_ones_do_not),
		cmocka_unit_test(wrong_addresses_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

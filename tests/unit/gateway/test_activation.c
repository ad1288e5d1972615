/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sockets from the service manager: who they are for, and that each is given once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/activation.h"
#include "lib/core/log.h"
#include "lib/net/net.h"

enum { FIRST = 100 }; /* as if they had come with the process */

static char warnings[1024];

static void sink(enum log_level level, const char *line, void *data)
{
	(void)level;
	(void)data;
	snprintf(warnings + strlen(warnings), sizeof warnings - strlen(warnings), "%s\n", line);
}

/* A socket on a port that the kernel chooses; its address in text. */
static void give(int number, const char *host, char address_r[64], bool listens)
{
	struct error error;
	char any[64];

	snprintf(any, sizeof any, "%s:0", host);
	int fd = net_bind(any, 0, &error);
	struct sockaddr_in6 bound;
	socklen_t length = sizeof bound;
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	if (!listens) {
		close(fd);
		fd = socket(bound.sin6_family, SOCK_STREAM, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&bound, length), 0);
	}
	assert_int_equal(dup2(fd, FIRST + number), FIRST + number);
	close(fd);
	snprintf(address_r, 64, "%s:%u", host, ntohs(bound.sin6_port)); /* the port of both families is at one place */
}

static void a_socket_is_found_by_its_address_once(void **state)
{
	struct activation activation = {.first = FIRST, .count = 3};
	char four[64], six[64], deaf[64];

	(void)state;
	give(0, "127.0.0.1", four, true);
	give(1, "[::1]", six, true);
	give(2, "127.0.0.1", deaf, false);
	assert_int_equal(activation_take(&activation, "127.0.0.1:1"), -1);
	assert_int_equal(activation_take(&activation, "[::]:1"), -1);
	assert_int_equal(activation_take(&activation, "what"), -1);
	assert_int_equal(activation_take(&activation, deaf), -1);
	assert_int_equal(activation_take(&activation, six), FIRST + 1);
	assert_int_equal(activation_take(&activation, six), -1);
	assert_int_equal(activation_take(&activation, four), FIRST);
	assert_true((fcntl(FIRST, F_GETFL) & O_NONBLOCK) != 0);
	activation_end(&activation);
	assert_non_null(strstr(warnings, "socket 3 of the service manager has no address"));
	assert_null(strstr(warnings, "socket 1"));
	assert_int_equal(fcntl(FIRST + 2, F_GETFD), -1);
	assert_int_equal(close(FIRST), 0);
	assert_int_equal(close(FIRST + 1), 0);
}

static void only_what_is_meant_for_this_process_counts(void **state)
{
	char mine[32], other[32];
	const struct {
		const char *pid, *count;
		unsigned expected;
	} cases[] = {
		{NULL, "1", 0}, {mine, NULL, 0}, {other, "1", 0}, {mine, "0", 0}, {mine, "-1", 0}, {mine, "x", 0}, {mine, "2", 2},
		{mine, "1000000", ACTIVATION_MAX},
	};

	(void)state;
	snprintf(mine, sizeof mine, "%ld", (long)getpid());
	snprintf(other, sizeof other, "%ld", (long)getppid());
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct activation activation;
		unsetenv("LISTEN_PID");
		unsetenv("LISTEN_FDS");
		if (cases[i].pid != NULL)
			setenv("LISTEN_PID", cases[i].pid, 1);
		if (cases[i].count != NULL)
			setenv("LISTEN_FDS", cases[i].count, 1);
		activation_begin(&activation);
		assert_int_equal(activation.count, cases[i].expected);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_is_found_by_its_address_once),
		cmocka_unit_test(only_what_is_meant_for_this_process_counts),
	};

	log_set_sink(sink, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

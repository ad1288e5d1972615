/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses as peers write them, and networks as admins do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/net/ip.h"

static void addresses_are_read_in_every_form(void **state)
{
	static const struct {
		const char *text, *printed; /* NULL: none */
	} cases[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:50000", "192.0.2.1"},
		{"2001:DB8::1", "[2001:db8::1]"},
		{"[2001:db8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]:65535", "[2001:db8::1]"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"", NULL},
		{"unknown", NULL},
		{"_hidden", NULL},
		{"192.0.2", NULL},
		{"192.0.2.256", NULL},
		{"192.0.2.1:", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:123456", NULL},
		{"192.0.2.1:x", NULL},
		{"[192.0.2.1]", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]x", NULL},
		{"[2001:db8::1]:", NULL},
		{"[]", NULL},
		{"fe80::1%eth0", NULL},
		{"192.0.2.1 ", NULL},
		{"192.0.2.1\" login=ok", NULL},
		{"2001:0db8:0000:0000:0000:0000:0000:00000000000000000000000000001", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip ip;
		char text[64];
		int result = ip_parse(cases[i].text, strlen(cases[i].text), &ip);
		if (result != (cases[i].printed == NULL ? -1 : 0))
			fail_msg("\"%s\": %d", cases[i].text, result);
		if (result < 0)
			continue;
		ip_print(&ip, text, sizeof text);
		assert_string_equal(text, cases[i].printed);
	}
}

static void a_network_has_what_begins_as_it_does(void **state)
{
	static const struct {
		const char *network, *ip;
		bool has;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.77/25", "192.0.2.1", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "203.0.113.9", true},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/33", "2001:db8:ffff::1", false},
		{"::1", "::1", true},
		{"::1", "127.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_network network;
		struct error error;
		struct ip ip;
		assert_int_equal(ip_network_parse(cases[i].network, &network, &error), 0);
		assert_int_equal(ip_parse(cases[i].ip, strlen(cases[i].ip), &ip), 0);
		if (ip_is_listed(&ip, &network, 1) != cases[i].has)
			fail_msg("%s in %s", cases[i].ip, cases[i].network);
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const cases[] = {"", "/24", "localhost", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/2x",
		"2001:db8::/129", "2001:db8::/0128", "[::1]", "192.0.2.1:80",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
	struct ip_network network;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(ip_network_parse(cases[i], &network, &error), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_in_every_form),
		cmocka_unit_test(a_network_has_what_begins_as_it_does),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

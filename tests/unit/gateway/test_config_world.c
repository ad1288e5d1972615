/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryd -t: what is wrong outside of the configuration file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config.h"

struct room {
	char folder[64], certificate[128], key[128], other_key[128], state[128];
	struct buffer said;
	struct config_connector connector;
	struct config config;
};

static void hear(const char *text, bool is_error, void *data)
{
	buffer_printf(data, "%s%s\n", is_error ? "" : "(only) ", text);
}

static EVP_PKEY *make_key(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	chmod(path, 0600);
	return key;
}

static void make_certificate(const char *path, EVP_PKEY *key, long from_s, long until_s)
{
	X509 *certificate = X509_new();
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
}

enum { DAY_S = 24 * 3600 };

static int set_up(void **state)
{
	static struct room room;
	static char *address[] = {(char *)"127.0.0.1:0"};

	room = (struct room){.folder = "/tmp/belfry-test-XXXXXX"};
	assert_non_null(mkdtemp(room.folder));
	snprintf(room.certificate, sizeof room.certificate, "%s/chain.pem", room.folder);
	snprintf(room.key, sizeof room.key, "%s/key.pem", room.folder);
	snprintf(room.other_key, sizeof room.other_key, "%s/other.pem", room.folder);
	snprintf(room.state, sizeof room.state, "%s/state/of/belfry", room.folder);
	EVP_PKEY *key = make_key(room.key), *other = make_key(room.other_key);
	make_certificate(room.certificate, key, -DAY_S, 90 * DAY_S);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	room.connector = (struct config_connector){.name = (char *)"main", .program = (char *)"/bin/true"};
	room.config = (struct config){
		.listen = {address, 1}, .certificate = room.certificate, .key = room.key, .state_dir = room.state,
		.run_dir = room.state, .max_connections = 1, .connectors = &room.connector, .connector_count = 1,
	};
	*state = &room;
	return 0;
}

static int tear_down(void **state)
{
	struct room *room = *state;

	buffer_release(&room->said);
	unlink(room->certificate);
	unlink(room->key);
	unlink(room->other_key);
	return rmdir(room->folder);
}

static unsigned check(struct room *room)
{
	buffer_release(&room->said);
	return config_check_world(&room->config, hear, &room->said);
}

static void assert_said(struct room *room, unsigned errors, const char *text)
{
	unsigned found = check(room);

	if (found != errors || strstr(buffer_string(&room->said), text) == NULL)
		fail_msg("%u errors, \"%s\" wanted in: %s", found, text, buffer_string(&room->said));
}

static void a_right_world_has_no_errors(void **state)
{
	assert_said(*state, 0, "");
}

static void a_certificate_is_looked_at(void **state)
{
	struct room *room = *state;
	FILE *file = fopen(room->key, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	fclose(file);
	make_certificate(room->certificate, key, -2 * DAY_S, -DAY_S);
	assert_said(room, 1, "has expired");
	make_certificate(room->certificate, key, -2 * DAY_S, DAY_S);
	assert_said(room, 0, "(only) ");
	assert_non_null(strstr(buffer_string(&room->said), "expires within a week"));
	make_certificate(room->certificate, key, DAY_S, 9 * DAY_S);
	assert_said(room, 1, "not valid yet");
	make_certificate(room->certificate, key, -DAY_S, 90 * DAY_S);
	EVP_PKEY_free(key);
	room->config.key = room->other_key;
	assert_said(room, 1, "this is not the key of");
	room->config.key = room->key;
	chmod(room->key, 0640);
	assert_said(room, 0, "others can read this key; chmod 600");
	room->config.key = room->certificate;
	assert_said(room, 1, "it holds no private key");
	room->config.certificate = room->other_key;
	assert_said(room, 2, "it holds no certificate");
	room->config.certificate = (char *)"/nonexistent/chain.pem";
	assert_said(room, 2, "certificate /nonexistent/chain.pem: No such file or directory; name the PEM file");
	room->config.listen.count = 0;
	assert_said(room, 0, "");
}

static void missing_programs_and_files_are_named(void **state)
{
	struct room *room = *state;

	room->connector.program = (char *)"belfry-nothing";
	room->connector.ca_file = (char *)"/nonexistent/ca.pem";
	assert_said(room, 2, "connector \"main\": program: there is no program belfry-nothing");
	assert_said(room, 2, "ca_file /nonexistent/ca.pem: No such file");
	room->connector = (struct config_connector){.name = (char *)"main", .program = (char *)"/nonexistent/program"};
	assert_said(room, 1, "/nonexistent/program: No such file");
	room->connector.program = (char *)"/bin/true";
	room->config.state_dir = room->key;
	assert_said(room, 1, "state_dir");
	room->config.state_dir = room->state;
	room->config.hook.udp_key_file = room->key;
	assert_said(room, 1, "udp_key_file");
}

static void an_address_that_is_not_here_is_an_error(void **state)
{
	struct room *room = *state;
	char *address[] = {(char *)"192.0.2.1:1"};

	room->config.listen.items = address;
	assert_said(room, 1, "cannot listen on 192.0.2.1:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_right_world_has_no_errors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_certificate_is_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(missing_programs_and_files_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_address_that_is_not_here_is_an_error, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

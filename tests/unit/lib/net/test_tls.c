/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS over socket pairs, with certificates made here: handshakes, names, dates, reload, tickets, STARTTLS, strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/net.h"
#include "lib/net/tls.h"
#include "lib/net/tls_internal.h"
#include "tests/unit/lib/net/certificates.h"

enum { DAY_S = 24 * 3600 };

struct end {
	struct stream *stream;
	struct buffer got;
	bool connected, failed, ended;
	char error[200];
};

/* Two ends of a socket pair; the loop runs until both have come to something. */
struct pair {
	struct loop *loop;
	struct end server, client;
	size_t wanted;                  /* bytes that the server is to get before the loop stops */
	struct timer give_up;
};

static struct pair *pair;

static bool is_settled(const struct end *end)
{
	return end->connected || end->failed || end->ended;
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct end *end = owner;

	switch (event) {
	case STREAM_CONNECTED: end->connected = true; break;
	case STREAM_DRAINED: break;
	case STREAM_ENDED: end->ended = true; break;
	case STREAM_FAILED:
		end->failed = true;
		snprintf(end->error, sizeof end->error, "%s", stream_error(stream));
		stream_close(&end->stream); /* the other end sees it */
		break;
	case STREAM_DATA:
		buffer_append(&end->got, stream_input(stream)->data, stream_input(stream)->length);
		buffer_consume(stream_input(stream), stream_input(stream)->length);
		break;
	}
	if (is_settled(&pair->server) && is_settled(&pair->client) && pair->server.got.length >= pair->wanted)
		loop_stop(pair->loop);
}

static void too_long(struct timer *timer)
{
	(void)timer;
	fail_msg("nothing happened for 20 s");
}

static void run(struct pair *now)
{
	pair = now;
	timer_start(now->loop, &now->give_up, 20000, too_long);
	loop_run(now->loop);
	timer_stop(now->loop, &now->give_up);
}

static void pair_begin(struct pair *new)
{
	int sockets[2];

	*new = (struct pair){.loop = loop_create()};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets), 0);
	new->server.stream = net_stream(new->loop, sockets[0]);
	new->client.stream = net_stream(new->loop, sockets[1]);
}

static void pair_end(struct pair *old)
{
	stream_close(&old->server.stream);
	stream_close(&old->client.stream);
	buffer_release(&old->server.got);
	buffer_release(&old->client.got);
	loop_free(&old->loop);
}

static struct tls_server_context *server_context(const char *names, long from_s, long until_s, char *ca_path)
{
	static const char keys[TLS_TICKET_KEYS_BYTES] = "no secret";
	struct buffer chain, key;
	struct error error;

	certificate_make(names, from_s, until_s, &chain, &key);
	if (ca_path != NULL) {
		FILE *file = fopen(ca_path, "w");
		assert_non_null(file);
		fwrite(chain.data, 1, chain.length, file);
		fclose(file);
	}
	struct tls_server_context *context = tls_server_context_create(chain.data, chain.length, key.data, key.length,
		keys, sizeof keys, &error);
	assert_non_null(context);
	buffer_release(&chain);
	buffer_release(&key);
	return context;
}

static char ca_path[] = "/tmp/belfry-test-ca-XXXXXX";

static struct tls_client_context *client_context(void)
{
	struct error error = {""};
	struct tls_client_context *context = tls_client_context_create(ca_path, &error);

	assert_string_equal(error.text, "");
	assert_non_null(context);
	return context;
}

static void handshake(struct pair *now, struct tls_server_context *server, struct tls_client_context *client,
	const char *name)
{
	pair_begin(now);
	tls_accept(now->server.stream, server);
	tls_connect(now->client.stream, client, name);
	stream_own(now->server.stream, happened, &now->server);
	stream_own(now->client.stream, happened, &now->client);
	run(now);
}

static void both_ends_agree_and_bytes_pass(void **state)
{
	struct tls_server_context *server = server_context("DNS:bell.example.org, IP:127.0.0.1", -DAY_S, DAY_S, ca_path);
	struct tls_client_context *client = client_context();
	static char block[300 * 1000];
	struct pair now;
	char text[100];

	(void)state;
	handshake(&now, server, client, "bell.example.org");
	assert_true(now.client.connected);
	assert_true(now.server.connected);
	tls_describe(now.server.stream, text, sizeof text);
	assert_memory_equal(text, "TLSv1.3 ", 8);
	memset(block, 'b', sizeof block);
	stream_write(now.client.stream, block, sizeof block);
	now.wanted = sizeof block;
	run(&now);
	assert_memory_equal(now.server.got.data, block, sizeof block);
	now.client.connected = false;
	stream_finish(&now.server.stream);
	run(&now);
	assert_true(now.client.ended);
	pair_end(&now);
	handshake(&now, server, client, "127.0.0.1");
	assert_true(now.client.connected);
	pair_end(&now);
	tls_server_context_free(&server);
	tls_client_context_free(&client);
}

static void a_wrong_name_says_whom_the_certificate_is_for(void **state)
{
	struct tls_server_context *server = server_context("DNS:bell.example.org, DNS:*.example.net", -DAY_S, DAY_S, ca_path);
	struct tls_client_context *client = client_context();
	static const struct {
		const char *name, *error;
	} cases[] = {
		{"tower.example.org", "certificate is for bell.example.org, *.example.net, not for tower.example.org"},
		{"a.b.example.net", "certificate is for bell.example.org, *.example.net, not for a.b.example.net"},
		{"192.0.2.1", "certificate is for bell.example.org, *.example.net, not for 192.0.2.1"},
		{"a.example.net", ""},
	};
	struct pair now;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		handshake(&now, server, client, cases[i].name);
		assert_string_equal(now.client.error, cases[i].error);
		assert_int_equal(now.client.failed, cases[i].error[0] != '\0');
		pair_end(&now);
	}
	tls_server_context_free(&server);
	tls_client_context_free(&client);
}

static void ignore_log(enum log_level level, const char *line, void *data)
{
	(void)level, (void)line, (void)data;
}

static void an_expired_or_unknown_certificate_is_refused_in_words(void **state)
{
	struct tls_server_context *server;
	struct tls_client_context *client;
	struct pair now;

	(void)state;
	log_set_sink(ignore_log, NULL); /* it warns of the date, too */
	server = server_context("DNS:bell.example.org", -3 * DAY_S, -DAY_S, ca_path);
	log_set_sink(NULL, NULL);
	client = client_context();
	handshake(&now, server, client, "bell.example.org");
	assert_true(now.client.failed);
	assert_memory_equal(now.client.error, "certificate of bell.example.org expired on 20", 45);
	assert_string_equal(now.server.error, "TLS handshake: our certificate has expired");
	pair_end(&now);
	tls_server_context_free(&server);
	server = server_context("DNS:bell.example.org", -DAY_S, DAY_S, NULL);
	handshake(&now, server, client, "bell.example.org");
	assert_non_null(strstr(now.client.error, "certificate of bell.example.org is not trusted: self-signed"));
	pair_end(&now);
	tls_server_context_free(&server);
	tls_client_context_free(&client);
}

static void a_new_certificate_serves_the_new_and_leaves_the_old(void **state)
{
	struct tls_server_context *old = server_context("DNS:old.example.org", -DAY_S, DAY_S, ca_path);
	struct tls_client_context *client = client_context();
	struct tls_server_context *new;
	struct pair before, after;

	(void)state;
	handshake(&before, old, client, "old.example.org");
	tls_server_context_free(&old);
	tls_client_context_free(&client);
	new = server_context("DNS:new.example.org", -DAY_S, DAY_S, ca_path);
	client = client_context();
	handshake(&after, new, client, "new.example.org");
	assert_true(after.client.connected);
	stream_write(before.client.stream, "still here", 10);
	before.wanted = 10;
	run(&before);
	assert_string_equal(buffer_string(&before.server.got), "still here");
	pair_end(&before);
	pair_end(&after);
	tls_server_context_free(&new);
	tls_client_context_free(&client);
}

static void strangers_on_a_tls_port_are_told_from_phones(void **state)
{
	static const struct {
		const char *said, *error;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "TLS handshake: plain HTTP came to a TLS port"},
		{"\r\n\r\n\r\nEHLO\r\n", "TLS handshake: what came is not TLS"},
	};
	struct tls_server_context *server = server_context("DNS:bell.example.org", -DAY_S, DAY_S, NULL);
	struct pair now;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pair_begin(&now);
		tls_accept(now.server.stream, server);
		stream_own(now.server.stream, happened, &now.server);
		stream_own(now.client.stream, happened, &now.client);
		stream_write(now.client.stream, cases[i].said, strlen(cases[i].said));
		run(&now);
		assert_string_equal(now.server.error, cases[i].error);
		pair_end(&now);
	}
	pair_begin(&now);
	tls_accept(now.server.stream, server);
	stream_own(now.server.stream, happened, &now.server);
	stream_close(&now.client.stream);
	now.client.ended = true;
	run(&now);
	assert_string_equal(now.server.error, "TLS handshake: the other side hung up");
	pair_end(&now);
	tls_server_context_free(&server);
}

static void plain_text_before_starttls_is_an_attack(void **state)
{
	struct tls_server_context *server = server_context("DNS:bell.example.org", -DAY_S, DAY_S, ca_path);
	struct tls_client_context *client = client_context();
	struct pair now;

	(void)state;
	pair_begin(&now);
	stream_own(now.server.stream, happened, &now.server);
	buffer_append_string(stream_input(now.client.stream), "* OK injected\r\n");
	tls_connect(now.client.stream, client, "bell.example.org");
	stream_own(now.client.stream, happened, &now.client);
	run(&now);
	assert_string_equal(now.client.error, "plain text came where TLS was to begin");
	pair_end(&now);
	tls_server_context_free(&server);
	tls_client_context_free(&client);
}

/* The stream side never sees tickets; a plain OpenSSL client asks for its second connection with one. */
static SSL_SESSION *session;

static int session_came(SSL *ssl, SSL_SESSION *new)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = new;
	return 1;
}

static bool resumes(struct tls_server_context *server, SSL_CTX *client)
{
	struct pair now = {.loop = loop_create()};
	SSL *ssl = SSL_new(client);
	int sockets[2], result = 0;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets), 0);
	now.server.stream = net_stream(now.loop, sockets[0]);
	tls_accept(now.server.stream, server);
	now.client.ended = true;
	stream_own(now.server.stream, happened, &now.server);
	SSL_set_fd(ssl, sockets[1]);
	if (session != NULL)
		SSL_set_session(ssl, session);
	SSL_set_connect_state(ssl);
	pair = &now;
	while ((result = SSL_do_handshake(ssl)) != 1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ)
		ev_run(loop_ev(now.loop), EVRUN_ONCE);
	assert_int_equal(result, 1);
	while (!now.server.connected)
		ev_run(loop_ev(now.loop), EVRUN_ONCE);
	SSL_read(ssl, &byte, 1); /* the ticket comes after the handshake */
	bool resumed = SSL_session_reused(ssl);
	SSL_shutdown(ssl); /* or the session counts as broken */
	SSL_free(ssl);
	close(sockets[1]);
	pair_end(&now);
	return resumed;
}

static struct tls_server_context *context_with_keys(const struct buffer *chain, const struct buffer *key,
	const char *ticket_keys)
{
	struct tls_server_context *context = tls_server_context_create(chain->data, chain->length, key->data, key->length,
		ticket_keys, TLS_TICKET_KEYS_BYTES, NULL);

	assert_non_null(context);
	return context;
}

static void tickets_work_on_every_front_until_their_key_is_gone(void **state)
{
	struct buffer chain, key;
	char keys[TLS_TICKET_KEYS_BYTES];
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	(void)state;
	certificate_make("DNS:bell.example.org", -DAY_S, DAY_S, &chain, &key);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, session_came);
	memset(keys, 'a', TLS_TICKET_KEY_BYTES);
	memset(keys + TLS_TICKET_KEY_BYTES, 'z', TLS_TICKET_KEY_BYTES);
	struct tls_server_context *one = context_with_keys(&chain, &key, keys);
	struct tls_server_context *other = context_with_keys(&chain, &key, keys);
	assert_false(resumes(one, client));
	assert_true(resumes(other, client));
	tls_server_context_free(&other);
	memset(keys, 'b', TLS_TICKET_KEY_BYTES);
	memset(keys + TLS_TICKET_KEY_BYTES, 'a', TLS_TICKET_KEY_BYTES); /* rotated: the old one still opens */
	other = context_with_keys(&chain, &key, keys);
	assert_true(resumes(other, client));
	assert_false(resumes(one, client)); /* what came was sealed with b, which this one never had */
	tls_server_context_free(&one);
	tls_server_context_free(&other);
	SSL_SESSION_free(session);
	session = NULL;
	SSL_CTX_free(client);
	buffer_release(&chain);
	buffer_release(&key);
}

static void only_http_1_1_is_spoken(void **state)
{
	struct tls_server_context *server = server_context("DNS:bell.example.org", -DAY_S, DAY_S, ca_path);
	struct tls_client_context *client = client_context();
	struct pair now;

	(void)state;
	SSL_CTX_set_alpn_protos(client->ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	handshake(&now, server, client, "bell.example.org");
	assert_true(now.client.connected);
	pair_end(&now);
	SSL_CTX_set_alpn_protos(client->ssl, (const unsigned char *)"\x02h2", 3);
	handshake(&now, server, client, "bell.example.org");
	assert_true(now.client.failed);
	pair_end(&now);
	tls_server_context_free(&server);
	tls_client_context_free(&client);
}

static void files_that_do_not_fit_are_explained(void **state)
{
	struct buffer chain, key, other_chain, other_key;
	struct error error;

	(void)state;
	certificate_make("DNS:a", 0, DAY_S, &chain, &key);
	certificate_make("DNS:b", 0, DAY_S, &other_chain, &other_key);
	assert_null(tls_server_context_create("x", 1, key.data, key.length, NULL, 0, &error));
	assert_memory_equal(error.text, "the certificate file holds no certificate in PEM", 48);
	assert_null(tls_server_context_create(chain.data, chain.length, "x", 1, NULL, 0, &error));
	assert_memory_equal(error.text, "the key file holds no private key", 33);
	assert_null(tls_server_context_create(chain.data, chain.length, other_key.data, other_key.length, NULL, 0, &error));
	assert_memory_equal(error.text, "the key does not belong to the certificate", 42);
	assert_null(tls_client_context_create("/nowhere", &error));
	assert_memory_equal(error.text, "cannot read /nowhere as user ", 29);
	assert_null(tls_client_context_create("/dev/null", &error));
	assert_memory_equal(error.text, "/dev/null: no certificates of authorities", 41);
	buffer_release(&chain);
	buffer_release(&key);
	buffer_release(&other_chain);
	buffer_release(&other_key);
}

static int group_begin(void **state)
{
	int fd = mkstemp(ca_path);

	(void)state;
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int group_end(void **state)
{
	(void)state;
	return unlink(ca_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_agree_and_bytes_pass),
		cmocka_unit_test(a_wrong_name_says_whom_the_certificate_is_for),
		cmocka_unit_test(an_expired_or_unknown_certificate_is_refused_in_words),
		cmocka_unit_test(a_new_certificate_serves_the_new_and_leaves_the_old),
		cmocka_unit_test(strangers_on_a_tls_port_are_told_from_phones),
		cmocka_unit_test(plain_text_before_starttls_is_an_attack),
		cmocka_unit_test(tickets_work_on_every_front_until_their_key_is_gone),
		cmocka_unit_test(only_http_1_1_is_spoken),
		cmocka_unit_test(files_that_do_not_fit_are_explained),
	};

	return cmocka_run_group_tests(tests, group_begin, group_end);
}

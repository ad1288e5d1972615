/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS as a transport of the stream, on the socket's own descriptor and watcher. */
#include "lib/net/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include "lib/net/socket.h"
#include "lib/net/tls_internal.h"

enum {
	TLS_RECORD_BYTES = 16 * 1024, /* RFC 8446 5.1: with so much room a read leaves nothing inside OpenSSL */
	TLS_NAMES_BYTES = 120         /* of a certificate's names in an error: the first few are enough */
};

static SSL *ssl_of(const struct stream *stream)
{
	return stream->transport;
}

/* --- trouble in words ------------------------------------------------------------------------------------------ */

static const struct {
	int reason;
	const char *text;
} handshake_reasons[] = {
	{SSL_R_HTTP_REQUEST, "plain HTTP came to a TLS port"},
	{SSL_R_WRONG_VERSION_NUMBER, "what came is not TLS"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "the other side speaks only versions below TLS 1.2"},
	{SSL_R_NO_SHARED_CIPHER, "no cipher that both sides know"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the other side does not know who signed our certificate"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the other side does not accept our certificate"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the other side does not accept our certificate"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "our certificate has expired"},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, "the other side hung up"},
};

static int handshake_broken(struct stream *stream, int ssl_error)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());

	if (ssl_error == SSL_ERROR_ZERO_RETURN || (ssl_error == SSL_ERROR_SYSCALL && errno == 0))
		reason = SSL_R_UNEXPECTED_EOF_WHILE_READING;
	for (size_t i = 0; i < sizeof handshake_reasons / sizeof *handshake_reasons; i++)
		if (handshake_reasons[i].reason == reason) {
			ERR_clear_error();
			return stream_break(stream, "TLS handshake: %s", handshake_reasons[i].text);
		}
	if (ssl_error == SSL_ERROR_SYSCALL)
		return stream_break(stream, "TLS handshake: %s", strerror(errno));
	return stream_break(stream, "TLS handshake: %s", tls_trouble());
}

/* "a.example.org, *.example.org": whom the certificate is for. */
static void certificate_names(X509 *certificate, char *text, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	size_t at = 0;

	text[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS || at + 40 > size)
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s%.*s", at == 0 ? "" : ", ",
			(int)(size - at - 3 < (size_t)name->d.dNSName->length ? size - at - 3 : (size_t)name->d.dNSName->length),
			(const char *)name->d.dNSName->data);
	}
	GENERAL_NAMES_free(names);
	if (at == 0 && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, (int)size) < 0)
		snprintf(text, size, "nobody");
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static void certificate_end(const X509 *certificate, char *text, size_t size)
{
	struct tm end = {0};

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1 || strftime(text, size, "%Y-%m-%d", &end) == 0)
		snprintf(text, size, "an unknown day");
}

static void wanted_name(SSL *ssl, char *text, size_t size)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
	char *address = X509_VERIFY_PARAM_get1_ip_asc(parameters), *host = X509_VERIFY_PARAM_get0_host(parameters, 0);

	snprintf(text, size, "%s", host != NULL ? host : address != NULL ? address : "?");
	OPENSSL_free(address);
}

/* Called for each trouble with the server's certificate; says it in the words of the one who has to act. */
static int certificate_judged(int is_fine, X509_STORE_CTX *judged)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(judged, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct stream *stream = SSL_get_app_data(ssl);
	int code = X509_STORE_CTX_get_error(judged);
	char wanted[TLS_NAMES_BYTES], found[TLS_NAMES_BYTES];

	if (is_fine)
		return 1;
	wanted_name(ssl, wanted, sizeof wanted);
	if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		certificate_names(X509_STORE_CTX_get0_cert(judged), found, sizeof found);
		stream_break(stream, "certificate is for %s, not for %s", found, wanted);
	} else if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
		certificate_end(X509_STORE_CTX_get_current_cert(judged), found, sizeof found);
		stream_break(stream, "certificate of %s expired on %s", wanted, found);
	} else {
		stream_break(stream, "certificate of %s is not trusted: %s", wanted, X509_verify_cert_error_string(code));
	}
	return 0;
}

/* --- the transport --------------------------------------------------------------------------------------------- */

/* A client that has not begun waits to be writable; after that OpenSSL says what it waits for. */
static void want_for_handshake(struct stream *stream)
{
	SSL *ssl = ssl_of(stream);
	bool write = SSL_want_write(ssl) || (SSL_in_before(ssl) && !SSL_is_server(ssl));

	socket_want(stream, !write, write);
}

static int tls_handshake(struct stream *stream)
{
	if (stream_has_input(stream))
		return stream_break(stream, "plain text came where TLS was to begin");
	ERR_clear_error();
	errno = 0;
	int result = SSL_do_handshake(ssl_of(stream));
	if (result == 1)
		return 0;
	int error = SSL_get_error(ssl_of(stream), result);
	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return handshake_broken(stream, error);
	want_for_handshake(stream);
	return STREAM_AGAIN;
}

static const struct stream_ops tls_ops;

/* The TCP connection first. */
static int tls_reach(struct stream *stream)
{
	int result = socket_connect(stream);

	if (result != 0)
		return result;
	stream->ops = &tls_ops;
	return tls_handshake(stream);
}

static int trouble(struct stream *stream, int result, const char *what)
{
	switch (SSL_get_error(ssl_of(stream), result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_EOF;
	case SSL_ERROR_SYSCALL:
		return errno == 0 ? STREAM_EOF : stream_break(stream, "%s: %s", what, strerror(errno));
	default:
		return stream_break(stream, "%s: TLS: %s", what, tls_trouble());
	}
}

static ssize_t tls_read(struct stream *stream, char *bytes, size_t room)
{
	size_t length = 0;

	while (room - length >= TLS_RECORD_BYTES) {
		ERR_clear_error();
		errno = 0;
		int result = SSL_read(ssl_of(stream), bytes + length, (int)(room - length));
		if (result <= 0) {
			int code = trouble(stream, result, "read");
			return length > 0 && code != STREAM_BROKEN ? (ssize_t)length : code;
		}
		length += (size_t)result;
	}
	return (ssize_t)length;
}

static ssize_t tls_write(struct stream *stream, const char *bytes, size_t length)
{
	ERR_clear_error();
	errno = 0;
	int result = SSL_write(ssl_of(stream), bytes, length > INT32_MAX ? INT32_MAX : (int)length);
	if (result > 0)
		return result;
	int code = trouble(stream, result, "write");
	return code == STREAM_EOF ? stream_break(stream, "write: the other side hung up") : code;
}

static void tls_want(struct stream *stream, bool read, bool write)
{
	if (stream->connected || stream->failed)
		socket_want(stream, read, write);
	else if (stream->ops == &tls_ops)
		want_for_handshake(stream);
}

static void tls_close(struct stream *stream)
{
	SSL *ssl = ssl_of(stream);

	if (stream->connected && !stream->failed)
		SSL_shutdown(ssl); /* says goodbye if there is room; nobody waits for the answer */
	ERR_clear_error();
	SSL_free(ssl);
	stream->transport = NULL;
	socket_close(stream);
}

static const struct stream_ops tls_ops = {
	.connect = tls_handshake, .read = tls_read, .write = tls_write, .want = tls_want, .close = tls_close,
	.peer_address = socket_peer_address, .peer_user = socket_peer_user,
};

static const struct stream_ops tls_reaching_ops = {
	.connect = tls_reach, .read = tls_read, .write = tls_write, .want = tls_want, .close = tls_close,
	.peer_address = socket_peer_address, .peer_user = socket_peer_user,
};

static SSL *attach(struct stream *stream, SSL_CTX *context)
{
	SSL *ssl = SSL_new(context);

	if (ssl == NULL || SSL_set_fd(ssl, stream->io.fd) != 1)
		abort(); /* out of memory */
	SSL_set_app_data(ssl, stream);
	stream->transport = ssl;
	stream->connected = false;
	return ssl;
}

void tls_accept(struct stream *stream, struct tls_server_context *context)
{
	SSL_set_accept_state(attach(stream, context->ssl));
	stream->ops = &tls_ops;
	socket_want(stream, true, false);
}

static bool is_numeric(const char *name)
{
	unsigned char address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

void tls_connect(struct stream *stream, struct tls_client_context *context, const char *name)
{
	bool was_connected = stream->connected;

	assert(stream_pending(stream) == 0);
	SSL *ssl = attach(stream, context->ssl);
	SSL_set_connect_state(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, certificate_judged);
	if (is_numeric(name)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	} else {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		SSL_set1_host(ssl, name);
		SSL_set_tlsext_host_name(ssl, name);
	}
	stream->ops = was_connected ? &tls_ops : &tls_reaching_ops;
	socket_want(stream, false, true); /* connected or writable: then the handshake begins */
}

void tls_describe(const struct stream *stream, char *text, size_t size)
{
	text[0] = '\0';
	if (stream->ops != &tls_ops || !stream->connected)
		return;
	SSL *ssl = ssl_of(stream);
	snprintf(text, size, "%s %s%s", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
		SSL_session_reused(ssl) ? " resumed" : "");
}

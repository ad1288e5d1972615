/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libetpan's transport, made of a socket, poll() and OpenSSL. */
#include "connectors/imap/etpan_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

struct etpan {
	int fd;
	int timeout_ms;
	SSL *tls; /* NULL: plain */
	struct buffer input;
	struct error trouble;
	const char *trace_user;
	bool is_secret; /* what libetpan says is not shown in a trace */
};

static struct etpan *etpan_of(mailstream *stream)
{
	return mailstream_get_low(stream)->data;
}

/* Waits for the socket, whatever signals come. */
static int wait_for(struct etpan *etpan, short events)
{
	struct pollfd poll_fd = {.fd = etpan->fd, .events = events};
	int ready;

	do {
		ready = poll(&poll_fd, 1, etpan->timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return error_set(&etpan->trouble, "the server said nothing for %d s", etpan->timeout_ms / 1000);
	if (ready < 0)
		return error_set(&etpan->trouble, "poll: %s", strerror(errno));
	return 0;
}

static const char *tls_error(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason != NULL ? reason : "the connection broke";
}

/* After an SSL call that gave no result: waits for what TLS wants. 0: call again. */
static int tls_wait(struct etpan *etpan, int result, const char *doing)
{
	long verified;

	switch (SSL_get_error(etpan->tls, result)) {
	case SSL_ERROR_WANT_READ: return wait_for(etpan, POLLIN);
	case SSL_ERROR_WANT_WRITE: return wait_for(etpan, POLLOUT);
	case SSL_ERROR_ZERO_RETURN: return error_set(&etpan->trouble, "the server closed the connection");
	default: break;
	}
	verified = SSL_get_verify_result(etpan->tls);
	if (verified != X509_V_OK)
		return error_set(&etpan->trouble, "the server's certificate is refused: %s",
			X509_verify_cert_error_string(verified));
	return error_set(&etpan->trouble, "TLS, %s: %s", doing, tls_error());
}

static ssize_t receive(struct etpan *etpan, void *bytes, size_t room)
{
	for (;;) {
		ssize_t got;

		ERR_clear_error();
		if (etpan->tls != NULL) {
			got = SSL_read(etpan->tls, bytes, room > INT32_MAX ? INT32_MAX : (int)room);
			if (got > 0)
				return got;
			if (tls_wait(etpan, (int)got, "reading") != 0)
				return -1;
			continue;
		}
		got = recv(etpan->fd, bytes, room, 0);
		if (got > 0)
			return got;
		if (got == 0)
			return error_set(&etpan->trouble, "the server closed the connection");
		if (errno == EAGAIN ? wait_for(etpan, POLLIN) != 0 : errno != EINTR)
			return errno == EAGAIN ? -1 : error_set(&etpan->trouble, "reading: %s", strerror(errno));
	}
}

static ssize_t transmit(struct etpan *etpan, const void *bytes, size_t length)
{
	for (;;) {
		ssize_t sent;

		ERR_clear_error();
		if (etpan->tls != NULL) {
			sent = SSL_write(etpan->tls, bytes, length > INT32_MAX ? INT32_MAX : (int)length);
			if (sent > 0)
				return sent;
			if (tls_wait(etpan, (int)sent, "writing") != 0)
				return -1;
			continue;
		}
		sent = send(etpan->fd, bytes, length, MSG_NOSIGNAL);
		if (sent >= 0)
			return sent;
		if (errno == EAGAIN) {
			if (wait_for(etpan, POLLOUT) != 0)
				return -1;
		} else if (errno != EINTR) {
			return error_set(&etpan->trouble, "writing: %s", strerror(errno));
		}
	}
}

/* --- what libetpan calls --------------------------------------------------------------------------------------- */

static ssize_t low_read(mailstream_low *low, void *bytes, size_t room)
{
	struct etpan *etpan = low->data;
	ssize_t got;

	if (etpan->input.length == 0) {
		got = receive(etpan, bytes, room);
	} else {
		got = (ssize_t)(room < etpan->input.length ? room : etpan->input.length);
		memcpy(bytes, etpan->input.data, (size_t)got);
		buffer_consume(&etpan->input, (size_t)got);
	}
	if (got > 0)
		log_trace(LOG_IMAP, etpan->trace_user, NULL, "user=%s S: %s", log_quote(etpan->trace_user),
			log_quote_bytes(bytes, (size_t)got));
	return got;
}

static ssize_t low_write(mailstream_low *low, const void *bytes, size_t length)
{
	struct etpan *etpan = low->data;

	log_trace(LOG_IMAP, etpan->trace_user, NULL, "user=%s C: %s", log_quote(etpan->trace_user),
		etpan->is_secret ? "***" : log_quote_bytes(bytes, length));
	return transmit(etpan, bytes, length);
}

static int low_close(mailstream_low *low)
{
	struct etpan *etpan = low->data;

	if (etpan->fd >= 0)
		close(etpan->fd);
	etpan->fd = -1;
	return 0;
}

static int low_get_fd(mailstream_low *low)
{
	return ((struct etpan *)low->data)->fd;
}

static void etpan_free(struct etpan *etpan)
{
	SSL_free(etpan->tls);
	if (etpan->fd >= 0)
		close(etpan->fd);
	buffer_release(&etpan->input);
	free(etpan);
}

static void low_free(mailstream_low *low)
{
	etpan_free(low->data);
	free(low);
}

static void low_cancel(mailstream_low *low)
{
	(void)low;
}

static mailstream_low_driver driver = {
	.mailstream_read = low_read,
	.mailstream_write = low_write,
	.mailstream_close = low_close,
	.mailstream_get_fd = low_get_fd,
	.mailstream_free = low_free,
	.mailstream_cancel = low_cancel,
};

/* --- connect --------------------------------------------------------------------------------------------------- */

static int connect_socket(struct etpan *etpan, const struct addrinfo *address)
{
	int yes = 1, trouble = 0;
	socklen_t size = sizeof trouble;

	etpan->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (etpan->fd < 0)
		return error_set(&etpan->trouble, "socket: %s", strerror(errno));
	/* Commands are small and each waits for its answer. */
	setsockopt(etpan->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	if (connect(etpan->fd, address->ai_addr, address->ai_addrlen) != 0) {
		trouble = errno;
		if (trouble == EINPROGRESS || trouble == EINTR) {
			if (wait_for(etpan, POLLOUT) != 0)
				return -1;
			getsockopt(etpan->fd, SOL_SOCKET, SO_ERROR, &trouble, &size);
		}
	}
	if (trouble != 0)
		return error_set(&etpan->trouble, "connect: %s", strerror(trouble));
	return 0;
}

/* Which server it was, for the log. */
static void name_host(struct etpan *etpan, const char *host, unsigned port)
{
	struct error inner = etpan->trouble;

	error_set(&etpan->trouble, "%s:%u: %s", host, port, inner.text);
}

static int connect_host(struct etpan *etpan, const char *host, unsigned port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *addresses = NULL;
	char service[8];
	int failed, result = -1;

	snprintf(service, sizeof service, "%u", port);
	failed = getaddrinfo(host, service, &hints, &addresses);
	if (failed != 0)
		return error_set(&etpan->trouble, "%s: %s", host, gai_strerror(failed));
	for (const struct addrinfo *address = addresses; address != NULL && result != 0; address = address->ai_next) {
		if (etpan->fd >= 0)
			close(etpan->fd);
		etpan->fd = -1;
		result = connect_socket(etpan, address);
	}
	freeaddrinfo(addresses);
	if (result != 0)
		name_host(etpan, host, port);
	return result;
}

static bool is_address(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The certificate must be good for this name or address; SNI only for names (RFC 6066 section 3). */
static int expect_name(SSL *tls, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), name) == 1 ? 0 : -1;
	SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(tls, name) == 1 && SSL_set_tlsext_host_name(tls, name) == 1 ? 0 : -1;
}

static int start_tls(struct etpan *etpan, SSL_CTX *context, const char *name)
{
	int result;

	etpan->tls = SSL_new(context);
	if (etpan->tls == NULL || SSL_set_fd(etpan->tls, etpan->fd) != 1 || expect_name(etpan->tls, name) != 0)
		return error_set(&etpan->trouble, "TLS cannot be set up: %s", tls_error());
	ERR_clear_error();
	while ((result = SSL_connect(etpan->tls)) != 1) {
		if (tls_wait(etpan, result, "handshake") != 0)
			return -1;
		ERR_clear_error();
	}
	return 0;
}

SSL_CTX *etpan_stream_context(const char *ca_file, struct error *error_r)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
		error_set(error_r, "TLS cannot be set up: %s", tls_error());
	} else if (ca_file != NULL ? SSL_CTX_load_verify_file(context, ca_file) != 1
			: SSL_CTX_set_default_verify_paths(context) != 1) {
		error_set(error_r, "ca_file %s: %s", ca_file != NULL ? ca_file : "of the system", tls_error());
	} else {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
			| SSL_MODE_RELEASE_BUFFERS);
		/* Servers put mails into records of a few kilobytes: several a read. */
		SSL_CTX_set_read_ahead(context, 1);
		SSL_CTX_set_default_read_buffer_len(context, ETPAN_STREAM_CHUNK);
		return context;
	}
	SSL_CTX_free(context);
	return NULL;
}

mailstream *etpan_stream_open(const char *host, unsigned port, int timeout_ms, SSL_CTX *context, const char *tls_name,
	struct error *error_r)
{
	struct etpan *etpan = mem_alloc(sizeof *etpan);
	mailstream_low *low = NULL;
	mailstream *stream = NULL;

	etpan->fd = -1;
	etpan->timeout_ms = timeout_ms;
	if (connect_host(etpan, host, port) != 0 || (context != NULL && start_tls(etpan, context, tls_name) != 0)) {
		error_set(error_r, "%s", etpan->trouble.text);
		etpan_free(etpan);
		return NULL;
	}
	low = mailstream_low_new(etpan, &driver);
	stream = low != NULL ? mailstream_new(low, ETPAN_STREAM_BUFFER) : NULL;
	if (stream == NULL)
		abort(); /* out of memory, as everywhere */
	return stream;
}

int etpan_stream_start_tls(mailstream *stream, SSL_CTX *context, const char *tls_name, struct error *error_r)
{
	struct etpan *etpan = etpan_of(stream);

	if (etpan_stream_input(stream)->length > 0)
		return error_set(error_r, "plain text came after the answer to STARTTLS: somebody is in between");
	if (start_tls(etpan, context, tls_name) != 0)
		return error_set(error_r, "%s", etpan->trouble.text);
	return 0;
}

void etpan_stream_trace(mailstream *stream, const char *user, bool is_secret)
{
	struct etpan *etpan = etpan_of(stream);

	etpan->trace_user = user;
	etpan->is_secret = is_secret;
}

bool etpan_stream_is_tls(mailstream *stream)
{
	return etpan_of(stream)->tls != NULL;
}

/* --- beside libetpan ------------------------------------------------------------------------------------------- */

struct buffer *etpan_stream_input(mailstream *stream)
{
	struct etpan *etpan = etpan_of(stream);

	if (stream->read_buffer_len > 0) {
		struct buffer unread = BUFFER_EMPTY;

		buffer_append(&unread, stream->read_buffer, stream->read_buffer_len);
		buffer_append(&unread, etpan->input.data, etpan->input.length);
		buffer_release(&etpan->input);
		etpan->input = unread;
		stream->read_buffer_len = 0;
	}
	return &etpan->input;
}

int etpan_stream_fill(mailstream *stream, struct error *error_r)
{
	struct etpan *etpan = etpan_of(stream);
	char *room = buffer_reserve(&etpan->input, ETPAN_STREAM_CHUNK);
	ssize_t got = receive(etpan, room, ETPAN_STREAM_CHUNK);

	if (got < 0)
		return error_set(error_r, "%s", etpan->trouble.text);
	buffer_grow(&etpan->input, (size_t)got);
	return 0;
}

int etpan_stream_wait(mailstream *stream, int timeout_ms)
{
	struct etpan *etpan = etpan_of(stream);
	struct pollfd poll_fd = {.fd = etpan->fd, .events = POLLIN};
	int ready;

	if (etpan_stream_input(stream)->length > 0 || (etpan->tls != NULL && SSL_has_pending(etpan->tls)))
		return 1;
	ready = poll(&poll_fd, 1, timeout_ms);
	return ready < 0 && errno == EINTR ? 0 : ready;
}

int etpan_stream_send(mailstream *stream, const void *bytes, size_t length, struct error *error_r)
{
	struct etpan *etpan = etpan_of(stream);
	const char *at = bytes;

	if (mailstream_flush(stream) < 0)
		return error_set(error_r, "%s", etpan->trouble.text);
	while (length > 0) {
		ssize_t sent = transmit(etpan, at, length);

		if (sent < 0)
			return error_set(error_r, "%s", etpan->trouble.text);
		at += sent;
		length -= (size_t)sent;
	}
	return 0;
}

bool etpan_stream_disturbed(mailstream *stream)
{
	struct etpan *etpan = etpan_of(stream);
	struct pollfd poll_fd = {.fd = etpan->fd, .events = POLLIN};

	return etpan_stream_input(stream)->length > 0 || (etpan->tls != NULL && SSL_has_pending(etpan->tls))
		|| poll(&poll_fd, 1, 0) != 0;
}

const char *etpan_stream_trouble(mailstream *stream)
{
	const char *text = etpan_of(stream)->trouble.text;

	return *text != '\0' ? text : "the server answered in a form that cannot be read";
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The floor: what a bell costs when nothing is decided at all. A bare libev server, TLS or plain, that holds every
 * request, and answers the one of user u<N> with fixed bytes when a line with "user=u<N>@" comes on its AF_UNIX socket.
 * Nothing of our library but its certificates, so that the library is measured, too.
 *
 * floor_server PORT HOOK_SOCKET [CHAIN KEY]        one process
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>
#include <openssl/ssl.h>

enum { USERS_MAX = 1 << 20, BATCH = 64 };

struct phone {
	ev_io io;
	SSL *ssl;
	unsigned user;
};

static struct phone *held[USERS_MAX];
static SSL_CTX *context;

static const char header[] = "HTTP/1.1 200 OK\r\nMS-Server-ActiveSync: 14.1\r\nCache-Control: private\r\n"
	"Content-Type: application/vnd.ms-sync.wbxml\r\n";

/* Ping, Status 2, Folders: Folder 5. */
static const unsigned char ping_changed[] = {0x03, 0x01, 0x6a, 0x00, 0x00, 0x0d, 0x45, 0x47, 0x03, '2', 0x00, 0x01, 0x49,
	0x4a, 0x03, '5', 0x00, 0x01, 0x01, 0x01};

static char response[512];
static size_t response_length;

static void phone_close(struct ev_loop *loop, struct phone *phone)
{
	ev_io_stop(loop, &phone->io);
	if (phone->user < USERS_MAX && held[phone->user] == phone)
		held[phone->user] = NULL;
	SSL_free(phone->ssl);
	close(phone->io.fd);
	free(phone);
}

static int phone_read(struct phone *phone, char *bytes, int room)
{
	if (phone->ssl == NULL) {
		ssize_t length = read(phone->io.fd, bytes, (size_t)room);
		return length < 0 && errno == EAGAIN ? 0 : length <= 0 ? -1 : (int)length;
	}
	int result = SSL_read(phone->ssl, bytes, room);
	if (result > 0)
		return result;
	int error = SSL_get_error(phone->ssl, result);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void phone_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct phone *phone = (struct phone *)io;
	char bytes[4096];
	int length = phone_read(phone, bytes, sizeof bytes - 1);

	(void)events;
	if (length < 0) {
		phone_close(loop, phone);
		return;
	}
	bytes[length] = '\0';
	const char *user = strstr(bytes, "User=u");
	if (user != NULL && (phone->user = (unsigned)atoi(user + 6)) < USERS_MAX)
		held[phone->user] = phone;
}

static void accepted(struct ev_loop *loop, ev_io *io, int events)
{
	int on = 1;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct phone *phone = calloc(1, sizeof *phone);
		phone->user = USERS_MAX;
		if (context != NULL) {
			phone->ssl = SSL_new(context);
			SSL_set_fd(phone->ssl, fd);
			SSL_set_accept_state(phone->ssl);
		}
		ev_io_init(&phone->io, phone_readable, fd, EV_READ);
		ev_io_start(loop, &phone->io);
	}
}

static void ring(const char *line)
{
	const char *user = strstr(line, "user=u");
	unsigned number = user == NULL ? USERS_MAX : (unsigned)atoi(user + 6);
	struct phone *phone = number < USERS_MAX ? held[number] : NULL;

	if (phone == NULL)
		return;
	held[number] = NULL;
	if (phone->ssl != NULL)
		SSL_write(phone->ssl, response, (int)response_length);
	else if (write(phone->io.fd, response, response_length) < 0)
		perror("write");
}

static void hooked(struct ev_loop *loop, ev_io *io, int events)
{
	char line[2048];

	(void)loop, (void)events;
	for (int i = 0; i < BATCH; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return;
		ssize_t length = read(fd, line, sizeof line - 1); /* the sender writes at once and closes */
		close(fd);
		if (length > 0) {
			line[length] = '\0';
			ring(line);
		}
	}
}

static int listen_on(int family, const void *address, socklen_t length)
{
	int on = 1, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, length) < 0 || listen(fd, 4096) < 0) {
		perror("floor_server: listen");
		exit(1);
	}
	return fd;
}

static SSL_CTX *tls_context(const char *chain, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_use_certificate_chain_file(tls, chain) != 1 || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "floor_server: cannot use %s and %s\n", chain, key);
		exit(1);
	}
	return tls;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 port = {.sin6_family = AF_INET6};
	struct sockaddr_un hook = {.sun_family = AF_UNIX};
	struct ev_loop *loop = ev_default_loop(0);
	struct rlimit descriptors;
	ev_io phones, hooks;

	if (argc != 3 && argc != 5)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	response_length = (size_t)snprintf(response, sizeof response, "%sContent-Length: %zu\r\n\r\n",
		header, sizeof ping_changed);
	memcpy(response + response_length, ping_changed, sizeof ping_changed);
	response_length += sizeof ping_changed;
	if (argc == 5)
		context = tls_context(argv[3], argv[4]);
	port.sin6_port = htons((uint16_t)atoi(argv[1]));
	snprintf(hook.sun_path, sizeof hook.sun_path, "%s", argv[2]);
	unlink(hook.sun_path);
	ev_io_init(&phones, accepted, listen_on(AF_INET6, &port, sizeof port), EV_READ);
	ev_io_init(&hooks, hooked, listen_on(AF_UNIX, &hook, sizeof hook), EV_READ);
	ev_io_start(loop, &phones);
	ev_io_start(loop, &hooks);
	puts("ready");
	fflush(stdout);
	ev_run(loop, 0);
	return 0;
}

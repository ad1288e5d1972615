/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Binding: folders, sockets by path, ports. */
#include "gateway/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/activation.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/model/hint_spool.h"

enum { UDP_BUFFER_BYTES = 1 << 20 }; /* about 500 datagrams while the hub is busy */

/* --- folders ---------------------------------------------------------------------------------------------------- */

static int make_parents(const char *path, struct error *error_r)
{
	char parent[PATH_MAX];

	if (snprintf(parent, sizeof parent, "%s", path) >= (int)sizeof parent)
		return error_set(error_r, "%s: too long for a path", path);
	for (char *slash = strchr(parent + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(parent, 0755) == 0)
			chmod(parent, 0755); /* whatever the umask: roles go through it */
		else if (errno != EEXIST)
			return error_set(error_r, "cannot make the folder %s: %s", parent, strerror(errno));
		*slash = '/';
	}
	return 0;
}

/* As it must be, whether it was there or not. user: NULL leaves the owner. */
static int make_folder(const char *path, const struct config_user *user, mode_t mode, struct error *error_r)
{
	struct stat status;

	if (make_parents(path, error_r) < 0)
		return -1;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(error_r, "cannot make the folder %s: %s", path, strerror(errno));
	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode))
		return error_set(error_r, "%s is not a folder", path);
	if (user != NULL && geteuid() == 0 && chown(path, user->uid, user->gid) < 0)
		return error_set(error_r, "cannot give the folder %s to %s: %s", path, user->name, strerror(errno));
	if (chmod(path, mode) < 0)
		return error_set(error_r, "cannot set the mode of %s: %s", path, strerror(errno));
	return 0;
}

void places_spool(const struct config *config, char *path_r, size_t size)
{
	snprintf(path_r, size, "%s/spool", config->run_dir);
}

static int make_folders(const struct config *config, struct error *error_r)
{
	char spool[PATH_MAX];
	struct error error;

	places_spool(config, spool, sizeof spool);
	if (make_folder(config->run_dir, NULL, 0755, error_r) < 0 ||
	    make_folder(spool, &config->user_hub, HINT_SPOOL_MODE, error_r) < 0)
		return -1;
	if (hint_spool_open_to_all(spool, &error) < 0)
		log_warning(LOG_HOOK, "%s: what Dovecot's Lua driver leaves there cannot be read", error.text);
	return make_folder(config->state_dir, &config->user_hub, 0700, error_r);
}

/* --- one of us ------------------------------------------------------------------------------------------------- */

static void lock_path(const struct config *config, char *path_r, size_t size)
{
	snprintf(path_r, size, "%s/belfryd.lock", config->run_dir);
}

/* Before anything of another belfryd's is touched. The lock is the process's: roles do not inherit it, and it goes with
 * main, however that ends. Its descriptor; -1 with error_r. */
static int lock_folder(const struct config *config, struct error *error_r)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];

	lock_path(config, path, sizeof path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(error_r, "cannot open %s: %s", path, strerror(errno));
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		lock.l_pid = 0;
	error_set(error_r, "belfryd runs already with run_dir = %s (pid %d): stop that one, or give this one a run_dir and a "
		"state_dir of its own", config->run_dir, (int)lock.l_pid);
	close(fd);
	return -1;
}

/* --- sockets ---------------------------------------------------------------------------------------------------- */

static void path_of(const struct config *config, const char *name, char *path_r, size_t size)
{
	snprintf(path_r, size, "%s/%s.sock", config->run_dir, name);
}

/* uid and gid: who may connect, by the file's mode. */
static int bind_path(const struct config *config, const char *name, uid_t uid, gid_t gid, unsigned mode,
	struct error *error_r)
{
	char path[PATH_MAX], address[PATH_MAX + 8];

	path_of(config, name, path, sizeof path);
	snprintf(address, sizeof address, "unix:%s", path);
	mode_t mask = umask(077); /* nobody connects before the owner is right */
	int fd = net_bind(address, geteuid() == 0 ? 0600 : mode, error_r);
	umask(mask);
	if (fd < 0 || geteuid() != 0)
		return fd;
	if (chown(path, uid, gid) == 0 && chmod(path, mode) == 0)
		return fd;
	error_set(error_r, "cannot set who may connect to %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

static int bind_udp(const char *text, struct error *error_r)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	char host[64];
	const char *colon = strrchr(text, ':');
	int size = UDP_BUFFER_BYTES;

	snprintf(host, sizeof host, "%.*s", colon == NULL ? 2 : (int)(colon - text), colon == NULL ? "::" : text);
	host[strcspn(host, "]")] = '\0';
	int code = getaddrinfo(host[0] == '[' ? host + 1 : host, colon == NULL ? text : colon + 1, &hints, &found);
	if (code != 0)
		return error_set(error_r, "%s: %s", text, gai_strerror(code));
	int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0) {
		error_set(error_r, "cannot listen on udp %s: %s", text, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	return fd;
}

/* From the service manager, or bound here. */
static int bind_address(struct activation *activation, const char *address, struct error *error_r)
{
	int fd = activation_take(activation, address);

	return fd >= 0 ? fd : net_bind(address, 0, error_r);
}

static int bind_addresses(struct activation *activation, const struct config_strings *addresses, int *fds,
	struct error *error_r)
{
	for (size_t i = 0; i < addresses->count; i++)
		if ((fds[i] = bind_address(activation, addresses->items[i], error_r)) < 0)
			return -1;
	return 0;
}

static int bind_world(struct places *places, struct error *error_r)
{
	const struct config *config = places->config;
	struct activation activation;

	activation_begin(&activation);
	if (bind_addresses(&activation, &config->listen, places->https, error_r) < 0 ||
	    bind_addresses(&activation, &config->listen_plain, places->http, error_r) < 0 ||
	    bind_addresses(&activation, &config->listen_proxy, places->proxy, error_r) < 0 ||
	    (config->metrics != NULL && (places->metrics = bind_address(&activation, config->metrics, error_r)) < 0))
		return -1;
	activation_end(&activation);
	return 0;
}

static int bind_connectors(struct places *places, struct error *error_r)
{
	const struct config *config = places->config;
	char name[64];

	for (size_t i = 0; i < config->connector_count; i++) {
		snprintf(name, sizeof name, "connector-%s", config->connectors[i].name);
		places->connectors[i] = bind_path(config, name, config->user_front.uid, config->user_hub.gid, 0660, error_r);
		if (places->connectors[i] < 0)
			return -1;
	}
	return 0;
}

static int bind_all(struct places *places, struct error *error_r)
{
	const struct config *config = places->config;

	if (make_folders(config, error_r) < 0 || (places->lock = lock_folder(config, error_r)) < 0 ||
	    bind_connectors(places, error_r) < 0)
		return -1;
	places->hub = bind_path(config, "hub", config->user_front.uid, config->user_hub.gid, 0660, error_r);
	places->control = places->hub < 0 ? -1 : bind_path(config, "control", geteuid(), getegid(), 0600, error_r);
	places->hook = places->control < 0 ? -1 :
		bind_path(config, "hook", config->user_hub.uid, config->user_hub.gid, config->hook.mode, error_r);
	if (places->hook < 0)
		return -1;
	if (config->hook.udp != NULL && (places->hook_udp = bind_udp(config->hook.udp, error_r)) < 0)
		return -1;
	return bind_world(places, error_r);
}

static int *no_fds(size_t count)
{
	int *fds = mem_alloc_array(count + 1, sizeof *fds);

	for (size_t i = 0; i <= count; i++)
		fds[i] = -1;
	return fds;
}

struct places *places_bind(const struct config *config, struct error *error_r)
{
	struct places *places = mem_alloc(sizeof *places);

	*places = (struct places){
		.config = config, .lock = -1, .hub = -1, .hook = -1, .control = -1, .hook_udp = -1, .metrics = -1,
		.connectors = no_fds(config->connector_count), .https = no_fds(config->listen.count),
		.http = no_fds(config->listen_plain.count), .proxy = no_fds(config->listen_proxy.count),
	};
	if (bind_all(places, error_r) < 0)
		places_free(&places, true);
	return places;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
}

static void unbind_path(const struct config *config, const char *name)
{
	char path[PATH_MAX];

	path_of(config, name, path, sizeof path);
	unlink(path);
}

static void unbind_all(const struct config *config)
{
	char name[64], lock[PATH_MAX];

	lock_path(config, lock, sizeof lock);
	unlink(lock); /* it may be another user's turn next */

	unbind_path(config, "hub");
	unbind_path(config, "hook");
	unbind_path(config, "control");
	for (size_t i = 0; i < config->connector_count; i++) {
		snprintf(name, sizeof name, "connector-%s", config->connectors[i].name);
		unbind_path(config, name);
	}
}

void places_free(struct places **owner, bool unbind)
{
	struct places *places = *owner;

	if (places == NULL)
		return;
	int singles[] = {places->hub, places->hook, places->control, places->hook_udp, places->metrics};
	for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
		if (singles[i] >= 0)
			close(singles[i]);
	close_all(places->connectors, places->config->connector_count);
	close_all(places->https, places->config->listen.count);
	close_all(places->http, places->config->listen_plain.count);
	close_all(places->proxy, places->config->listen_proxy.count);
	if (unbind && places->lock >= 0) /* else they are another's */
		unbind_all(places->config);
	if (places->lock >= 0)
		close(places->lock);
	free(places);
	*owner = NULL;
}

/* --- to the roles ----------------------------------------------------------------------------------------------- */

static void give(struct net *net, const char *place, int *fd)
{
	if (*fd >= 0)
		net_add_listener(net, place, *fd);
	*fd = -1;
}

static void give_all(struct net *net, const char *kind, int *fds, size_t count)
{
	char place[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(place, sizeof place, "%s/%zu", kind, i);
		give(net, place, &fds[i]);
	}
}

void places_give(struct places *places, struct net *net, unsigned roles)
{
	const struct config *config = places->config;
	char path[PATH_MAX], name[64];

	if (roles & PLACES_HUB) {
		give(net, "hub", &places->hub);
		give(net, "hook", &places->hook);
		give(net, "control", &places->control);
		give(net, "hook-udp", &places->hook_udp);
	}
	if (roles & PLACES_FRONT) {
		give_all(net, "https", places->https, config->listen.count);
		give_all(net, "http", places->http, config->listen_plain.count);
		give(net, "metrics", &places->metrics);
		give_all(net, "proxy", places->proxy, config->listen_proxy.count);
	}
	path_of(config, "hub", path, sizeof path);
	net_add_path(net, "hub", path);
	for (size_t i = 0; i < config->connector_count; i++) {
		snprintf(name, sizeof name, "connector-%s", config->connectors[i].name);
		path_of(config, name, path, sizeof path);
		snprintf(name, sizeof name, "connector/%s", config->connectors[i].name);
		net_add_path(net, name, path);
	}
}

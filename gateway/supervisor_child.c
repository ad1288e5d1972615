/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making processes: forked roles, executed connectors; and with belfryd -s roles in this process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "gateway/privilege.h"
#include "gateway/programs.h"
#include "gateway/sandbox.h"
#include "gateway/signals.h"
#include "gateway/supervisor_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

static const struct config_connector *connector_of(const struct child *child)
{
	return &child->supervisor->settings->config->connectors[child->number];
}

const char *child_name(const struct child *child)
{
	static char name[64];

	switch (child->kind) {
	case CHILD_HUB: return "hub";
	case CHILD_FRONT: snprintf(name, sizeof name, "front %u", child->number); break;
	case CHILD_CONNECTOR: snprintf(name, sizeof name, "connector %s", connector_of(child)->name); break;
	case CHILD_KINDS: return "";
	}
	return name;
}

/* --- roles ------------------------------------------------------------------------------------------------------ */

static enum role_kind role_of(const struct child *child)
{
	return child->kind == CHILD_HUB ? ROLE_HUB : ROLE_FRONT;
}

static int fork_role(struct child *child, struct error *error_r)
{
	struct supervisor *supervisor = child->supervisor;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(error_r, "socketpair: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		role_live(role_of(child), child->number, supervisor->settings, supervisor->places, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return error_set(error_r, "fork: %s", strerror(errno));
	}
	child->pid = pid;
	child->rein = link_create(net_stream(supervisor->loop, ends[0]), &child_rein_events, child);
	return 0;
}

static void role_is_over(void *data)
{
	struct child *child = data;

	/* Only a drain brings it here: main and role end together. */
	log_info(LOG_MAIN, "role=\"%s\" has ended", child_name(child));
	loop_stop(child->supervisor->loop);
}

static int start_role_here(struct child *child, struct error *error_r)
{
	struct supervisor *supervisor = child->supervisor;
	struct stream *mains, *roles;

	privilege_raise();
	child->role = role_create(role_of(child), child->number, supervisor->settings, error_r);
	privilege_lower();
	if (child->role == NULL)
		return -1;
	stream_memory_pair(supervisor->loop, &mains, &roles);
	child->rein = link_create(mains, &child_rein_events, child);
	places_give(supervisor->places, supervisor->net, child->kind == CHILD_HUB ? PLACES_HUB : PLACES_FRONT);
	return role_start(child->role, supervisor->net, roles, role_is_over, child, error_r);
}

/* --- connectors ------------------------------------------------------------------------------------------------- */

static int settings_memory(const struct config_connector *connector, struct error *error_r)
{
	struct buffer text = BUFFER_EMPTY;
	int fd = memfd_create("belfry-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	privilege_raise();
	int result = fd < 0 ? error_set(error_r, "memfd: %s", strerror(errno)) :
		config_connector_settings(connector, &text, error_r);
	privilege_lower();
	if (result == 0 && write(fd, text.data, text.length) != (ssize_t)text.length)
		result = error_set(error_r, "memfd: %s", strerror(errno));
	if (text.data != NULL)
		mem_wipe(text.data, text.length);
	buffer_release(&text);
	if (result == 0) {
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The few variables that a connector may need; nothing else of main's environment is its business. */
static char **small_environment(void)
{
	static const char *const names[] = {"PATH", "TZ", "LANG", "JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS"};
	enum { COUNT = sizeof names / sizeof names[0] };
	char **small = mem_alloc_array(COUNT + 1, sizeof *small);
	size_t count = 0;

	for (size_t i = 0; i < COUNT; i++)
		if (getenv(names[i]) != NULL)
			small[count++] = mem_printf("%s=%s", names[i], getenv(names[i]));
	return small;
}

/* Programs and libraries, certificates, names of hosts and users; nothing to write. */
static int enter_connector_sandbox(const struct child *child, const char *program, struct error *error_r)
{
	const struct config *config = child->supervisor->settings->config;
	const char *ca_file = connector_of(child)->ca_file;
	char folder[PATH_MAX];
	const struct sandbox_path paths[] = {
		{"/usr", false}, {"/lib", false}, {"/lib64", false}, {"/bin", false}, {"/etc", false}, {"/proc", false},
		{"/sys/devices/system/cpu", false}, {"/var/lib/sss", false}, {"/run/systemd/resolve", false},
		{"/run/resolvconf", false}, {"/dev/null", true}, {"/dev/urandom", false}, {"/dev/random", false},
		{folder, false}, {ca_file == NULL ? "/etc" : ca_file, false},
	};
	struct sandbox sandbox = {config->user_connector.uid, config->user_connector.gid, paths,
		sizeof paths / sizeof paths[0], SANDBOX_CALLS_CONNECTOR};

	snprintf(folder, sizeof folder, "%s", program);
	*strrchr(folder, '/') = '\0'; /* its own helpers lie beside it */
	return sandbox_enter(&sandbox, error_r);
}

static _Noreturn void execute_connector(const struct child *child, const char *program, int listener, int settings)
{
	const char *slash = strrchr(program, '/');
	char *const argv[] = {(char *)(uintptr_t)(slash == NULL ? program : slash + 1), NULL};
	struct error error;

	signals_reset();
	/* Out of the way of 3 and 4 first: either may be the other's number. */
	listener = fcntl(listener, F_DUPFD, 10);
	settings = fcntl(settings, F_DUPFD, 10);
	if (dup2(listener, CONNECTOR_LISTEN_FD) < 0 || dup2(settings, CONNECTOR_SETTINGS_FD) < 0)
		_exit(1);
	role_keep_descriptors((const int[]){CONNECTOR_LISTEN_FD, CONNECTOR_SETTINGS_FD}, 2);
	if (enter_connector_sandbox(child, program, &error) < 0)
		log_error(LOG_MAIN, "role=\"%s\" %s", child_name(child), error.text);
	else if (execve(program, argv, small_environment()) < 0)
		log_error(LOG_MAIN, "role=\"%s\" cannot run %s: %m", child_name(child), program);
	_exit(1);
}

static int start_connector(struct child *child, struct error *error_r)
{
	struct supervisor *supervisor = child->supervisor;
	char found[PATH_MAX], program[PATH_MAX];

	if (program_find(connector_of(child)->program, found, error_r) < 0)
		return -1;
	if (realpath(found, program) == NULL)
		return error_set(error_r, "%s: %s", found, strerror(errno));
	int settings = settings_memory(connector_of(child), error_r);
	if (settings < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		execute_connector(child, program, supervisor->places->connectors[child->number], settings);
	close(settings);
	if (pid < 0)
		return error_set(error_r, "fork: %s", strerror(errno));
	child->pid = pid;
	return 0;
}

int child_start(struct child *child, struct error *error_r)
{
	child->started_ms = loop_now_ms(child->supervisor->loop);
	if (child->kind == CHILD_CONNECTOR)
		return start_connector(child, error_r);
	return child->supervisor->is_single ? start_role_here(child, error_r) : fork_role(child, error_r);
}

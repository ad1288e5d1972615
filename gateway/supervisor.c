/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What runs, what is started again, and the end:
 *
 *   SIGTERM -> fronts are drained -> none is left: the hub gets SIGTERM -> gone: connectors do -> all gone: we end
 *
 * Whoever does not end in time is killed. Only main has this job, so that a role may die at any moment.
 */
#include "gateway/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "gateway/certificates.h"
#include "gateway/notify_ready.h"
#include "gateway/privilege.h"
#include "gateway/signals.h"
#include "gateway/supervisor_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/role.pb-c.h"

enum { END_LOOK_MS = 10 };

/* --- starting --------------------------------------------------------------------------------------------------- */

static void start(struct child *child);

static void restart(struct timer *timer)
{
	start(container_of(timer, struct child, restart));
}

static void start_later(struct child *child)
{
	timer_start(child->supervisor->loop, &child->restart, child->backoff_ms, restart);
	child->backoff_ms *= 2;
	if (child->backoff_ms > SUPERVISOR_BACKOFF_MAX_MS)
		child->backoff_ms = SUPERVISOR_BACKOFF_MAX_MS;
}

static void start(struct child *child)
{
	struct error error;

	if (child_start(child, &error) < 0) {
		log_error(LOG_MAIN, "role=\"%s\" cannot start: %s; again in %lld ms", child_name(child), error.text,
			(long long)child->backoff_ms);
		start_later(child);
		return;
	}
	if (child->kind == CHILD_FRONT)
		certificates_send(child->supervisor->certificates, child->rein);
	child_pulse_start(child);
}

/* Whatever it is: main unpacks nothing that others say. */
static void rein_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct child *child = owner;

	(void)link;
	(void)body;
	(void)length;
	if (fd >= 0)
		close(fd);
	pulse_answered(&child->pulse);
}

/* SIGCHLD says more. */
static void rein_lost(struct link *link, const char *why, void *owner)
{
	struct child *child = owner;

	(void)link;
	(void)why;
	link_close(&child->rein);
}

const struct link_events child_rein_events = {.received = rein_received, .lost = rein_lost};

static void certificates_are_new(void *data)
{
	struct supervisor *supervisor = data;

	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].kind == CHILD_FRONT && supervisor->children[i].rein != NULL)
			certificates_send(supervisor->certificates, supervisor->children[i].rein);
}

/* --- ending ----------------------------------------------------------------------------------------------------- */

/* kind: CHILD_KINDS for everybody. */
static bool is_meant(const struct child *child, enum child_kind kind)
{
	return child->pid != 0 && (kind == CHILD_KINDS || child->kind == kind);
}

static unsigned count_running(const struct supervisor *supervisor, enum child_kind kind)
{
	unsigned count = 0;

	for (size_t i = 0; i < supervisor->child_count; i++)
		count += is_meant(&supervisor->children[i], kind);
	return count;
}

static void signal_all(const struct supervisor *supervisor, enum child_kind kind, int number)
{
	privilege_raise();
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (is_meant(&supervisor->children[i], kind))
			kill(supervisor->children[i].pid, number);
	privilege_lower();
}

static void go_on_stopping(struct supervisor *supervisor)
{
	while (supervisor->ending < CHILD_KINDS && count_running(supervisor, supervisor->ending) == 0) {
		if (++supervisor->ending == CHILD_KINDS) {
			loop_stop(supervisor->loop);
			return;
		}
		signal_all(supervisor, supervisor->ending, SIGTERM);
	}
}

static void kill_rest(struct timer *timer)
{
	struct supervisor *supervisor = container_of(timer, struct supervisor, kill_timer);

	log_warning(LOG_MAIN, "%u processes have not ended in %d s and are killed", count_running(supervisor, CHILD_KINDS),
		SUPERVISOR_KILL_MS / 1000);
	signal_all(supervisor, CHILD_KINDS, SIGKILL);
}

static void drain(struct child *child)
{
	Belfry__Role__Drain drain = BELFRY__ROLE__DRAIN__INIT;
	Belfry__Role__Rein rein = BELFRY__ROLE__REIN__INIT;

	if (child->rein == NULL)
		return;
	drain.over_s = SUPERVISOR_DRAIN_S;
	rein.body_case = BELFRY__ROLE__REIN__BODY_DRAIN;
	rein.drain = &drain;
	link_send(child->rein, &rein.base, -1);
}

static void stop(struct supervisor *supervisor)
{
	if (supervisor->is_stopping) { /* a second SIGTERM: somebody is in a hurry */
		signal_all(supervisor, CHILD_KINDS, SIGTERM);
		if (supervisor->is_single)
			loop_stop(supervisor->loop);
		return;
	}
	supervisor->is_stopping = true;
	notify_ready("STOPPING=1");
	log_info(LOG_MAIN, "stopping");
	for (size_t i = 0; i < supervisor->child_count; i++) {
		timer_stop(supervisor->loop, &supervisor->children[i].restart);
		pulse_stop(&supervisor->children[i].pulse);
		if (supervisor->children[i].kind == CHILD_FRONT)
			drain(&supervisor->children[i]);
	}
	timer_start(supervisor->loop, &supervisor->kill_timer, SUPERVISOR_KILL_MS, kill_rest);
	if (!supervisor->is_single)
		go_on_stopping(supervisor);
}

/* --- who died --------------------------------------------------------------------------------------------------- */

static struct child *find(struct supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].pid == pid)
			return &supervisor->children[i];
	return NULL;
}

static void died(struct child *child, int status)
{
	struct supervisor *supervisor = child->supervisor;
	bool is_misconfigured = WIFEXITED(status) && WEXITSTATUS(status) == CONNECTOR_EXIT_CONFIG;

	child->pid = 0;
	pulse_stop(&child->pulse);
	link_close(&child->rein);
	if (supervisor->is_stopping)
		return;
	if (loop_now_ms(supervisor->loop) - child->started_ms >= SUPERVISOR_HEALTHY_MS)
		child->backoff_ms = SUPERVISOR_BACKOFF_FIRST_MS;
	if (is_misconfigured)
		child->backoff_ms = SUPERVISOR_BACKOFF_MAX_MS;
	log_error(LOG_MAIN, "role=\"%s\" died: %s %d; again in %lld ms", child_name(child),
		WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		(long long)child->backoff_ms);
	start_later(child);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find(supervisor, pid);
		if (child != NULL)
			died(child, status);
	}
	if (supervisor->is_stopping && !supervisor->is_single)
		go_on_stopping(supervisor);
}

static void signalled(int number, void *data)
{
	struct supervisor *supervisor = data;

	switch (number) {
	case SIGCHLD: reap(supervisor); break;
	case SIGHUP: certificates_look(supervisor->certificates); break;
	default: stop(supervisor); break;
	}
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static void add(struct supervisor *supervisor, enum child_kind kind, unsigned number)
{
	supervisor->children[supervisor->child_count++] = (struct child){
		.supervisor = supervisor, .kind = kind, .number = number, .backoff_ms = SUPERVISOR_BACKOFF_FIRST_MS};
}

static void add_all(struct supervisor *supervisor)
{
	const struct config *config = supervisor->settings->config;
	unsigned fronts = supervisor->is_single ? 1 : config->fronts;

	supervisor->children = mem_alloc_array(1 + config->connector_count + fronts, sizeof *supervisor->children);
	for (unsigned i = 0; i < config->connector_count; i++)
		add(supervisor, CHILD_CONNECTOR, i);
	add(supervisor, CHILD_HUB, 0);
	for (unsigned i = 1; i <= fronts; i++)
		add(supervisor, CHILD_FRONT, i);
}

static void tell_watchdog(struct timer *timer)
{
	struct supervisor *supervisor = container_of(timer, struct supervisor, watchdog);

	timer_start(supervisor->loop, &supervisor->watchdog, notify_watchdog_ms(), tell_watchdog);
	notify_ready("WATCHDOG=1");
}

/* In one process a role that cannot start is no matter for another try. */
static int start_all(struct supervisor *supervisor, struct error *error_r)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];
		if (supervisor->is_single && child->kind != CHILD_CONNECTOR) {
			if (child_start(child, error_r) < 0)
				return -1;
			if (child->kind == CHILD_FRONT)
				certificates_send(supervisor->certificates, child->rein);
		} else {
			start(child);
		}
	}
	return 0;
}

/* Whoever is left when the loop has ended: told, waited for, killed. */
static void end_rest(struct supervisor *supervisor)
{
	const struct timespec moment = {.tv_nsec = END_LOOK_MS * 1000000L};
	int status;

	signal_all(supervisor, CHILD_KINDS, SIGTERM);
	for (int waited_ms = 0; count_running(supervisor, CHILD_KINDS) > 0; waited_ms += END_LOOK_MS) {
		pid_t pid = waitpid(-1, &status, WNOHANG);
		struct child *child = pid > 0 ? find(supervisor, pid) : NULL;
		if (child != NULL)
			child->pid = 0;
		else if (pid < 0 && errno == ECHILD)
			break;
		else
			nanosleep(&moment, NULL);
		if (waited_ms == SUPERVISOR_KILL_MS)
			signal_all(supervisor, CHILD_KINDS, SIGKILL);
	}
}

static void free_all(struct supervisor *supervisor)
{
	/* The front before the hub that it talks to. */
	for (size_t i = supervisor->child_count; i-- > 0;) {
		struct child *child = &supervisor->children[i];
		timer_stop(supervisor->loop, &child->restart);
		pulse_stop(&child->pulse);
		link_close(&child->rein);
		role_free(&child->role);
	}
	end_rest(supervisor);
	timer_stop(supervisor->loop, &supervisor->kill_timer);
	timer_stop(supervisor->loop, &supervisor->watchdog);
	certificates_close(&supervisor->certificates);
	net_free(&supervisor->net);
	signals_close(&supervisor->signals);
	free(supervisor->children);
	loop_free(&supervisor->loop);
}

int supervisor_run(const struct role_settings *settings, struct places *places, bool single)
{
	struct supervisor supervisor = {.loop = loop_create(), .settings = settings, .places = places, .is_single = single};
	struct error error;
	int status = 0;

	supervisor.net = net_create(supervisor.loop);
	places_give(places, supervisor.net, 0);
	if (single)
		privilege_become(settings->config->user_hub.uid, settings->config->user_hub.gid);
	supervisor.signals = signals_open(supervisor.loop, signalled, &supervisor);
	supervisor.certificates = certificates_open(supervisor.loop, settings->config, certificates_are_new, &supervisor,
		&error);
	add_all(&supervisor);
	if (supervisor.certificates == NULL || start_all(&supervisor, &error) < 0) {
		log_error(LOG_MAIN, "%s", error.text);
		status = 1;
	} else {
		if (notify_watchdog_ms() > 0)
			tell_watchdog(&supervisor.watchdog);
		notify_ready("READY=1");
		log_info(LOG_MAIN, "ready fronts=%u connectors=%zu", single ? 1 : settings->config->fronts,
			settings->config->connector_count);
		loop_run(supervisor.loop);
	}
	privilege_return();
	free_all(&supervisor);
	return status;
}

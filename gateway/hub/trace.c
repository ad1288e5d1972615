/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryctl trace: here and in every front, those that come later too. */
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

static Belfry__Role__Trace trace_of(const char *subsystem, const char *user, const char *device, bool on)
{
	Belfry__Role__Trace trace = BELFRY__ROLE__TRACE__INIT;

	trace.subsystem = (char *)(uintptr_t)subsystem;
	trace.user = (char *)(uintptr_t)user;
	trace.device = (char *)(uintptr_t)device;
	trace.on = on;
	return trace;
}

static void remember(char **name, const char *value, bool on)
{
	if (*value == '\0')
		return;
	free(*name);
	*name = on ? mem_strdup(value) : NULL;
}

static void remember_subsystem(struct hub *hub, const char *name, bool on)
{
	for (int i = 0; i < LOG_SUBSYSTEMS; i++)
		if (strcmp(name, "all") == 0 || strcmp(name, log_subsystem_name((enum log_subsystem)i)) == 0)
			hub->traced[i] = on;
}

void hub_trace(struct hub *hub, const char *subsystem, const char *user, const char *device, bool on)
{
	Belfry__Role__Trace trace = trace_of(subsystem, user, device, on);

	remember_subsystem(hub, subsystem, on);
	remember(&hub->traced_user, user, on);
	remember(&hub->traced_device, device, on);
	if (*subsystem != '\0')
		log_trace_subsystem_by_name(subsystem, on);
	if (*user != '\0')
		log_trace_user(on ? user : NULL);
	if (*device != '\0')
		log_trace_device(on ? device : NULL);
	hub_fronts_trace(hub, &trace);
}

void hub_traces_each(const struct hub *hub, void (*each)(struct hub_front *, const Belfry__Role__Trace *),
	struct hub_front *front)
{
	Belfry__Role__Trace trace;

	for (int i = 0; i < LOG_SUBSYSTEMS; i++) {
		if (!hub->traced[i])
			continue;
		trace = trace_of(log_subsystem_name((enum log_subsystem)i), "", "", true);
		each(front, &trace);
	}
	if (hub->traced_user == NULL && hub->traced_device == NULL)
		return;
	trace = trace_of("", hub->traced_user == NULL ? "" : hub->traced_user,
		hub->traced_device == NULL ? "" : hub->traced_device, true);
	each(front, &trace);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryctl trace: here, in every front and in every connector; those that come later are told by front.c and watch.c. */
#include "gateway/hub/internal.h"
#include "lib/ipc/trace.h"

void hub_trace(struct hub *hub, const char *subsystem, const char *user, const char *device, bool on)
{
	Belfry__Role__Trace trace = BELFRY__ROLE__TRACE__INIT;

	trace.subsystem = (char *)(uintptr_t)subsystem;
	trace.user = (char *)(uintptr_t)user;
	trace.device = (char *)(uintptr_t)device;
	trace.on = on;
	trace_apply(&trace);
	hub_fronts_trace(hub, &trace);
	hub_instances_trace(hub, &trace);
}

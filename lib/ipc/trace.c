/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages about what is traced, and the log's own state. */
#include "lib/ipc/trace.h"

#include "lib/core/log.h"

/* Which user or device does not matter: there is one at a time. */
const Belfry__Role__Trace trace_nothing = {
	PROTOBUF_C_MESSAGE_INIT(&belfry__role__trace__descriptor), (char *)"all", (char *)"*", (char *)"*", false,
};

void trace_apply(const Belfry__Role__Trace *trace)
{
	if (trace->subsystem[0] != '\0')
		log_trace_subsystem_by_name(trace->subsystem, trace->on);
	if (trace->user[0] != '\0')
		log_trace_user(trace->on ? trace->user : NULL);
	if (trace->device[0] != '\0')
		log_trace_device(trace->on ? trace->device : NULL);
}

void trace_each(void (*told)(const Belfry__Role__Trace *, void *data), void *data)
{
	Belfry__Role__Trace trace = BELFRY__ROLE__TRACE__INIT;
	const char *user = log_traced_user(), *device = log_traced_device();

	trace.on = true;
	for (int i = 0; i < LOG_SUBSYSTEMS; i++) {
		trace.subsystem = (char *)(uintptr_t)log_subsystem_name((enum log_subsystem)i);
		if (log_traced((enum log_subsystem)i, NULL, NULL))
			told(&trace, data);
	}
	if (user == NULL && device == NULL)
		return;
	trace.subsystem = (char *)"";
	trace.user = (char *)(uintptr_t)(user == NULL ? "" : user);
	trace.device = (char *)(uintptr_t)(device == NULL ? "" : device);
	told(&trace, data);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is traced, from process to process: belfryctl ─▶ hub ─▶ fronts and connectors ─▶ workers. */
#ifndef BELFRY_LIB_IPC_TRACE_H
#define BELFRY_LIB_IPC_TRACE_H

#include "lib/ipc/role.pb-c.h"

/* Switches all of it off. */
extern const Belfry__Role__Trace trace_nothing;

void trace_apply(const Belfry__Role__Trace *);
/* Tells what is traced in this process, for one that comes later. */
void trace_each(void (*told)(const Belfry__Role__Trace *, void *data), void *data);

#endif

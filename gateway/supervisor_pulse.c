/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking roles and connectors whether they live; the end of those who do not say so. SIGCHLD then does the rest. */
#include <signal.h>
#include <stdlib.h>

#include "gateway/privilege.h"
#include "gateway/supervisor_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/ipc/role.pb-c.h"

static void ask_role(struct child *child)
{
	Belfry__Role__Alive alive = BELFRY__ROLE__ALIVE__INIT;
	Belfry__Role__Rein rein = BELFRY__ROLE__REIN__INIT;

	rein.body_case = BELFRY__ROLE__REIN__BODY_ALIVE;
	rein.alive = &alive;
	link_send(child->rein, &rein.base, -1);
}

/* It may have closed the link, as it may any client's: the next question opens another. */
static void connect_to(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	Belfry__Connector__Hello hello = BELFRY__CONNECTOR__HELLO__INIT;
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	char *place = mem_printf("connector/%s", supervisor->settings->config->connectors[child->number].name);

	child->rein = link_create(net_connect(supervisor->net, place, NULL, NULL), &child_rein_events, child);
	free(place);
	hello.role = (char *)(uintptr_t)"main";
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_HELLO;
	request.hello = &hello;
	link_send(child->rein, &request.base, -1);
}

static void ask_connector(struct child *child)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;

	if (child->rein == NULL)
		connect_to(child);
	request.id = 1; /* whichever question it answers */
	link_send(child->rein, &request.base, -1);
}

static void ask(struct pulse *pulse)
{
	struct child *child = container_of(pulse, struct child, pulse);

	if (child->kind == CHILD_CONNECTOR)
		ask_connector(child);
	else if (child->rein != NULL)
		ask_role(child);
}

static void hangs(struct pulse *pulse)
{
	struct child *child = container_of(pulse, struct child, pulse);

	log_error(LOG_MAIN, "role=\"%s\" pid=%d hangs: %u questions each %lld s went unanswered. It is killed and started "
		"again; if this repeats, look for memory that is swapped or a disk that stalls, or raise alive_s",
		child_name(child), (int)child->pid, pulse->unanswered, (long long)pulse->every_ms / 1000);
	privilege_raise();
	kill(child->pid, SIGKILL);
	privilege_lower();
}

void child_pulse_start(struct child *child)
{
	pulse_start(child->supervisor->loop, &child->pulse, child->supervisor->settings->config->alive_s * INT64_C(1000),
		ask, hangs);
}

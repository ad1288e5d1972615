/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryctl backup: the store as of now, in a folder beside it; the tool, which may go elsewhere, takes it from there. */
#include "gateway/hub/control.h"
#include "gateway/hub/internal.h"
#include "lib/core/log.h"

static void backed_up(enum store_status status, void *data)
{
	struct hub_visitor *visitor = data;
	const char *folder = hub_visitor_hub(visitor)->settings.backup_folder;
	struct buffer answer = BUFFER_EMPTY;

	hub_visitor_wait(visitor, NULL);
	if (status == STORE_OK) {
		log_info(LOG_CONTROL, "folder=%s the store was backed up", log_quote(folder));
		buffer_printf(&answer, "ok\ntable\tbackup\tfolder\nrow\t%s\n", folder);
	} else {
		buffer_printf(&answer, "error\tno backup was made; the log says why. When another one is being made, wait; when one "
			"was interrupted, remove %s\n", folder);
	}
	hub_visitor_answer(visitor, &answer);
	buffer_release(&answer);
}

void hub_backup(struct hub_visitor *visitor)
{
	struct hub *hub = hub_visitor_hub(visitor);

	hub_visitor_take_time(visitor);
	hub_visitor_wait(visitor, store_backup(hub->store, hub->settings.backup_folder, backed_up, visitor));
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* THE table of commands (MS-ASCMD 2.2.1). */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_COMMAND_H
#define BELFRY_GATEWAY_ACTIVESYNC_COMMAND_H

#include "gateway/activesync/request.h"

/* NULL: no command of ActiveSync has this name (in any case). */
const struct command *command_find(const char *name);
/* What is served, as OPTIONS tells it. */
const char *command_names(void);

/* One file a command, or a few that are alike. */
int estimate_prepare(struct request *, Belfry__Role__Begin *);
void estimate_run(struct request *);
int folder_change_prepare(struct request *, Belfry__Role__Begin *);
void folder_create_run(struct request *);
void folder_delete_run(struct request *);
void folder_update_run(struct request *);
int folder_sync_prepare(struct request *, Belfry__Role__Begin *);
void folder_sync_run(struct request *);
int get_attachment_prepare(struct request *, Belfry__Role__Begin *);
void get_attachment_run(struct request *);
int item_operations_prepare(struct request *, Belfry__Role__Begin *);
void item_operations_run(struct request *);
int move_items_prepare(struct request *, Belfry__Role__Begin *);
void move_items_run(struct request *);
int ping_prepare(struct request *, Belfry__Role__Begin *);
void ping_run(struct request *);
int provision_prepare(struct request *, Belfry__Role__Begin *);
void provision_run(struct request *);
int search_prepare(struct request *, Belfry__Role__Begin *);
void search_run(struct request *);
int send_prepare(struct request *, Belfry__Role__Begin *);
void send_run(struct request *);
int settings_prepare(struct request *, Belfry__Role__Begin *);
void settings_run(struct request *);
int sync_prepare(struct request *, Belfry__Role__Begin *);
void sync_run(struct request *);

#endif

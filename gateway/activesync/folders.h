/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device knows of the hierarchy (record "folders"), and how it follows the connector's list. Pure functions. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_FOLDERS_H
#define BELFRY_GATEWAY_ACTIVESYNC_FOLDERS_H

#include <stdbool.h>

#include "gateway/activesync/state.pb-c.h"
#include "lib/core/arena.h"
#include "lib/ipc/connector.pb-c.h"

enum {
	FOLDER_NAME_MAX = 1000,             /* bytes of a name; the hub takes 1024, of a Park. Longer ones are left out */
	FOLDERS_MAX = 10000,                /* of one device; the record of so many is about 600 kB … */
	FOLDER_BYTES = 48,                  /* … of which so much is not names */
	FOLDERS_BYTES_MAX = 768 * 1024      /* with what was removed it fits the store's 1 MB. More are left out, and logged */
};

/* The device starts from 0: a new series, everything is told. Ids stay with their names. */
void folders_restart(Belfry__Activesync__Folders *, uint32_t series);
/* Takes in what the connector lists, as the changes of answer key + 1. True: there are some, and key has grown. */
bool folders_merge(Belfry__Activesync__Folders *, const Belfry__Connector__Collections *, struct arena *);
/* The device has acknowledged all answers up to key: what was removed is forgotten. */
void folders_acknowledge(Belfry__Activesync__Folders *);
/* NULL: no such folder, or it is removed. */
const Belfry__Activesync__Folder *folders_find(const Belfry__Activesync__Folders *, uint32_t id);

/* --- the device's own changes, as those of answer key + 1, which key then is (folder_edit.c) -------------------- */

/* Returns the id of the new folder. The texts are copied. */
uint32_t folders_add(Belfry__Activesync__Folders *, const char *name, uint32_t parent, const char *display_name,
	struct arena *);
/* With all below it. */
void folders_remove(Belfry__Activesync__Folders *, uint32_t id);
/* name: its new one; the names of all below it begin with it from now on. */
void folders_move(Belfry__Activesync__Folders *, uint32_t id, const char *name, uint32_t parent, const char *display_name,
	struct arena *);

/* Is it, or is one below it, the inbox or another folder that every device has? */
bool folders_is_special(const Belfry__Activesync__Folders *, uint32_t id);
/* Is it `top`, or below it? */
bool folders_is_below(const Belfry__Activesync__Folders *, uint32_t id, uint32_t top);
/* Is there a folder of this name right below the parent, other than `but`? */
bool folders_has_child(const Belfry__Activesync__Folders *, uint32_t parent, const char *display_name, uint32_t but);
/* Does the device have a folder with this name of the connector's? */
bool folders_has_name(const Belfry__Activesync__Folders *, const char *name);

#endif

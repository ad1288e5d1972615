/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a phone knows: the folders and items that it was told of, and its SyncKeys. It takes an answer in as a strict
 * phone would: what is told twice, changed or deleted without ever having been told, or told without a new SyncKey is
 * a fault of the server.
 */
#ifndef BELFRY_TESTS_REPLAY_DEVICE_H
#define BELFRY_TESTS_REPLAY_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/codec/wbxml_tree.h"
#include "lib/core/buffer.h"
#include "lib/core/error.h"

struct device_item {
	struct device_item *next;
	char *server_id, *subject;
	bool read, flagged;
	unsigned verb;          /* LastVerbExecuted */
	char *categories;       /* a line each */
};

struct device_folder {
	struct device_folder *next;
	char *server_id, *parent_id, *name;
	unsigned type;
	char *key, *key_before; /* SyncKey; "0": not synchronised */
	unsigned filter;        /* FilterType last sent */
	struct device_item *items;
	bool more;              /* the last answer said MoreAvailable */
	bool is_complete;       /* the device once had all that there was, as far as it knows */
};

struct device {
	char *name;             /* in the transcript */
	char *id, *user, *password;
	unsigned version;       /* 121, 140, 141 */
	uint32_t policy_key, policy_key_before;
	char *folder_key, *folder_key_before;
	struct device_folder *folders;
	bool misses;            /* an answer was lost: it may be told that items are gone which only that answer had */
};

struct device *device_create(const char *name);
void device_free(struct device **);

/* By its name in any case, or by its path "Work/2026"; NULL: the device was not told of such a folder. */
struct device_folder *device_folder_find(const struct device *, const char *name);
struct device_folder *device_folder_by_id(const struct device *, const char *server_id);
/* Appends the path: "Work/2026". */
void device_folder_path(const struct device *, const struct device_folder *, struct buffer *path_r);
struct device_item *device_item_find(const struct device_folder *, const char *subject);
struct device_item *device_item_by_id(const struct device_folder *, const char *server_id);

/* Takes in the answer to a request; roots NULL: no body. -1: the server broke the protocol, and how. */
int device_apply(struct device *, const char *command, const struct wbxml_node *request,
	const struct wbxml_node *answer, struct error *error_r);

/* The subject of what the server could not read; its flags are nobody's. */
#define DEVICE_UNREADABLE "(unreadable message)"

/* "INBOX: subject read flagged answered [Red,Work]", to be freed; shows_all: with what devices see from 14.0 on. */
char *device_item_line(const char *path, const struct device_item *, bool shows_all);
/* One such line an item, sorted. */
void device_list(const struct device *, const struct device_folder *, struct buffer *list_r);

/* Text of a child, "" when missing. */
const char *node_text(const struct wbxml_node *, uint16_t tag);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The folders of the session's user, for ListCollections and to find the trash. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_FOLDERS_H
#define BELFRY_CONNECTORS_IMAP_WORKER_FOLDERS_H

#include "connectors/imap/folder_list.h"
#include "connectors/imap/session.h"

enum session_answer worker_folders(struct session *, struct folder_list *, struct error *error_r);

#endif

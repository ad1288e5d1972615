/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Settings (MS-ASCMD 2.2.1.18) while it runs: one property after the other, in the order of the request.
 *
 *	settings.c      what a request may look like, runs the properties, answers
 *	settings_oof.c  what is answered to mails while the user is out of office
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SETTINGS_H
#define BELFRY_GATEWAY_ACTIVESYNC_SETTINGS_H

#include "gateway/activesync/request.h"

enum { SETTINGS_REPLY_MAX = 32 * 1024 }; /* bytes of a text that is answered; phones let type some hundreds */

/* MS-ASCMD 2.2.3.177.15, and 2.2.2 for the last */
enum settings_status {
	SETTINGS_SUCCESS = 1,
	SETTINGS_PROTOCOL_ERROR = 2,
	SETTINGS_ACCESS_DENIED = 3,
	SETTINGS_UNAVAILABLE = 4,
	SETTINGS_INVALID_ARGUMENTS = 5,
	SETTINGS_CONFLICTING_ARGUMENTS = 6,
	SETTINGS_DENIED_BY_POLICY = 7,
	SETTINGS_RIGHTS_MANAGEMENT_DISABLED = 168
};

/* The whole property, when it has nothing but a status. */
void settings_write_status(struct request *, uint16_t property, int status);
/* A property that took its time has been written: to the next. */
void settings_go_on(struct request *);

/* Get or Set, as the schema wants it? */
bool settings_oof_is_formed(const struct wbxml_node *operation);
/* True: it has been written. False: settings_go_on() follows, or the request is gone already. */
bool settings_oof_run(struct request *, const struct wbxml_node *operation);

#endif

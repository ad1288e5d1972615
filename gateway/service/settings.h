/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the admin chose for the engines (belfry.conf(5), sections activesync and policy). Plain data, never changed. */
#ifndef BELFRY_GATEWAY_SERVICE_SETTINGS_H
#define BELFRY_GATEWAY_SERVICE_SETTINGS_H

#include <stdbool.h>

struct activesync_settings {
	unsigned heartbeat_min_s, heartbeat_max_s;
	unsigned max_folders;        /* that one Ping may name */
	unsigned window_max;         /* changes in one answer of Sync */
	unsigned max_devices;        /* of one user */
	unsigned max_mail_size;      /* bytes of a mail that a device sends */
	unsigned request_burst;      /* requests of a device that get it nowhere, … */
	unsigned requests_per_minute; /* … and how many then; 0: any number */
};

struct policy_settings {
	bool required;               /* a device must accept the policy before it synchronises */
	bool password;
	unsigned password_min_length;
	unsigned inactivity_lock_s;  /* 0: never */
	unsigned max_failed_attempts;
	bool encryption;
};

#endif

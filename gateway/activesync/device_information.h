/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device says of itself (MS-ASCMD 2.2.3.45), within Settings or Provision. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_DEVICE_INFORMATION_H
#define BELFRY_GATEWAY_ACTIVESYNC_DEVICE_INFORMATION_H

#include "gateway/activesync/request.h"

enum { DEVICE_INFORMATION_MAX = 64 }; /* bytes kept of each: for the admin to read, never more */

/* Puts DeviceInformation/Set into the device's record, which is written with the next commit if it has changed.
 * False: there is no Set. */
bool device_information_take(struct request *, const struct wbxml_node *information);

#endif

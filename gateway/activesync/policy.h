/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy that a device must accept (MS-ASPROV), and whether it has. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_POLICY_H
#define BELFRY_GATEWAY_ACTIVESYNC_POLICY_H

#include "gateway/activesync/request.h"

/* A digest of the policy in force: a changed policy is accepted anew. */
void policy_digest(const struct policy_settings *, char digest_r[33]);
/* Writes provision:EASProvisionDoc. */
void policy_write(const struct policy_settings *, unsigned version, struct wbxml_writer *);
/* False: the device has not accepted the policy, or sent another key; the request has been answered so. */
bool policy_lets_pass(struct request *);

#endif

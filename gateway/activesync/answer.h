/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers that are not a command's own: refusals, challenges, OPTIONS. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_ANSWER_H
#define BELFRY_GATEWAY_ACTIVESYNC_ANSWER_H

#include "gateway/activesync/request.h"

#define ANSWER_CONTENT_TYPE "application/vnd.ms-sync.wbxml"

bool answer_version_is_served(unsigned version);
void answer_options(struct request *);
/* 401: the device is to ask the user for the password. */
void answer_challenge(struct request *);
/* By the connector's status: wrong password, throttled, or not to be asked now. */
void answer_login_refused(struct request *, const Belfry__Connector__Response *);
void answer_too_many_devices(struct request *);
/* The device gets nowhere by coming so often. */
void answer_too_often(struct request *, unsigned wait_s);
/* True: the query's fault has a status of its own in this version, and was answered so. */
bool answer_bad_device(struct request *);
/* common: one of common_status; the version decides whether it travels as a status or as an HTTP error. */
void answer_bad_body(struct request *, int common);

/* The header that every answer has. */
void answer_headers(struct http_response *);

#endif

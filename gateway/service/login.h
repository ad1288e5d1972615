/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a request says it is, and what to answer when that is not so: for all engines. */
#ifndef BELFRY_GATEWAY_SERVICE_LOGIN_H
#define BELFRY_GATEWAY_SERVICE_LOGIN_H

#include "gateway/service/directory.h"
#include "lib/http/server.h"
#include "lib/ipc/connector.pb-c.h"

enum { LOGIN_RETRY_AFTER_S = 30 }; /* a backend that restarts is back by then */

/* In the exchange's arena. */
struct login {
	const char *password;  /* the caller wipes it when it has been passed on */
	const char *user;      /* canonical */
	const char *instance;  /* the connector that serves the user's domain; NULL: none does */
};

/* Of the header (RFC 7617). -1: it names nobody; ask for a login, login_challenge(). */
int login_read(struct http_exchange *, const struct directory *, struct login *login_r);

/* 401: user and password, please. */
void login_challenge(struct http_response *response_r);
/* By the connector's answer, which is no OK: a wrong password is challenged, anything else is to come again. */
void login_refused(const Belfry__Connector__Response *, struct http_response *response_r);

#endif

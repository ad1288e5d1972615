/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Login: from the memory of verified logins where that is fresh, else by a real login at the backend. The same user
 * and password asked for several times at once is one login there. Who waits for the backend waits in the lane of
 * the network that he comes from, so that one who guesses keeps nobody else waiting.
 */
#ifndef BELFRY_CONNECTORS_IMAP_LOGIN_H
#define BELFRY_CONNECTORS_IMAP_LOGIN_H

#include "connectors/imap/account.h"
#include "connectors/imap/backend.h"
#include "connectors/service.h"

enum {
	LOGINS_QUEUE_MAX = 1000,  /* waiting for the backend; more than it serves within timeout_s */
	LOGIN_WAITERS_MAX = 64    /* askers of one verification: devices of one user */
};

struct logins;

struct logins *logins_create(struct loop *, struct backend *, struct accounts *, const struct imap_settings *);
void logins_free(struct logins **);

/* Answers, now or later. */
void logins_ask(struct logins *, struct service_client *, uint64_t id, const Belfry__Connector__Login *);
/* The client is gone. */
void logins_forget_client(struct logins *, const struct service_client *);

/* The backend's name of a canonical user: without the domain where login = user. The caller frees it. */
char *login_name(const struct imap_settings *, const char *user);

#endif

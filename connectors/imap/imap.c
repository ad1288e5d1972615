/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked goes to the half that answers it; who is refused by one half is forgotten by all. */
#include "connectors/imap/imap.h"

#include <stdlib.h>

#include "connectors/imap/account.h"
#include "connectors/imap/backend.h"
#include "connectors/imap/login.h"
#include "connectors/imap/pool.h"
#include "connectors/imap/watch.h"
#include "connectors/service.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

struct imap {
	struct service *service;
	struct accounts *accounts;
	struct backend *backend;
	struct logins *logins;
	struct pool *pool;
	struct watches *watches;
};

/* --- refusals -------------------------------------------------------------------------------------------------- */

static void voided(struct account *account, void *owner)
{
	struct imap *imap = owner;

	log_info(LOG_CONNECTOR, "user=%s the backend refused the password: its handle is void", log_quote(account->user));
	pool_forget_account(imap->pool, account);
	watches_forget_account(imap->watches, account);
}

static void refused(struct account *account, void *owner)
{
	accounts_void(((struct imap *)owner)->accounts, account);
}

static void refused_user(const char *user, void *owner)
{
	accounts_void_user(((struct imap *)owner)->accounts, user);
}

static void backend_news(const char *trouble, void *owner)
{
	service_tell_backend(((struct imap *)owner)->service, trouble);
}

static const struct accounts_events accounts_events = {voided};
static const struct pool_events pool_events = {refused};
static const struct watches_events watches_events = {refused, refused_user};

/* --- requests -------------------------------------------------------------------------------------------------- */

static void asked_of_access(struct imap *imap, struct service_client *client, const Belfry__Connector__Request *request)
{
	struct account *account = accounts_of_handle(imap->accounts, request->handle.data, request->handle.len);

	if (account == NULL)
		service_answer_status(client, request->id, BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED, NULL);
	else
		pool_ask(imap->pool, client, request, service_take_fd(client), account);
}

static void asked(struct service_client *client, const Belfry__Connector__Request *request, void *owner)
{
	struct imap *imap = owner;

	switch (request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LOGIN: logins_ask(imap->logins, client, request->id, request->login); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_LIST:
	case BELFRY__CONNECTOR__REQUEST__BODY_SURVEY:
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH:
	case BELFRY__CONNECTOR__REQUEST__BODY_ALTER:
	case BELFRY__CONNECTOR__REQUEST__BODY_SEARCH:
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART:
	case BELFRY__CONNECTOR__REQUEST__BODY_APPLY:
	case BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF:
	case BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF:
	case BELFRY__CONNECTOR__REQUEST__BODY_SEND: asked_of_access(imap, client, request); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_WATCH: watches_watch(imap->watches, client, request->id, request->watch); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_UNWATCH:
		watches_unwatch(imap->watches, client, request->id, request->unwatch);
		break;
	case BELFRY__CONNECTOR__REQUEST__BODY_CHECK: watches_check(imap->watches, client, request->id, request->check); break;
	default: service_answer_status(client, request->id, BELFRY__CONNECTOR__STATUS__UNSUPPORTED, NULL);
	}
}

static void left(struct service_client *client, void *owner)
{
	struct imap *imap = owner;

	logins_forget_client(imap->logins, client);
	pool_forget_client(imap->pool, client);
	watches_forget_client(imap->watches, client);
}

static void drained(struct service_client *client, void *owner)
{
	pool_client_drained(((struct imap *)owner)->pool, client);
}

static void traced(const Belfry__Role__Trace *trace, void *owner)
{
	pool_trace(((struct imap *)owner)->pool, trace);
}

static const struct service_events service_events = {asked, left, drained, traced};

/* --- start and stop -------------------------------------------------------------------------------------------- */

struct imap *imap_start(struct net *net, const char *place, const struct imap_settings *settings,
	const struct process_ways *ways, struct error *error_r)
{
	struct imap *imap = mem_alloc(sizeof *imap);
	struct loop *loop = net_loop(net);

	imap->backend = backend_create(net, settings, error_r);
	if (imap->backend != NULL) {
		imap->accounts = accounts_create(loop, settings->login_ttl_s, &accounts_events, imap);
		imap->logins = logins_create(loop, imap->backend, imap->accounts, settings);
		imap->pool = pool_create(loop, settings, ways, &pool_events, imap);
		imap->watches = watches_create(imap->backend, imap->accounts, settings, &watches_events, imap);
		imap->service = service_listen(net, place, &service_events, imap, error_r);
	}
	if (imap->service == NULL)
		imap_stop(&imap);
	else
		backend_on_news(imap->backend, backend_news, imap);
	return imap;
}

void imap_stop(struct imap **owner)
{
	struct imap *imap = *owner;

	*owner = NULL;
	if (imap == NULL)
		return;
	service_close(&imap->service);
	watches_free(&imap->watches);
	logins_free(&imap->logins);
	pool_free(&imap->pool);
	accounts_free(&imap->accounts);
	backend_free(&imap->backend);
	free(imap);
}

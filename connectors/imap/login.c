/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verifying logins. */
#include "connectors/imap/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/throttle.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

struct logins {
	struct loop *loop;
	struct backend *backend;
	struct accounts *accounts;
	const struct imap_settings *settings;
	struct throttle *throttle;
	struct verification *verifications; /* by digest */
};

/* Who asked, to be answered when the backend has. */
struct waiter {
	struct waiter *next;
	struct service_client *client;
	uint64_t id;
	char *address, *device;
};

/* One login at the backend. */
struct verification {
	UT_hash_handle hh;
	struct logins *logins;
	uint8_t digest[ACCOUNT_DIGEST_BYTES];
	char *user, *login;
	struct secret *password;
	struct imap_credentials credentials;
	struct throttle_claim claim;
	struct backend_ticket ticket;
	struct timer deadline;          /* over the wait for the gate too */
	struct imap_client *client;
	struct waiter *waiters;
	unsigned waiters_count;
};

char *login_name(const struct imap_settings *settings, const char *user)
{
	const char *at = strrchr(user, '@');

	return settings->login_is_full || at == NULL ? mem_strdup(user) : mem_strndup(user, (size_t)(at - user));
}

static struct throttle_try try_of(const char *user, const char *address, const char *device,
	const uint8_t digest[ACCOUNT_DIGEST_BYTES])
{
	struct throttle_try try = {.user = user, .address = address, .device = device};

	memcpy(&try.digest, digest, sizeof try.digest);
	return try;
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static void answer_handle(struct service_client *client, uint64_t id, struct account *account)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__LoggedIn logged_in = BELFRY__CONNECTOR__LOGGED_IN__INIT;

	response.id = id;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_LOGGED_IN;
	response.logged_in = &logged_in;
	logged_in.handle = (ProtobufCBinaryData){sizeof account->handle, account->handle};
	service_answer(client, &response, -1);
}

static void answer_throttled(struct service_client *client, uint64_t id, const struct throttle_try *try, unsigned wait_s)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__LoggedIn logged_in = BELFRY__CONNECTOR__LOGGED_IN__INIT;
	char reason[80];

	log_info(LOG_CONNECTOR, "user=%s login=throttled address=%s wait_s=%u", log_quote(try->user), log_quote(try->address),
		wait_s);
	snprintf(reason, sizeof reason, "too many wrong passwords from there: to come again in %u s", wait_s);
	response.id = id;
	response.status = STATUS(THROTTLED);
	response.reason = reason;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_LOGGED_IN;
	response.logged_in = &logged_in;
	logged_in.retry_after_s = wait_s;
	service_answer(client, &response, -1);
}

/* --- the end of a verification --------------------------------------------------------------------------------- */

static struct verification *find(const struct logins *logins, const uint8_t *digest)
{
	struct verification *verification;

	HASH_FIND(hh, logins->verifications, digest, ACCOUNT_DIGEST_BYTES, verification);
	return verification;
}

static void waiter_drop(struct verification *verification, struct waiter **link)
{
	struct waiter *waiter = *link;

	*link = waiter->next;
	verification->waiters_count--;
	free(waiter->address);
	free(waiter->device);
	free(waiter);
}

static void verification_free(struct verification *verification)
{
	struct logins *logins = verification->logins;

	HASH_DELETE(hh, logins->verifications, verification);
	timer_stop(logins->loop, &verification->deadline);
	throttle_end(logins->throttle, &verification->claim);
	backend_leave(logins->backend, &verification->ticket);
	imap_client_logout(&verification->client);
	while (verification->waiters != NULL)
		waiter_drop(verification, &verification->waiters);
	secret_drop(&verification->password);
	free(verification->user);
	free(verification->login);
	free(verification);
}

static struct verification *verify(struct logins *, const uint8_t *digest, const char *user, const char *password,
	const char *address);

/* Another password of the user has just proved right: whether the older ones still are is asked at once, so that a
 * changed password does not live on in our memory. */
static void verify_stale(struct logins *logins, const char *user)
{
	for (struct account *account = accounts_next_stale(logins->accounts, user, NULL); account != NULL;
		account = accounts_next_stale(logins->accounts, user, account))
		if (find(logins, account->digest) == NULL)
			verify(logins, account->digest, account->user, secret_text(account->password), "");
}

static void accepted(struct verification *verification)
{
	struct logins *logins = verification->logins;
	bool is_new = accounts_find(logins->accounts, verification->digest) == NULL;
	struct secret *password = verification->password;

	verification->password = NULL;
	verification->credentials.password = NULL;
	struct account *account = account_hold(accounts_verified(logins->accounts, verification->digest, verification->user,
		verification->login, password));
	for (struct waiter *waiter = verification->waiters; waiter != NULL; waiter = waiter->next) {
		struct throttle_try try = try_of(verification->user, waiter->address, waiter->device, verification->digest);
		if (is_new)
			throttle_pardon(logins->throttle, &try);
		throttle_accepted(logins->throttle, &try);
		answer_handle(waiter->client, waiter->id, account);
		log_trace(LOG_CONNECTOR, verification->user, waiter->device, "user=%s device=%s login=ok",
			log_quote(verification->user), log_quote(waiter->device));
	}
	verification_free(verification);
	if (is_new)
		verify_stale(logins, account->user);
	account_release(&account);
}

static void refused(struct verification *verification, const char *why)
{
	struct logins *logins = verification->logins;
	struct account *account = accounts_find(logins->accounts, verification->digest);
	int64_t now_ms = loop_now_ms(logins->loop);

	for (struct waiter *waiter = verification->waiters; waiter != NULL; waiter = waiter->next) {
		struct throttle_try try = try_of(verification->user, waiter->address, waiter->device, verification->digest);
		throttle_refused(logins->throttle, &try, now_ms);
		log_info(LOG_CONNECTOR, "user=%s login=refused address=%s device=%s %s", log_quote(verification->user),
			log_quote(waiter->address), log_quote(waiter->device), why);
		service_answer_status(waiter->client, waiter->id, STATUS(REFUSED), why);
	}
	verification_free(verification);
	if (account != NULL)
		accounts_void(logins->accounts, account);
}

static void unavailable(struct verification *verification, const char *reason)
{
	struct backend *backend = verification->logins->backend;
	struct error error;
	const char *why = error.text;

	backend_trouble(backend, reason, &error);
	backend_note(backend, BACKEND_REACH, why);
	log_warning(LOG_CONNECTOR, "user=%s login=unavailable %s", log_quote(verification->user), why);
	for (struct waiter *waiter = verification->waiters; waiter != NULL; waiter = waiter->next)
		service_answer_status(waiter->client, waiter->id, STATUS(UNAVAILABLE), why);
	verification_free(verification);
}

/* --- the login at the backend ---------------------------------------------------------------------------------- */

static void client_ready(struct imap_client *client, void *owner)
{
	(void)client;
	backend_note(((struct verification *)owner)->logins->backend, BACKEND_REACH, NULL);
	accepted(owner);
}

static void client_told(struct imap_client *client, const struct imap_response *response, void *owner)
{
	(void)client;
	(void)response;
	(void)owner;
}

static void client_failed(struct imap_client *client, enum imap_failure failure, const char *why, void *owner)
{
	(void)client;
	if (failure == IMAP_FAILED_REFUSED) {
		backend_note(((struct verification *)owner)->logins->backend, BACKEND_REACH, NULL);
		refused(owner, why);
	} else {
		unavailable(owner, why);
	}
}

static const struct imap_client_events client_events = {client_ready, client_told, client_failed};

/* A password that the backend has taken a short time ago is no guess: who guesses beside a phone, even with its id and
 * behind the same address, does not slow the phone down. */
static bool was_right(const struct logins *logins, const uint8_t *digest)
{
	return accounts_find(logins->accounts, digest) != NULL;
}

/* Others of theirs, asked before, have been wrong meanwhile. False: nobody asks any more. */
static bool turn_throttled_away(struct verification *verification)
{
	struct logins *logins = verification->logins;
	bool was_asked = verification->waiters != NULL;

	if (was_right(logins, verification->digest))
		return true;
	for (struct waiter **link = &verification->waiters; *link != NULL;) {
		struct waiter *waiter = *link;
		struct throttle_try try = try_of(verification->user, waiter->address, waiter->device, verification->digest);
		unsigned wait_s = throttle_wait_s(logins->throttle, &try, loop_now_ms(logins->loop));
		if (wait_s == 0) {
			link = &waiter->next;
			continue;
		}
		answer_throttled(waiter->client, waiter->id, &try, wait_s);
		waiter_drop(verification, link);
	}
	return !was_asked || verification->waiters != NULL;
}

static void entered(struct backend_ticket *ticket)
{
	struct verification *verification = container_of(ticket, struct verification, ticket);
	struct error error;

	if (!turn_throttled_away(verification)) {
		verification_free(verification);
		return;
	}
	const char *address = verification->waiters == NULL ? NULL : verification->waiters->address;
	verification->client = backend_connect(verification->logins->backend, &verification->credentials, verification->user,
		address != NULL && address[0] != '\0' ? address : NULL, &client_events, verification, &error);
	if (verification->client == NULL)
		unavailable(verification, error.text);
}

static void too_late(struct timer *timer)
{
	unavailable(container_of(timer, struct verification, deadline), "the backend took too long");
}

static struct verification *verify(struct logins *logins, const uint8_t *digest, const char *user, const char *password,
	const char *address)
{
	struct verification *verification = mem_alloc(sizeof *verification);
	char network[THROTTLE_NETWORK_BYTES];

	verification->logins = logins;
	memcpy(verification->digest, digest, ACCOUNT_DIGEST_BYTES);
	verification->user = mem_strdup(user);
	verification->login = login_name(logins->settings, user);
	verification->password = secret_keep(password);
	verification->credentials.user = verification->login;
	verification->credentials.password = secret_text(verification->password);
	HASH_ADD(hh, logins->verifications, digest, ACCOUNT_DIGEST_BYTES, verification);
	timer_start(logins->loop, &verification->deadline, (int64_t)logins->settings->timeout_s * 1000, too_late);
	throttle_network(address, network);
	backend_queue(logins->backend, &verification->ticket, BACKEND_LOGIN, network, entered);
	return verification;
}

/* --- Login ----------------------------------------------------------------------------------------------------- */

static void wait_for(struct verification *verification, struct service_client *client, uint64_t id,
	const Belfry__Connector__Login *login)
{
	struct waiter *waiter;

	if (verification->waiters_count == LOGIN_WAITERS_MAX) {
		service_answer_status(client, id, STATUS(LIMIT), "too many logins of this user at once");
		return;
	}
	waiter = mem_alloc(sizeof *waiter);
	*waiter = (struct waiter){.next = verification->waiters, .client = client, .id = id,
		.address = mem_strdup(login->address), .device = mem_strdup(login->device)};
	verification->waiters = waiter;
	verification->waiters_count++;
}

static bool can_be_right(const Belfry__Connector__Login *login)
{
	size_t user = strlen(login->user), password = strlen(login->password);

	return user > 0 && user <= ACCOUNT_USER_BYTES_MAX && login->user[0] != '@' && password > 0
		&& password <= SECRET_BYTES_MAX;
}

static void ask_backend(struct logins *logins, struct service_client *client, uint64_t id,
	const Belfry__Connector__Login *login, const uint8_t *digest)
{
	struct throttle_try try = try_of(login->user, login->address, login->device, digest);
	int64_t now_ms = loop_now_ms(logins->loop);
	bool is_guess = !was_right(logins, digest);
	unsigned wait_s = is_guess ? throttle_wait_s(logins->throttle, &try, now_ms) : 0;
	struct verification *verification = find(logins, digest);
	struct throttle_claim claim = {NULL, NULL};

	if (is_guess && throttle_is_refused(logins->throttle, &try, now_ms)) {
		service_answer_status(client, id, STATUS(REFUSED), "refused a moment ago");
	} else if (wait_s > 0) {
		answer_throttled(client, id, &try, wait_s);
	} else if (verification != NULL) {
		wait_for(verification, client, id, login);
	} else if (backend_waiting(logins->backend, BACKEND_LOGIN) >= LOGINS_QUEUE_MAX) {
		service_answer_status(client, id, STATUS(UNAVAILABLE), "too many logins are waiting for the backend");
	} else if (is_guess && !throttle_begin(logins->throttle, &try, now_ms, &claim)) {
		answer_throttled(client, id, &try, THROTTLE_PENDING_WAIT_S);
	} else {
		verification = verify(logins, digest, login->user, login->password, login->address);
		verification->claim = claim;
		wait_for(verification, client, id, login);
	}
}

void logins_ask(struct logins *logins, struct service_client *client, uint64_t id, const Belfry__Connector__Login *login)
{
	uint8_t digest[ACCOUNT_DIGEST_BYTES];
	struct account *account;

	if (!can_be_right(login)) {
		service_answer_status(client, id, STATUS(REFUSED), "an empty or overlong user or password");
		return;
	}
	accounts_digest(logins->accounts, login->user, login->password, digest);
	account = accounts_find(logins->accounts, digest);
	if (account != NULL && account_is_fresh(logins->accounts, account)) {
		struct throttle_try try = try_of(login->user, login->address, login->device, digest);
		throttle_accepted(logins->throttle, &try);
		answer_handle(client, id, account);
		return;
	}
	ask_backend(logins, client, id, login, digest);
}

void logins_forget_client(struct logins *logins, const struct service_client *client)
{
	struct verification *verification, *next;

	HASH_ITER(hh, logins->verifications, verification, next)
		for (struct waiter **link = &verification->waiters; *link != NULL;)
			if ((*link)->client == client)
				waiter_drop(verification, link);
			else
				link = &(*link)->next;
}

struct logins *logins_create(struct loop *loop, struct backend *backend, struct accounts *accounts,
	const struct imap_settings *settings)
{
	struct logins *logins = mem_alloc(sizeof *logins);

	*logins = (struct logins){.loop = loop, .backend = backend, .accounts = accounts, .settings = settings,
		.throttle = throttle_create()};
	return logins;
}

void logins_free(struct logins **owner)
{
	struct logins *logins = *owner;

	*owner = NULL;
	if (logins == NULL)
		return;
	while (logins->verifications != NULL)
		verification_free(logins->verifications);
	throttle_free(&logins->throttle);
	free(logins);
}

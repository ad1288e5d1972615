/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is watched, with which credentials, and when a session is open for it. */
#include "connectors/imap/watch.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "connectors/contract.h"
#include "connectors/imap/login.h"
#include "connectors/imap/watch_internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

static const struct watch_session_events session_events;

int64_t watch_jitter(struct watches *watches, int64_t ms)
{
	watches->random ^= watches->random << 13; /* xorshift64 */
	watches->random ^= watches->random >> 7;
	watches->random ^= watches->random << 17;
	return ms / 2 + (int64_t)(watches->random % (uint64_t)(ms + 1));
}

/* --- watches come and go --------------------------------------------------------------------------------------- */

static struct watch *find(const struct watches *watches, const char *user)
{
	struct watch *watch;

	HASH_FIND(hh, watches->by_user, user, strlen(user), watch);
	return watch;
}

static struct watch *find_or_add(struct watches *watches, const char *user)
{
	struct watch *watch = find(watches, user);
	size_t length = strlen(user);

	if (watch != NULL)
		return watch;
	watch = mem_alloc(sizeof *watch + length + 1);
	watch->watches = watches;
	memcpy(watch->user, user, length);
	watch->login = login_name(watches->settings, user);
	watch->is_hooked = true;
	HASH_ADD(hh, watches->by_user, user, length, watch);
	return watch;
}

static void list_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->list[i].name);
	free(watch->list);
	free(watch->names);
	watch->list = NULL;
	watch->names = NULL;
	watch->count = 0;
}

/* The one way out of a session. */
static void session_end(struct watch *watch)
{
	struct watches *watches = watch->watches;

	timer_stop(watches->loop, &watch->timer);
	timer_stop(watches->loop, &watch->look);
	watch_round_drop(watch);
	if (watch->session != NULL)
		watches->sessions--;
	watch_session_close(&watch->session);
	account_release(&watch->session_account);
	watch->state = WATCH_CLOSED;
	watch->was_polled = watch->was_look = watch->has_news = false;
}

/* Checks have been answered. */
static void watch_free(struct watch *watch)
{
	session_end(watch);
	while (watch->checks != NULL)
		check_free(watch->checks);
	HASH_DELETE(hh, watch->watches->by_user, watch);
	account_release(&watch->account);
	list_free(watch);
	free(watch->login);
	free(watch);
}

/* --- credentials ----------------------------------------------------------------------------------------------- */

/* With whose handle this came: kept for the sessions to come. False: there is nothing to log in with. */
static bool take_credentials(struct watch *watch, ProtobufCBinaryData handle)
{
	struct watches *watches = watch->watches;
	struct account *account;

	if (watches->settings->watch_as != IMAP_WATCH_AS_SESSION)
		return true;
	account = accounts_of_handle(watches->accounts, handle.data, handle.len);
	if (account != NULL && strcmp(account->user, watch->user) != 0) {
		log_error(LOG_CONNECTOR, "user=%s came with the handle of user=%s", log_quote(watch->user), log_quote(account->user));
		account = NULL;
	}
	if (account != NULL && account != watch->account) {
		account_hold(account);
		account_release(&watch->account);
		watch->account = account;
	}
	return watch->account != NULL && !watch->account->is_void;
}

static void fill_credentials(struct watch *watch)
{
	const struct imap_settings *settings = watch->watches->settings;

	if (settings->watch_as == IMAP_WATCH_AS_MASTER) {
		watch->credentials = (struct imap_credentials){settings->master_user, settings->master_password, watch->login};
	} else {
		watch->session_account = account_hold(watch->account);
		watch->credentials = (struct imap_credentials){watch->account->login, secret_text(watch->account->password), NULL};
	}
}

/* --- sessions -------------------------------------------------------------------------------------------------- */

static bool wants_session(const struct watch *watch)
{
	return watch->checks != NULL || (watch->is_watched && !watch->is_hooked);
}

static void open_session(struct watch *watch)
{
	struct watches *watches = watch->watches;

	fill_credentials(watch);
	watch->state = WATCH_OPENING;
	watches->sessions++;
	watch->session = watch_session_open(watches->backend, &watch->credentials, watch->user, &session_events, watch);
}

static void try_again(struct timer *timer)
{
	struct watch *watch = container_of(timer, struct watch, timer);

	watch->state = WATCH_CLOSED;
	watch_reconsider(watch);
}

static void lingered(struct timer *timer)
{
	struct watch *watch = container_of(timer, struct watch, timer);

	session_end(watch);
	watch_reconsider(watch);
}

static bool has_to_ask(const struct watch *watch)
{
	bool has = watch->checks != NULL;

	for (size_t i = 0; i < watch->count && !has; i++)
		has = watch->list[i].is_dirty && !watch->is_hooked;
	return has;
}

void watch_reconsider(struct watch *watch)
{
	bool is_wanted = wants_session(watch);

	switch (watch->state) {
	case WATCH_CLOSED:
		if (is_wanted)
			open_session(watch);
		else if (!watch->is_watched)
			watch_free(watch);
		break;
	case WATCH_WAITING:
		if (!is_wanted) {
			session_end(watch);
			watch_reconsider(watch);
		}
		break;
	case WATCH_OPENING:
		break;
	case WATCH_OPEN:
		if (has_to_ask(watch))
			watch_ask(watch);
		else if (!is_wanted)
			timer_start(watch->watches->loop, &watch->timer, (int64_t)watch->watches->settings->linger_s * 1000, lingered);
		break;
	}
}

static void start_noticing(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		watch->list[i].is_known = watch->list[i].is_told = false;
		watch->list[i].is_dirty = true;
	}
	timer_stop(watch->watches->loop, &watch->timer);
	watch->poll_ms = (int64_t)watch->watches->settings->poll_s * 1000;
	watch_session_watch(watch->session, watch->names, watch->count);
}

static void session_opened(struct watch_session *session, void *owner)
{
	struct watch *watch = owner;

	(void)session;
	watch->state = WATCH_OPEN;
	watch->watches->master_was_let_in = true;
	for (int side = 0; side < BACKEND_SIDES; side++)
		backend_note(watch->watches->backend, (enum backend_side)side, NULL);
	if (watch->is_watched && !watch->is_hooked)
		start_noticing(watch);
	else
		watch_reconsider(watch);
}

/* Asked about only now: a change before this moment is in the answer, one after it is noticed. */
static void session_watching(struct watch_session *session, void *owner)
{
	(void)session;
	watch_reconsider(owner);
}

static void session_answered(struct watch_session *session, const char *collection, enum watch_answer answer,
	struct position position, void *owner)
{
	(void)session;
	watch_answered(owner, collection, answer, position);
}

static void session_noticed(struct watch_session *session, const char *collection, void *owner)
{
	struct watch *watch = owner;

	(void)session;
	if (watch->is_hooked)
		return;
	for (size_t i = 0; i < watch->count; i++)
		if (strcmp(watch->list[i].name, collection) == 0)
			watch->list[i].is_dirty = true;
	watch_ask(watch);
}

/* --- polling: the one place -------------------------------------------------------------------------------------- */

/* Servers without NOTIFY announce at the most one mailbox a session (IDLE); the others are asked about at an interval
 * that doubles while nothing happens, from poll_s to poll_most_s. Nothing else in this program polls. */
static void poll(struct timer *timer)
{
	struct watch *watch = container_of(timer, struct watch, timer);

	for (size_t i = 0; i < watch->count; i++)
		if (!watch_session_covers(watch->session, watch->list[i].name))
			watch->list[i].is_dirty = true;
	watch->was_polled = true;
	watch_ask(watch);
}

void watch_start_poll(struct watch *watch, bool something_changed)
{
	const struct imap_settings *settings = watch->watches->settings;
	bool needs_poll = false;

	for (size_t i = 0; i < watch->count && !needs_poll; i++)
		needs_poll = !watch_session_covers(watch->session, watch->list[i].name);
	if (!needs_poll || watch->is_hooked || !watch->is_watched)
		return;
	watch->poll_ms = something_changed ? (int64_t)settings->poll_s * 1000 : watch->poll_ms * 2;
	if (watch->poll_ms > (int64_t)settings->poll_most_s * 1000)
		watch->poll_ms = (int64_t)settings->poll_most_s * 1000;
	timer_start(watch->watches->loop, &watch->timer, watch_jitter(watch->watches, watch->poll_ms), poll);
}

static void look(struct timer *timer)
{
	struct watch *watch = container_of(timer, struct watch, look);

	if (watch->is_hooked || !watch->is_watched)
		return;
	watch->was_look = watch->round_left == 0;
	for (size_t i = 0; i < watch->count; i++)
		if (*watch->list[i].name != '\0' && watch_session_covers(watch->session, watch->list[i].name))
			watch->list[i].is_dirty = true;
	watch_ask(watch);
}

void watch_start_look(struct watch *watch)
{
	if (watch_session_how(watch->session) == WATCH_BY_IDLE)
		timer_start(watch->watches->loop, &watch->look, WATCH_LOOK_MS, look);
}

/* --- failures -------------------------------------------------------------------------------------------------- */

static void log_lost(struct timer *timer)
{
	struct watches *watches = container_of(timer, struct watches, log);

	if (watches->lost == 0)
		return;
	log_warning(LOG_CONNECTOR, "sessions=%u more lost or not opened, the last: %s", watches->lost, watches->lost_why.text);
	watches->lost = 0;
	timer_start(watches->loop, &watches->log, WATCH_LOG_MS, log_lost);
}

/* The first at once. */
static void note_lost(struct watches *watches, const char *user, const char *why)
{
	if (timer_is_started(&watches->log)) {
		watches->lost++;
		error_set(&watches->lost_why, "user=%s %s", log_quote(user), why);
		return;
	}
	log_warning(LOG_CONNECTOR, "session lost or not opened: user=%s %s", log_quote(user), why);
	timer_start(watches->loop, &watches->log, WATCH_LOG_MS, log_lost);
}

/* No credentials any more: the hub gets the password with the phone's next request. */
static void end_for_login(struct watch *watch)
{
	if (watch->is_watched)
		watch_tell_over(watch, STATUS(LOGIN_NEEDED));
	watch_answer_checks(watch, STATUS(LOGIN_NEEDED), "the backend refused the login");
	watch_free(watch);
}

/* By which account it was matters: a newer one of the user may have come meanwhile. */
static void login_refused(struct watch *watch, const char *why)
{
	struct watches *watches = watch->watches;
	struct account *account = watch->session_account == NULL ? NULL : account_hold(watch->session_account);
	char *user = mem_strdup(watch->user);

	log_info(LOG_CONNECTOR, "user=%s cannot be watched any more: %s", log_quote(user), why);
	if (account == watch->account) {
		end_for_login(watch);
	} else {
		session_end(watch);
		watch_reconsider(watch);
	}
	if (account != NULL)
		watches->events->refused(account, watches->owner);
	else
		watches->events->refused_user(user, watches->owner);
	account_release(&account);
	free(user);
}

static void session_lost(struct watch *watch, const char *why)
{
	struct watches *watches = watch->watches;
	int64_t delay_ms = (int64_t)WATCH_BACKOFF_MS << (watch->failures < 16 ? watch->failures : 16);

	note_lost(watches, watch->user, why);
	watch->failures++;
	session_end(watch);
	watch_answer_checks(watch, STATUS(UNAVAILABLE), why);
	if (wants_session(watch)) {
		watch->state = WATCH_WAITING;
		if (delay_ms > WATCH_BACKOFF_MOST_MS)
			delay_ms = WATCH_BACKOFF_MOST_MS;
		timer_start(watches->loop, &watch->timer, watch_jitter(watches, delay_ms), try_again);
	} else {
		watch_reconsider(watch);
	}
}

/* Or reached and lost: then the next try shows how the backend is. */
static void not_reached(struct watch *watch, const char *why)
{
	if (watch->state == WATCH_OPENING)
		backend_note(watch->watches->backend, BACKEND_REACH, why);
	session_lost(watch, why);
}

static void master_refused(struct watch *watch, const char *why)
{
	struct watches *watches = watch->watches;
	char *words = mem_printf("refuses master_user %s: a wrong name or password, or it may not log in as others (%s)",
		log_quote(watches->settings->master_user), why);
	struct error error;

	backend_trouble(watches->backend, words, &error);
	backend_note(watches->backend, BACKEND_REACH, NULL);
	backend_note(watches->backend, BACKEND_MASTER, error.text);
	session_lost(watch, error.text);
	free(words);
}

static void session_failed(struct watch_session *session, enum imap_failure failure, const char *why, void *owner)
{
	struct watch *watch = owner;
	struct watches *watches = watch->watches;
	struct error error;

	(void)session;
	backend_trouble(watches->backend, why, &error);
	if (failure == IMAP_FAILED_REFUSED && watches->settings->watch_as == IMAP_WATCH_AS_MASTER && !watches->master_was_let_in)
		master_refused(watch, why);
	else if (failure == IMAP_FAILED_REFUSED)
		login_refused(watch, error.text);
	else
		not_reached(watch, error.text);
}

static const struct watch_session_events session_events = {session_opened, session_answered, session_noticed,
	session_watching, session_failed};

/* --- what the hub asks ----------------------------------------------------------------------------------------- */

static bool is_same_list(const struct watch *watch, const Belfry__Connector__Watch *asked)
{
	if (watch->count != asked->n_collections)
		return false;
	for (size_t i = 0; i < watch->count; i++)
		if (strcmp(watch->names[i], asked->collections[i]) != 0)
			return false;
	return true;
}

static void take_list(struct watch *watch, const Belfry__Connector__Watch *asked)
{
	list_free(watch);
	watch->count = asked->n_collections;
	watch->list = mem_alloc_array(watch->count, sizeof *watch->list);
	watch->names = mem_alloc_array(watch->count, sizeof *watch->names);
	for (size_t i = 0; i < watch->count; i++)
		watch->names[i] = watch->list[i].name = mem_strdup(asked->collections[i]);
}

/* Each user over the bound is told of new mail late or never: the admin has to know. */
static void note_full(struct watches *watches, const char *user)
{
	int64_t now_ms = loop_now_ms(watches->loop);

	watches->turned_away++;
	if (now_ms - watches->full_logged_ms < WATCH_FULL_LOG_MS)
		return;
	log_warning(LOG_CONNECTOR, "sessions_max=%d is reached, requests=%u turned away, the last: user=%s. Phones of such users "
		"ring late or not at all: set option = {\"sessions_max=%d\"} and let the server take as many, or have hooks tell of mail",
		watches->settings->sessions_max, watches->turned_away, log_quote(user), 2 * watches->settings->sessions_max);
	watches->turned_away = 0;
	watches->full_logged_ms = now_ms;
}

/* Before anything is remembered: can this be done at all? */
static Belfry__Connector__Status refusal_of(struct watches *watches, const struct watch *watch, const char *user,
	size_t collections, bool needs_session)
{
	if (watches->settings->watch_as == IMAP_WATCH_AS_NONE)
		return STATUS(UNSUPPORTED);
	if (strlen(user) == 0 || strlen(user) > ACCOUNT_USER_BYTES_MAX || collections > WATCH_COLLECTIONS_MAX)
		return STATUS(LIMIT);
	if (needs_session && (watch == NULL || watch->session == NULL)
		&& watches->sessions >= (unsigned)watches->settings->sessions_max) {
		note_full(watches, user);
		return STATUS(LIMIT);
	}
	return STATUS(OK);
}

/* A session that is open goes on with what is asked now; its list of names is void in any case. */
static void watch_changed(struct watch *watch)
{
	if (watch->state != WATCH_OPEN) {
		watch_reconsider(watch);
	} else if (watch->is_hooked) {
		watch_session_unwatch(watch->session);
		timer_stop(watch->watches->loop, &watch->timer);
		watch_reconsider(watch);
	} else {
		start_noticing(watch);
	}
}

void watches_watch(struct watches *watches, struct service_client *client, uint64_t id,
	const Belfry__Connector__Watch *asked)
{
	struct watch *watch = find(watches, asked->user);
	Belfry__Connector__Status refusal = refusal_of(watches, watch, asked->user, asked->n_collections, !asked->hooked);

	if (refusal != STATUS(OK)) {
		service_answer_status(client, id, refusal, NULL);
		return;
	}
	watch = find_or_add(watches, asked->user);
	if (!take_credentials(watch, asked->handle)) {
		service_answer_status(client, id, STATUS(LOGIN_NEEDED), NULL);
		if (!watch->is_watched)
			watch_reconsider(watch);
		return;
	}
	service_answer_status(client, id, STATUS(OK), NULL);
	bool is_same = watch->is_watched && watch->client == client && watch->is_hooked == asked->hooked
		&& is_same_list(watch, asked);
	watch->client = client;
	watch->is_watched = true;
	watch->is_hooked = asked->hooked;
	if (is_same)
		return;
	take_list(watch, asked);
	watch_changed(watch);
}

void watches_unwatch(struct watches *watches, struct service_client *client, uint64_t id,
	const Belfry__Connector__Unwatch *asked)
{
	struct watch *watch = find(watches, asked->user);

	service_answer_status(client, id, STATUS(OK), NULL);
	if (watch == NULL || !watch->is_watched)
		return;
	watch->is_watched = false;
	watch->is_hooked = true;
	watch->client = NULL;
	if (watch->state == WATCH_OPENING && watch->checks == NULL)
		session_end(watch);
	watch_changed(watch);
}

static void check_too_late(struct timer *timer)
{
	struct check *check = container_of(timer, struct check, deadline);

	service_answer_status(check->client, check->id, STATUS(UNAVAILABLE), "the backend took too long");
	check_free(check);
}

static void add_check(struct watch *watch, struct service_client *client, uint64_t id,
	const Belfry__Connector__Check *asked)
{
	struct check *check = mem_alloc(sizeof *check + asked->n_collections * sizeof check->list[0]);

	check->watch = watch;
	check->client = client;
	check->id = id;
	check->count = asked->n_collections;
	for (size_t i = 0; i < check->count; i++) {
		check->list[i].name = mem_strdup(asked->collections[i]);
		check->list[i].answer = WATCH_UNAVAILABLE;
	}
	check->next = watch->checks;
	watch->checks = check;
	timer_start(watch->watches->loop, &check->deadline, (int64_t)watch->watches->settings->timeout_s * 1000, check_too_late);
}

static unsigned count_checks(const struct watch *watch)
{
	unsigned count = 0;

	for (const struct check *check = watch == NULL ? NULL : watch->checks; check != NULL; check = check->next)
		count++;
	return count;
}

void watches_check(struct watches *watches, struct service_client *client, uint64_t id,
	const Belfry__Connector__Check *asked)
{
	struct watch *watch = find(watches, asked->user);
	Belfry__Connector__Status refusal = refusal_of(watches, watch, asked->user, asked->n_collections, true);

	if (refusal == STATUS(OK) && count_checks(watch) >= WATCH_CHECKS_MAX)
		refusal = STATUS(LIMIT);
	if (refusal == STATUS(OK) && watch != NULL && watch->state == WATCH_WAITING)
		refusal = STATUS(UNAVAILABLE); /* the backend was away a moment ago */
	if (refusal != STATUS(OK)) {
		service_answer_status(client, id, refusal, refusal == STATUS(UNAVAILABLE) ? backend_wrong(watches->backend) : NULL);
		return;
	}
	watch = find_or_add(watches, asked->user);
	if (!take_credentials(watch, asked->handle))
		service_answer_status(client, id, STATUS(LOGIN_NEEDED), NULL);
	else
		add_check(watch, client, id, asked);
	watch_reconsider(watch);
}

/* --- who is gone ----------------------------------------------------------------------------------------------- */

static void drop_orphans(struct timer *timer)
{
	struct watches *watches = container_of(timer, struct watches, orphans);
	struct watch *watch, *next;

	HASH_ITER(hh, watches->by_user, watch, next)
		if (watch->is_watched && watch->client == NULL) {
			watch->is_watched = false;
			session_end(watch);
			watch_reconsider(watch);
		}
}

void watches_forget_client(struct watches *watches, const struct service_client *client)
{
	struct watch *watch, *next;

	HASH_ITER(hh, watches->by_user, watch, next) {
		if (watch->client == client)
			watch->client = NULL;
		for (struct check *check = watch->checks, *after; check != NULL; check = after) {
			after = check->next;
			if (check->client == client)
				check_free(check);
		}
	}
	timer_start(watches->loop, &watches->orphans, CONNECTOR_ORPHAN_S * 1000, drop_orphans);
}

void watches_forget_account(struct watches *watches, const struct account *account)
{
	struct watch *watch = find(watches, account->user);

	if (watch != NULL && watch->account == account) {
		end_for_login(watch);
	} else if (watch != NULL && watch->session_account == account) {
		session_end(watch);
		watch_reconsider(watch);
	}
}

unsigned watches_sessions(const struct watches *watches)
{
	return watches->sessions;
}

struct watches *watches_create(struct backend *backend, struct accounts *accounts, const struct imap_settings *settings,
	const struct watches_events *events, void *owner)
{
	struct watches *watches = mem_alloc(sizeof *watches);

	*watches = (struct watches){.loop = backend_loop(backend), .backend = backend, .accounts = accounts,
		.settings = settings, .events = events, .owner = owner, .random = 88172645463325252,
		.full_logged_ms = -WATCH_FULL_LOG_MS};
	if (!loop_is_manual(watches->loop)) /* daemons beside each other must not come back together */
		RAND_bytes((unsigned char *)&watches->random, sizeof watches->random);
	return watches;
}

void watches_free(struct watches **owner)
{
	struct watches *watches = *owner;

	*owner = NULL;
	if (watches == NULL)
		return;
	while (watches->by_user != NULL)
		watch_free(watches->by_user);
	timer_stop(watches->loop, &watches->orphans);
	timer_stop(watches->loop, &watches->log);
	free(watches);
}

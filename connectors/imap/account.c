/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verified logins, found by digest and by handle. */
#include "connectors/imap/account.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "lib/core/mem.h"

enum { KEY_BYTES = 32, SWEEP_MS = 60 * 1000 };

struct user {
	UT_hash_handle hh;
	struct account *accounts;
	char name[];
};

struct accounts {
	struct loop *loop;
	int64_t ttl_ms;
	const struct accounts_events *events;
	void *owner;
	struct account *by_digest, *by_handle;
	struct user *users;
	struct timer sweep;
	uint8_t key[KEY_BYTES]; /* dies with the process */
};

/* --- users ----------------------------------------------------------------------------------------------------- */

static struct user *find_user(const struct accounts *accounts, const char *name)
{
	struct user *user;

	HASH_FIND(hh, accounts->users, name, strlen(name), user);
	return user;
}

static struct user *find_or_add_user(struct accounts *accounts, const char *name)
{
	struct user *user = find_user(accounts, name);
	size_t length = strlen(name);

	if (user == NULL) {
		user = mem_alloc(sizeof *user + length + 1);
		memcpy(user->name, name, length + 1);
		HASH_ADD(hh, accounts->users, name, length, user);
	}
	return user;
}

/* --- the end of an account ------------------------------------------------------------------------------------- */

static void account_free(struct account *account)
{
	secret_drop(&account->password);
	mem_wipe(account->digest, sizeof account->digest);
	mem_wipe(account->handle, sizeof account->handle);
	free(account->user);
	free(account->login);
	free(account);
}

/* Found by nobody any more; goes at once or with the last who holds it. */
static void unlink_account(struct accounts *accounts, struct account *account)
{
	struct user *user = find_user(accounts, account->user);
	struct account **link = &user->accounts;

	while (*link != account)
		link = &(*link)->next_of_user;
	*link = account->next_of_user;
	if (user->accounts == NULL) {
		HASH_DELETE(hh, accounts->users, user);
		free(user);
	}
	HASH_DELETE(by_digest, accounts->by_digest, account);
	HASH_DELETE(by_handle, accounts->by_handle, account);
	account->is_void = true;
}

static void forget(struct accounts *accounts, struct account *account)
{
	unlink_account(accounts, account);
	if (account->held == 0)
		account_free(account);
}

struct account *account_hold(struct account *account)
{
	account->held++;
	return account;
}

void account_release(struct account **owner)
{
	struct account *account = *owner;

	*owner = NULL;
	if (account != NULL && --account->held == 0 && account->is_void)
		account_free(account);
}

void accounts_void(struct accounts *accounts, struct account *account)
{
	if (account->is_void)
		return;
	account_hold(account);
	unlink_account(accounts, account);
	accounts->events->voided(account, accounts->owner);
	account_release(&account);
}

void accounts_void_user(struct accounts *accounts, const char *name)
{
	struct user *user;

	while ((user = find_user(accounts, name)) != NULL)
		accounts_void(accounts, user->accounts);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static int64_t age_ms(const struct accounts *accounts, int64_t since_ms)
{
	return loop_now_ms(accounts->loop) - since_ms;
}

static void swept(struct timer *timer)
{
	struct accounts *accounts = container_of(timer, struct accounts, sweep);
	struct account *account, *next;

	HASH_ITER(by_digest, accounts->by_digest, account, next)
		if (account->held == 0 && age_ms(accounts, account->used_ms) >= ACCOUNT_UNUSED_S * 1000)
			forget(accounts, account);
	timer_start(accounts->loop, &accounts->sweep, SWEEP_MS, swept);
}

struct accounts *accounts_create(struct loop *loop, int login_ttl_s, const struct accounts_events *events, void *owner)
{
	struct accounts *accounts = mem_alloc(sizeof *accounts);

	accounts->loop = loop;
	accounts->ttl_ms = (int64_t)login_ttl_s * 1000;
	accounts->events = events;
	accounts->owner = owner;
	int made = RAND_bytes(accounts->key, sizeof accounts->key);
	assert(made == 1);
	timer_start(loop, &accounts->sweep, SWEEP_MS, swept);
	return accounts;
}

void accounts_free(struct accounts **owner)
{
	struct accounts *accounts = *owner;

	*owner = NULL;
	if (accounts == NULL)
		return;
	timer_stop(accounts->loop, &accounts->sweep);
	while (accounts->by_digest != NULL)
		forget(accounts, accounts->by_digest);
	mem_wipe(accounts, sizeof *accounts);
	free(accounts);
}

/* --- finding and adding ---------------------------------------------------------------------------------------- */

void accounts_digest(const struct accounts *accounts, const char *user, const char *password,
	uint8_t digest_r[ACCOUNT_DIGEST_BYTES])
{
	char text[ACCOUNT_USER_BYTES_MAX + 1 + SECRET_BYTES_MAX + 1];
	size_t user_length = strlen(user), password_length = strlen(password);

	assert(user_length <= ACCOUNT_USER_BYTES_MAX && password_length <= SECRET_BYTES_MAX);
	memcpy(text, user, user_length + 1); /* its NUL stands between the two */
	memcpy(text + user_length + 1, password, password_length);
	HMAC(EVP_sha256(), accounts->key, KEY_BYTES, (unsigned char *)text, user_length + 1 + password_length, digest_r, NULL);
	mem_wipe(text, sizeof text);
}

struct account *accounts_find(struct accounts *accounts, const uint8_t digest[ACCOUNT_DIGEST_BYTES])
{
	struct account *account;

	HASH_FIND(by_digest, accounts->by_digest, digest, ACCOUNT_DIGEST_BYTES, account);
	return account;
}

struct account *accounts_of_handle(struct accounts *accounts, const uint8_t *handle, size_t length)
{
	struct account *account = NULL;

	if (length == ACCOUNT_HANDLE_BYTES)
		HASH_FIND(by_handle, accounts->by_handle, handle, ACCOUNT_HANDLE_BYTES, account);
	if (account == NULL || age_ms(accounts, account->verified_ms) >= ACCOUNT_HANDLE_S * 1000)
		return NULL;
	account->used_ms = loop_now_ms(accounts->loop);
	return account;
}

bool account_is_fresh(struct accounts *accounts, struct account *account)
{
	account->used_ms = loop_now_ms(accounts->loop);
	return !account->is_stale && age_ms(accounts, account->verified_ms) < accounts->ttl_ms;
}

/* Makes room for one more; those that are held stay, they are bounded by other limits. */
static void drop_longest_unused(struct accounts *accounts, struct user *user)
{
	struct account *longest = NULL;
	unsigned count = 0;

	for (struct account *account = user->accounts; account != NULL; account = account->next_of_user, count++)
		if (account->held == 0 && (longest == NULL || account->used_ms < longest->used_ms))
			longest = account;
	if (count >= ACCOUNTS_OF_USER_MAX && longest != NULL)
		forget(accounts, longest);
}

static struct account *add(struct accounts *accounts, const uint8_t *digest, const char *name, const char *login,
	struct secret *password)
{
	struct user *user = find_or_add_user(accounts, name);
	struct account *account = mem_alloc(sizeof *account);

	for (struct account *other = user->accounts; other != NULL; other = other->next_of_user)
		other->is_stale = true; /* an application password beside it, or the old one: the backend knows */
	if (user->accounts != NULL)
		drop_longest_unused(accounts, user);
	account->user = mem_strdup(name);
	account->login = mem_strdup(login);
	account->password = password;
	memcpy(account->digest, digest, sizeof account->digest);
	int made = RAND_bytes(account->handle, sizeof account->handle);
	assert(made == 1);
	account->next_of_user = user->accounts;
	user->accounts = account;
	HASH_ADD(by_digest, accounts->by_digest, digest, ACCOUNT_DIGEST_BYTES, account);
	HASH_ADD(by_handle, accounts->by_handle, handle, ACCOUNT_HANDLE_BYTES, account);
	return account;
}

struct account *accounts_verified(struct accounts *accounts, const uint8_t digest[ACCOUNT_DIGEST_BYTES], const char *user,
	const char *login, struct secret *password)
{
	struct account *account = accounts_find(accounts, digest);

	if (account == NULL)
		account = add(accounts, digest, user, login, password);
	else
		secret_drop(&password);
	account->verified_ms = account->used_ms = loop_now_ms(accounts->loop);
	account->is_stale = false;
	return account;
}

struct account *accounts_next_stale(struct accounts *accounts, const char *name, const struct account *after)
{
	struct user *user = find_user(accounts, name);
	struct account *account = after != NULL ? after->next_of_user : user != NULL ? user->accounts : NULL;

	while (account != NULL && !account->is_stale)
		account = account->next_of_user;
	return account;
}

size_t accounts_count(const struct accounts *accounts)
{
	return HASH_CNT(by_digest, accounts->by_digest);
}

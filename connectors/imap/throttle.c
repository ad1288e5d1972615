/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters of wrong passwords, in a bounded table: the longest untouched goes first. */
#include "connectors/imap/throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/known.h"
#include "connectors/imap/recent.h"
#include "lib/core/mem.h"

enum { KEY_BYTES_MAX = 600 }; /* kind, user (255), network (63), device (255) */

struct entry {
	unsigned failures;
	int64_t last_ms;
	uint64_t digest; /* of the last wrong password */
};

/* Verifications under way; there are no more than wait for the backend. */
struct pending {
	unsigned count;
};

struct throttle {
	struct recent *entries;
	struct known *known;
	struct recent *pending;
};

struct key {
	char text[KEY_BYTES_MAX];
	size_t length;
};

/* The parts cannot run into each other: no name has a NUL in it. */
static struct key key_of(char kind, const char *user, const char *address, const char *device)
{
	struct key key;
	char network[THROTTLE_NETWORK_BYTES];

	throttle_network(address, network);
	key.length = (size_t)snprintf(key.text, sizeof key.text, "%c%.255s%c%s%c%.255s", kind, user, '\0', network, '\0', device);
	if (key.length >= sizeof key.text)
		key.length = sizeof key.text - 1;
	return key;
}

void throttle_network(const char *address, char network_r[THROTTLE_NETWORK_BYTES])
{
	struct in6_addr parsed;
	char host[INET6_ADDRSTRLEN];

	snprintf(host, sizeof host, "%s", address + (address[0] == '['));
	host[strcspn(host, "]%")] = '\0';
	snprintf(network_r, THROTTLE_NETWORK_BYTES, "%s", address);
	if (inet_pton(AF_INET6, host, &parsed) == 1 && !IN6_IS_ADDR_V4MAPPED(&parsed))
		for (int i = 0; i < 8; i++)
			snprintf(network_r + 2 * i, 3, "%02x", parsed.s6_addr[i]);
}

static struct entry *find(const struct throttle *throttle, const struct key *key)
{
	return recent_find(throttle->entries, key->text, key->length);
}

struct throttle *throttle_create(void)
{
	static const struct recent_kind entries = {.value_bytes = sizeof(struct entry), .max = THROTTLE_ENTRIES_MAX};
	static const struct recent_kind pending = {.value_bytes = sizeof(struct pending)};
	struct throttle *throttle = mem_alloc(sizeof *throttle);

	throttle->entries = recent_create(&entries);
	throttle->known = known_create();
	throttle->pending = recent_create(&pending);
	return throttle;
}

void throttle_free(struct throttle **owner)
{
	struct throttle *throttle = *owner;

	*owner = NULL;
	if (throttle == NULL)
		return;
	recent_free(&throttle->entries);
	known_free(&throttle->known);
	recent_free(&throttle->pending);
	free(throttle);
}

static bool is_known(const struct throttle *throttle, const struct throttle_try *try)
{
	char network[THROTTLE_NETWORK_BYTES];

	throttle_network(try->address, network);
	return try->device[0] != '\0' && known_has(throttle->known, try->user, try->device, network);
}

/* The counter of this one: a known device has its own. */
static struct key own_key(const struct throttle *throttle, const struct throttle_try *try)
{
	return is_known(throttle, try) ? key_of('d', try->user, try->address, try->device)
		: key_of('a', try->user, try->address, "");
}

static struct key network_key(const struct throttle_try *try)
{
	return key_of('n', "", try->address, "");
}

/* --- waits ----------------------------------------------------------------------------------------------------- */

static unsigned wait_of(const struct throttle *throttle, const struct key *key, unsigned allowed, int64_t now_ms)
{
	const struct entry *entry = find(throttle, key);

	if (entry == NULL || entry->failures < allowed || now_ms - entry->last_ms >= THROTTLE_FORGET_S * 1000)
		return 0;
	unsigned over = entry->failures - allowed;
	int64_t wait_ms = over >= 10 ? THROTTLE_WAIT_MAX_S * 1000 : (int64_t)1000 << over;
	int64_t left_ms = entry->last_ms + (wait_ms > THROTTLE_WAIT_MAX_S * 1000 ? THROTTLE_WAIT_MAX_S * 1000 : wait_ms) - now_ms;
	return left_ms <= 0 ? 0 : (unsigned)((left_ms + 999) / 1000);
}

unsigned throttle_wait_s(const struct throttle *throttle, const struct throttle_try *try, int64_t now_ms)
{
	struct key own = own_key(throttle, try), network = network_key(try);
	unsigned own_s = wait_of(throttle, &own, THROTTLE_FREE, now_ms);
	unsigned network_s = is_known(throttle, try) ? 0 : wait_of(throttle, &network, THROTTLE_ADDRESS_FREE, now_ms);

	return own_s > network_s ? own_s : network_s;
}

bool throttle_is_refused(const struct throttle *throttle, const struct throttle_try *try, int64_t now_ms)
{
	struct key key = own_key(throttle, try);
	const struct entry *entry = find(throttle, &key);

	return entry != NULL && entry->digest == try->digest && now_ms - entry->last_ms < THROTTLE_SAME_S * 1000;
}

/* --- under way ------------------------------------------------------------------------------------------------- */

static unsigned failures_of(const struct throttle *throttle, const struct key *key, int64_t now_ms)
{
	const struct entry *entry = find(throttle, key);

	return entry == NULL || now_ms - entry->last_ms >= THROTTLE_FORGET_S * 1000 ? 0 : entry->failures;
}

static unsigned pending_of(const struct throttle *throttle, const struct key *key)
{
	const struct pending *pending = recent_find(throttle->pending, key->text, key->length);

	return pending == NULL ? 0 : pending->count;
}

static struct pending *pending_add(struct throttle *throttle, const struct key *key)
{
	struct pending *pending = recent_touch(throttle->pending, key->text, key->length);

	pending->count++;
	return pending;
}

static void pending_drop(struct throttle *throttle, struct pending **owner)
{
	struct pending *pending = *owner;

	*owner = NULL;
	if (pending != NULL && --pending->count == 0)
		recent_drop(throttle->pending, pending);
}

/* Whoever has no free ones left has one at a time. */
static bool may_begin(const struct throttle *throttle, const struct key *own, const struct key *network, int64_t now_ms)
{
	unsigned own_pending = pending_of(throttle, own), network_pending = network == NULL ? 0 : pending_of(throttle, network);

	if (own_pending > 0 && failures_of(throttle, own, now_ms) + own_pending >= THROTTLE_FREE)
		return false;
	return network_pending == 0 || (network_pending < THROTTLE_ADDRESS_PENDING_MAX
		&& failures_of(throttle, network, now_ms) < THROTTLE_ADDRESS_FREE);
}

bool throttle_begin(struct throttle *throttle, const struct throttle_try *try, int64_t now_ms,
	struct throttle_claim *claim_r)
{
	struct key own = own_key(throttle, try), network = network_key(try);
	bool is_exempt = is_known(throttle, try);

	if (!may_begin(throttle, &own, is_exempt ? NULL : &network, now_ms))
		return false;
	claim_r->own = pending_add(throttle, &own);
	claim_r->network = is_exempt ? NULL : pending_add(throttle, &network);
	return true;
}

void throttle_end(struct throttle *throttle, struct throttle_claim *claim)
{
	pending_drop(throttle, &claim->own);
	pending_drop(throttle, &claim->network);
}

/* --- decided --------------------------------------------------------------------------------------------------- */

static void count(struct throttle *throttle, const struct key *key, uint64_t digest, int64_t now_ms)
{
	struct entry *entry = recent_touch(throttle->entries, key->text, key->length);

	if (now_ms - entry->last_ms >= THROTTLE_FORGET_S * 1000)
		entry->failures = 0;
	if (entry->digest != digest || entry->failures == 0)
		entry->failures++;
	entry->digest = digest;
	entry->last_ms = now_ms;
}

void throttle_refused(struct throttle *throttle, const struct throttle_try *try, int64_t now_ms)
{
	struct key own = own_key(throttle, try), network = network_key(try);

	count(throttle, &own, try->digest, now_ms);
	if (!is_known(throttle, try))
		count(throttle, &network, try->digest, now_ms);
}

void throttle_accepted(struct throttle *throttle, const struct throttle_try *try)
{
	char network[THROTTLE_NETWORK_BYTES];

	throttle_network(try->address, network);
	if (try->device[0] != '\0')
		known_add(throttle->known, try->user, try->device, network);
}

void throttle_pardon(struct throttle *throttle, const struct throttle_try *try)
{
	struct key key = own_key(throttle, try);
	struct entry *entry = find(throttle, &key);

	if (entry != NULL)
		recent_drop(throttle->entries, entry);
}

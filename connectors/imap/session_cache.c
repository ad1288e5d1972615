/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Few sessions: an array that is searched. */
#include "connectors/imap/session_cache.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/core/mem.h"

struct entry {
	struct session *session; /* NULL: a free place */
	uint8_t *key;
	size_t length;
	time_t idle_since_s;
};

struct session_cache {
	struct entry entries[SESSION_CACHE_MAX];
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

struct session_cache *session_cache_create(void)
{
	return mem_alloc(sizeof(struct session_cache));
}

static void clear(struct entry *entry)
{
	session_close(&entry->session);
	if (entry->key != NULL)
		mem_wipe(entry->key, entry->length);
	free(entry->key);
	*entry = (struct entry){0};
}

void session_cache_free(struct session_cache **owner)
{
	for (int i = 0; *owner != NULL && i < SESSION_CACHE_MAX; i++)
		clear(&(*owner)->entries[i]);
	free(*owner);
	*owner = NULL;
}

static struct entry *find(struct session_cache *cache, const uint8_t *key, size_t length)
{
	for (int i = 0; i < SESSION_CACHE_MAX; i++) {
		struct entry *entry = &cache->entries[i];
		if (entry->session != NULL && entry->length == length && memcmp(entry->key, key, length) == 0)
			return entry;
	}
	return NULL;
}

/* A server may have dropped the session, or say BYE at the next command (its mailbox was deleted). */
static bool is_usable(const struct entry *entry)
{
	struct error ignored;

	return session_is_fresh(entry->session) && (now_s() - entry->idle_since_s < SESSION_CACHE_TRUST_S
		|| session_refresh(entry->session, &ignored) != SESSION_LOST);
}

struct session *session_cache_take(struct session_cache *cache, const uint8_t *key, size_t length)
{
	struct entry *entry = length > 0 ? find(cache, key, length) : NULL;
	struct session *session = NULL;

	if (entry == NULL)
		return NULL;
	if (is_usable(entry)) {
		session = entry->session;
		entry->session = NULL;
	}
	clear(entry);
	return session;
}

/* A free place, or that of the session which has been idle the longest. */
static struct entry *make_place(struct session_cache *cache)
{
	struct entry *oldest = &cache->entries[0];

	for (int i = 0; i < SESSION_CACHE_MAX; i++) {
		struct entry *entry = &cache->entries[i];
		if (entry->session == NULL)
			return entry;
		if (entry->idle_since_s < oldest->idle_since_s)
			oldest = entry;
	}
	clear(oldest);
	return oldest;
}

void session_cache_put(struct session_cache *cache, const uint8_t *key, size_t length, struct session **session)
{
	if ((*session)->is_broken || session_awaited(*session) > 0 || length == 0) {
		session_close(session);
		return;
	}
	*make_place(cache) = (struct entry){*session, mem_dup(key, length), length, now_s()};
	*session = NULL;
}

void session_cache_forget(struct session_cache *cache, const uint8_t *key, size_t length)
{
	struct entry *entry = find(cache, key, length);

	if (entry != NULL)
		clear(entry);
}

void session_cache_tidy(struct session_cache *cache)
{
	time_t now = now_s();

	for (int i = 0; i < SESSION_CACHE_MAX; i++)
		if (cache->entries[i].session != NULL && now - cache->entries[i].idle_since_s > SESSION_CACHE_IDLE_S)
			clear(&cache->entries[i]);
}

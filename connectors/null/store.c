/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mailboxes in memory: users, collections, items, and what happens to them. */
#include "connectors/null/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/core/mem.h"

/* The fields of an item that are texts: copied and freed alike. */
#define TEXT(field) offsetof(struct null_item, field)
static const size_t texts[] = {TEXT(from), TEXT(to), TEXT(cc), TEXT(subject), TEXT(text), TEXT(html), TEXT(message_class),
	TEXT(message_id), TEXT(in_reply_to), TEXT(attachment_name), TEXT(attachment_type), TEXT(keywords)};

static char **text_of(struct null_item *item, size_t index)
{
	return (char **)((char *)item + texts[index]);
}

/* --- items ----------------------------------------------------------------------------------------------------- */

static void item_free(struct null_item *item)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		free(*text_of(item, i));
	free(item);
}

struct null_item *null_item_copy(const struct null_item *item)
{
	struct null_item *copy = mem_dup(item, sizeof *item);

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*text_of(copy, i) = mem_strdup(*text_of(copy, i));
	return copy;
}

static size_t place_of(const struct null_collection *collection, uint64_t id)
{
	size_t first = 0, end = collection->count;

	while (first < end) {
		size_t middle = (first + end) / 2;
		if (collection->items[middle]->id < id)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

struct null_item *null_item(const struct null_collection *collection, uint64_t id)
{
	size_t place = place_of(collection, id);

	return place < collection->count && collection->items[place]->id == id ? collection->items[place] : NULL;
}

static void append(struct null_collection *collection, struct null_item *item)
{
	if (collection->count == collection->room) {
		collection->room = collection->room == 0 ? 8 : collection->room * 2;
		collection->items = mem_realloc(collection->items, collection->room * sizeof *collection->items);
	}
	collection->items[collection->count++] = item;
}

void null_item_put(struct null_collection *collection, struct null_item *item)
{
	item->id = collection->next++;
	item->modseq = ++collection->modseq;
	append(collection, item);
}

void null_item_flag(struct null_collection *collection, struct null_item *item, uint32_t set, uint32_t clear)
{
	uint32_t flags = (item->flags | set) & ~clear;

	if (flags == item->flags)
		return;
	item->flags = flags;
	item->modseq = ++collection->modseq;
}

char *null_keyword_next(const char **keywords, struct arena *arena)
{
	size_t length = *keywords == NULL ? 0 : strcspn(*keywords, "\n");
	char *keyword;

	if (length == 0)
		return NULL;
	keyword = arena_strndup(arena, *keywords, length);
	*keywords += length + ((*keywords)[length] == '\n');
	return keyword;
}

static bool is_among(const char *keyword, const char *keywords, struct arena *arena)
{
	const char *one;

	while ((one = null_keyword_next(&keywords, arena)) != NULL)
		if (strcasecmp(one, keyword) == 0)
			return true;
	return false;
}

/* Those of a list that are not in another. */
static void append_without(struct buffer *out, const char *keywords, const char *without, struct arena *arena)
{
	const char *one;

	while ((one = null_keyword_next(&keywords, arena)) != NULL)
		if (!is_among(one, without, arena))
			buffer_printf(out, "%s%s", out->length > 0 ? "\n" : "", one);
}

void null_item_label(struct null_collection *collection, struct null_item *item, const char *set, const char *clear)
{
	struct arena *arena = arena_create(0);
	struct buffer keywords = BUFFER_EMPTY;

	append_without(&keywords, item->keywords, clear, arena);
	append_without(&keywords, set, item->keywords, arena);
	if (strcmp(buffer_string(&keywords), item->keywords == NULL ? "" : item->keywords) != 0) {
		free(item->keywords);
		item->keywords = mem_strdup(buffer_string(&keywords));
		item->modseq = ++collection->modseq;
	}
	buffer_release(&keywords);
	arena_free(&arena);
}

void null_item_remove(struct null_collection *collection, uint64_t id)
{
	size_t place = place_of(collection, id);

	item_free(collection->items[place]);
	collection->count--;
	memmove(&collection->items[place], &collection->items[place + 1],
		(collection->count - place) * sizeof *collection->items);
	collection->modseq++;
}

/* --- collections ----------------------------------------------------------------------------------------------- */

static void collection_empty(struct null_collection *collection)
{
	for (size_t i = 0; i < collection->count; i++)
		item_free(collection->items[i]);
	collection->count = 0;
}

static void collection_free(struct null_collection *collection)
{
	collection_empty(collection);
	free(collection->items);
	free(collection->name);
	free(collection);
}

static struct null_collection *collection_add(struct null_mailboxes *mailboxes, const char *name)
{
	struct null_collection *collection = mem_alloc(sizeof *collection);

	collection->name = mem_strdup(name);
	collection->next = collection->modseq = 1;
	mailboxes->list = mem_realloc(mailboxes->list, (mailboxes->count + 1) * sizeof *mailboxes->list);
	mailboxes->list[mailboxes->count++] = collection;
	return collection;
}

static void mailboxes_empty(struct null_mailboxes *mailboxes)
{
	for (size_t i = 0; i < mailboxes->count; i++)
		collection_free(mailboxes->list[i]);
	free(mailboxes->list);
	*mailboxes = (struct null_mailboxes){0};
}

static struct null_mailboxes *mailboxes_copy(const struct null_mailboxes *mailboxes)
{
	struct null_mailboxes *copy = mem_alloc(sizeof *copy);

	for (size_t i = 0; i < mailboxes->count; i++) {
		const struct null_collection *from = mailboxes->list[i];
		struct null_collection *to = collection_add(copy, from->name);
		to->role = from->role;
		to->validity = from->validity;
		to->next = from->next;
		to->modseq = from->modseq;
		for (size_t j = 0; j < from->count; j++)
			append(to, null_item_copy(from->items[j]));
	}
	return copy;
}

struct null_collection *null_collection(const struct null_mailboxes *mailboxes, const char *name)
{
	for (size_t i = 0; i < mailboxes->count; i++)
		if (strcmp(mailboxes->list[i]->name, name) == 0)
			return mailboxes->list[i];
	return NULL;
}

struct null_collection *null_collection_of_role(const struct null_mailboxes *mailboxes, Belfry__Connector__Role role)
{
	for (size_t i = 0; i < mailboxes->count; i++)
		if (mailboxes->list[i]->role == role)
			return mailboxes->list[i];
	return NULL;
}

/* --- users ----------------------------------------------------------------------------------------------------- */

/* alice and alice@example.org are one: logins and watches may name the same user differently. */
static size_t name_length(const char *name)
{
	return strcspn(name, "@");
}

static struct null_user *find_user(const struct null_store *store, const char *name)
{
	struct null_user *user;

	HASH_FIND(hh, store->users, name, name_length(name), user);
	return user;
}

struct null_user *null_user(struct null_store *store, const char *name)
{
	struct null_user *user = find_user(store, name);
	size_t length = name_length(name);

	if (user != NULL)
		return user;
	user = mem_alloc(sizeof *user + length + 1);
	memcpy(user->name, name, length);
	HASH_ADD(hh, store->users, name, length, user);
	return user;
}

struct null_user *null_user_by_handle(struct null_store *store, const uint8_t *handle, size_t length)
{
	struct null_user *user = NULL;

	if (length == NULL_HANDLE_BYTES)
		HASH_FIND(by_handle, store->handles, handle, NULL_HANDLE_BYTES, user);
	return user;
}

void null_user_forget_handle(struct null_store *store, struct null_user *user)
{
	if (user->has_handle)
		HASH_DELETE(by_handle, store->handles, user);
	user->has_handle = false;
}

void null_user_unwatch(struct null_user *user)
{
	struct null_watch *watch = user->watch;

	if (watch == NULL)
		return;
	user->watch = NULL;
	for (size_t i = 0; i < watch->count; i++)
		free(watch->collections[i]);
	free(watch->collections);
	free(watch->user);
	free(watch);
}

const struct null_mailboxes *null_mailboxes_of(const struct null_store *store, const struct null_user *user)
{
	return user == NULL || user->own == NULL ? &store->template : user->own;
}

struct null_mailboxes *null_mailboxes_own(struct null_store *store, struct null_user *user)
{
	if (user == NULL)
		return &store->template;
	if (user->own == NULL)
		user->own = mailboxes_copy(&store->template);
	return user->own;
}

static void user_free(struct null_store *store, struct null_user *user)
{
	null_user_forget_handle(store, user);
	null_user_unwatch(user);
	HASH_DELETE(hh, store->users, user);
	if (user->own != NULL)
		mailboxes_empty(user->own);
	free(user->own);
	free(user->oof);
	free(user->password);
	free(user);
}

/* --- the store ------------------------------------------------------------------------------------------------- */

struct null_store *null_store_create(struct net *net, const char *place, struct error *error_r)
{
	static const struct { const char *name; Belfry__Connector__Role role; } usual[] = {
		{"INBOX", BELFRY__CONNECTOR__ROLE__INBOX},
		{"Drafts", BELFRY__CONNECTOR__ROLE__DRAFTS},
		{"Sent", BELFRY__CONNECTOR__ROLE__SENT},
		{"Trash", BELFRY__CONNECTOR__ROLE__TRASH},
		{"Junk", BELFRY__CONNECTOR__ROLE__JUNK},
	};
	struct null_store *store = mem_alloc(sizeof *store);

	store->loop = net_loop(net);
	store->password = mem_strdup("secret");
	store->last_validity = 1000; /* unlike an id at a glance */
	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		null_collection_add(store, NULL, usual[i].name, usual[i].role);
	store->service = service_listen(net, place, &null_service_events, store, error_r);
	if (store->service == NULL)
		null_store_free(&store);
	return store;
}

void null_store_free(struct null_store **owner)
{
	struct null_store *store = *owner;

	*owner = NULL;
	if (store == NULL)
		return;
	service_close(&store->service);
	while (store->users != NULL)
		user_free(store, store->users);
	mailboxes_empty(&store->template);
	while (store->submissions != NULL) {
		struct null_submission *submission = store->submissions;
		HASH_DELETE(hh, store->submissions, submission);
		free(submission);
	}
	free(store->password);
	free(store);
}

static void void_login(struct null_store *store, struct null_user *user)
{
	null_user_forget_handle(store, user);
	if (user->watch != NULL) {
		Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;
		positions.user = user->watch->user;
		positions.status = BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED;
		service_tell(user->watch->client, &positions);
		null_user_unwatch(user);
	}
}

void null_store_set_password(struct null_store *store, const char *password)
{
	free(store->password);
	store->password = mem_strdup(password);
	for (struct null_user *user = store->users; user != NULL; user = user->hh.next)
		if (user->password == NULL)
			void_login(store, user);
}

void null_user_set_password(struct null_store *store, const char *name, const char *password)
{
	struct null_user *user = null_user(store, name);

	free(user->password);
	user->password = mem_strdup(password);
	void_login(store, user);
}

void null_store_set_trouble(struct null_store *store, Belfry__Connector__Status trouble)
{
	store->trouble = trouble;
}

/* --- what a backend would do ----------------------------------------------------------------------------------- */

static char *text_or(const char *text, const char *otherwise)
{
	return mem_strdup(text != NULL ? text : otherwise);
}

static struct null_item *item_create(const struct null_store *store, const char *user, const struct null_mail *mail,
	uint64_t id)
{
	struct null_item *item = mem_alloc(sizeof *item);

	item->received_s = mail->received_s != 0 ? mail->received_s : (uint64_t)loop_wall_s(store->loop);
	item->flags = mail->flags;
	item->is_bad = mail->is_bad;
	item->from = text_or(mail->from, "\"Bell Ringer\" <ringer@example.net>");
	item->to = text_or(mail->to, user != NULL ? user : "you@example.org");
	item->cc = text_or(mail->cc, "");
	item->subject = mail->subject != NULL ? mem_strdup(mail->subject) : mem_printf("Mail %llu", (unsigned long long)id);
	item->text = text_or(mail->text, "Ding dong.\r\n");
	item->html = mem_strdup(mail->html);
	item->message_class = text_or(mail->message_class, "IPM.Note");
	item->message_id = mail->message_id != NULL ? mem_strdup(mail->message_id)
		: mem_printf("<%llu@null.example>", (unsigned long long)id);
	item->in_reply_to = text_or(mail->in_reply_to, "");
	item->attachment_name = mem_strdup(mail->attachment_name);
	item->attachment_type = mem_strdup(mail->attachment_type);
	item->keywords = mem_strdup(mail->keywords);
	return item;
}

struct place {
	struct null_user *user;
	struct null_collection *collection;
};

static struct place writable(struct null_store *store, const char *name, const char *collection)
{
	struct null_user *user = name == NULL ? NULL : null_user(store, name);

	return (struct place){user, null_collection(null_mailboxes_own(store, user), collection)};
}

uint64_t null_deliver(struct null_store *store, const char *user, const char *collection, const struct null_mail *mail)
{
	struct place place = writable(store, user, collection);

	assert(place.collection != NULL);
	struct null_item *item = item_create(store, user, mail, place.collection->next);
	null_item_put(place.collection, item);
	null_changed(store, place.user, place.collection);
	return item->id;
}

bool null_flag(struct null_store *store, const char *user, const char *collection, uint64_t id, uint32_t set,
	uint32_t clear)
{
	struct place place = writable(store, user, collection);
	struct null_item *item = place.collection == NULL ? NULL : null_item(place.collection, id);

	if (item == NULL)
		return false;
	null_item_flag(place.collection, item, set, clear);
	null_changed(store, place.user, place.collection);
	return true;
}

bool null_label(struct null_store *store, const char *user, const char *collection, uint64_t id, const char *set,
	const char *clear)
{
	struct place place = writable(store, user, collection);
	struct null_item *item = place.collection == NULL ? NULL : null_item(place.collection, id);

	if (item == NULL)
		return false;
	null_item_label(place.collection, item, set, clear);
	null_changed(store, place.user, place.collection);
	return true;
}

bool null_expunge(struct null_store *store, const char *user, const char *collection, uint64_t id)
{
	struct place place = writable(store, user, collection);

	if (place.collection == NULL || null_item(place.collection, id) == NULL)
		return false;
	null_item_remove(place.collection, id);
	null_changed(store, place.user, place.collection);
	return true;
}

void null_collection_add(struct null_store *store, const char *name, const char *collection, Belfry__Connector__Role role)
{
	struct null_user *user = name == NULL ? NULL : null_user(store, name);
	struct null_collection *added = collection_add(null_mailboxes_own(store, user), collection);

	added->role = role;
	added->validity = ++store->last_validity;
	null_hierarchy_changed(store, user);
}

bool null_collection_remove(struct null_store *store, const char *user, const char *collection)
{
	struct place place = writable(store, user, collection);
	struct null_mailboxes *mailboxes = null_mailboxes_own(store, place.user);

	for (size_t i = 0; i < mailboxes->count; i++) {
		if (mailboxes->list[i] != place.collection)
			continue;
		collection_free(place.collection);
		mailboxes->list[i] = mailboxes->list[--mailboxes->count];
		null_hierarchy_changed(store, place.user);
		return true;
	}
	return false;
}

void null_collection_renew(struct null_store *store, const char *user, const char *collection)
{
	struct place place = writable(store, user, collection);

	assert(place.collection != NULL);
	collection_empty(place.collection);
	place.collection->validity = ++store->last_validity;
	place.collection->next = place.collection->modseq = 1;
	null_changed(store, place.user, place.collection);
}

/* --- what a test looks at -------------------------------------------------------------------------------------- */

static const struct null_collection *readable(const struct null_store *store, const char *user, const char *collection)
{
	return null_collection(null_mailboxes_of(store, user == NULL ? NULL : find_user(store, user)), collection);
}

int null_flags(const struct null_store *store, const char *user, const char *collection, uint64_t id)
{
	const struct null_collection *found = readable(store, user, collection);
	const struct null_item *item = found == NULL ? NULL : null_item(found, id);

	return item == NULL ? -1 : (int)item->flags;
}

int null_count(const struct null_store *store, const char *user, const char *collection)
{
	const struct null_collection *found = readable(store, user, collection);

	return found == NULL ? -1 : (int)found->count;
}

Belfry__Role__Position null_position(const struct null_store *store, const char *user, const char *collection)
{
	const struct null_collection *found = readable(store, user, collection);
	Belfry__Role__Position position = BELFRY__ROLE__POSITION__INIT;

	if (found != NULL)
		null_position_fill(found, &position);
	return position;
}

bool null_is_watched(const struct null_store *store, const char *user)
{
	const struct null_user *found = find_user(store, user);

	return found != NULL && found->watch != NULL;
}

unsigned null_submitted(const struct null_store *store, const char *user)
{
	const struct null_user *found = find_user(store, user);

	return found == NULL ? 0 : found->submitted;
}

unsigned null_asked(const struct null_store *store, Belfry__Connector__Request__BodyCase kind)
{
	return store->asked[kind];
}

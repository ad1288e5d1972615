/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The contract, kept over mailboxes in memory. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "connectors/hierarchy.h"
#include "connectors/null/store.h"
#include "lib/core/mem.h"
#include "lib/model/ranges.h"

typedef Belfry__Connector__Request request_t;

static void answer_status(struct service_client *client, const request_t *request, Belfry__Connector__Status status)
{
	service_answer_status(client, request->id, status, NULL);
}

static Belfry__Connector__Response response_to(const request_t *request, Belfry__Connector__Response__BodyCase body)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	response.id = request->id;
	response.body_case = body;
	return response;
}

void null_position_fill(const struct null_collection *collection, Belfry__Role__Position *position)
{
	position->validity = collection->validity;
	position->next = collection->next;
	position->token = collection->modseq;
}

/* --- login ----------------------------------------------------------------------------------------------------- */

static void give_handle(struct null_store *store, struct null_user *user)
{
	if (user->has_handle)
		return;
	RAND_bytes(user->handle, sizeof user->handle);
	user->has_handle = true;
	HASH_ADD(by_handle, store->handles, handle, NULL_HANDLE_BYTES, user);
}

static void login(struct null_store *store, struct service_client *client, const request_t *request)
{
	struct null_user *user = null_user(store, request->login->user);
	const char *password = user->password != NULL ? user->password : store->password;
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_LOGGED_IN);
	Belfry__Connector__LoggedIn logged_in = BELFRY__CONNECTOR__LOGGED_IN__INIT;

	if (strcmp(request->login->password, password) != 0) {
		answer_status(client, request, BELFRY__CONNECTOR__STATUS__REFUSED);
		return;
	}
	give_handle(store, user);
	logged_in.handle = (ProtobufCBinaryData){sizeof user->handle, user->handle};
	response.logged_in = &logged_in;
	service_answer(client, &response, -1);
}

/* --- collections and items ------------------------------------------------------------------------------------- */

static void fill_collection(const struct null_collection *collection, Belfry__Connector__Collection *message,
	struct arena *arena)
{
	const char *slash = strrchr(collection->name, '/');

	belfry__connector__collection__init(message);
	message->name = collection->name;
	message->display_name = slash == NULL ? collection->name : (char *)slash + 1;
	if (slash != NULL)
		message->parent = arena_strndup(arena, collection->name, (size_t)(slash - collection->name));
	message->kind = BELFRY__CONNECTOR__COLLECTION_KIND__MAIL;
	message->role = collection->role;
	message->selectable = true;
	message->validity = collection->validity;
}

static void fill_collections(const struct null_mailboxes *mailboxes, Belfry__Connector__Collections *collections,
	struct arena *arena)
{
	belfry__connector__collections__init(collections);
	collections->n_collections = mailboxes->count;
	collections->collections = arena_alloc(arena, mailboxes->count * sizeof *collections->collections);
	for (size_t i = 0; i < mailboxes->count; i++) {
		collections->collections[i] = arena_alloc(arena, sizeof *collections->collections[i]);
		fill_collection(mailboxes->list[i], collections->collections[i], arena);
	}
}

static void list(const struct null_mailboxes *mailboxes, struct service_client *client, const request_t *request,
	struct arena *arena)
{
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_COLLECTIONS);
	Belfry__Connector__Collections collections;

	fill_collections(mailboxes, &collections, arena);
	response.collections = &collections;
	service_answer(client, &response, -1);
}

/* The collection that a request names, when it is there and of that validity; else answers so. */
static struct null_collection *wanted(const struct null_mailboxes *mailboxes, const char *name, uint64_t validity,
	struct service_client *client, const request_t *request)
{
	struct null_collection *collection = null_collection(mailboxes, name);

	if (collection == NULL)
		answer_status(client, request, BELFRY__CONNECTOR__STATUS__NOT_FOUND);
	else if (validity != 0 && validity != collection->validity)
		answer_status(client, request, BELFRY__CONNECTOR__STATUS__STALE);
	else
		return collection;
	return NULL;
}

/* Each item's categories are told anew: there are few. */
static void label(Belfry__Connector__Surveyed *surveyed, Belfry__Connector__ItemFlags *flags, const struct null_item *item,
	struct arena *arena)
{
	const char *rest = item->keywords;
	char *keyword;

	while ((keyword = null_keyword_next(&rest, arena)) != NULL) {
		char **names = arena_alloc(arena, (surveyed->n_keywords + 1) * sizeof *names);
		uint32_t *places = arena_alloc(arena, (flags->n_keywords + 1) * sizeof *places);
		if (surveyed->n_keywords > 0)
			memcpy(names, surveyed->keywords, surveyed->n_keywords * sizeof *names);
		if (flags->n_keywords > 0)
			memcpy(places, flags->keywords, flags->n_keywords * sizeof *places);
		places[flags->n_keywords++] = (uint32_t)surveyed->n_keywords;
		names[surveyed->n_keywords++] = keyword;
		surveyed->keywords = names;
		flags->keywords = places;
	}
}

static Belfry__Connector__ItemFlags *flags_of(Belfry__Connector__Surveyed *surveyed, const struct null_item *item,
	struct arena *arena)
{
	Belfry__Connector__ItemFlags *flags = arena_alloc(arena, sizeof *flags);

	belfry__connector__item_flags__init(flags);
	flags->id = item->id;
	flags->flags = item->flags;
	label(surveyed, flags, item, arena);
	return flags;
}

/* What is within the filter, and with it the rest of its conversations. */
static bool *list_wanted(const struct null_collection *collection, const Belfry__Connector__Survey *asked,
	struct arena *arena)
{
	struct conversation { UT_hash_handle hh; const char *root; } *all = NULL, *found;
	bool *wanted = arena_alloc(arena, collection->count + 1);

	for (size_t i = 0; i < collection->count; i++) {
		const char *root = null_item_root(collection->items[i]);
		wanted[i] = collection->items[i]->received_s >= asked->received_since_s;
		HASH_FIND_STR(all, root, found);
		if (!wanted[i] || !asked->conversations || found != NULL)
			continue;
		found = arena_alloc(arena, sizeof *found);
		found->root = root;
		HASH_ADD_KEYPTR(hh, all, root, strlen(root), found);
	}
	for (size_t i = 0; i < collection->count; i++) {
		HASH_FIND_STR(all, null_item_root(collection->items[i]), found);
		wanted[i] = wanted[i] || found != NULL;
	}
	HASH_CLEAR(hh, all);
	return wanted;
}

static void survey(const struct null_mailboxes *mailboxes, struct service_client *client, const request_t *request,
	struct arena *arena)
{
	const Belfry__Connector__Survey *asked = request->survey;
	struct null_collection *collection = wanted(mailboxes, asked->collection, asked->validity, client, request);
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_SURVEYED);
	Belfry__Connector__Surveyed surveyed = BELFRY__CONNECTOR__SURVEYED__INIT;
	Belfry__Role__Position position = BELFRY__ROLE__POSITION__INIT;
	Belfry__Connector__Ranges present = BELFRY__CONNECTOR__RANGES__INIT;
	struct ranges ranges = RANGES_EMPTY;

	if (collection == NULL)
		return;
	null_position_fill(collection, &position);
	const bool *wanted_here = list_wanted(collection, asked, arena);
	surveyed.changed = arena_alloc(arena, collection->count * sizeof *surveyed.changed);
	for (size_t i = 0; i < collection->count; i++) {
		const struct null_item *item = collection->items[i];
		if (!wanted_here[i])
			continue;
		ranges_add(&ranges, item->id, item->id);
		if (item->modseq > asked->since_token)
			surveyed.changed[surveyed.n_changed++] = flags_of(&surveyed, item, arena);
	}
	present.n_bounds = 2 * ranges.count;
	present.bounds = (uint64_t *)ranges.list; /* pairs of first and last, as the message wants them */
	surveyed.position = &position;
	surveyed.present = &present;
	surveyed.flags_complete = asked->since_token == 0;
	response.surveyed = &surveyed;
	service_answer(client, &response, -1);
	ranges_release(&ranges);
}

static void fetch(const struct null_mailboxes *mailboxes, struct service_client *client, const request_t *request,
	struct arena *arena)
{
	const Belfry__Connector__Fetch *asked = request->fetch;
	struct null_collection *collection = wanted(mailboxes, asked->collection, asked->validity, client, request);

	if (collection != NULL && asked->n_ids == 0)
		answer_status(client, request, BELFRY__CONNECTOR__STATUS__OK);
	for (size_t i = 0; collection != NULL && i < asked->n_ids; i++) {
		Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_FETCHED);
		Belfry__Connector__Fetched fetched = BELFRY__CONNECTOR__FETCHED__INIT;
		Belfry__Connector__Item missing = BELFRY__CONNECTOR__ITEM__INIT;
		const struct null_item *item = null_item(collection, asked->ids[i]);
		int fd = -1;
		missing.id = asked->ids[i];
		missing.status = BELFRY__CONNECTOR__STATUS__NOT_FOUND;
		fetched.item = item == NULL ? &missing : null_item_fetched(item, asked, arena, &fd);
		fetched.last = i + 1 == asked->n_ids;
		response.fetched = &fetched;
		service_answer(client, &response, fd);
	}
}

static void fetch_part(const struct null_mailboxes *mailboxes, struct service_client *client, const request_t *request)
{
	const Belfry__Connector__FetchPart *asked = request->fetch_part;
	struct null_collection *collection = wanted(mailboxes, asked->collection, asked->validity, client, request);
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_PART);
	Belfry__Connector__Part part = BELFRY__CONNECTOR__PART__INIT;
	int fd = -1;

	if (collection == NULL)
		return;
	response.status = null_item_part(null_item(collection, asked->id), asked, &part, &fd);
	response.part = &part;
	service_answer(client, &response, fd);
}

/* A move is an item gone here and a new one there. */
static uint64_t move_item(struct null_collection *from, struct null_item *item, struct null_collection *to)
{
	uint64_t id = to->next;

	null_item_put(to, null_item_copy(item));
	null_item_remove(from, item->id);
	return id;
}

/* One that has been moved before: 0, it was not. */
static uint64_t moved_before(const struct null_collection *to, const char *message_id)
{
	for (size_t i = to->count; i-- > 0 && message_id[0] != '\0';)
		if (strcmp(to->items[i]->message_id, message_id) == 0)
			return to->items[i]->id;
	return 0;
}

/* Where the operation takes its item; NULL: nowhere, or the trash is where it is. */
static struct null_collection *target_of(const struct null_mailboxes *mailboxes, const struct null_collection *collection,
	const Belfry__Connector__Operation *operation)
{
	struct null_collection *trash = null_collection_of_role(mailboxes, BELFRY__CONNECTOR__ROLE__TRASH);

	if (operation->move_to[0] != '\0')
		return null_collection(mailboxes, operation->move_to);
	return operation->remove && operation->to_trash && trash != collection ? trash : NULL;
}

static Belfry__Connector__Status operate(struct null_mailboxes *mailboxes, struct null_collection *collection,
	const Belfry__Connector__Operation *operation, uint64_t *moved_r)
{
	struct null_item *item = null_item(collection, operation->id);
	struct null_collection *target = target_of(mailboxes, collection, operation);
	bool needs_target = operation->move_to[0] != '\0' || (operation->remove && operation->to_trash
		&& null_collection_of_role(mailboxes, BELFRY__CONNECTOR__ROLE__TRASH) == NULL);

	if (item == NULL && operation->move_to[0] != '\0' && target != NULL)
		*moved_r = moved_before(target, operation->message_id);
	if (item == NULL)
		return *moved_r != 0 ? BELFRY__CONNECTOR__STATUS__OK : BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (needs_target && target == NULL)
		return BELFRY__CONNECTOR__STATUS__UNSUPPORTED; /* rather than destroyed */
	null_item_flag(collection, item, operation->set_flags, operation->clear_flags);
	for (size_t i = 0; i < operation->n_set_keywords; i++)
		null_item_label(collection, item, operation->set_keywords[i], NULL);
	for (size_t i = 0; i < operation->n_clear_keywords; i++)
		null_item_label(collection, item, NULL, operation->clear_keywords[i]);
	if (target != NULL)
		*moved_r = move_item(collection, item, target);
	else if (operation->remove)
		null_item_remove(collection, item->id);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static void apply(struct null_store *store, struct null_user *user, struct service_client *client,
	const request_t *request, struct arena *arena)
{
	const Belfry__Connector__Apply *asked = request->apply;
	struct null_mailboxes *mailboxes = null_mailboxes_own(store, user);
	struct null_collection *collection = wanted(mailboxes, asked->collection, asked->validity, client, request);
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_APPLIED);
	Belfry__Connector__Applied applied = BELFRY__CONNECTOR__APPLIED__INIT;
	uint64_t *modseqs = arena_alloc(arena, mailboxes->count * sizeof *modseqs);

	if (collection == NULL)
		return;
	for (size_t i = 0; i < mailboxes->count; i++)
		modseqs[i] = mailboxes->list[i]->modseq;
	applied.n_results = applied.n_moved = asked->n_operations;
	applied.results = arena_alloc(arena, asked->n_operations * sizeof *applied.results);
	applied.moved = arena_alloc(arena, asked->n_operations * sizeof *applied.moved);
	for (size_t i = 0; i < asked->n_operations; i++)
		applied.results[i] = operate(mailboxes, collection, asked->operations[i], &applied.moved[i]);
	response.applied = &applied;
	service_answer(client, &response, -1);
	for (size_t i = 0; i < mailboxes->count; i++)
		if (mailboxes->list[i] == collection || mailboxes->list[i]->modseq != modseqs[i])
			null_changed(store, user, mailboxes->list[i]);
}

static void alter(struct null_store *store, struct null_user *user, struct service_client *client,
	const request_t *request, struct arena *arena)
{
	const Belfry__Connector__Alter *asked = request->alter;
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_ALTERED);
	Belfry__Connector__Altered altered = BELFRY__CONNECTOR__ALTERED__INIT;

	altered.name = arena_printf(arena, "%s%s%s", asked->parent, asked->parent[0] == '\0' ? "" : "/", asked->display_name);
	response.status = null_alter(store, user, asked, altered.name);
	response.altered = &altered;
	service_answer(client, &response, -1);
}

static void search(const struct null_mailboxes *mailboxes, struct service_client *client, const request_t *request,
	struct arena *arena)
{
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_FOUND);
	Belfry__Connector__Found found = BELFRY__CONNECTOR__FOUND__INIT;

	null_search(mailboxes, request->search, &found, arena);
	response.found = &found;
	service_answer(client, &response, -1);
}

static void send_mail(struct null_store *store, struct null_user *user, struct service_client *client,
	const request_t *request, struct arena *arena)
{
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_SENT);
	Belfry__Connector__Sent sent = BELFRY__CONNECTOR__SENT__INIT;
	int fd = service_take_fd(client);

	response.status = null_send(store, user, request->send, fd, arena);
	if (fd >= 0)
		close(fd);
	sent.last = true;
	sent.submitted = response.status == BELFRY__CONNECTOR__STATUS__OK;
	sent.saved = sent.submitted && request->send->save;
	response.sent = &sent;
	service_answer(client, &response, -1);
}

static void get_oof(struct null_user *user, struct service_client *client, const request_t *request, struct arena *arena)
{
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_OOF);
	Belfry__Connector__Oof *oof = null_oof(user, arena);
	Belfry__Connector__OofMessage *messages[] = {oof->internal, oof->known, oof->unknown};

	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
		if (messages[i] != NULL)
			messages[i]->is_html = request->get_oof->html;
	response.oof = oof;
	service_answer(client, &response, -1);
}

static void set_oof(struct null_user *user, struct service_client *client, const request_t *request, struct arena *arena)
{
	null_oof_set(user, request->set_oof, arena);
	answer_status(client, request, BELFRY__CONNECTOR__STATUS__OK);
}

/* --- the watch half -------------------------------------------------------------------------------------------- */

static void fill_hierarchy(const struct null_mailboxes *mailboxes, Belfry__Role__Position *position, struct arena *arena)
{
	Belfry__Connector__Collections collections;

	fill_collections(mailboxes, &collections, arena);
	position->validity = HIERARCHY_VALIDITY;
	position->next = HIERARCHY_NEXT;
	position->token = hierarchy_token(collections.collections, collections.n_collections);
}

static Belfry__Connector__CollectionPosition *position_of(const struct null_mailboxes *mailboxes, char *name,
	struct arena *arena)
{
	Belfry__Connector__CollectionPosition *entry = arena_alloc(arena, sizeof *entry);
	const struct null_collection *collection = null_collection(mailboxes, name);

	belfry__connector__collection_position__init(entry);
	entry->collection = name;
	entry->status = BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (collection == NULL && name[0] != '\0')
		return entry;
	entry->status = BELFRY__CONNECTOR__STATUS__OK;
	entry->position = arena_alloc(arena, sizeof *entry->position);
	belfry__role__position__init(entry->position);
	if (collection != NULL)
		null_position_fill(collection, entry->position);
	else
		fill_hierarchy(mailboxes, entry->position, arena);
	return entry;
}

static void fill_positions(const struct null_mailboxes *mailboxes, char **names, size_t count,
	Belfry__Connector__Positions *positions, struct arena *arena)
{
	positions->n_positions = count;
	positions->positions = arena_alloc(arena, count * sizeof *positions->positions);
	for (size_t i = 0; i < count; i++)
		positions->positions[i] = position_of(mailboxes, names[i], arena);
}

static void check(struct null_store *store, struct service_client *client, const request_t *request, struct arena *arena)
{
	const struct null_mailboxes *mailboxes = null_mailboxes_of(store, null_user(store, request->check->user));
	Belfry__Connector__Response response = response_to(request, BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS);
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;

	positions.user = request->check->user;
	positions.source = (char *)"check";
	fill_positions(mailboxes, request->check->collections, request->check->n_collections, &positions, arena);
	response.positions = &positions;
	service_answer(client, &response, -1);
}

/* Remembers who watches what; with hooks nobody does. */
static void start_watch(struct null_user *user, struct service_client *client, const Belfry__Connector__Watch *asked)
{
	struct null_watch *watch = mem_alloc(sizeof *watch);

	watch->client = client;
	watch->user = mem_strdup(asked->user);
	watch->count = asked->n_collections;
	watch->collections = mem_alloc_array(asked->n_collections, sizeof *watch->collections);
	for (size_t i = 0; i < asked->n_collections; i++)
		watch->collections[i] = mem_strdup(asked->collections[i]);
	user->watch = watch;
}

static void watch(struct null_store *store, struct service_client *client, const request_t *request, struct arena *arena)
{
	struct null_user *user = null_user(store, request->watch->user);
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;

	answer_status(client, request, BELFRY__CONNECTOR__STATUS__OK);
	null_user_unwatch(user);
	if (request->watch->hooked)
		return;
	start_watch(user, client, request->watch);
	positions.user = request->watch->user;
	positions.source = (char *)"idle";
	fill_positions(null_mailboxes_of(store, user), request->watch->collections, request->watch->n_collections, &positions,
		arena);
	service_tell(client, &positions);
}

static void unwatch(struct null_store *store, struct service_client *client, const request_t *request)
{
	null_user_unwatch(null_user(store, request->unwatch->user));
	answer_status(client, request, BELFRY__CONNECTOR__STATUS__OK);
}

static bool is_watched(const struct null_user *user, const char *collection)
{
	for (size_t i = 0; user != NULL && user->watch != NULL && i < user->watch->count; i++)
		if (strcmp(user->watch->collections[i], collection) == 0)
			return true;
	return false;
}

static void tell_changed(struct null_store *store, struct null_user *user, char *collection)
{
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;
	struct arena *arena;

	if (!is_watched(user, collection))
		return;
	arena = arena_create(0);
	positions.user = user->watch->user;
	positions.source = (char *)"idle";
	fill_positions(null_mailboxes_of(store, user), &collection, 1, &positions, arena);
	service_tell(user->watch->client, &positions);
	arena_free(&arena);
}

void null_changed(struct null_store *store, struct null_user *user, const struct null_collection *collection)
{
	tell_changed(store, user, collection->name);
}

void null_hierarchy_changed(struct null_store *store, struct null_user *user)
{
	static char hierarchy[] = "";

	tell_changed(store, user, hierarchy);
}

/* --- requests -------------------------------------------------------------------------------------------------- */

static void asked_with_handle(struct null_store *store, struct service_client *client, const request_t *request,
	struct arena *arena)
{
	struct null_user *user = null_user_by_handle(store, request->handle.data, request->handle.len);
	const struct null_mailboxes *mailboxes = null_mailboxes_of(store, user);

	if (user == NULL) {
		answer_status(client, request, BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED);
		return;
	}
	switch (request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LIST: list(mailboxes, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SURVEY: survey(mailboxes, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH: fetch(mailboxes, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SEARCH: search(mailboxes, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART: fetch_part(mailboxes, client, request); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_APPLY: apply(store, user, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SEND: send_mail(store, user, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF: get_oof(user, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF: set_oof(user, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_ALTER: alter(store, user, client, request, arena); break;
	default: answer_status(client, request, BELFRY__CONNECTOR__STATUS__UNSUPPORTED);
	}
}

static void asked(struct service_client *client, const request_t *request, void *owner)
{
	struct null_store *store = owner;
	struct arena *arena;

	if ((size_t)request->body_case < NULL_REQUEST_KINDS)
		store->asked[request->body_case]++;
	if (store->trouble != BELFRY__CONNECTOR__STATUS__OK) {
		answer_status(client, request, store->trouble);
		return;
	}
	arena = arena_create(0);
	switch (request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LOGIN: login(store, client, request); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_CHECK: check(store, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_WATCH: watch(store, client, request, arena); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_UNWATCH: unwatch(store, client, request); break;
	default: asked_with_handle(store, client, request, arena);
	}
	arena_free(&arena);
}

static void left(struct service_client *client, void *owner)
{
	struct null_store *store = owner;

	for (struct null_user *user = store->users; user != NULL; user = user->hh.next)
		if (user->watch != NULL && user->watch->client == client)
			null_user_unwatch(user);
}

const struct service_events null_service_events = {.asked = asked, .left = left};

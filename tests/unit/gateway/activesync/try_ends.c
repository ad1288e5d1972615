/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hub with records in memory, and a connector with mailboxes of a few numbers each. */
#include "tests/unit/gateway/activesync/try_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "lib/core/arena.h"
#include "lib/ipc/connector.pb-c.h"

/* True: the message is lost, because something happened just now. */
static bool trouble_comes(struct try_engine *try)
{
	if (++try->messages != try->trouble_at)
		return false;
	switch (try->trouble) {
	case TROUBLE_HUB_ENDS: try_hub_ends(try); break;
	case TROUBLE_CONNECTOR_ENDS: try_connector_ends(try); break;
	case TROUBLE_HUB_SILENT: try->hub_is_silent = true; break;
	case TROUBLE_CONNECTOR_SILENT: try->connector_is_silent = true; break;
	case TROUBLE_PHONE_HANGS_UP: stream_close(&try->phone); return false;
	case TROUBLE_FRONT_ENDS: front_free(&try->front); break;
	default: return false;
	}
	return true;
}

/* --- the hub --------------------------------------------------------------------------------------------------- */

static struct try_record *find_record(struct try_engine *try, const char *key)
{
	for (size_t i = 0; i < try->record_count; i++)
		if (strcmp(try->records[i].key, key) == 0)
			return &try->records[i];
	return NULL;
}

static void answer_hub(struct try_engine *try, Belfry__Role__FromHub *message)
{
	if (try->hub != NULL)
		link_send(try->hub, &message->base, -1);
}

static void add_record(Belfry__Role__Begun *begun, const struct try_record *from, const char *key, struct arena *arena)
{
	Belfry__Role__Record *record = arena_alloc(arena, sizeof *record);

	belfry__role__record__init(record);
	record->key = arena_strdup(arena, key);
	if (from != NULL) {
		record->revision = from->revision;
		record->value.data = (uint8_t *)from->value.data;
		record->value.len = from->value.length;
	}
	begun->records[begun->n_records++] = record;
}

static void begin(struct try_engine *try, const Belfry__Role__ToHub *question, struct arena *arena)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Begun begun = BELFRY__ROLE__BEGUN__INIT;
	const Belfry__Role__Begin *asked = question->begin;

	try->begins++;
	begun.status = try->begin_status;
	begun.records = arena_alloc(arena, (asked->n_keys + asked->n_prefixes * try->record_count + 1) * sizeof *begun.records);
	if (begun.status == BELFRY__ROLE__STATUS__OK) {
		for (size_t i = 0; i < asked->n_keys; i++)
			add_record(&begun, find_record(try, asked->keys[i]), asked->keys[i], arena);
		for (size_t i = 0; i < asked->n_prefixes; i++)
			for (size_t k = 0; k < try->record_count; k++)
				if (strncmp(try->records[k].key, asked->prefixes[i], strlen(asked->prefixes[i])) == 0)
					add_record(&begun, &try->records[k], try->records[k].key, arena);
		if (asked->n_locks != 0) {
			begun.transaction = ++try->last_transaction;
			try->open_transactions++;
		}
	}
	message.id = question->id;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_BEGUN;
	message.begun = &begun;
	answer_hub(try, &message);
}

bool try_has_record(struct try_engine *try, const char *key)
{
	return find_record(try, key) != NULL;
}

static void put_record(struct try_engine *try, const Belfry__Role__Write *write)
{
	struct try_record *record = find_record(try, write->key);

	assert_int_equal(record == NULL ? 0 : record->revision, write->revision);
	if (record == NULL) {
		assert_true(try->record_count < TRY_RECORDS_MAX && strlen(write->key) < sizeof record->key);
		record = &try->records[try->record_count++];
		strcpy(record->key, write->key);
	}
	buffer_truncate(&record->value, 0);
	buffer_append(&record->value, write->value.data, write->value.len);
	record->revision = ++try->last_transaction;
	if (!write->remove)
		return;
	buffer_release(&record->value);
	*record = try->records[--try->record_count];
	try->records[try->record_count] = (struct try_record){0};
}

static void commit(struct try_engine *try, const Belfry__Role__ToHub *question, struct arena *arena)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Committed committed = BELFRY__ROLE__COMMITTED__INIT;
	const Belfry__Role__Commit *asked = question->commit;
	bool is_true = true;

	try->commits++;
	committed.status = try->conflicts == 0 ? try->commit_status : BELFRY__ROLE__STATUS__CONFLICT;
	try->conflicts -= try->conflicts != 0;
	for (size_t i = 0; i < asked->n_writes; i++) {
		struct try_record *record = find_record(try, asked->writes[i]->key);
		is_true = is_true && asked->transaction != UINT64_MAX;
		is_true = is_true && (record == NULL ? 0 : record->revision) == asked->writes[i]->revision;
	}
	if (committed.status == BELFRY__ROLE__STATUS__OK && !is_true)
		committed.status = BELFRY__ROLE__STATUS__CONFLICT;
	committed.revisions = arena_alloc(arena, (asked->n_writes + 1) * sizeof *committed.revisions);
	for (size_t i = 0; committed.status == BELFRY__ROLE__STATUS__OK && i < asked->n_writes; i++) {
		put_record(try, asked->writes[i]);
		committed.revisions[committed.n_revisions++] = try->last_transaction;
	}
	if (asked->transaction != 0 && asked->transaction != UINT64_MAX && !asked->keep)
		try->open_transactions--;
	message.id = question->id;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_COMMITTED;
	message.committed = &committed;
	answer_hub(try, &message);
}

static void park(struct try_engine *try, const Belfry__Role__Park *park)
{
	try->parks++;
	try->park = (struct try_park){.slot = park->slot, .generation = park->generation, .deadline_s = park->deadline_s,
		.again = park->again, .watched_count = park->n_watched, .handle_length = park->handle.len};
	for (size_t i = 0; i < park->n_watched && i < TRY_WATCHED_MAX; i++) {
		snprintf(try->park.names[i], sizeof try->park.names[i], "%s", park->watched[i]->collection);
		try->park.positions[i] = *park->watched[i]->position;
	}
}

static void hub_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct try_engine *try = owner;
	struct arena *arena = arena_create(0);
	Belfry__Role__ToHub *message = belfry__role__to_hub__unpack(arena_protobuf(arena), length, body);

	(void)link;
	assert_non_null(message);
	assert_int_equal(fd, -1);
	bool is_question = message->body_case == BELFRY__ROLE__TO_HUB__BODY_BEGIN ||
		message->body_case == BELFRY__ROLE__TO_HUB__BODY_COMMIT;
	bool is_lost = is_question && trouble_comes(try);
	switch (message->body_case) {
	case BELFRY__ROLE__TO_HUB__BODY_BEGIN:
		if (!is_lost && !try->hub_is_silent)
			begin(try, message, arena);
		break;
	case BELFRY__ROLE__TO_HUB__BODY_COMMIT:
		if (!is_lost && !try->hub_is_silent)
			commit(try, message, arena);
		break;
	case BELFRY__ROLE__TO_HUB__BODY_RELEASE: try->open_transactions--; break;
	case BELFRY__ROLE__TO_HUB__BODY_PARK: park(try, message->park); break;
	case BELFRY__ROLE__TO_HUB__BODY_UNPARK: try->unparks++; break;
	case BELFRY__ROLE__TO_HUB__BODY_OUTCOME:
		try->outcomes++;
		snprintf(try->outcome, sizeof try->outcome, "%s %s", message->outcome->command, message->outcome->result);
		try->outcome_ms = message->outcome->duration_ms;
		try->outcome_change_us = message->outcome->change_us;
		break;
	default: break;
	}
	arena_free(&arena);
}

static void hub_lost(struct link *link, const char *why, void *owner)
{
	(void)link, (void)why;
	link_close(&((struct try_engine *)owner)->hub);
	((struct try_engine *)owner)->open_transactions = 0; /* they go with the front */
}

static const struct link_events hub_events = {.received = hub_received, .lost = hub_lost};

static void hub_came(struct stream *stream, void *data)
{
	struct try_engine *try = data;

	link_close(&try->hub);
	try->hub = link_create(stream, &hub_events, try);
}

void try_hub_ends(struct try_engine *try)
{
	link_close(&try->hub);
	try->open_transactions = 0;
}

void try_wake(struct try_engine *try, Belfry__Role__WakeReason reason, const uint32_t *changed, size_t count)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Wake wake = BELFRY__ROLE__WAKE__INIT;

	wake.slot = try->park.slot;
	wake.generation = try->park.generation;
	wake.reason = reason;
	wake.changed = (uint32_t *)(uintptr_t)changed;
	wake.n_changed = count;
	wake.change_id = "a-change";
	wake.source = "hook";
	wake.happened_us = try->wake_happened_us;
	wake.sent_us = try->wake_sent_us;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_WAKE;
	message.wake = &wake;
	answer_hub(try, &message);
}

/* --- the connector --------------------------------------------------------------------------------------------- */

struct answer {
	Belfry__Connector__Response message;
	Belfry__Connector__Request__BodyCase asked;
	struct try_engine *try;
	struct arena *arena;
};

static int body_file(size_t bytes);

int try_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void respond(struct answer *answer, int fd)
{
	if (answer->try->gift != 0 && answer->try->gift == (int)answer->asked)
		fd = body_file(1);
	if (answer->try->connector != NULL)
		link_send(answer->try->connector, &answer->message.base, fd);
	else if (fd >= 0)
		close(fd);
}

static void log_in(struct answer *answer, const Belfry__Connector__Login *login)
{
	Belfry__Connector__LoggedIn logged_in = BELFRY__CONNECTOR__LOGGED_IN__INIT;
	static uint8_t handle[200] = "a handle";

	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_LOGGED_IN;
	answer->message.logged_in = &logged_in;
	logged_in.retry_after_s = answer->try->retry_after_s;
	if (answer->message.status == BELFRY__CONNECTOR__STATUS__OK &&
	    (strcmp(login->user, "alice@example.org") != 0 || strcmp(login->password, "secret") != 0))
		answer->message.status = BELFRY__CONNECTOR__STATUS__REFUSED;
	if (answer->message.status == BELFRY__CONNECTOR__STATUS__OK)
		logged_in.handle = (ProtobufCBinaryData){answer->try->handle_bytes, handle};
	respond(answer, -1);
}

static void list(struct answer *answer)
{
	Belfry__Connector__Collections all = BELFRY__CONNECTOR__COLLECTIONS__INIT;
	struct try_engine *try = answer->try;

	all.collections = arena_alloc(answer->arena, TRY_MAILBOXES_MAX * sizeof *all.collections);
	for (size_t i = 0; i < try->mailbox_count; i++) {
		Belfry__Connector__Collection *one = arena_alloc(answer->arena, sizeof *one);
		if (try->mailboxes[i].is_away)
			continue;
		belfry__connector__collection__init(one);
		one->name = one->display_name = (char *)(uintptr_t)try->mailboxes[i].name;
		one->parent = (char *)(uintptr_t)(try->mailboxes[i].parent == NULL ? "" : try->mailboxes[i].parent);
		one->role = try->mailboxes[i].role;
		one->selectable = true;
		one->validity = try->mailboxes[i].validity;
		all.collections[all.n_collections++] = one;
	}
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_COLLECTIONS;
	answer->message.collections = &all;
	respond(answer, -1);
}

/* Only the hierarchy's position is asked for here. */
static void check(struct answer *answer, const Belfry__Connector__Check *asked)
{
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;
	Belfry__Connector__CollectionPosition one = BELFRY__CONNECTOR__COLLECTION_POSITION__INIT, *all[] = {&one};
	Belfry__Role__Position position = BELFRY__ROLE__POSITION__INIT;

	assert_int_equal(asked->n_collections, 1);
	assert_string_equal(asked->collections[0], "");
	assert_string_equal(asked->user, "alice@example.org");
	one.collection = asked->collections[0];
	one.status = answer->try->hierarchy == 0 ? BELFRY__CONNECTOR__STATUS__NOT_FOUND : BELFRY__CONNECTOR__STATUS__OK;
	position.validity = position.next = 1;
	position.token = answer->try->hierarchy;
	one.position = answer->try->hierarchy == 0 ? NULL : &position;
	positions.positions = all;
	positions.n_positions = 1;
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS;
	answer->message.positions = &positions;
	respond(answer, -1);
}

/* The mailbox, or NULL when it has been answered that there is none. */
static struct try_mailbox *open_mailbox(struct answer *answer, const char *name, uint64_t validity)
{
	struct try_engine *try = answer->try;

	for (size_t i = 0; i < try->mailbox_count; i++) {
		struct try_mailbox *mailbox = &try->mailboxes[i];
		if (strcmp(mailbox->name, name) != 0 || mailbox->is_away)
			continue;
		if (validity == 0 || validity == mailbox->validity)
			return mailbox;
		answer->message.status = BELFRY__CONNECTOR__STATUS__STALE;
	}
	if (answer->message.status == BELFRY__CONNECTOR__STATUS__OK)
		answer->message.status = BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	respond(answer, -1);
	return NULL;
}

static void survey(struct answer *answer, const Belfry__Connector__Survey *asked)
{
	struct try_mailbox *mailbox = open_mailbox(answer, asked->collection, asked->validity);
	Belfry__Connector__Surveyed surveyed = BELFRY__CONNECTOR__SURVEYED__INIT;
	Belfry__Connector__Ranges present = BELFRY__CONNECTOR__RANGES__INIT;
	Belfry__Role__Position position = BELFRY__ROLE__POSITION__INIT;

	if (mailbox == NULL)
		return;
	answer->try->last_survey_since = asked->since_token;
	position.validity = mailbox->validity;
	position.next = mailbox->next;
	position.token = mailbox->token;
	present.bounds = arena_alloc(answer->arena, 2 * TRY_ITEMS_MAX * sizeof *present.bounds);
	surveyed.changed = arena_alloc(answer->arena, TRY_ITEMS_MAX * sizeof *surveyed.changed);
	for (size_t i = 0; i < mailbox->item_count; i++) {
		const struct try_item *item = &mailbox->items[i];
		if (item->received_s < asked->received_since_s)
			continue;
		present.bounds[present.n_bounds++] = item->uid;
		present.bounds[present.n_bounds++] = item->uid;
		if (item->token <= asked->since_token)
			continue;
		Belfry__Connector__ItemFlags *flags = arena_alloc(answer->arena, sizeof *flags);
		belfry__connector__item_flags__init(flags);
		flags->id = item->uid;
		flags->flags = item->flags;
		surveyed.changed[surveyed.n_changed++] = flags;
	}
	surveyed.position = &position;
	surveyed.present = &present;
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SURVEYED;
	answer->message.surveyed = &surveyed;
	respond(answer, -1);
}

static int body_file(size_t bytes)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	char line[64] = "A line of sixty-four characters, of which a long body is made.\r\n";

	assert_true(fd >= 0);
	for (size_t written = 0; written < bytes; written += sizeof line)
		assert_true(write(fd, line, bytes - written < sizeof line ? bytes - written : sizeof line) > 0);
	return fd;
}

static void fetch_one(struct answer *answer, const struct try_item *item, uint64_t id, bool is_last)
{
	Belfry__Connector__Fetched fetched = BELFRY__CONNECTOR__FETCHED__INIT;
	Belfry__Connector__Item one = BELFRY__CONNECTOR__ITEM__INIT;
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	Belfry__Connector__Attachment attachment = BELFRY__CONNECTOR__ATTACHMENT__INIT, *attachments[] = {&attachment};
	static uint8_t conversation[16] = "a conversation";
	int fd = -1;

	fetched.item = &one;
	fetched.last = is_last;
	one.id = id;
	one.status = item == NULL || item->is_gone ? BELFRY__CONNECTOR__STATUS__NOT_FOUND
		: item->is_bad ? BELFRY__CONNECTOR__STATUS__BAD_ITEM : BELFRY__CONNECTOR__STATUS__OK;
	if (one.status == BELFRY__CONNECTOR__STATUS__OK) {
		one.flags = item->flags;
		one.mail = &mail;
		one.body = &body;
		mail.from = "\"Bob\" <bob@example.org>";
		mail.sender = item->sender == NULL ? mail.from : (char *)(uintptr_t)item->sender;
		mail.to = "alice@example.org";
		mail.subject = arena_printf(answer->arena, "mail %llu", (unsigned long long)id);
		mail.thread_topic = mail.subject;
		mail.display_to = "alice";
		mail.received_s = item->received_s;
		mail.importance = 1;
		mail.codepage = 65001;
		mail.conversation_id = (ProtobufCBinaryData){sizeof conversation, conversation};
		mail.conversation_index = (ProtobufCBinaryData){5, conversation};
		attachment.name = id % 2 == 0 ? "photo.jpeg" : "";
		attachment.part = "2";
		attachment.size = 1234;
		attachment.content_id = "photo@example.org";
		attachment.is_inline = true;
		mail.attachments = attachments;
		mail.n_attachments = id % 5 == 0;
		body.type = body.native = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
		body.full_size = item->body_bytes;
		body.preview = "preview";
		if (item->body_bytes > CONNECTOR_INLINE_MAX) {
			body.in_descriptor = true;
			fd = body_file(item->body_bytes);
		} else if (item->body_bytes > 0) {
			body.data.data = memset(arena_alloc(answer->arena, item->body_bytes), 'x', item->body_bytes);
			body.data.len = item->body_bytes;
		}
	}
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_FETCHED;
	answer->message.fetched = &fetched;
	respond(answer, fd);
}

static void fetch(struct answer *answer, const Belfry__Connector__Fetch *asked)
{
	struct try_mailbox *mailbox = open_mailbox(answer, asked->collection, asked->validity);
	struct try_engine *try = answer->try;

	try->last_fetch_wishes = (unsigned)asked->n_wishes;
	try->last_fetch_truncation = asked->n_wishes == 0 || !asked->wishes[0]->has_truncate ? UINT64_MAX
											      : asked->wishes[0]->truncate;
	for (size_t i = 0; mailbox != NULL && i < asked->n_ids; i++)
		fetch_one(answer, try_item(mailbox, asked->ids[i]), asked->ids[i], i + 1 == asked->n_ids);
}

static Belfry__Connector__Status apply_one(const struct try_engine *try, struct try_mailbox *mailbox,
	const Belfry__Connector__Operation *operation)
{
	struct try_item *item = try_item(mailbox, operation->id);

	if (item == NULL)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (try->refuse_operation != BELFRY__CONNECTOR__STATUS__OK)
		return try->refuse_operation;
	if (operation->remove)
		try_expunge(mailbox, operation->id);
	else
		try_flag(mailbox, operation->id, (item->flags | operation->set_flags) & ~operation->clear_flags);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static void apply(struct answer *answer, const Belfry__Connector__Apply *asked)
{
	struct try_mailbox *mailbox = open_mailbox(answer, asked->collection, asked->validity);
	Belfry__Connector__Applied applied = BELFRY__CONNECTOR__APPLIED__INIT;

	if (mailbox == NULL)
		return;
	applied.results = arena_alloc(answer->arena, asked->n_operations * sizeof *applied.results);
	for (size_t i = 0; i < asked->n_operations; i++) {
		answer->try->last_apply_to_trash = asked->operations[i]->to_trash;
		applied.results[applied.n_results++] = apply_one(answer->try, mailbox, asked->operations[i]);
	}
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_APPLIED;
	answer->message.applied = &applied;
	respond(answer, -1);
}

static void note_mail(struct try_sent *sent, const Belfry__Connector__Send *asked, int fd)
{
	ssize_t got;

	buffer_truncate(&sent->mail, 0);
	assert_int_equal(asked->in_descriptor, fd >= 0);
	if (fd < 0) {
		assert_true(asked->mime.len <= CONNECTOR_INLINE_MAX);
		buffer_append(&sent->mail, asked->mime.data, asked->mime.len);
		return;
	}
	lseek(fd, 0, SEEK_SET);
	while ((got = read(fd, buffer_reserve(&sent->mail, 65536), 65536)) > 0)
		buffer_grow(&sent->mail, (size_t)got);
}

static void send_mail(struct answer *answer, const Belfry__Connector__Send *asked)
{
	Belfry__Connector__Sent body = BELFRY__CONNECTOR__SENT__INIT;
	struct try_sent *sent = &answer->try->sent;

	snprintf(sent->message_id, sizeof sent->message_id, "%s", asked->message_id);
	snprintf(sent->collection, sizeof sent->collection, "%s", asked->collection);
	sent->save = asked->save;
	sent->again = asked->again;
	sent->replace = asked->replace;
	sent->in_descriptor = asked->in_descriptor;
	sent->kind = (int)asked->kind;
	sent->validity = asked->validity;
	sent->item = asked->item;
	answer->message.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SENT;
	answer->message.sent = &body;
	for (unsigned i = 0; i < answer->try->send_progress; i++)
		respond(answer, -1);
	body.last = body.submitted = true;
	body.saved = asked->save && !answer->try->keeps_no_copy;
	respond(answer, -1);
}

static void serve(struct answer *answer, const Belfry__Connector__Request *request)
{
	Belfry__Connector__Status refused = answer->try->refuse[request->body_case];

	answer->message.status = refused;
	answer->asked = request->body_case;
	if (request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_LOGIN) {
		log_in(answer, request->login);
		return;
	}
	assert_true(request->handle.len != 0);
	if (refused != BELFRY__CONNECTOR__STATUS__OK) {
		answer->message.reason = "the test says so";
		respond(answer, -1);
		return;
	}
	switch (request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LIST: list(answer); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_CHECK: check(answer, request->check); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SURVEY: survey(answer, request->survey); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH: fetch(answer, request->fetch); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_APPLY: apply(answer, request->apply); break;
	case BELFRY__CONNECTOR__REQUEST__BODY_SEND: send_mail(answer, request->send); break;
	default: fail_msg("the engine asked for %d", request->body_case);
	}
}

static void connector_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct try_engine *try = owner;
	struct answer answer = {.message = BELFRY__CONNECTOR__RESPONSE__INIT, .try = try, .arena = arena_create(0)};
	Belfry__Connector__Request *request =
		belfry__connector__request__unpack(arena_protobuf(answer.arena), length, body);

	(void)link;
	assert_non_null(request);
	assert_true(fd < 0 || request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SEND);
	if (request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SEND)
		note_mail(&try->sent, request->send, fd);
	if (fd >= 0)
		close(fd);
	answer.message.id = request->id;
	try->asked[request->body_case]++;
	bool is_hello = request->body_case == BELFRY__CONNECTOR__REQUEST__BODY_HELLO;
	bool is_silent = try->connector_is_silent && request->body_case != BELFRY__CONNECTOR__REQUEST__BODY_LOGIN;
	if (!is_hello && !trouble_comes(try) && !is_silent)
		serve(&answer, request);
	arena_free(&answer.arena);
}

static void connector_lost(struct link *link, const char *why, void *owner)
{
	(void)link, (void)why;
	link_close(&((struct try_engine *)owner)->connector);
}

static const struct link_events connector_events = {.received = connector_received, .lost = connector_lost};

static void connector_came(struct stream *stream, void *data)
{
	struct try_engine *try = data;

	link_close(&try->connector);
	try->connector = link_create(stream, &connector_events, try);
}

void try_connector_ends(struct try_engine *try)
{
	link_close(&try->connector);
}

/* --- mailboxes ------------------------------------------------------------------------------------------------- */

struct try_mailbox *try_mailbox(struct try_engine *try, const char *name, Belfry__Connector__Role role)
{
	assert_true(try->mailbox_count < TRY_MAILBOXES_MAX);
	struct try_mailbox *mailbox = &try->mailboxes[try->mailbox_count++];

	*mailbox = (struct try_mailbox){.name = name, .role = role, .validity = 7, .next = 1, .token = 1};
	return mailbox;
}

struct try_item *try_deliver(struct try_engine *try, struct try_mailbox *mailbox, uint32_t flags)
{
	assert_true(mailbox->item_count < TRY_ITEMS_MAX);
	struct try_item *item = &mailbox->items[mailbox->item_count++];

	*item = (struct try_item){.uid = mailbox->next++, .received_s = (uint64_t)loop_wall_s(try->loop), .flags = flags,
		.token = ++mailbox->token, .body_bytes = 10};
	return item;
}

struct try_item *try_item(struct try_mailbox *mailbox, uint64_t uid)
{
	for (size_t i = 0; i < mailbox->item_count; i++)
		if (mailbox->items[i].uid == uid)
			return &mailbox->items[i];
	return NULL;
}

void try_expunge(struct try_mailbox *mailbox, uint64_t uid)
{
	struct try_item *item = try_item(mailbox, uid);

	mailbox->token++;
	memmove(item, item + 1, (size_t)(mailbox->items + mailbox->item_count - item - 1) * sizeof *item);
	mailbox->item_count--;
}

void try_flag(struct try_mailbox *mailbox, uint64_t uid, uint32_t flags)
{
	struct try_item *item = try_item(mailbox, uid);

	item->flags = flags;
	item->token = ++mailbox->token;
}

/* --- both ------------------------------------------------------------------------------------------------------ */

void try_ends_begin(struct try_engine *try)
{
	struct error error;

	try->hub_listener = net_listen(try->net, "hub", hub_came, try, &error);
	try->connector_listener = net_listen(try->net, "connector/imap", connector_came, try, &error);
	assert_non_null(try->hub_listener);
	assert_non_null(try->connector_listener);
}

void try_ends_end(struct try_engine *try)
{
	link_close(&try->hub);
	link_close(&try->connector);
	listener_close(&try->hub_listener);
	listener_close(&try->connector_listener);
	for (size_t i = 0; i < try->record_count; i++)
		buffer_release(&try->records[i].value);
}

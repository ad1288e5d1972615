/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The null connector's mailboxes, as transcripts see them. Its insides are used for what no backend would offer. */
#include "tests/replay/backend.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/null/store.h"
#include "lib/core/mem.h"
#include "tests/replay/device.h"

struct doing {
	struct null_store *store;
	struct loop *loop;
	const struct step *step;
	size_t at;                /* the words behind the event */
	struct arena *arena;
	const char *user, *mailbox, *subject;
	struct error *error;
};

const char *backend_user(const char *name, struct arena *arena)
{
	return strchr(name, '@') != NULL ? name : arena_printf(arena, "%s@example.org", name);
}

static struct null_collection *collection_of(struct null_store *store, const char *user, const char *mailbox)
{
	return null_collection(null_mailboxes_own(store, null_user(store, user)), mailbox);
}

uint64_t backend_item(struct null_store *store, const char *user, const char *mailbox, const char *subject)
{
	const struct null_collection *collection = collection_of(store, user, mailbox);

	if (collection != NULL && collection->count > 0 && subject != NULL && *subject == '?')
		return collection->items[strtoul(subject + 1, NULL, 10) % collection->count]->id;
	for (size_t i = 0; collection != NULL && subject != NULL && i < collection->count; i++)
		if (strcmp(collection->items[i]->subject, subject) == 0)
			return collection->items[i]->id;
	return 0;
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static const char *value_of(const struct doing *doing, const char *name)
{
	return step_value(doing->step, doing->at, name, doing->arena);
}

static uint32_t flags_named(const char *list, struct arena *arena)
{
	static const struct { const char *name; uint32_t flag; } known[] = {{"seen", BELFRY__CONNECTOR__FLAG__SEEN},
		{"flagged", BELFRY__CONNECTOR__FLAG__FLAGGED}, {"answered", BELFRY__CONNECTOR__FLAG__ANSWERED},
		{"forwarded", BELFRY__CONNECTOR__FLAG__FORWARDED}};
	uint32_t flags = 0;
	const char *name;

	while ((name = word_list_next(&list, arena)) != NULL)
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			if (strcmp(known[i].name, name) == 0)
				flags |= known[i].flag;
	return flags;
}

/* "3d", "2h", "90s" before now. */
static uint64_t time_before(struct loop *loop, const char *age)
{
	char *unit;
	int64_t seconds = age == NULL ? 0 : strtol(age, &unit, 10);

	if (age != NULL)
		seconds *= *unit == 'd' ? 86400 : *unit == 'h' ? 3600 : 1;
	return (uint64_t)(loop_wall_s(loop) - seconds);
}

static const char *text_of_size(const char *size, struct arena *arena)
{
	size_t length = size == NULL ? 0 : strtoul(size, NULL, 10);
	char *text = arena_alloc(arena, length + 1);

	for (size_t i = 0; i < length; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + i % 26);
	return text;
}

/* "a,b" as lines. */
static char *lines_of(const char *list, struct arena *arena)
{
	char *lines = list == NULL ? NULL : arena_strdup(arena, list);

	for (char *at = lines; at != NULL && *at != '\0'; at++)
		if (*at == ',')
			*at = '\n';
	return lines;
}

static int message_new(struct doing *doing)
{
	struct null_collection *collection = collection_of(doing->store, doing->user, doing->mailbox);
	const char *uid = value_of(doing, "uid"), *count = value_of(doing, "count");
	struct null_mail mail = {
		.subject = doing->subject,
		.from = value_of(doing, "from"),
		.text = value_of(doing, "text"),
		.html = value_of(doing, "html"),
		.message_class = value_of(doing, "class"),
		.message_id = value_of(doing, "id"),
		.in_reply_to = value_of(doing, "reply"),
		.received_s = time_before(doing->loop, value_of(doing, "age")),
		.flags = flags_named(value_of(doing, "flags"), doing->arena),
		.attachment_name = value_of(doing, "attachment"),
		.keywords = lines_of(value_of(doing, "categories"), doing->arena),
		.is_bad = step_has(doing->step, doing->at, "bad"),
	};

	if (uid != NULL && strtoul(uid, NULL, 10) > collection->next)
		collection->next = strtoul(uid, NULL, 10);
	if (value_of(doing, "size") != NULL)
		mail.text = text_of_size(value_of(doing, "size"), doing->arena);
	for (unsigned long i = count == NULL ? 1 : strtoul(count, NULL, 10); i > 0; i--)
		null_deliver(doing->store, doing->user, doing->mailbox, &mail);
	return 0;
}

/* Which item an event is about: by subject, or uid=N. */
static uint64_t item_of(struct doing *doing)
{
	const char *uid = value_of(doing, "uid");

	return uid != NULL ? strtoul(uid, NULL, 10) : backend_item(doing->store, doing->user, doing->mailbox, doing->subject);
}

static int change_flags(struct doing *doing, bool set)
{
	uint32_t flags = flags_named(value_of(doing, "flags"), doing->arena);
	const char *categories = lines_of(value_of(doing, "categories"), doing->arena);

	if (categories != NULL)
		null_label(doing->store, doing->user, doing->mailbox, item_of(doing), set ? categories : NULL,
			set ? NULL : categories);
	if (!null_flag(doing->store, doing->user, doing->mailbox, item_of(doing), set ? flags : 0, set ? 0 : flags))
		return error_set(doing->error, "%s has no such item", doing->mailbox);
	return 0;
}

static int flags_set(struct doing *doing)
{
	return change_flags(doing, true);
}

static int flags_clear(struct doing *doing)
{
	return change_flags(doing, false);
}

static int message_expunge(struct doing *doing)
{
	if (!null_expunge(doing->store, doing->user, doing->mailbox, item_of(doing)))
		return error_set(doing->error, "%s has no such item", doing->mailbox);
	return 0;
}

static int message_readable(struct doing *doing)
{
	struct null_mailboxes *mailboxes = null_mailboxes_own(doing->store, null_user(doing->store, doing->user));
	struct null_item *item = null_item(null_collection(mailboxes, doing->mailbox), item_of(doing));

	if (item == NULL)
		return error_set(doing->error, "%s has no such item", doing->mailbox);
	item->is_bad = false;
	return 0;
}

static int mailbox_create(struct doing *doing)
{
	if (collection_of(doing->store, doing->user, doing->mailbox) != NULL)
		return error_set(doing->error, "there is a mailbox %s", doing->mailbox);
	null_collection_add(doing->store, doing->user, doing->mailbox, BELFRY__CONNECTOR__ROLE__NONE);
	return 0;
}

static int mailbox_delete(struct doing *doing)
{
	return null_collection_remove(doing->store, doing->user, doing->mailbox) ? 0
		: error_set(doing->error, "there is no mailbox %s", doing->mailbox);
}

/* What is below moves along. */
static int mailbox_rename(struct doing *doing)
{
	struct null_mailboxes *mailboxes = null_mailboxes_own(doing->store, null_user(doing->store, doing->user));
	const char *to = value_of(doing, "to");
	size_t length = strlen(doing->mailbox);

	for (size_t i = 0; i < mailboxes->count; i++) {
		char *name = mailboxes->list[i]->name;
		if (strncmp(name, doing->mailbox, length) != 0 || (name[length] != '\0' && name[length] != '/'))
			continue;
		mailboxes->list[i]->name = mem_printf("%s%s", to, name + length);
		free(name);
	}
	null_hierarchy_changed(doing->store, null_user(doing->store, doing->user));
	return 0;
}

static int mailbox_renew(struct doing *doing)
{
	null_collection_renew(doing->store, doing->user, doing->mailbox);
	return 0;
}

/* RFC 5423, and Readable: what could not be read can, of which nobody is told; Renewed: UIDVALIDITY is another one. */
static const struct {
	const char *event;
	bool needs_mailbox;
	int (*happen)(struct doing *);
} events[] = {
	{"MessageNew", true, message_new}, {"MessageAppend", true, message_new}, {"FlagsSet", true, flags_set},
	{"FlagsClear", true, flags_clear}, {"MessageExpunge", true, message_expunge},
	{"Readable", true, message_readable}, {"MailboxCreate", false, mailbox_create}, {"MailboxDelete", true, mailbox_delete},
	{"MailboxRename", true, mailbox_rename}, {"Renewed", true, mailbox_renew},
};

/* change USER MAILBOX EVENT ["SUBJECT"] … [quietly] */
static int change(struct doing *doing)
{
	const struct step *step = doing->step;
	size_t event = 0;

	if (step->count < doing->at + 3)
		return error_set(doing->error, "\"change\" needs a user, a mailbox and an event");
	doing->user = backend_user(step->words[doing->at], doing->arena);
	doing->mailbox = word_unquote(step->words[doing->at + 1], doing->arena);
	while (event < sizeof events / sizeof *events && strcmp(events[event].event, step->words[doing->at + 2]) != 0)
		event++;
	if (event == sizeof events / sizeof *events)
		return error_set(doing->error, "there is no event %s", step->words[doing->at + 2]);
	doing->at += 3;
	if (doing->at < step->count && strchr("\"?", *step->words[doing->at]) != NULL)
		doing->subject = word_unquote(step->words[doing->at++], doing->arena);
	struct null_user *user = null_user(doing->store, doing->user);
	bool maybe = step_has(step, doing->at, "maybe");
	if (events[event].needs_mailbox && collection_of(doing->store, doing->user, doing->mailbox) == NULL)
		return maybe ? 0 : error_set(doing->error, "there is no mailbox %s", doing->mailbox);
	struct null_watch *watch = user->watch;
	bool quiet = step_has(step, doing->at, "quietly");
	if (quiet)
		user->watch = NULL; /* nobody is told */
	int result = events[event].happen(doing);
	if (quiet)
		user->watch = watch;
	return maybe ? 0 : result;
}

/* --- the daemon ------------------------------------------------------------------------------------------------ */

static int trouble(struct doing *doing)
{
	static const struct { const char *name; Belfry__Connector__Status status; } kinds[] = {
		{"none", BELFRY__CONNECTOR__STATUS__OK}, {"unavailable", BELFRY__CONNECTOR__STATUS__UNAVAILABLE},
		{"throttled", BELFRY__CONNECTOR__STATUS__THROTTLED}, {"limit", BELFRY__CONNECTOR__STATUS__LIMIT}};

	for (size_t i = 0; doing->at < doing->step->count && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, doing->step->words[doing->at]) == 0) {
			null_store_set_trouble(doing->store, kinds[i].status);
			return 0;
		}
	return error_set(doing->error, "\"trouble\" is none, unavailable, throttled or limit");
}

/* password USER NEW */
static int password(struct doing *doing)
{
	if (doing->step->count < doing->at + 2)
		return error_set(doing->error, "\"password\" needs a user and a password");
	null_user_set_password(doing->store, backend_user(doing->step->words[doing->at], doing->arena),
		doing->step->words[doing->at + 1]);
	return 0;
}

/* sent USER COUNT */
static int sent(struct doing *doing)
{
	if (doing->step->count < doing->at + 2)
		return error_set(doing->error, "\"sent\" needs a user and a number");
	unsigned count = null_submitted(doing->store, backend_user(doing->step->words[doing->at], doing->arena));
	if (count != strtoul(doing->step->words[doing->at + 1], NULL, 10))
		return error_set(doing->error, "%u mails were sent", count);
	return 0;
}

int backend_do(struct null_store *store, struct loop *loop, const struct step *step, size_t from, struct arena *arena,
	struct error *error_r)
{
	struct doing doing = {.store = store, .loop = loop, .step = step, .at = from + 1, .arena = arena, .error = error_r};
	const char *verb = from < step->count ? step->words[from] : "";

	if (strcmp(verb, "change") == 0)
		return change(&doing);
	if (strcmp(verb, "trouble") == 0)
		return trouble(&doing);
	if (strcmp(verb, "password") == 0)
		return password(&doing);
	if (strcmp(verb, "sent") == 0)
		return sent(&doing);
	return error_set(error_r, "the backend cannot \"%s\"", verb);
}

void backend_restarted(struct null_store *store)
{
	for (struct null_user *user = store->users; user != NULL; user = user->hh.next) {
		null_user_forget_handle(store, user);
		null_user_unwatch(user);
	}
}

/* --- looking --------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void append_sorted(char **lines, size_t count, struct buffer *list_r)
{
	qsort(lines, count, sizeof *lines, by_text);
	for (size_t i = 0; i < count; i++) {
		buffer_append_string(list_r, lines[i]);
		free(lines[i]);
	}
	free(lines);
}

/* As a device should have it. */
static char *line_of(const struct null_collection *collection, const struct null_item *item, bool shows_all)
{
	const struct device_item should = {
		.subject = item->is_bad ? (char *)DEVICE_UNREADABLE : item->subject,
		.read = (item->flags & BELFRY__CONNECTOR__FLAG__SEEN) != 0,
		.flagged = (item->flags & BELFRY__CONNECTOR__FLAG__FLAGGED) != 0,
		.verb = item->flags & BELFRY__CONNECTOR__FLAG__ANSWERED ? 1 : item->flags & BELFRY__CONNECTOR__FLAG__FORWARDED ? 3 : 0,
		.categories = item->keywords == NULL ? (char *)"" : item->keywords,
	};

	return device_item_line(collection->name, &should, shows_all);
}

int backend_list(struct null_store *store, const char *user, const char *mailbox, uint64_t received_since_s,
	bool shows_all, struct buffer *list_r)
{
	const struct null_collection *collection = collection_of(store, user, mailbox);
	size_t count = 0;

	if (collection == NULL)
		return -1;
	char **lines = mem_alloc_array(collection->count, sizeof *lines);
	for (size_t i = 0; i < collection->count; i++)
		if (collection->items[i]->received_s >= received_since_s)
			lines[count++] = line_of(collection, collection->items[i], shows_all);
	append_sorted(lines, count, list_r);
	return 0;
}

void backend_mailboxes(struct null_store *store, const char *user, struct buffer *list_r)
{
	const struct null_mailboxes *mailboxes = null_mailboxes_own(store, null_user(store, user));
	char **lines = mem_alloc_array(mailboxes->count, sizeof *lines);

	for (size_t i = 0; i < mailboxes->count; i++)
		lines[i] = mem_printf("%s\n", mailboxes->list[i]->name);
	append_sorted(lines, mailboxes->count, list_r);
}

void backend_dump(struct null_store *store, struct buffer *dump_r)
{
	for (struct null_user *user = store->users; user != NULL; user = user->hh.next) {
		const struct null_mailboxes *mailboxes = null_mailboxes_own(store, user);
		buffer_printf(dump_r, "%s\n", user->name);
		for (size_t i = 0; i < mailboxes->count; i++)
			backend_list(store, user->name, mailboxes->list[i]->name, 0, true, dump_r);
	}
}

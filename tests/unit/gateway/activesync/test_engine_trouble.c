/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whatever ends at whichever step: hub, connector, phone, or the front itself. Each request is sent once for each
 * message that it leads to and each kind of trouble. The phone is answered, or its front is gone; nothing leaks; no
 * lock stays; and when the same request comes again all is as it should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"
#include "tests/unit/gateway/activesync/try_engine.h"

enum { SEEN = BELFRY__CONNECTOR__FLAG__SEEN };
enum { MESSAGES_MAX = 20 }; /* of one request; more would be a request that never ends */

static const struct policy_settings policy = {.required = true};

/* What the phone has of INBOX. */
struct phone {
	char key[64], folder_key[64], policy_key[32];
	bool has[TRY_ITEMS_MAX];
};

struct scenario {
	const char *name, *command;
	void (*begin)(struct try_engine *, struct phone *);
	/* The body; freed by the caller. */
	char *(*body)(const struct phone *);
	/* The answer to the request that went well. */
	void (*end)(struct try_engine *, struct phone *);
	bool is_held;
};

static unsigned ask(struct try_engine *try, const struct phone *phone, const char *command, const char *body)
{
	return try_ask(try, &(struct try_request){.command = command, .body = body, .policy_key = phone->policy_key});
}

/* --- what a phone does ----------------------------------------------------------------------------------------- */

static void take_policy_key(struct try_engine *try, struct phone *phone)
{
	snprintf(phone->policy_key, sizeof phone->policy_key, "%s", try_text(try, "PolicyKey", 0));
}

static void take_folder_key(struct try_engine *try, struct phone *phone)
{
	assert_string_equal(try_text(try, "Status", 0), "1");
	snprintf(phone->folder_key, sizeof phone->folder_key, "%s", try_text(try, "SyncKey", 0));
}

static void take_items(struct phone *phone, const char *xml, const char *command, bool has)
{
	char open[64];

	snprintf(open, sizeof open, "<%s><ServerId>1:", command);
	for (const char *at = xml; (at = strstr(at, open)) != NULL;) {
		at += strlen(open);
		unsigned long id = strtoul(at, NULL, 10);
		assert_true(id > 0 && id < TRY_ITEMS_MAX);
		phone->has[id] = has;
	}
}

static void take_sync(struct try_engine *try, struct phone *phone)
{
	const char *xml = buffer_string(&try->xml);

	if (*xml == '\0')
		return; /* nothing new */
	assert_string_equal(try_text(try, "Status", 0), "1");
	snprintf(phone->key, sizeof phone->key, "%s", try_text(try, "SyncKey", 0));
	take_items(phone, xml, "Add", true);
	take_items(phone, xml, "Delete", false);
	take_items(phone, xml, "SoftDelete", false);
}

static char *sync_body(const struct phone *phone)
{
	return mem_printf("Sync{Collections{Collection{SyncKey=%s CollectionId=1 WindowSize=4}}}", phone->key);
}

static void synchronise(struct try_engine *try, struct phone *phone)
{
	bool is_over = false;

	for (int turn = 0; !is_over; turn++) {
		assert_true(turn < 20);
		char before[64];
		strcpy(before, phone->key);
		char *body = sync_body(phone);
		assert_int_equal(ask(try, phone, "Sync", body), 200);
		free(body);
		take_sync(try, phone);
		is_over = strcmp(before, phone->key) == 0;
	}
	for (uint64_t uid = 1; uid < try->mailboxes[0].next; uid++)
		assert_int_equal(phone->has[uid], try_item(&try->mailboxes[0], uid) != NULL);
}

static const char ask_for_policy[] = "Provision{DeviceInformation{Set{Model=M}} "
	"Policies{Policy{PolicyType=MS-EAS-Provisioning-WBXML}}}";

static void provision(struct try_engine *try, struct phone *phone)
{
	assert_int_equal(ask(try, phone, "Provision", ask_for_policy), 200);
	take_policy_key(try, phone);
	char *body = mem_printf("Provision{Policies{Policy{PolicyType=MS-EAS-Provisioning-WBXML PolicyKey=%s Status=1}}}",
		phone->policy_key);
	assert_int_equal(ask(try, phone, "Provision", body), 200);
	free(body);
	take_policy_key(try, phone);
}

/* --- scenarios ------------------------------------------------------------------------------------------------- */

static void begin_new(struct try_engine *try, struct phone *phone)
{
	*phone = (struct phone){.key = "0", .folder_key = "0"};
	try_begin(try, &policy);
	try_mailbox(try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	for (int i = 0; i < 6; i++)
		try_deliver(try, &try->mailboxes[0], 0)->body_bytes = i == 3 ? 100000 : 10;
}

static void begin_provisioned(struct try_engine *try, struct phone *phone)
{
	begin_new(try, phone);
	provision(try, phone);
}

static void begin_with_folders(struct try_engine *try, struct phone *phone)
{
	begin_provisioned(try, phone);
	assert_int_equal(ask(try, phone, "FolderSync", "FolderSync{SyncKey=0}"), 200);
	take_folder_key(try, phone);
}

static void begin_synchronised(struct try_engine *try, struct phone *phone)
{
	begin_with_folders(try, phone);
	synchronise(try, phone);
}

/* … and then all kinds of things have happened. */
static void begin_with_changes(struct try_engine *try, struct phone *phone)
{
	begin_synchronised(try, phone);
	try_expunge(&try->mailboxes[0], 1);
	try_flag(&try->mailboxes[0], 2, SEEN);
	try_deliver(try, &try->mailboxes[0], 0)->body_bytes = 100000;
	try_mailbox(try, "Work", BELFRY__CONNECTOR__ROLE__NONE);
}

static char *policy_body(const struct phone *phone)
{
	(void)phone;
	return mem_strdup(ask_for_policy);
}

static void begin_with_a_policy_given(struct try_engine *try, struct phone *phone)
{
	begin_new(try, phone);
	assert_int_equal(ask(try, phone, "Provision", ask_for_policy), 200);
	take_policy_key(try, phone);
}

static char *acknowledgement_body(const struct phone *phone)
{
	return mem_printf("Provision{Policies{Policy{PolicyType=MS-EAS-Provisioning-WBXML PolicyKey=%s Status=1}}}",
		phone->policy_key);
}

static void end_acknowledgement(struct try_engine *try, struct phone *phone)
{
	assert_string_equal(try_text(try, "Status", 1), "1");
	take_policy_key(try, phone);
	assert_int_equal(ask(try, phone, "FolderSync", "FolderSync{SyncKey=0}"), 200);
	take_folder_key(try, phone);
}

static char *folders_body(const struct phone *phone)
{
	return mem_printf("FolderSync{SyncKey=%s}", phone->folder_key);
}

static void end_sync(struct try_engine *try, struct phone *phone)
{
	take_sync(try, phone);
	synchronise(try, phone);
}

static char *busy_sync_body(const struct phone *phone)
{
	return mem_printf("Sync{Collections{Collection{SyncKey=%s CollectionId=1 WindowSize=2 Commands{Delete{ServerId=1:3} "
		"Change{ServerId=1:4 ApplicationData{Read=1}} Fetch{ServerId=1:4}}}}}", phone->key);
}

static void end_busy_sync(struct try_engine *try, struct phone *phone)
{
	assert_null(try_item(&try->mailboxes[0], 3));
	assert_int_equal(try_item(&try->mailboxes[0], 4)->flags, SEEN);
	phone->has[3] = false;
	end_sync(try, phone);
}

static char *ping_body(const struct phone *phone)
{
	(void)phone;
	return mem_strdup("Ping{HeartbeatInterval=600 Folders{Folder{Id=1 Class=Email}}}");
}

static char *waiting_sync_body(const struct phone *phone)
{
	return mem_printf("Sync{Collections{Collection{SyncKey=%s CollectionId=1}} Wait=10}", phone->key);
}

static void end_waiting_sync(struct try_engine *try, struct phone *phone)
{
	try_deliver(try, &try->mailboxes[0], 0);
	try_wake(try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(try), 200);
	assert_int_equal(try_count(try, "<MoreAvailable/>"), 1);
	synchronise(try, phone);
}

static void end_ping(struct try_engine *try, struct phone *phone)
{
	(void)phone;
	try_wake(try, BELFRY__ROLE__WAKE_REASON__CHANGED, (const uint32_t[]){0}, 1);
	assert_int_equal(try_settle(try), 200);
	assert_string_equal(try_text(try, "Status", 0), "2");
}

static const struct scenario scenarios[] = {
	{"a first Provision", "Provision", begin_new, policy_body, take_policy_key, false},
	{"an acknowledgement", "Provision", begin_with_a_policy_given, acknowledgement_body, end_acknowledgement, false},
	{"a first FolderSync", "FolderSync", begin_provisioned, folders_body, take_folder_key, false},
	{"a later FolderSync", "FolderSync", begin_with_changes, folders_body, take_folder_key, false},
	{"a first Sync", "Sync", begin_with_folders, sync_body, end_sync, false},
	{"a Sync", "Sync", begin_with_changes, sync_body, end_sync, false},
	{"a busy Sync", "Sync", begin_with_changes, busy_sync_body, end_busy_sync, false},
	{"a Sync that waits", "Sync", begin_synchronised, waiting_sync_body, end_waiting_sync, true},
	{"a Ping", "Ping", begin_synchronised, ping_body, end_ping, true},
};

/* --- the trouble ----------------------------------------------------------------------------------------------- */

static const char *const trouble_names[TROUBLES] = {
	[TROUBLE_HUB_ENDS] = "the hub ends", [TROUBLE_CONNECTOR_ENDS] = "the connector ends",
	[TROUBLE_HUB_SILENT] = "the hub is silent", [TROUBLE_CONNECTOR_SILENT] = "the connector is silent",
	[TROUBLE_PHONE_HANGS_UP] = "the phone hangs up", [TROUBLE_FRONT_ENDS] = "the front ends",
};

/* Answered in words that make the device come again, or as if nothing had happened. */
static bool is_answered(struct try_engine *try, const struct scenario *scenario)
{
	static const char *const retries[] = {"16", "6", "8", "3"}; /* of Sync, FolderSync, Ping, Provision */

	if (try->status == 503)
		return true;
	if (try->status == 0)
		return scenario->is_held && try->parks != 0;
	if (try->status != 200)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (strcmp(try_text(try, "Status", 0), retries[i]) == 0)
			return true;
	return strcmp(try_text(try, "Status", 0), "1") == 0;
}

/* True: the trouble came. */
static bool go_through(const struct scenario *scenario, enum try_trouble trouble, unsigned at)
{
	struct try_engine try;
	struct phone phone;

	scenario->begin(&try, &phone);
	try.trouble = trouble;
	try.trouble_at = try.messages + at;
	char *body = scenario->body(&phone);
	ask(&try, &phone, scenario->command, body);
	bool has_come = try.messages >= try.trouble_at;
	if (trouble == TROUBLE_FRONT_ENDS && has_come) {
		free(body);
		try_end(&try);
		return true;
	}
	if (has_come)
		try_advance(&try, 300 * 1000); /* all time limits, and the links are back */
	if (trouble != TROUBLE_PHONE_HANGS_UP && !is_answered(&try, scenario))
		fail_msg("%s, message %u of %s: HTTP %u, %s", trouble_names[trouble], at, scenario->name, try.status,
			buffer_string(&try.xml));
	try.hub_is_silent = try.connector_is_silent = false;
	try.trouble_at = 0;
	unsigned status = ask(&try, &phone, scenario->command, body);
	if (status != (scenario->is_held ? 0 : 200))
		fail_msg("after %s, message %u of %s: HTTP %u", trouble_names[trouble], at, scenario->name, status);
	scenario->end(&try, &phone);
	free(body);
	try_end(&try);
	return has_come;
}

static void meet(enum try_trouble trouble)
{
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
		unsigned at = 1;
		while (go_through(&scenarios[i], trouble, at))
			assert_true(++at < MESSAGES_MAX);
		assert_true(at > 2); /* it came more than once */
	}
}

static void without_trouble_all_is_well(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		go_through(&scenarios[i], TROUBLE_NONE, 1);
}

static void a_hub_may_end_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_HUB_ENDS);
}

static void a_connector_may_end_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_CONNECTOR_ENDS);
}

static void a_hub_may_fall_silent_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_HUB_SILENT);
}

static void a_connector_may_fall_silent_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_CONNECTOR_SILENT);
}

static void a_phone_may_hang_up_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_PHONE_HANGS_UP);
}

static void a_front_may_end_at_any_step(void **state)
{
	(void)state;
	meet(TROUBLE_FRONT_ENDS);
}

static void a_descriptor_that_nobody_asked_for_is_closed(void **state)
{
	static const struct {
		const char *command, *body;
		int asked;
	} cases[] = {
		{"Ping", NULL, BELFRY__CONNECTOR__REQUEST__BODY_LOGIN},
		{"FolderSync", "FolderSync{SyncKey=0}", BELFRY__CONNECTOR__REQUEST__BODY_LIST},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		int before = try_descriptor();
		try.gift = cases[i].asked;
		try_command(&try, cases[i].command, cases[i].body);
		assert_int_equal(try_descriptor(), before);
		try_end(&try);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_trouble_all_is_well),
		cmocka_unit_test(a_hub_may_end_at_any_step),
		cmocka_unit_test(a_connector_may_end_at_any_step),
		cmocka_unit_test(a_hub_may_fall_silent_at_any_step),
		cmocka_unit_test(a_connector_may_fall_silent_at_any_step),
		cmocka_unit_test(a_phone_may_hang_up_at_any_step),
		cmocka_unit_test(a_front_may_end_at_any_step),
		cmocka_unit_test(a_descriptor_that_nobody_asked_for_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands. What is not served answers with the protocol's own status. */
#include "gateway/activesync/command.h"

#include <strings.h>

/* Status 137 from 14.0 on (MS-ASCMD 2.2.2); before, HTTP has to say it. */
static void unsupported(struct request *request)
{
	if (request->version >= 140 && request->command->status != 0)
		request_answer_status(request, COMMON_COMMAND_NOT_SUPPORTED);
	else
		request_answer_http(request, 501, "this command is not served here");
}

#define SERVED_NAMES "Sync,SendMail,SmartForward,SmartReply,GetAttachment,FolderSync,FolderCreate,FolderDelete," \
	"FolderUpdate,MoveItems,GetItemEstimate,ItemOperations,Ping,Provision,Search,Settings"

#define UNSUPPORTED(name, page, tag) \
	{name, AS_##page##_##tag, AS_##page##_STATUS, .run = unsupported}

#define FOLDER_CHANGE(name, tag, how) \
	{name, AS_FOLDERHIERARCHY_##tag, AS_FOLDERHIERARCHY_STATUS, .needs_policy = true, \
		.prepare = folder_change_prepare, .run = how, .retry_status = 6}

#define SEND(name, tag) \
	{name, AS_COMPOSEMAIL_##tag, AS_COMPOSEMAIL_STATUS, .needs_policy = true, .takes_mail = true, \
		.prepare = send_prepare, .run = send_run, .retry_status = COMMON_SERVER_ERROR_RETRY}

static const struct command commands[] = {
	FOLDER_CHANGE("FolderCreate", FOLDERCREATE, folder_create_run),
	FOLDER_CHANGE("FolderDelete", FOLDERDELETE, folder_delete_run),
	FOLDER_CHANGE("FolderUpdate", FOLDERUPDATE, folder_update_run),
	{"FolderSync", AS_FOLDERHIERARCHY_FOLDERSYNC, AS_FOLDERHIERARCHY_STATUS, .needs_policy = true,
		.is_paced = true, .prepare = folder_sync_prepare, .run = folder_sync_run, .retry_status = 6},
	{"GetItemEstimate", AS_GETITEMESTIMATE_GETITEMESTIMATE, AS_GETITEMESTIMATE_STATUS, .needs_policy = true,
		.is_paced = true, .prepare = estimate_prepare, .run = estimate_run, .retry_status = COMMON_SERVER_ERROR_RETRY},
	/* No document at all: an attachment, or an HTTP status. */
	{"GetAttachment", 0, 0, .needs_policy = true, .may_be_empty = true, .prepare = get_attachment_prepare,
		.run = get_attachment_run},
	{"ItemOperations", AS_ITEMOPERATIONS_ITEMOPERATIONS, AS_ITEMOPERATIONS_STATUS, .needs_policy = true,
		.prepare = item_operations_prepare, .run = item_operations_run, .retry_status = 3},
	{"MoveItems", AS_MOVE_MOVEITEMS, AS_MOVE_STATUS, .needs_policy = true, .prepare = move_items_prepare,
		.run = move_items_run, .retry_status = COMMON_SERVER_ERROR_RETRY},
	{"Ping", AS_PING_PING, AS_PING_STATUS, .needs_policy = true, .may_be_empty = true, .is_paced = true, .prepare = ping_prepare,
		.run = ping_run, .retry_status = 8},
	{"Provision", AS_PROVISION_PROVISION, AS_PROVISION_STATUS, .is_paced = true, .prepare = provision_prepare, .run = provision_run,
		.retry_status = 3},
	{"Search", AS_SEARCH_SEARCH, AS_SEARCH_STATUS, .needs_policy = true, .prepare = search_prepare, .run = search_run,
		.retry_status = 3},
	/* Without a policy, too: a device of 14.0 says what it is before it asks for one. */
	{"Settings", AS_SETTINGS_SETTINGS, AS_SETTINGS_STATUS, .is_paced = true, .prepare = settings_prepare, .run = settings_run,
		.retry_status = 4},
	SEND("SendMail", SENDMAIL),
	SEND("SmartForward", SMARTFORWARD),
	SEND("SmartReply", SMARTREPLY),
	{"Sync", AS_AIRSYNC_SYNC, AS_AIRSYNC_STATUS, .needs_policy = true, .may_be_empty = true, .is_paced = true, .prepare = sync_prepare,
		.run = sync_run, .retry_status = 16},
	UNSUPPORTED("Find", FIND, FIND),
	UNSUPPORTED("ResolveRecipients", RESOLVERECIPIENTS, RESOLVERECIPIENTS),
	UNSUPPORTED("ValidateCert", VALIDATECERT, VALIDATECERT),
	{"MeetingResponse", AS_MEETINGRESPONSE_MEETINGRESPONSE, AS_MEETINGRESPONSE_STATUS, AS_MEETINGRESPONSE_RESULT,
		.run = unsupported},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof commands / sizeof *commands; i++)
		if (strcasecmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const char *command_names(void)
{
	return SERVED_NAMES;
}

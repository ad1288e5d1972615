/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryctl devices and forget: which devices a user has, and taking one away with all that is kept of it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/hub/control.h"
#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

#define DEVICE_KEY "device"

static void answer_error(struct hub_visitor *visitor, const char *text)
{
	struct buffer answer = BUFFER_EMPTY;

	buffer_printf(&answer, "error\t%s\n", text);
	hub_visitor_answer(visitor, &answer);
	buffer_release(&answer);
}

static const char *status_words(enum store_status status)
{
	switch (status) {
	case STORE_CONFLICT: return "the device is just being served: try again";
	case STORE_LIMIT: return "there is more of it than one answer holds";
	default: return "the store cannot answer now";
	}
}

/* --- devices ------------------------------------------------------------------------------------------------------------- */

static bool is_waiting(struct hub *hub, const char *name, const char *device)
{
	struct hub_instance *instance;
	const struct park_user *user = hub_user_find(hub, name, &instance);
	const struct park *park = user == NULL ? NULL : user->parks;

	while (park != NULL && strcmp(park_device(park), device) != 0)
		park = park->next;
	return park != NULL;
}

/* What it says of itself. */
static void device_says(const Belfry__Role__DeviceRecord *record, struct buffer *answer)
{
	const char *const said[] = {record == NULL ? "" : record->model, record == NULL ? "" : record->friendly_name,
		record == NULL ? "" : record->os, record == NULL ? "" : record->phone_number,
		record == NULL ? "" : *record->agent != '\0' ? record->agent : record->user_agent};

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		buffer_printf(answer, "\t%s", *said[i] == '\0' ? "-" : log_escape(said[i]));
	buffer_append_byte(answer, '\n');
}

static void device_row(struct hub *hub, const struct store_entry *entry, struct buffer *answer)
{
	Belfry__Role__DeviceRecord *record = belfry__role__device_record__unpack(NULL, entry->record.length,
		entry->record.value);
	time_t first_s = record == NULL ? 0 : (time_t)record->first_seen_s;
	char first[16] = "-";
	struct tm tm;

	if (first_s != 0)
		strftime(first, sizeof first, "%Y-%m-%d", localtime_r(&first_s, &tm));
	buffer_printf(answer, "row\t%s\t%s\t%s\t%s\t%s", log_escape(entry->principal.device),
		record == NULL ? "-" : log_escape(record->type), record == NULL ? "-" : log_escape(record->protocol), first,
		is_waiting(hub, entry->principal.user, entry->principal.device) ? "yes" : "no");
	device_says(record, answer);
	if (record != NULL)
		belfry__role__device_record__free_unpacked(record, NULL);
}

static void listed(enum store_status status, const struct store_entry *entries, size_t count, bool more, void *data)
{
	struct hub_visitor *visitor = data;
	struct buffer answer = BUFFER_EMPTY;

	hub_visitor_wait(visitor, NULL);
	if (status != STORE_OK) {
		answer_error(visitor, status_words(status));
		return;
	}
	buffer_append_string(&answer, "ok\ntable\tdevices\tdevice\ttype\tprotocol\tsince\twaits\tmodel\tname\tos\tphone\tagent\n");
	for (size_t i = 0; i < count; i++)
		device_row(hub_visitor_hub(visitor), &entries[i], &answer);
	buffer_printf(&answer, "note\t%zu%s of at most %u devices (max_devices)\n", count, more ? ", and more," : "",
		hub_visitor_hub(visitor)->settings.max_devices);
	hub_visitor_answer(visitor, &answer);
	buffer_release(&answer);
}

void hub_devices_list(struct hub_visitor *visitor)
{
	const char *user = hub_visitor_user(visitor, hub_visitor_word(visitor, 1));

	hub_visitor_wait(visitor, store_page(hub_visitor_hub(visitor)->store, user, DEVICE_KEY, NULL, STORE_PAGE_MAX, listed,
		visitor));
}

/* --- forget ---------------------------------------------------------------------------------------------------------------- */

static struct principal principal_of(struct hub_visitor *visitor)
{
	return (struct principal){hub_visitor_user(visitor, hub_visitor_word(visitor, 1)), hub_visitor_word(visitor, 2)};
}

static void forgotten(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct hub_visitor *visitor = data;
	struct principal principal = principal_of(visitor);
	struct buffer answer = BUFFER_EMPTY;

	(void)revisions;
	hub_visitor_wait(visitor, NULL);
	if (status != STORE_OK) {
		answer_error(visitor, status_words(status));
		return;
	}
	log_info(LOG_CONTROL, "user=%s device=%s forgotten records=%zu", log_quote(principal.user),
		log_quote(principal.device), count);
	hub_route_kick(hub_visitor_hub(visitor), principal.user, principal.device, BELFRY__ROLE__WAKE_REASON__KICKED);
	buffer_printf(&answer, "ok\nnote\tall that was kept of it is gone (%zu records); if it comes again it begins anew\n",
		count);
	hub_visitor_answer(visitor, &answer);
	buffer_release(&answer);
}

static void found(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	struct hub_visitor *visitor = data;
	struct principal principal = principal_of(visitor);

	hub_visitor_wait(visitor, NULL);
	if (status != STORE_OK || count == 0 || count > STORE_WRITES_MAX) {
		answer_error(visitor, status != STORE_OK ? status_words(status) : count == 0 ?
			"nothing is kept of such a device of that user" : status_words(STORE_LIMIT));
		return;
	}
	struct store_write *writes = mem_alloc_array(count, sizeof *writes);
	for (size_t i = 0; i < count; i++)
		writes[i] = (struct store_write){.key = records[i].key, .revision = records[i].revision, .remove = true};
	hub_visitor_wait(visitor, store_commit(hub_visitor_hub(visitor)->store, &principal, writes, count, forgotten, visitor));
	free(writes);
}

void hub_devices_forget(struct hub_visitor *visitor)
{
	struct principal principal = principal_of(visitor);
	const struct object object = {.user = principal.user, .device = principal.device};

	if (!principal_may(&principal_admin, ACTION_FORGET, &object)) {
		answer_error(visitor, "nobody may forget that");
		return;
	}
	hub_visitor_wait(visitor, store_scan(hub_visitor_hub(visitor)->store, &principal, "", found, visitor));
}

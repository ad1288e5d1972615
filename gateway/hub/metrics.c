/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * All that is counted, in the text format of Prometheus, version 0.0.4: families of samples, each family in one piece
 * under its HELP and TYPE. Families of one kind of label are a table.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "gateway/service/store.h"
#include "lib/core/buffer.h"

/* Bounds of the histograms: 2^8 to 2^26 us, 256 us to 67 s. */
enum { BUCKET_FIRST = 8, BUCKET_LAST = 26 };

/* --- the format ------------------------------------------------------------------------------------------------- */

static void family(struct buffer *text, const char *name, const char *type, const char *help)
{
	buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* name="value" with what the format wants escaped. A sending machine chooses its own name. */
static void label(struct buffer *text, const char *name, const char *value)
{
	buffer_printf(text, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buffer_append_byte(text, '\\');
		buffer_append_byte(text, (unsigned char)*value < ' ' ? '?' : *value);
	}
	buffer_append_byte(text, '"');
}

static void sample(struct buffer *text, const char *family_name, const char *label_name, const char *label_value,
	uint64_t value)
{
	buffer_append_string(text, family_name);
	if (label_name != NULL) {
		buffer_append_byte(text, '{');
		label(text, label_name, label_value);
		buffer_append_byte(text, '}');
	}
	buffer_printf(text, " %llu\n", (unsigned long long)value);
}

static void seconds(struct buffer *text, uint64_t us)
{
	buffer_printf(text, "%llu.%06llu", (unsigned long long)us / 1000000, (unsigned long long)us % 1000000);
}

/* One line of a histogram: suffix "_bucket" with the bound 2^doubling us (0: +Inf), "_sum", "_count". */
static void histogram_begin(struct buffer *text, const char *name, const char *suffix, const char *source, unsigned doubling)
{
	bool is_bucket = strcmp(suffix, "_bucket") == 0;

	buffer_printf(text, "%s%s", name, suffix);
	if (is_bucket || source != NULL)
		buffer_append_byte(text, '{');
	if (source != NULL)
		label(text, "source", source);
	if (is_bucket) {
		buffer_append_string(text, source == NULL ? "le=\"" : ",le=\"");
		if (doubling == 0)
			buffer_append_string(text, "+Inf");
		else
			seconds(text, ((uint64_t)1 << doubling) - 1); /* whole us: none lies between this and the power */
		buffer_append_byte(text, '"');
	}
	buffer_append_string(text, is_bucket || source != NULL ? "} " : " ");
}

static void histogram(struct buffer *text, const char *name, const char *source, const struct histogram *times)
{
	for (unsigned doubling = BUCKET_FIRST; doubling <= BUCKET_LAST; doubling++) {
		histogram_begin(text, name, "_bucket", source, doubling);
		buffer_printf(text, "%llu\n", (unsigned long long)histogram_below(times, doubling));
	}
	histogram_begin(text, name, "_bucket", source, 0);
	buffer_printf(text, "%llu\n", (unsigned long long)times->count);
	histogram_begin(text, name, "_sum", source, 0);
	seconds(text, times->sum_us);
	buffer_append_byte(text, '\n');
	histogram_begin(text, name, "_count", source, 0);
	buffer_printf(text, "%llu\n", (unsigned long long)times->count);
}

/* --- the hub ---------------------------------------------------------------------------------------------------- */

static void of_hub(struct hub *hub, struct buffer *text)
{
	struct hub_counters now;

	hub_count(hub, &now);
	const struct {
		const char *name, *type, *help;
		uint64_t value;
	} rows[] = {
		{"belfry_uptime_seconds", "gauge", "Of the hub.", (uint64_t)loop_now_ms(hub->loop) / 1000},
		{"belfry_fronts", "gauge", "Fronts that are connected.", now.fronts},
		{"belfry_users", "gauge", "Users of whom somebody waits, or waited just now.", now.users},
		{"belfry_held_collections", "gauge", "Collections that held requests wait for.", now.collections},
		{"belfry_parks_total", "counter", "Requests that came to be held.", now.parks},
		{"belfry_answered_at_once_total", "counter", "Of them, answered without being held.", now.changed_at_once},
		{"belfry_missed_total", "counter", "Changes that no hint announced.", now.missed},
		{"belfry_checks_total", "counter", "Questions to connectors where a mailbox stands.", now.checks},
		{"belfry_checks_failed_total", "counter", "Of them, those that nobody could answer.", now.failed},
		{"belfry_hints_refused_total", "counter", "Not allowed, malformed, or signed wrongly.", now.hints_refused},
		{"belfry_hints_spooled_total", "counter", "Taken from the spool.", now.spool.taken},
		{"belfry_begins_total", "counter", "Readings of a device's records.", now.begins},
		{"belfry_store_conflicts_total", "counter", "Writings that met a newer record.", now.conflicts},
		{"belfry_store_unavailable_total", "counter", "Questions that the store could not answer.", now.unavailable},
		{"belfry_limits_total", "counter", "Questions over a limit, such as devices of a user.", now.limits},
		{"belfry_too_often_total", "counter", "Requests of devices that get nowhere and were told to wait.", now.too_often},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		family(text, rows[i].name, rows[i].type, rows[i].help);
		sample(text, rows[i].name, NULL, NULL, rows[i].value);
	}
	family(text, "belfry_rung_total", "counter", "Held requests that were answered, by the reason.");
	sample(text, "belfry_rung_total", "reason", "changed", now.woken_changed);
	sample(text, "belfry_rung_total", "reason", "replaced", now.woken_replaced);
	sample(text, "belfry_rung_total", "reason", "kicked", now.woken_kicked);
	sample(text, "belfry_rung_total", "reason", "nothing", now.woken_nothing);
	family(text, "belfry_store_commit_seconds", "histogram", "From asking for a commit until it was durable.");
	histogram(text, "belfry_store_commit_seconds", NULL, store_commit_times(hub->store));
}

/* --- sources of changes ----------------------------------------------------------------------------------------- */

static void of_sources(const struct hub *hub, struct buffer *text)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} rows[] = {
		{"belfry_source_told_total", "Hints, or positions told unasked.", offsetof(struct hub_source_counters, told)},
		{"belfry_source_proven_total", "Hints that rang without asking.", offsetof(struct hub_source_counters, proven)},
		{"belfry_source_rung_total", "Held requests that rang.", offsetof(struct hub_source_counters, woken)},
		{"belfry_source_unwanted_total", "Hints for users of whom nobody waits.",
			offsetof(struct hub_source_counters, unwanted)},
		{"belfry_source_missed_total", "News of its users that it did not announce.",
			offsetof(struct hub_source_counters, missed)},
	};
	const struct hub_counters *counters = &hub->counters;
	uint64_t value;

	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		family(text, rows[row].name, "counter", rows[row].help);
		for (size_t i = 0; i < counters->source_count; i++) {
			memcpy(&value, (const char *)&counters->sources[i] + rows[row].offset, sizeof value);
			sample(text, rows[row].name, "source", counters->sources[i].name, value);
		}
	}
	family(text, "belfry_change_to_wake_seconds", "histogram", "From a change's coming in until the front was told.");
	for (size_t i = 0; i < counters->source_count; i++)
		histogram(text, "belfry_change_to_wake_seconds", counters->sources[i].name, &counters->sources[i].to_wake);
	family(text, "belfry_change_to_answer_seconds", "histogram", "From a change's coming in until the phone was answered.");
	for (size_t i = 0; i < counters->source_count; i++)
		histogram(text, "belfry_change_to_answer_seconds", counters->sources[i].name, &counters->sources[i].to_answer);
}

/* --- connectors ------------------------------------------------------------------------------------------------- */

static uint64_t is_up(const struct hub_instance *instance) { return hub_instance_is_up(instance); }
static uint64_t backend_is_down(const struct hub_instance *instance)
{
	return hub_instance_backend(instance) == BACKEND_IS_DOWN;
}
static uint64_t is_trusted(const struct hub_instance *instance) { return hub_instance_trust(instance) == TRUST_ALL; }
static uint64_t held(const struct hub_instance *instance) { return instance->table.parks; }
static uint64_t queued(const struct hub_instance *instance) { return instance->queue_tail - instance->queue_head; }
static uint64_t limited(const struct hub_instance *instance) { return instance->limited; }
static uint64_t failed(const struct hub_instance *instance) { return instance->failed; }
static uint64_t missed(const struct hub_instance *instance) { return instance->health.missed; }

static void of_connectors(const struct hub *hub, struct buffer *text)
{
	static const struct {
		const char *name, *type, *help;
		uint64_t (*value)(const struct hub_instance *);
	} rows[] = {
		{"belfry_connector_up", "gauge", "Whether the hub is connected to it.", is_up},
		{"belfry_backend_down", "gauge", "Whether the backend is not reached, or does not let the master user in.",
			backend_is_down},
		{"belfry_connector_hooks_trusted", "gauge", "Whether all hooks that told of its users are trusted.", is_trusted},
		{"belfry_held_requests", "gauge", "Requests that wait for a change.", held},
		{"belfry_connector_queued", "gauge", "Users that the hub has yet to ask it for.", queued},
		{"belfry_connector_limited_total", "counter", "Questions that it refused for want of sessions.", limited},
		{"belfry_connector_checks_failed_total", "counter", "Questions that nobody could answer.", failed},
		{"belfry_connector_missed_total", "counter", "Changes of its users that no hint announced.", missed},
	};

	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		family(text, rows[row].name, rows[row].type, rows[row].help);
		for (size_t i = 0; i < hub->settings.instance_count; i++)
			sample(text, rows[row].name, "connector", hub->settings.instances[i].name, rows[row].value(&hub->instances[i]));
	}
}

/* --- fronts ----------------------------------------------------------------------------------------------------- */

/* One that is drained may still be there beside its successor: who told last counts. */
static const struct hub_front *front_numbered(const struct hub *hub, unsigned number)
{
	const struct hub_front *found = NULL;

	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i] != NULL && hub->fronts[i]->number == number && (found == NULL ||
			hub->fronts[i]->serial > found->serial))
			found = hub->fronts[i];
	return found;
}

static void front_samples(const struct hub *hub, struct buffer *text, const char *name, size_t offset)
{
	char number[16];
	uint64_t value;

	for (size_t i = 0; i < HUB_FRONTS_MAX; i++) {
		const struct hub_front *front = hub->fronts[i];
		if (front == NULL || front_numbered(hub, front->number) != front)
			continue;
		memcpy(&value, (const char *)&front->counts + offset, sizeof value);
		snprintf(number, sizeof number, "%u", front->number);
		sample(text, name, "front", number, value);
	}
}

#define AT(member) offsetof(Belfry__Role__Counts, member)

static void of_fronts(const struct hub *hub, struct buffer *text)
{
	static const struct {
		const char *name, *type, *help;
		size_t offset;
	} rows[] = {
		{"belfry_connections", "gauge", "Connections of phones.", AT(connections)},
		{"belfry_connections_held", "gauge", "Of them, with a request that is held.", AT(held)},
		{"belfry_connections_idle", "gauge", "Of them, between two requests.", AT(idle)},
		{"belfry_unsent_bytes", "gauge", "Of answers that phones have not taken yet.", AT(unsent_bytes)},
		{"belfry_accepted_total", "counter", "Connections that came.", AT(accepted)},
		{"belfry_requests_total", "counter", "Whole requests.", AT(requests)},
		{"belfry_refused_total", "counter", "Requests that were broken or over a limit.", AT(refused)},
		{"belfry_overflowed_total", "counter", "Connections over the maximum.", AT(overflowed)},
		{"belfry_answers_refused_total", "counter", "Answers that there was no memory for.", AT(answers_refused)},
		{"belfry_answers_cut_total", "counter", "Answers that took too long.", AT(answers_cut)},
		{"belfry_logins_accepted_total", "counter", "Requests with the right password.", AT(logins_accepted)},
		{"belfry_logins_refused_total", "counter", "Requests with a wrong one.", AT(logins_refused)},
		{"belfry_logins_throttled_total", "counter", "Requests from where too many wrong ones came.",
			AT(logins_throttled)},
		{"belfry_logins_failed_total", "counter", "Requests whose password nobody could check.", AT(logins_failed)},
	};

	for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
		family(text, rows[row].name, rows[row].type, rows[row].help);
		front_samples(hub, text, rows[row].name, rows[row].offset);
	}
}

void hub_metrics(struct hub *hub, struct buffer *text)
{
	of_hub(hub, text);
	of_sources(hub, text);
	of_connectors(hub, text);
	of_fronts(hub, text);
}

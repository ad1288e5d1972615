/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Prometheus reads, line by line against its text format (version 0.0.4), and that the numbers are the right ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/core/mem.h"
#include "tests/unit/gateway/hub/try_hub.h"

#define ALICE "alice@example.org"
#define INBOX "INBOX"
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"

enum { SERIES_MAX = 4096, TEXT_MAX = 256 };

/* --- the format ------------------------------------------------------------------------------------------------- */

/* What is known of the text so far. */
struct reading {
	char families[SERIES_MAX][TEXT_MAX], series[SERIES_MAX][TEXT_MAX];
	size_t family_count, series_count;
	char family[TEXT_MAX], type[16];
	bool has_help, has_type;
	/* Of the histogram whose lines are being read. */
	char labels[TEXT_MAX];
	double last_bound;
	unsigned long long last_count, infinite;
	bool is_infinite;
};

static void assert_new(char list[SERIES_MAX][TEXT_MAX], size_t *count, const char *text)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i], text) == 0)
			fail_msg("%s comes twice", text);
	assert_true(*count < SERIES_MAX && strlen(text) < TEXT_MAX);
	strcpy(list[(*count)++], text);
}

static void read_name(const char *line, char name[TEXT_MAX])
{
	size_t length = strspn(line, WORD);

	assert_in_range(length, 1, TEXT_MAX - 1);
	assert_false(line[0] >= '0' && line[0] <= '9');
	snprintf(name, TEXT_MAX, "%.*s", (int)length, line);
}

static void end_family(const struct reading *reading)
{
	assert_true(reading->last_count == 0 && !reading->is_infinite);
}

static void read_help(struct reading *reading, const char *line)
{
	end_family(reading);
	read_name(line, reading->family);
	assert_new(reading->families, &reading->family_count, reading->family);
	assert_true(line[strlen(reading->family)] == ' ' && strchr(line, '\\') == NULL);
	reading->has_type = false;
}

static void read_type(struct reading *reading, const char *line)
{
	char name[TEXT_MAX];

	read_name(line, name);
	assert_string_equal(name, reading->family);
	assert_false(reading->has_type);
	reading->has_type = true;
	assert_int_equal(sscanf(line + strlen(name), " %15s", reading->type), 1);
	assert_true(strcmp(reading->type, "counter") == 0 || strcmp(reading->type, "gauge") == 0 ||
		strcmp(reading->type, "histogram") == 0);
	assert_int_equal(strcmp(reading->type, "counter") == 0, strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0);
}

/* name="value",...}; a label le goes to bound, the others to labels. Where it ends. */
static const char *read_labels(const char *at, char labels[TEXT_MAX], char bound[TEXT_MAX])
{
	char name[TEXT_MAX];

	while (*at != '}') {
		const char *begin = at;
		read_name(at, name);
		at += strlen(name);
		assert_memory_equal(at, "=\"", 2);
		for (at += 2; *at != '"'; at++) {
			assert_true((unsigned char)*at >= ' ');
			if (*at == '\\')
				assert_non_null(strchr("\\\"n", *++at));
		}
		at++;
		if (strcmp(name, "le") == 0)
			snprintf(bound, TEXT_MAX, "%.*s", (int)(at - begin - 5), begin + 4);
		else
			snprintf(labels + strlen(labels), TEXT_MAX - strlen(labels), "%.*s,", (int)(at - begin), begin);
		assert_true(*at == '}' || (*at == ',' && at[1] != '}'));
		at += *at == ',';
	}
	return at + 1;
}

static void read_bucket(struct reading *reading, const char *labels, const char *bound, unsigned long long count)
{
	char *end;

	assert_true(*bound != '\0' && !reading->is_infinite);
	if (reading->last_bound == 0)
		strcpy(reading->labels, labels);
	assert_string_equal(labels, reading->labels);
	assert_true(count >= reading->last_count);
	reading->last_count = count;
	if (strcmp(bound, "+Inf") == 0) {
		reading->is_infinite = true;
		reading->infinite = count;
		return;
	}
	double value = strtod(bound, &end);
	assert_true(*end == '\0' && value > reading->last_bound);
	reading->last_bound = value;
}

static void read_histogram(struct reading *reading, const char *suffix, const char *labels, const char *bound,
	const char *value)
{
	if (strcmp(suffix, "_bucket") == 0) {
		read_bucket(reading, labels, bound, strtoull(value, NULL, 10));
		return;
	}
	assert_true(reading->is_infinite && *bound == '\0');
	assert_string_equal(labels, reading->labels);
	if (strcmp(suffix, "_sum") == 0)
		return;
	assert_string_equal(suffix, "_count");
	assert_int_equal(strtoull(value, NULL, 10), reading->infinite);
	reading->last_bound = 0;
	reading->last_count = 0;
	reading->is_infinite = false;
}

static void read_sample(struct reading *reading, const char *line)
{
	char name[TEXT_MAX], labels[TEXT_MAX] = "", bound[TEXT_MAX] = "", series[TEXT_MAX];
	const char *at = line;
	char *end;

	read_name(line, name);
	at += strlen(name);
	if (*at == '{')
		at = read_labels(at + 1, labels, bound);
	snprintf(series, sizeof series, "%.*s", (int)(at - line), line);
	assert_new(reading->series, &reading->series_count, series);
	assert_int_equal(*at++, ' ');
	strtod(at, &end);
	assert_true(end > at && *end == '\0');
	assert_true(reading->has_type && strncmp(name, reading->family, strlen(reading->family)) == 0);
	if (strcmp(reading->type, "histogram") == 0)
		read_histogram(reading, name + strlen(reading->family), labels, bound, at);
	else
		assert_string_equal(name, reading->family);
}

static void assert_is_right(const char *text)
{
	struct reading *reading = mem_alloc(sizeof *reading);
	char *copy = mem_strdup(text), *rest = copy, *line;

	assert_true(*text != '\0' && text[strlen(text) - 1] == '\n');
	copy[strlen(copy) - 1] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "# HELP ", 7) == 0)
			read_help(reading, line + 7);
		else if (strncmp(line, "# TYPE ", 7) == 0)
			read_type(reading, line + 7);
		else
			read_sample(reading, line);
	}
	end_family(reading);
	free(copy);
	free(reading);
}

/* --- the numbers ------------------------------------------------------------------------------------------------ */

static struct try_hub try;
static struct try_front front;
static struct buffer text;

static int begin(void **state)
{
	(void)state;
	try_hub_start(&try);
	try_front_connect(&try, &front);
	try_stand(&try, ALICE, INBOX, 17);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buffer_release(&text);
	try_front_close(&try, &front);
	try_hub_stop(&try);
	return 0;
}

static const char *metrics(void)
{
	buffer_release(&text);
	hub_metrics(try.hub, &text);
	assert_is_right(buffer_string(&text));
	return buffer_string(&text);
}

#define assert_has(answer, wanted) \
	do { \
		if (strstr(answer, wanted) == NULL) \
			fail_msg("\"%s\" is not in:\n%s", wanted, answer); \
	} while (0)

static void a_hub_that_has_done_nothing_has_its_metrics(void **state)
{
	const char *answer = metrics();

	(void)state;
	assert_has(answer, "\nbelfry_parks_total 0\n");
	assert_has(answer, "\nbelfry_connector_up{connector=\"main\"} 1\n");
	assert_has(answer, "\nbelfry_store_commit_seconds_bucket{le=\"+Inf\"} 0\n");
}

static void what_happens_is_counted(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_has(metrics(), "\nbelfry_held_requests{connector=\"main\"} 1\n");
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	const char *answer = metrics();
	assert_has(answer, "\nbelfry_held_requests{connector=\"main\"} 0\n");
	assert_has(answer, "\nbelfry_rung_total{reason=\"changed\"} 1\n");
	assert_has(answer, "\nbelfry_source_rung_total{source=\"hook\"} 1\n");
	assert_has(answer, "\nbelfry_change_to_wake_seconds_bucket{source=\"hook\",le=\"0.000255\"} 1\n");
	assert_has(answer, "\nbelfry_change_to_wake_seconds_count{source=\"hook\"} 1\n");
	assert_has(answer, "\nbelfry_change_to_answer_seconds_count{source=\"hook\"} 0\n");
}

static void a_delay_is_in_its_bucket(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0); /* the mail is not there yet */
	loop_advance(try.loop, 20);
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 30); /* asked again after 50 ms */
	const char *answer = metrics();
	assert_has(answer, "\nbelfry_change_to_wake_seconds_bucket{source=\"hook\",le=\"0.032767\"} 0\n");
	assert_has(answer, "\nbelfry_change_to_wake_seconds_bucket{source=\"hook\",le=\"0.065535\"} 1\n");
	assert_has(answer, "\nbelfry_change_to_wake_seconds_sum{source=\"hook\"} 0.050000\n");
}

static void names_of_others_are_escaped(void **state)
{
	(void)state;
	hub_source(try.hub, "udp:a\\b\"} 1\nforged")->told = 3;
	assert_has(metrics(), "\nbelfry_source_told_total{source=\"udp:a\\\\b\\\"} 1?forged\"} 3\n");
}

static void committed(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	(void)revisions;
	(void)count;
	(void)data;
	assert_int_equal(status, STORE_OK);
}

static void commits_are_timed(void **state)
{
	const struct principal principal = {ALICE, "D1"};

	(void)state;
	store_put_if(try.store, &principal, "device", 0, "", 0, committed, NULL);
	loop_settle(try.loop);
	assert_has(metrics(), "\nbelfry_store_commit_seconds_count 1\n");
}

static void tell_counts(uint64_t connections, uint64_t throttled)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Counts counts = BELFRY__ROLE__COUNTS__INIT;

	counts.connections = connections;
	counts.logins_throttled = throttled;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_COUNTS;
	message.counts = &counts;
	try_front_send(&try, &front, &message);
	loop_settle(try.loop);
}

static void a_front_tells_what_it_counts_and_is_told_all(void **state)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__AskMetrics nothing = BELFRY__ROLE__ASK_METRICS__INIT;

	(void)state;
	tell_counts(12, 3);
	tell_counts(11, 4);
	assert_has(metrics(), "\nbelfry_connections{front=\"1\"} 11\n");
	assert_has(metrics(), "\nbelfry_logins_throttled_total{front=\"1\"} 4\n");
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_ASK_METRICS;
	message.ask_metrics = &nothing;
	message.id = 5;
	try_front_send(&try, &front, &message);
	loop_settle(try.loop);
	const Belfry__Role__FromHub *answer = try_front_next(&front);
	assert_non_null(answer);
	assert_true(answer->id == 5 && answer->body_case == BELFRY__ROLE__FROM_HUB__BODY_METRICS);
	metrics();
	assert_int_equal(answer->metrics->text.len, text.length);
	assert_memory_equal(answer->metrics->text.data, text.data, text.length);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_hub_that_has_done_nothing_has_its_metrics),
		CASE(what_happens_is_counted),
		CASE(a_delay_is_in_its_bucket),
		CASE(names_of_others_are_escaped),
		CASE(commits_are_timed),
		CASE(a_front_tells_what_it_counts_and_is_told_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket: belfryctl's requests and their answers. */
#include "gateway/hub/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "gateway/service/user.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- status ------------------------------------------------------------------------------------------------------------ */

static void count_row(struct buffer *answer, const char *name, uint64_t value)
{
	buffer_printf(answer, "row\t%s\t%llu\n", name, (unsigned long long)value);
}

static void status_counters(struct hub *hub, struct buffer *answer)
{
	struct hub_counters counters;

	hub_count(hub, &counters);
	const struct { const char *name; uint64_t value; } rows[] = {
		{"up_s", (uint64_t)loop_now_ms(hub->loop) / 1000},
		{"fronts", counters.fronts}, {"users", counters.users}, {"held", counters.parked},
		{"held_collections", counters.collections}, {"parks", counters.parks}, {"parks_again", counters.parks_again},
		{"answered_at_once", counters.changed_at_once}, {"rung_changed", counters.woken_changed},
		{"rung_replaced", counters.woken_replaced}, {"rung_kicked", counters.woken_kicked},
		{"rung_nothing", counters.woken_nothing}, {"ended", counters.unparked}, {"expired", counters.expired},
		{"orphaned", counters.orphaned}, {"checks", counters.checks}, {"said_same", counters.same},
		{"said_different", counters.different}, {"checks_failed", counters.failed}, {"missed_by_hooks", counters.missed},
		{"hints_refused", counters.hints_refused}, {"spool_taken", counters.spool.taken},
		{"spool_removed", counters.spool.removed}, {"spool_staying", counters.spool.staying},
		{"begins", counters.begins}, {"commits", counters.commits},
		{"conflicts", counters.conflicts}, {"limits", counters.limits}, {"store_unavailable", counters.unavailable},
		{"too_often", counters.too_often},
	};
	buffer_append_string(answer, "table\tcounters\tname\t#value\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		count_row(answer, rows[i].name, rows[i].value);
	buffer_append_string(answer, "table\tsources\tname\t#told\t#proven\t#rung\t#unwanted\t#missed\n");
	for (size_t i = 0; i < counters.source_count; i++) {
		const struct hub_source_counters *source = &counters.sources[i];
		buffer_printf(answer, "row\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\n", source->name, (unsigned long long)source->told,
			(unsigned long long)source->proven, (unsigned long long)source->woken, (unsigned long long)source->unwanted,
			(unsigned long long)source->missed);
	}
}

/* How long changes are under way, in the hub and in all. */
static void status_delays(struct hub *hub, struct buffer *answer)
{
	buffer_append_string(answer, "table\tdelays\tsource\t#rung\t#rung_p50_us\t#rung_p99_us\t#answered\t#answered_p50_us\t"
		"#answered_p99_us\n");
	for (size_t i = 0; i < hub->counters.source_count; i++) {
		const struct hub_source_counters *source = &hub->counters.sources[i];
		if (source->to_wake.count == 0)
			continue;
		buffer_printf(answer, "row\t%s", source->name);
		for (const struct histogram *times = &source->to_wake; times != NULL;
		     times = times == &source->to_wake ? &source->to_answer : NULL)
			buffer_printf(answer, "\t%llu\t%llu\t%llu", (unsigned long long)times->count,
				(unsigned long long)histogram_quantile(times, 500), (unsigned long long)histogram_quantile(times, 990));
		buffer_append_byte(answer, '\n');
	}
}

static const char *const backend_words[] = {"-", "up", "down"};
static const char *const trust_words[] = {"none", "not trusted", "partly", "trusted"};

static void status_instances(struct hub *hub, struct buffer *answer)
{
	buffer_append_string(answer, "table\tconnectors\tname\tconnected\tbackend\thooks\t#users\t#held\t#missed\t#queued\t"
		"#limited\t#checks_failed\ttrouble\n");
	for (size_t i = 0; i < hub->settings.instance_count; i++) {
		const struct hub_instance *instance = &hub->instances[i];
		buffer_printf(answer, "row\t%s\t%s\t%s\t%s\t%u\t%zu\t%llu\t%u\t%llu\t%llu\t%s\n", instance->settings->name,
			hub_instance_is_up(instance) ? "yes" : "no", backend_words[hub_instance_backend(instance)],
			trust_words[hub_instance_trust(instance)], (unsigned)HASH_COUNT(instance->table.users), instance->table.parks,
			(unsigned long long)instance->health.missed, instance->queue_tail - instance->queue_head,
			(unsigned long long)instance->limited, (unsigned long long)instance->failed,
			hub_instance_backend(instance) == BACKEND_IS_DOWN ? log_escape(instance->backend_trouble.text) : "-");
	}
}

static void status_hooks(struct hub *hub, struct buffer *answer)
{
	buffer_append_string(answer, "table\thooks\tconnector\tsource\ttrusted\n");
	for (size_t i = 0; i < hub->settings.instance_count; i++) {
		const struct hub_instance *instance = &hub->instances[i];
		for (uint8_t source = 0; instance->settings->hook != HUB_HOOK_NO && source <= HUB_SOURCES_MAX; source++)
			if (instance->health.is_known[source])
				buffer_printf(answer, "row\t%s\t%s\t%s\n", instance->settings->name, hub_source_name(hub, source),
					instance->health.sources[source].is_healthy ? "yes" : "no");
	}
}

static unsigned parks_of(const struct hub_front *front)
{
	unsigned count = 0;

	for (uint32_t slot = 0; slot < front->slot_count; slot++)
		count += front->slots[slot] != NULL;
	return count;
}

static void answer_status(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	(void)words;
	(void)count;
	buffer_append_string(answer, "ok\n");
	status_counters(hub, answer);
	status_delays(hub, answer);
	status_instances(hub, answer);
	status_hooks(hub, answer);
	buffer_append_string(answer, "table\tfronts\t#number\t#pid\t#held\n");
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i] != NULL)
			buffer_printf(answer, "row\t%u\t%u\t%u\n", hub->fronts[i]->number, hub->fronts[i]->pid, parks_of(hub->fronts[i]));
}

static void answer_metrics(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	(void)words;
	(void)count;
	buffer_append_string(answer, "ok\n");
	hub_metrics(hub, answer);
}

/* --- held ---------------------------------------------------------------------------------------------------------------- */

static void held_park(struct hub *hub, const struct hub_instance *instance, const struct park *park, struct buffer *answer)
{
	uint32_t now_s = hub_now_s(hub);

	buffer_printf(answer, "row\t%s\t%s\t%s\t%u\t%u\t%u\t%s\t%u\n", log_escape(park->user->name),
		log_escape(park_device(park)), hub->settings.notifiers[park->kind]->name, now_s - park->since_s,
		park->deadline_s > now_s ? park->deadline_s - now_s : 0, hub->fronts[park->front]->number,
		log_escape(park_name(&instance->table, park->user->cells[park->cells[0]].collection)), park->count);
}

static void held_user(struct hub *hub, const struct hub_instance *instance, const struct park_user *user, size_t *rows,
	struct buffer *answer)
{
	for (const struct park *park = user->parks; park != NULL; park = park->next)
		if ((*rows)++ < CONTROL_ROWS_MAX)
			held_park(hub, instance, park, answer);
}

/* As the admin types it; what is no user's name is nobody's. */
static const char *canonical(const struct hub *hub, const char *typed, char user[USER_MAX + 1])
{
	return user_canonical(typed, hub->settings.default_domain, user, NULL) == 0 ? user : typed;
}

static void answer_held(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	char name[USER_MAX + 1];
	size_t rows = 0;

	buffer_append_string(answer, "ok\ntable\theld\tuser\tdevice\tkind\t#since_s\t#left_s\t#front\tcollection\t#collections\n");
	for (size_t i = 0; i < hub->settings.instance_count; i++) {
		struct hub_instance *instance = &hub->instances[i];
		if (count > 1) {
			const struct park_user *user = park_user_find(&instance->table, canonical(hub, words[1], name));
			if (user != NULL)
				held_user(hub, instance, user, &rows, answer);
			continue;
		}
		for (const struct park_user *user = instance->table.users; user != NULL; user = user->hh.next)
			held_user(hub, instance, user, &rows, answer);
	}
	if (rows > CONTROL_ROWS_MAX)
		buffer_printf(answer, "note\tand %zu more\n", rows - CONTROL_ROWS_MAX);
}

/* --- why, kick, trace ------------------------------------------------------------------------------------------------------ */

static void answer_why(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	char name[USER_MAX + 1];

	buffer_append_string(answer, "ok\n");
	hub_why(hub, canonical(hub, words[1], name), count > 2 ? words[2] : NULL, answer);
}

static void answer_kick(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	char name[USER_MAX + 1];
	const char *user = canonical(hub, words[1], name);
	const struct object object = {.user = user, .device = count > 2 ? words[2] : NULL};
	unsigned kicked = 0;

	if (principal_may(&principal_admin, ACTION_KICK, &object))
		kicked = hub_route_kick(hub, user, object.device, BELFRY__ROLE__WAKE_REASON__KICKED);
	if (kicked == 0) {
		buffer_printf(answer, "error\tno request of %s%s%s is held: there is nobody to kick\n", log_escape(user),
			count > 2 ? " " : "", count > 2 ? log_escape(words[2]) : "");
		return;
	}
	log_info(LOG_CONTROL, "user=%s device=%s kicked=%u", log_quote(user), count > 2 ? log_quote(words[2]) : "*", kicked);
	buffer_printf(answer, "ok\nnote\t%u held %s answered: the %s again\n", kicked, kicked == 1 ? "request was" :
		"requests were", kicked == 1 ? "phone comes" : "phones come");
}

static void bad_subsystem(const char *word, struct buffer *answer)
{
	buffer_printf(answer, "error\tno subsystem %s; there are: all", log_escape(word));
	for (int i = 0; i < LOG_SUBSYSTEMS; i++)
		buffer_printf(answer, " %s", log_subsystem_name((enum log_subsystem)i));
	buffer_append_string(answer, ", and user=USER, device=DEVICE\n");
}

static void answer_trace(struct hub *hub, char *words[], size_t count, struct buffer *answer)
{
	char name[USER_MAX + 1];
	bool on = strcmp(words[1], "on") == 0;

	(void)count;
	if (!on && strcmp(words[1], "off") != 0) {
		buffer_append_string(answer, "error\ttrace on or trace off\n");
		return;
	}
	if (strncmp(words[2], "user=", 5) == 0) {
		hub_trace(hub, "", canonical(hub, words[2] + 5, name), "", on);
	} else if (strncmp(words[2], "device=", 7) == 0) {
		hub_trace(hub, "", "", words[2] + 7, on);
	} else if (log_trace_subsystem_by_name(words[2], on) < 0) {
		bad_subsystem(words[2], answer);
		return;
	} else {
		hub_trace(hub, words[2], "", "", on);
	}
	log_info(LOG_CONTROL, "trace=%s what=%s", words[1], log_quote(words[2]));
	buffer_printf(answer, "ok\nnote\ttrace of %s is %s in the hub, in every front and in every connector\n",
		log_escape(words[2]), words[1]);
}

/* One of answer (at once) and start (it answers the visitor later) is set. */
struct request {
	const char *name;
	size_t least, most; /* words */
	void (*answer)(struct hub *, char *words[], size_t count, struct buffer *answer);
	void (*start)(struct hub_visitor *);
	const char *usage;
};

static const struct request requests[] = {
	{"status", 1, 1, answer_status, NULL, "status"},
	{"metrics", 1, 1, answer_metrics, NULL, "metrics"},
	{"held", 1, 2, answer_held, NULL, "held [USER]"},
	{"why", 2, 3, answer_why, NULL, "why USER [DEVICE]"},
	{"trace", 3, 3, answer_trace, NULL, "trace on|off SUBSYSTEM|user=USER|device=DEVICE"},
	{"kick", 2, 3, answer_kick, NULL, "kick USER [DEVICE]"},
	{"devices", 2, 2, NULL, hub_devices_list, "devices USER"},
	{"forget", 3, 3, NULL, hub_devices_forget, "forget USER DEVICE"},
	{"backup", 1, 1, NULL, hub_backup, "backup"},
};

/* NULL: there is none, or not with so many words; then the answer says so. */
static const struct request *request_find(char *words[], size_t count, struct buffer *answer)
{
	for (size_t i = 0; count > 0 && i < sizeof requests / sizeof *requests; i++) {
		if (strcmp(requests[i].name, words[0]) != 0)
			continue;
		if (count >= requests[i].least && count <= requests[i].most)
			return &requests[i];
		buffer_printf(answer, "error\tit is: %s\n", requests[i].usage);
		return NULL;
	}
	buffer_printf(answer, "error\tno such request: %s\n", count == 0 ? "-" : log_escape(words[0]));
	return NULL;
}

/* --- connections ----------------------------------------------------------------------------------------------------------- */

struct hub_visitor {
	struct hub_visitor *next, **link;
	struct hub_control *control;
	struct stream *stream;
	struct store_call *call;      /* under way */
	char *line, *words[CONTROL_WORDS_MAX]; /* the request; NULL: not read yet */
	char user[USER_MAX + 1];
	struct timer timeout;
};

struct hub_control {
	struct hub *hub;
	struct listener *listener;
	struct hub_visitor *first;
	unsigned open;
};

static void visitor_close(struct hub_visitor *visitor)
{
	timer_stop(visitor->control->hub->loop, &visitor->timeout);
	store_forget(&visitor->call);
	*visitor->link = visitor->next;
	if (visitor->next != NULL)
		visitor->next->link = visitor->link;
	visitor->control->open--;
	stream_finish(&visitor->stream);
	free(visitor->line);
	free(visitor);
}

static void timed_out(struct timer *timer)
{
	visitor_close(container_of(timer, struct hub_visitor, timeout));
}

static size_t split(char *line, char *words[])
{
	size_t count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(line, "\t", &rest); word != NULL && count < CONTROL_WORDS_MAX;
	     word = strtok_r(NULL, "\t", &rest))
		words[count++] = word;
	return count;
}

struct hub *hub_visitor_hub(const struct hub_visitor *visitor)
{
	return visitor->control->hub;
}

const char *hub_visitor_user(struct hub_visitor *visitor, const char *typed)
{
	return canonical(visitor->control->hub, typed, visitor->user);
}

const char *hub_visitor_word(const struct hub_visitor *visitor, size_t number)
{
	return visitor->words[number];
}

void hub_visitor_wait(struct hub_visitor *visitor, struct store_call *call)
{
	visitor->call = call;
}

void hub_visitor_take_time(struct hub_visitor *visitor)
{
	timer_stop(visitor->control->hub->loop, &visitor->timeout);
}

void hub_visitor_answer(struct hub_visitor *visitor, struct buffer *answer)
{
	stream_write_buffer(visitor->stream, answer);
	visitor_close(visitor);
}

static void take_request(struct hub_visitor *visitor, const char *bytes, size_t length)
{
	struct buffer answer = BUFFER_EMPTY;

	visitor->line = mem_strndup(bytes, length);
	size_t count = split(visitor->line, visitor->words);
	const struct request *request = request_find(visitor->words, count, &answer);
	if (request != NULL && request->start != NULL) {
		request->start(visitor);
		return;
	}
	if (request != NULL)
		request->answer(visitor->control->hub, visitor->words, count, &answer);
	hub_visitor_answer(visitor, &answer);
	buffer_release(&answer);
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct hub_visitor *visitor = owner;
	struct buffer *input = stream_input(stream);
	const char *newline;

	if (event == STREAM_ENDED || event == STREAM_FAILED) {
		visitor_close(visitor);
		return;
	}
	if (event != STREAM_DATA || visitor->line != NULL)
		return;
	newline = memchr(input->data, '\n', input->length);
	if (newline != NULL && newline - input->data <= CONTROL_LINE_MAX)
		take_request(visitor, input->data, (size_t)(newline - input->data));
	else if (input->length > CONTROL_LINE_MAX)
		visitor_close(visitor);
}

/* The socket's mode keeps others out; this holds even when somebody loosens it. */
static bool is_admin(const struct stream *stream)
{
	uid_t uid;
	pid_t pid;

	return stream_peer_user(stream, &uid, &pid) == 0 && (uid == 0 || uid == geteuid());
}

static void accepted(struct stream *stream, void *data)
{
	struct hub_control *control = data;

	if (!is_admin(stream) || control->open >= CONTROL_OPEN_MAX) {
		stream_close(&stream);
		return;
	}
	struct hub_visitor *visitor = mem_alloc(sizeof *visitor);
	*visitor = (struct hub_visitor){.next = control->first, .link = &control->first, .control = control, .stream = stream};
	if (visitor->next != NULL)
		visitor->next->link = &visitor->next;
	control->first = visitor;
	control->open++;
	timer_start(control->hub->loop, &visitor->timeout, CONTROL_TIME_MS, timed_out);
	stream_own(stream, happened, visitor);
}

int hub_control_start(struct hub *hub, struct error *error_r)
{
	hub->control = mem_alloc(sizeof *hub->control);
	hub->control->hub = hub;
	hub->control->listener = net_listen(hub->net, "control", accepted, hub->control, error_r);
	return hub->control->listener == NULL ? -1 : 0;
}

void hub_control_stop(struct hub *hub)
{
	struct hub_control *control = hub->control;

	if (control == NULL)
		return;
	while (control->first != NULL)
		visitor_close(control->first);
	listener_close(&control->listener);
	free(control);
	hub->control = NULL;
}

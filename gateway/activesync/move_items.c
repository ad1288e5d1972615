/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MoveItems (MS-ASCMD 2.2.1.12). The device's states are left alone: its next Sync tells it that the item is gone from
 * here and came there, as the section has it, which is also what helps a device that has forgotten what it did.
 *
 *	identify ──▶ write down what will be moved ──▶ move ──▶ look where the collections stand now ──▶ write ──▶ answer
 *
 * What is written down before says by which Message-ID a mail is known again that was moved when nobody was left to
 * note it: the request comes again then. What is written after is the answer to give when the request comes again.
 */
#include <string.h>
#include <unistd.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/moves.h"
#include "gateway/activesync/sync.h"
#include "lib/core/log.h"

/* MS-ASCMD 2.2.3.177.10 */
enum {
	STATUS_NO_SOURCE = 1, STATUS_NO_TARGET = 2, STATUS_SUCCESS = 3, STATUS_SAME = 4, STATUS_FAILED = 5, STATUS_LOCKED = 7
};

enum { MESSAGE_ID_MAX = 250 }; /* of what is kept; a longer one is cut by somebody on its way anyway */

/* A collection that something is moved from or to. */
struct place {
	uint32_t id;
	char *sync_key, *position_key;
	const char *name;             /* the connector's; NULL: no such collection */
	struct sync_state state;      /* record NULL: never synchronised */
	bool is_touched;
	Belfry__Role__Position *position; /* where the device stands from now on; NULL: where it stood */
};

struct move {
	const char *item_text, *from_text, *to_text; /* as sent */
	uint64_t item;
	struct place *from, *to;
	const struct move *same;      /* asked for earlier in this request; NULL: it was not */
	Belfry__Activesync__Moved *entry;
	int status;                   /* 0: still to be done */
};

struct work {
	struct move *moves;
	struct place *places;
	size_t move_count, place_count, at;
	Belfry__Activesync__Moves *record;
	bool changed;                 /* the record is to be written */
};

static void release(struct request *request)
{
	struct work *work = request->work;

	for (size_t i = 0; i < work->place_count; i++)
		sync_state_release(&work->places[i].state);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static struct place *place_of(struct request *request, struct work *work, const char *text)
{
	uint32_t id = sync_collection_id(text);
	size_t i = 0;

	while (i < work->place_count && work->places[i].id != id)
		i++;
	if (i == work->place_count) {
		work->places[work->place_count++] = (struct place){.id = id,
			.sync_key = arena_printf(request->arena, "sync/%u", id),
			.position_key = arena_printf(request->arena, "position/%u", id)};
	}
	return &work->places[i];
}

static bool is_id(const char *text, size_t max)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= max;
}

static int read_move(struct request *request, struct work *work, const struct wbxml_node *node)
{
	struct move *move = &work->moves[work->move_count];

	move->item_text = wbxml_node_text(node, AS_MOVE_SRCMSGID);
	move->from_text = wbxml_node_text(node, AS_MOVE_SRCFLDID);
	move->to_text = wbxml_node_text(node, AS_MOVE_DSTFLDID);
	if (!is_id(move->item_text, SYNC_ITEM_ID_MAX) || !is_id(move->from_text, SYNC_COLLECTION_ID_MAX) ||
	    !is_id(move->to_text, SYNC_COLLECTION_ID_MAX))
		return COMMON_INVALID_XML;
	move->item = sync_item_id(move->from_text, move->item_text);
	move->from = place_of(request, work, move->from_text);
	move->to = place_of(request, work, move->to_text);
	work->move_count++;
	return 0;
}

int move_items_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders", moves[] = "moves";
	const struct wbxml_node *node = wbxml_node_child(request->root, AS_MOVE_MOVE);
	unsigned count = wbxml_node_count(request->root, AS_MOVE_MOVE);
	struct work *work = request->work = arena_alloc(request->arena, sizeof *work);

	request->release = release;
	if (count == 0 || count > MOVES_MAX)
		return COMMON_INVALID_XML;
	work->moves = arena_alloc(request->arena, count * sizeof *work->moves);
	work->places = arena_alloc(request->arena, 2 * count * sizeof *work->places);
	for (; node != NULL; node = wbxml_node_next(node)) {
		int status = read_move(request, work, node);
		if (status != 0)
			return status;
	}
	if (work->place_count > SYNC_COLLECTIONS_MAX)
		return COMMON_INVALID_XML;
	begin->locks = arena_alloc(request->arena, (work->place_count + 1) * sizeof *begin->locks);
	begin->keys = arena_alloc(request->arena, (2 * work->place_count + 2) * sizeof *begin->keys);
	begin->locks[begin->n_locks++] = begin->keys[begin->n_keys++] = moves;
	begin->keys[begin->n_keys++] = folders;
	for (size_t i = 0; i < work->place_count; i++) {
		begin->locks[begin->n_locks++] = begin->keys[begin->n_keys++] = work->places[i].sync_key;
		begin->keys[begin->n_keys++] = work->places[i].position_key;
	}
	return 0;
}

/* --- what each of them is -------------------------------------------------------------------------------------- */

static void find_places(struct request *request, struct work *work)
{
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);

	for (size_t i = 0; i < work->place_count; i++) {
		struct place *place = &work->places[i];
		const Belfry__Activesync__Folder *folder = folders == NULL ? NULL : folders_find(folders, place->id);
		Belfry__Activesync__Sync *sync = request_unpack(request, place->sync_key, &belfry__activesync__sync__descriptor);

		place->name = folder == NULL ? NULL : folder->name;
		if (sync == NULL || sync_state_open(&place->state, sync) < 0)
			place->state.record = NULL;
		place->state.shows_all = request->version >= 140;
	}
}

static const struct move *find_same(const struct work *work, const struct move *move)
{
	for (const struct move *before = work->moves; before != move; before++)
		if (before->item == move->item && before->from == move->from)
			return before;
	return NULL;
}

/* 0: it is to be moved. */
static int judge(const struct work *work, struct move *move)
{
	const struct sync_state *source = &move->from->state, *target = &move->to->state;

	if (strcmp(move->from_text, move->to_text) == 0)
		return STATUS_SAME;
	if (move->from->name == NULL || move->item == 0 || source->record == NULL)
		return STATUS_NO_SOURCE;
	if (move->to->name == NULL)
		return STATUS_NO_TARGET;
	move->same = find_same(work, move);
	if (move->same != NULL)
		return move->same->to == move->to ? 0 : STATUS_FAILED; /* to one place only */
	move->entry = moves_find(work->record, move->from->id, move->item, source->record->validity);
	if (move->entry == NULL)
		return 0;
	if (move->entry->moved != 0)
		return move->entry->to == move->to->id ? STATUS_SUCCESS : STATUS_NO_SOURCE;
	move->entry->to = move->to->id;
	move->entry->to_validity = target->record == NULL ? 0 : target->record->validity;
	return 0;
}

static bool is_open(const struct move *move)
{
	return move->status == 0 && move->same == NULL;
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void write_response(struct request *request, const struct move *move)
{
	const struct move *done = move->same != NULL && move->status == 0 ? move->same : move;
	struct wbxml_writer *writer = &request->writer;

	wbxml_writer_start(writer, AS_MOVE_RESPONSE);
	wbxml_writer_text_element(writer, AS_MOVE_SRCMSGID, move->item_text);
	wbxml_writer_number_element(writer, AS_MOVE_STATUS, done->status);
	if (done->status == STATUS_SUCCESS && done->entry->moved != 0)
		wbxml_writer_text_element(writer, AS_MOVE_DSTMSGID, arena_printf(request->arena, "%s:%llu", done->to_text,
			(unsigned long long)done->entry->moved));
	wbxml_writer_end(writer);
}

static void answer(struct request *request)
{
	const struct work *work = request->work;
	size_t failed = 0;

	request_begin_answer(request);
	for (size_t i = 0; i < work->move_count; i++) {
		write_response(request, &work->moves[i]);
		failed += work->moves[i].status != 0 && work->moves[i].status != STATUS_SUCCESS;
	}
	request->result = arena_printf(request->arena, "status=1 moves=%zu failed=%zu", work->move_count, failed);
	request_answer(request);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	answer(data);
}

/* --- where the collections stand ------------------------------------------------------------------------------- */

static Belfry__Role__Write *write_position(struct request *request, const struct place *place)
{
	Belfry__Activesync__At at = BELFRY__ACTIVESYNC__AT__INIT;

	at.name = (char *)place->name;
	at.position = place->position;
	return request_write(request, place->position_key, &at.base);
}

static void commit(struct request *request)
{
	const struct work *work = request->work;
	Belfry__Role__Write **writes = arena_alloc(request->arena, (work->place_count + 1) * sizeof *writes);
	size_t count = 0;

	if (work->changed)
		writes[count++] = request_write(request, "moves", &work->record->base);
	for (size_t i = 0; i < work->place_count; i++)
		if (work->places[i].position != NULL)
			writes[count++] = write_position(request, &work->places[i]);
	if (count == 0)
		answer(request);
	else
		request_commit(request, writes, count, committed);
}

static void look_next(struct request *);

/* A device for which there is nothing new here but its own moves is not to be rung for them: it stands where they have
 * brought the collection. */
static void note_position(struct request *request, struct place *place, const Belfry__Connector__Surveyed *surveyed)
{
	const struct work *work = request->work;
	const struct sync_names names = {surveyed->keywords, surveyed->n_keywords, request->arena};
	struct ranges present = RANGES_EMPTY;

	sync_take_ranges(&present, surveyed->present);
	moves_undo(work->record, place->id, &place->state, &present);
	sync_state_plan(&place->state, &present, NULL, surveyed->changed, surveyed->n_changed, &names, 0);
	ranges_release(&present);
	if (place->state.told.more || surveyed->position == NULL)
		return;
	place->position = arena_alloc(request->arena, sizeof *place->position);
	belfry__role__position__init(place->position);
	place->position->validity = surveyed->position->validity;
	place->position->next = surveyed->position->next;
	place->position->token = surveyed->position->token;
}

/* A target that refused what it was to get may be one that is gone. */
static void note_target_gone(struct work *work, const struct place *place)
{
	for (size_t i = 0; i < work->move_count; i++)
		if (work->moves[i].to == place && work->moves[i].status == STATUS_FAILED && work->moves[i].same == NULL)
			work->moves[i].status = STATUS_NO_TARGET;
}

static void looked(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct work *work = request->work;
	struct place *place = &work->places[work->at];

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND)
		note_target_gone(work, place);
	if (response->status == BELFRY__CONNECTOR__STATUS__OK && response->surveyed != NULL && place->state.record != NULL)
		note_position(request, place, response->surveyed);
	work->at++;
	look_next(request);
}

static void look(struct request *request, const struct place *place)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Survey survey = BELFRY__CONNECTOR__SURVEY__INIT;
	const Belfry__Activesync__Sync *sync = place->state.record;

	survey.collection = (char *)place->name;
	if (sync != NULL) {
		survey.validity = sync->validity;
		survey.since_token = sync->token;
		sync_filter_survey(request, sync->options, &survey);
	}
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY;
	question.survey = &survey;
	request_ask(request, &question, looked);
}

static void look_next(struct request *request)
{
	struct work *work = request->work;

	while (work->at < work->place_count && !work->places[work->at].is_touched)
		work->at++;
	if (work->at < work->place_count)
		look(request, &work->places[work->at]);
	else
		commit(request);
}

/* --- moving ---------------------------------------------------------------------------------------------------- */

static void move_next(struct request *);

/* Of one Apply. */
static bool is_with(const struct move *move, const struct move *first)
{
	return is_open(move) && move->from == first->from && move->to == first->to;
}

static void note_result(struct work *work, struct move *move, Belfry__Connector__Status status, uint64_t moved)
{
	move->from->is_touched = move->to->is_touched = true;
	if (status != BELFRY__CONNECTOR__STATUS__OK) {
		move->status = status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ? STATUS_NO_SOURCE : STATUS_FAILED;
		moves_remove(work->record, move->entry);
		return;
	}
	move->status = STATUS_SUCCESS;
	move->entry->moved = moved;
	if (moved != 0)
		move->entry->message_id = (char *)protobuf_c_empty_string;
}

/* Nothing is known: what is written down of it stays, until the device asks again. */
static void fail_group(struct work *work, const struct move *first, const Belfry__Connector__Response *response)
{
	bool is_gone = response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ||
		response->status == BELFRY__CONNECTOR__STATUS__STALE;

	for (size_t i = work->move_count; i-- > 0;)
		if (is_with(&work->moves[i], first))
			work->moves[i].status = is_gone ? STATUS_NO_SOURCE : STATUS_LOCKED;
}

static void applied(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct work *work = request->work;
	const struct move *first = &work->moves[work->at];
	const Belfry__Connector__Applied *applied = response->applied;
	size_t at = 0;

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || applied == NULL || applied->n_moved != applied->n_results) {
		log_info(LOG_ACTIVESYNC, "user=%s device=%s collection=%s not moved: connector status=%d %s",
			log_quote(request->user), log_quote(request->device), log_quote(first->from->name), response->status,
			log_quote(response->reason));
		fail_group(work, first, response);
		move_next(request);
		return;
	}
	work->changed = true;
	for (struct move *move = &work->moves[work->at], *end = work->moves + work->move_count; move < end; move++)
		if (is_open(move) && move->from == first->from && move->to == first->to && at < applied->n_results) {
			note_result(work, move, applied->results[at], applied->moved[at]);
			at++;
		}
	move_next(request);
}

static void apply(struct request *request, const struct move *first)
{
	struct work *work = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Apply message = BELFRY__CONNECTOR__APPLY__INIT;

	message.operations = arena_alloc(request->arena, work->move_count * sizeof *message.operations);
	for (const struct move *move = first, *end = work->moves + work->move_count; move < end; move++) {
		if (!is_with(move, first))
			continue;
		Belfry__Connector__Operation *operation = arena_alloc(request->arena, sizeof *operation);
		belfry__connector__operation__init(operation);
		operation->id = move->item;
		operation->move_to = (char *)move->to->name;
		operation->message_id = move->entry->message_id;
		message.operations[message.n_operations++] = operation;
	}
	message.collection = (char *)first->from->name;
	message.validity = first->from->state.record->validity;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_APPLY;
	question.apply = &message;
	request_ask(request, &question, applied);
}

static void move_next(struct request *request)
{
	struct work *work = request->work;

	bool is_late = loop_now_ms(request->engine->host.loop) - request->started_ms >= SYNC_TIME_MAX_MS;

	for (; work->at < work->move_count && (is_late || !is_open(&work->moves[work->at])); work->at++)
		if (is_open(&work->moves[work->at]))
			work->moves[work->at].status = STATUS_LOCKED; /* the locks would keep the device's next request waiting */
	if (work->at < work->move_count) {
		apply(request, &work->moves[work->at]);
		return;
	}
	work->at = 0;
	look_next(request);
}

/* --- before anything is moved ---------------------------------------------------------------------------------- */

static void identify_next(struct request *);

static bool needs_identity(const struct move *move)
{
	return is_open(move) && move->entry == NULL;
}

static void note_identity(struct request *request, struct move *move, const Belfry__Connector__Item *item)
{
	struct work *work = request->work;
	const char *message_id = item->mail == NULL ? "" : item->mail->message_id;

	if (item->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND) {
		move->status = STATUS_NO_SOURCE;
		return;
	}
	work->changed = true;
	move->entry = moves_add(work->record, request->arena);
	move->entry->from = move->from->id;
	move->entry->item = move->item;
	move->entry->validity = move->from->state.record->validity;
	move->entry->to = move->to->id;
	move->entry->to_validity = move->to->state.record == NULL ? 0 : move->to->state.record->validity;
	if (strlen(message_id) <= MESSAGE_ID_MAX)
		move->entry->message_id = arena_strdup(request->arena, message_id);
}

static void identified(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct work *work = request->work;
	const struct place *place = work->moves[work->at].from;
	bool is_good = response->status == BELFRY__CONNECTOR__STATUS__OK && response->fetched != NULL;

	bool is_gone = response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ||
		response->status == BELFRY__CONNECTOR__STATUS__STALE;

	if (fd >= 0)
		close(fd);
	for (size_t i = work->at; i < work->move_count; i++) {
		struct move *move = &work->moves[i];
		if (!needs_identity(move) || move->from != place)
			continue;
		if (is_good && response->fetched->item->id == move->item)
			note_identity(request, move, response->fetched->item);
		else if (is_last) /* nothing was said of it */
			move->status = is_gone ? STATUS_NO_SOURCE : STATUS_LOCKED;
	}
	if (is_last)
		identify_next(request);
}

static void identify(struct request *request, const struct place *place)
{
	struct work *work = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;

	fetch.collection = (char *)place->name;
	fetch.validity = place->state.record->validity;
	fetch.ids = arena_alloc(request->arena, work->move_count * sizeof *fetch.ids);
	for (size_t i = work->at; i < work->move_count; i++)
		if (needs_identity(&work->moves[i]) && work->moves[i].from == place)
			fetch.ids[fetch.n_ids++] = work->moves[i].item;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, identified);
}

static void written_down(const Belfry__Role__Committed *done, void *data)
{
	struct request *request = data;

	(void)done;
	move_next(request);
}

static void identify_next(struct request *request)
{
	struct work *work = request->work;

	while (work->at < work->move_count && !needs_identity(&work->moves[work->at]))
		work->at++;
	if (work->at < work->move_count) {
		identify(request, work->moves[work->at].from);
		return;
	}
	work->at = 0;
	if (!work->changed) {
		move_next(request);
		return;
	}
	Belfry__Role__Write *write = request_write(request, "moves", &work->record->base);
	work->changed = false;
	request_commit_first(request, &write, 1, written_down);
}

void move_items_run(struct request *request)
{
	struct work *work = request->work;

	work->record = request_unpack(request, "moves", &belfry__activesync__moves__descriptor);
	if (work->record == NULL) {
		work->record = arena_alloc(request->arena, sizeof *work->record);
		belfry__activesync__moves__init(work->record);
	}
	find_places(request, work);
	for (size_t i = 0; i < work->move_count; i++)
		work->moves[i].status = judge(work, &work->moves[i]);
	identify_next(request);
}

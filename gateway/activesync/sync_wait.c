/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A Sync with Wait or HeartbeatInterval (MS-ASCMD 2.2.3.198, 2.2.3.88.2) that has nothing to tell is held like a Ping.
 * News are answered with MoreAvailable and nothing else: the device asks again at once, and gets them with its login.
 */
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/sync.h"

static void write_collection(struct wbxml_writer *writer, const struct park_place *place)
{
	char key[SYNC_KEY_TEXT];

	sync_key_format(place->key.series, place->key.number, key);
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTION);
	wbxml_writer_text_element(writer, AS_AIRSYNC_SYNCKEY, key);
	wbxml_writer_number_element(writer, AS_AIRSYNC_COLLECTIONID, place->id);
	wbxml_writer_number_element(writer, AS_AIRSYNC_STATUS, SYNC_STATUS_SUCCESS);
	wbxml_writer_empty_element(writer, AS_AIRSYNC_MOREAVAILABLE);
	wbxml_writer_end(writer);
}

static void write_collections(struct wbxml_writer *writer, const struct park_place *places, const uint32_t *changed,
	size_t changed_count)
{
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTIONS);
	for (size_t i = 0; i < changed_count; i++)
		write_collection(writer, &places[changed[i]]);
	wbxml_writer_end(writer);
}

/* Without news the answer is empty: the request is kept (sync_kept.c), and may be repeated by an empty one. */
static int write_answer(struct buffer *body, const struct park_place *places, size_t count, const uint32_t *changed,
	size_t changed_count)
{
	bool is_hierarchy = park_is_hierarchy(places, changed, changed_count);
	int status = is_hierarchy ? SYNC_STATUS_HIERARCHY : SYNC_STATUS_SUCCESS;
	struct wbxml_writer writer;

	(void)count;
	if (changed_count == 0)
		return status;
	wbxml_writer_begin(&writer, body, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	if (status == SYNC_STATUS_SUCCESS)
		write_collections(&writer, places, changed, changed_count);
	else
		wbxml_writer_number_element(&writer, AS_AIRSYNC_STATUS, status);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	return status;
}

const struct park_kind sync_kind = {.command = "Sync", .has_keys = true, .write = write_answer};

static bool can_be_held(const struct sync_job *job)
{
	return sync_is_quiet(job) && job->wants_changes && job->command_count == 0 &&
		(job->position.validity != 0 || job->position.next != 0);
}

bool sync_wait(struct request *request)
{
	struct sync_work *work = request->work;
	struct park_folder *folders = arena_alloc(request->arena, (work->job_count + 1) * sizeof *folders);

	if (work->wait_s == 0 || work->is_forgotten)
		return false;
	for (size_t i = 0; i < work->job_count; i++) {
		const struct sync_job *job = &work->jobs[i];
		if (!can_be_held(job))
			return false;
		folders[i].place = (struct park_place){job->id, {job->state.record->series, job->state.record->key}};
		folders[i].name = job->name;
		folders[i].position = job->position;
	}
	parks_hold(request->engine->parks, request, &sync_kind, work->wait_s, folders,
		park_add_hierarchy(request, folders, work->job_count));
	return true;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A Sync with Wait or HeartbeatInterval (MS-ASCMD 2.2.3.198, 2.2.3.88.2) that has nothing to tell is held like a Ping.
 * News are answered with MoreAvailable and nothing else: the device asks again at once, and gets them with its login.
 */
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/sync.h"

static void write_collection(struct wbxml_writer *writer, const struct park_place *place, bool has_changed)
{
	char key[SYNC_KEY_TEXT];

	sync_key_format(place->key.series, place->key.number, key);
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTION);
	wbxml_writer_text_element(writer, AS_AIRSYNC_SYNCKEY, key);
	wbxml_writer_number_element(writer, AS_AIRSYNC_COLLECTIONID, place->id);
	wbxml_writer_number_element(writer, AS_AIRSYNC_STATUS, SYNC_STATUS_SUCCESS);
	if (has_changed)
		wbxml_writer_empty_element(writer, AS_AIRSYNC_MOREAVAILABLE);
	wbxml_writer_end(writer);
}

static void write_collections(struct wbxml_writer *writer, const struct park_place *places, size_t count,
	const uint32_t *changed, size_t changed_count)
{
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTIONS);
	for (size_t i = 0; i < changed_count; i++)
		write_collection(writer, &places[changed[i]], true);
	for (size_t i = 0; changed_count == 0 && i < count; i++)
		if (places[i].id != HIERARCHY_ID)
			write_collection(writer, &places[i], false);
	wbxml_writer_end(writer);
}

/* Without news all collections are told as they are. An empty answer would be shorter, but after that a device sends an
 * empty request, and has to be asked for a full one. */
static int write_answer(struct buffer *body, const struct park_place *places, size_t count, const uint32_t *changed,
	size_t changed_count)
{
	bool is_hierarchy = park_is_hierarchy(places, changed, changed_count);
	int status = is_hierarchy ? SYNC_STATUS_HIERARCHY : SYNC_STATUS_SUCCESS;
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, body, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	if (status == SYNC_STATUS_SUCCESS)
		write_collections(&writer, places, count, changed, changed_count);
	else
		wbxml_writer_number_element(&writer, AS_AIRSYNC_STATUS, status);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	return status;
}

const struct park_kind sync_kind = {.command = "Sync", .has_keys = true, .write = write_answer};

static bool is_quiet(const struct sync_job *job)
{
	return job->status == SYNC_STATUS_SUCCESS && job->key_is == SYNC_KEY_CURRENT && job->wants_changes &&
		!job->changed && job->command_count == 0 && !job->state.told.more &&
		(job->position.validity != 0 || job->position.next != 0);
}

bool sync_wait(struct request *request)
{
	struct sync_work *work = request->work;
	struct park_folder *folders = arena_alloc(request->arena, (work->job_count + 1) * sizeof *folders);

	if (work->wait_s == 0)
		return false;
	for (size_t i = 0; i < work->job_count; i++) {
		const struct sync_job *job = &work->jobs[i];
		if (!is_quiet(job))
			return false;
		folders[i].place = (struct park_place){job->id, {job->state.record->series, job->state.record->key}};
		folders[i].name = job->name;
		folders[i].position = job->position;
	}
	parks_hold(request->engine->parks, request, &sync_kind, work->wait_s, folders,
		park_add_hierarchy(request, folders, work->job_count));
	return true;
}

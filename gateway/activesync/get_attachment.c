/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GetAttachment (MS-ASCMD 2.2.1.8), until 14.0: the attachment is the answer's body, as it is. */
#include <string.h>
#include <sys/stat.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/item_operations.h"

int get_attachment_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	struct item_id *id = request->work = arena_alloc(request->arena, sizeof *id);

	if (!item_id_parse(request, request->query.attachment_name, id))
		return 0; /* get_attachment_run() says so */
	begin->keys = arena_alloc(request->arena, 2 * sizeof *begin->keys);
	begin->keys[begin->n_keys++] = arena_strdup(request->arena, "folders");
	begin->keys[begin->n_keys++] = arena_printf(request->arena, "sync/%u", id->collection);
	return 0;
}

/* "a 500 status code is returned" for what is not there. */
static void refuse(struct request *request)
{
	request_answer_http(request, 500, "there is no such attachment");
}

static void part_came(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct http_response answer = HTTP_RESPONSE(200);
	struct stat status;

	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE) {
		request_answer_retry(request, response->reason);
		return;
	}
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->part == NULL) {
		refuse(request);
		return;
	}
	if (fd >= 0 && fstat(fd, &status) == 0)
		http_response_file(&answer, fd, 0, (size_t)status.st_size);
	/* A stranger has chosen it: no browser is to take it for a page of ours. */
	http_response_header(&answer, "Content-Disposition", "attachment");
	request->result = arena_printf(request->arena, "http=200 bytes=%llu", (unsigned long long)response->part->count);
	request_answer_as(request, &answer, response->part->content_type);
}

void get_attachment_run(struct request *request)
{
	const struct item_id *id = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__FetchPart part = BELFRY__CONNECTOR__FETCH_PART__INIT;
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	const Belfry__Activesync__Folder *folder = folders == NULL ? NULL : folders_find(folders, id->collection);
	const char *key = arena_printf(request->arena, "sync/%u", id->collection);
	Belfry__Activesync__Sync *sync = request_unpack(request, key, &belfry__activesync__sync__descriptor);

	if (request->version >= 141) {
		request_answer_http(request, 501, "this command is not served here");
		return;
	}
	if (folder == NULL || id->part == NULL) {
		refuse(request);
		return;
	}
	part.collection = folder->name;
	part.validity = sync == NULL ? 0 : sync->validity;
	part.id = id->item;
	part.part = (char *)id->part;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART;
	question.fetch_part = &part;
	request_ask(request, &question, part_came);
}

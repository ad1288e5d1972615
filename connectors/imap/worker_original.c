/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole item in a file, for who quotes or encloses it. */
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "connectors/imap/worker_internal.h"

enum { PIECE = 1024 * 1024 };

struct loading {
	void (*progress)(void *data);
	void *data;
	int fd;
	uint64_t got;    /* octets of the last piece */
	bool is_there, has_failed;
};

static void write_all(struct loading *loading, struct imap_text octets)
{
	loading->got = octets.length;
	while (octets.length > 0 && !loading->has_failed) {
		ssize_t written = write(loading->fd, octets.bytes, octets.length);

		loading->has_failed = written <= 0;
		octets.bytes += loading->has_failed ? 0 : written;
		octets.length -= loading->has_failed ? 0 : (size_t)written;
	}
}

/* * 7 FETCH (UID 12 BODY[]<0> {…}) */
static void hear_octets(const struct imap_response *response, void *data)
{
	struct worker_attributes attributes = {0};
	struct loading *loading = data;
	struct imap_cursor at;
	struct imap_text name;

	while (worker_next_attribute(response, &attributes, &name, &at)) {
		struct imap_token value = imap_token_next(&at);
		if (name.length < 6 || strncasecmp(name.bytes, "BODY[]", 6) != 0)
			continue;
		loading->is_there = true;
		if (value.kind == IMAP_LITERAL || value.kind == IMAP_QUOTED)
			write_all(loading, value.text);
	}
}

static enum session_answer load(struct session *session, uint64_t id, struct loading *loading, struct error *error_r)
{
	uint64_t at = 0;

	do {
		loading->got = 0;
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[]<%llu.%d>)", (unsigned long long)id, (unsigned long long)at,
			PIECE);
		enum session_answer answer = session_await(session, hear_octets, loading, error_r);
		if (answer != SESSION_OK)
			return answer;
		at += loading->got;
		loading->progress(loading->data);
	} while (loading->got == PIECE && !loading->has_failed);
	return SESSION_OK;
}

static worker_status open_collection(struct session *session, const char *collection, uint64_t validity,
	struct error *error_r)
{
	int selecting = session_select(session, collection, error_r);
	enum session_answer answer = selecting < 0 ? SESSION_NO : selecting == 0 ? session_refresh(session, error_r)
		: session_selected(session, collection, NULL, NULL, error_r);

	if (answer != SESSION_OK)
		return worker_status_of(answer, error_r);
	if (validity == 0 || validity == session->validity)
		return BELFRY__CONNECTOR__STATUS__OK;
	error_set(error_r, "the mailbox was made anew");
	return BELFRY__CONNECTOR__STATUS__STALE;
}

static worker_status load_item(struct worker_call *call, const Belfry__Connector__Send *request, struct loading *loading,
	struct error *error_r)
{
	worker_status status = open_collection(call->session, request->collection, request->validity, error_r);
	enum session_answer answer;

	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	answer = load(call->session, request->item, loading, error_r);
	if (answer != SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (loading->is_there && !loading->has_failed)
		return BELFRY__CONNECTOR__STATUS__OK;
	error_set(error_r, loading->is_there ? "its file cannot be written" : "there is no such item");
	return loading->is_there ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__NOT_FOUND;
}

static worker_status map(int fd, struct slice *octets_r, struct error *error_r)
{
	off_t length = lseek(fd, 0, SEEK_END);
	void *octets = length > 0 ? mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

	if (length == 0)
		return BELFRY__CONNECTOR__STATUS__OK;
	if (octets == MAP_FAILED) {
		error_set(error_r, "its file cannot be read");
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	*octets_r = slice_of(octets, (size_t)length);
	return BELFRY__CONNECTOR__STATUS__OK;
}

worker_status worker_original(struct worker_call *call, const Belfry__Connector__Send *request,
	void (*progress)(void *data), void *data, struct slice *octets_r, struct error *error_r)
{
	struct loading loading = {.progress = progress, .data = data, .fd = memfd_create("original", MFD_CLOEXEC)};
	worker_status status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;

	*octets_r = slice_of(NULL, 0);
	if (loading.fd < 0) {
		error_set(error_r, "no file can be had");
		return status;
	}
	status = load_item(call, request, &loading, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = map(loading.fd, octets_r, error_r);
	close(loading.fd);
	return status;
}

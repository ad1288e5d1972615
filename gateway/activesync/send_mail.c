/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SendMail, SmartReply and SmartForward (MS-ASCMD 2.2.1.17, 2.2.1.18, 2.2.1.19).
 *
 *	Begin ─▶ known and done? answered ─▶ Commit "will be sent" ─▶ Send ─▶ Commit "was sent" ─▶ answer
 *
 * One at a time for a device: the lock stays over both commits. When the request comes again because anything in
 * between died, the connector is told so, and looks whether it has sent the mail before it sends it.
 */
#include "gateway/activesync/send_mail.h"

#include <string.h>
#include <unistd.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/folders.h"
#include "lib/core/log.h"

struct send_work {
	struct send_request asked;
	Belfry__Activesync__SentMails *mails;
	Belfry__Activesync__SentMail *mail;  /* of this request */
	const char *collection;              /* the connector's name of the original's; "": none */
	uint64_t validity;
	bool again;
	const char *result;                  /* for the log, when it was sent */
	int status;                          /* that the mail is refused with; 0: it was sent */
};

static int64_t now_s(const struct request *request)
{
	return loop_wall_s(request->engine->host.loop);
}

static void release(struct request *request)
{
	struct send_work *work = request->work;

	if (work->asked.fd >= 0)
		close(work->asked.fd);
	work->asked.fd = -1;
}

int send_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char sent[] = "sent", folders[] = "folders", *locks[] = {sent};
	struct send_work *work = request->work = arena_alloc(request->arena, sizeof *work);
	int status = send_request_read(request, &work->asked);
	char **keys = arena_alloc(request->arena, 3 * sizeof *keys);

	request->release = release;
	if (status != 0)
		return status;
	if (send_request_keep(request, &work->asked) < 0)
		return COMMON_SERVER_ERROR_RETRY;
	keys[0] = sent;
	keys[1] = folders;
	keys[2] = arena_printf(request->arena, "sync/%u", work->asked.collection);
	begin->locks = locks;
	begin->n_locks = 1;
	begin->keys = keys;
	begin->n_keys = work->asked.kind == BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE ? 1 : 3;
	return 0;
}

/* --- the end --------------------------------------------------------------------------------------------------- */

static void answer(struct request *request)
{
	const struct send_work *work = request->work;

	if (work->status != 0) {
		request_answer_status(request, work->status);
		return;
	}
	request->result = work->result;
	request_answer_empty(request);
}

static void settled(const Belfry__Role__Committed *committed, void *data)
{
	(void)committed;
	answer(data);
}

/* What became of it is known: written down, then told. */
static void settle(struct request *request)
{
	struct send_work *work = request->work;
	Belfry__Role__Write *write;

	if (work->status == 0)
		work->mail->message_id = (char *)"";
	else
		sent_remove(work->mails, work->mail);
	write = request_write(request, "sent", &work->mails->base);
	request_commit(request, &write, 1, settled);
}

/* 0: sent; -1: nobody knows yet. */
static int status_of(Belfry__Connector__Status status)
{
	switch (status) {
	case BELFRY__CONNECTOR__STATUS__OK: return 0;
	case BELFRY__CONNECTOR__STATUS__NO_RECIPIENT: return COMMON_NO_RECIPIENT;
	case BELFRY__CONNECTOR__STATUS__BAD_RECIPIENT: return COMMON_RECIPIENT_UNRESOLVED;
	case BELFRY__CONNECTOR__STATUS__BAD_MAIL: return COMMON_INVALID_MIME;
	case BELFRY__CONNECTOR__STATUS__UNSUPPORTED:
	case BELFRY__CONNECTOR__STATUS__NOT_SENT: return COMMON_SUBMISSION_FAILED;
	case BELFRY__CONNECTOR__STATUS__TOO_LARGE: return COMMON_TOO_LARGE;
	case BELFRY__CONNECTOR__STATUS__NOT_FOUND:
	case BELFRY__CONNECTOR__STATUS__STALE: return COMMON_ITEM_NOT_FOUND;
	case BELFRY__CONNECTOR__STATUS__DEFERRED: return COMMON_SERVER_ERROR_RETRY;
	default: return -1;
	}
}

/* For the log, and belfryctl why. */
static const char *result_of(const struct send_work *work, const Belfry__Connector__Sent *sent)
{
	if (sent != NULL && sent->twice)
		return "status=1 (perhaps sent twice)";
	if (sent != NULL && work->asked.save && !sent->saved)
		return "status=1 (sent, but no copy is kept)";
	return work->again ? "status=1 (repeated)" : "status=1";
}

static void sent(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct send_work *work = request->work;

	(void)fd;
	if (!is_last)
		return;
	work->status = status_of(response->status);
	work->result = result_of(work, response->sent);
	if (work->status < 0) {
		request_answer_retry(request, response->reason);
		return;
	}
	if (work->status != 0)
		log_info(LOG_ACTIVESYNC, "user=%s device=%s command=%s not sent: %s", log_quote(request->user),
			log_quote(request->device), request->command->name, log_quote(response->reason));
	settle(request);
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void send_it(const Belfry__Role__Committed *committed, void *data)
{
	struct request *request = data;
	struct send_work *work = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Send send = BELFRY__CONNECTOR__SEND__INIT;
	int fd = work->asked.fd;

	(void)committed;
	work->asked.fd = -1; /* the link takes it */
	send.in_descriptor = fd >= 0;
	if (fd < 0)
		send.mime = (ProtobufCBinaryData){work->asked.length, (uint8_t *)(uintptr_t)work->asked.data};
	send.message_id = work->mail->message_id;
	send.save = work->asked.save;
	send.again = work->again;
	send.kind = work->asked.kind;
	send.collection = (char *)work->collection;
	send.validity = work->validity;
	send.item = work->asked.item;
	send.replace = work->asked.replace;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SEND;
	question.send = &send;
	request_ask_fd(request, &question, fd, sent);
}

static void write_down(struct request *request)
{
	struct send_work *work = request->work;
	Belfry__Role__Write *write;

	if (work->mail == NULL)
		work->mail = sent_add(work->mails, request, &work->asked, now_s(request));
	work->mail->content = work->asked.content;
	write = request_write(request, "sent", &work->mails->base);
	request_commit_first(request, &write, 1, send_it);
}

/* Where the original is. False: the device knows no such item. */
static bool find_original(struct request *request)
{
	struct send_work *work = request->work;
	const Belfry__Activesync__Folders *folders;
	const Belfry__Activesync__Folder *folder;
	const Belfry__Activesync__Sync *sync;

	work->collection = "";
	if (work->asked.kind == BELFRY__CONNECTOR__ORIGINAL__ORIGINAL_NONE)
		return true;
	folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	sync = request_unpack(request, arena_printf(request->arena, "sync/%u", work->asked.collection),
		&belfry__activesync__sync__descriptor);
	folder = folders == NULL ? NULL : folders_find(folders, work->asked.collection);
	if (folder == NULL || work->asked.item == 0)
		return false;
	work->collection = folder->name;
	work->validity = sync == NULL ? 0 : sync->validity;
	return true;
}

void send_run(struct request *request)
{
	struct send_work *work = request->work;

	work->mails = request_unpack(request, "sent", &belfry__activesync__sent_mails__descriptor);
	if (work->mails == NULL) {
		work->mails = arena_alloc(request->arena, sizeof *work->mails);
		belfry__activesync__sent_mails__init(work->mails);
	}
	work->mail = sent_find(work->mails, &work->asked, now_s(request));
	work->again = work->mail != NULL;
	work->result = "status=1 (repeated)";
	if (work->again && sent_is_done(work->mail) && sent_is_another(work->mail, &work->asked))
		request_answer_status(request, COMMON_PREVIOUSLY_SENT); /* it would be lost if it were answered as the other one */
	else if (work->again && sent_is_done(work->mail))
		answer(request);
	else if (!find_original(request))
		request_answer_status(request, COMMON_ITEM_NOT_FOUND);
	else
		write_down(request);
}

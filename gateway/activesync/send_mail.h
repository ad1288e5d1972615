/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SendMail, SmartReply and SmartForward: what is asked for, and what is remembered of what was. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_SEND_MAIL_H
#define BELFRY_GATEWAY_ACTIVESYNC_SEND_MAIL_H

#include "gateway/activesync/request.h"
#include "gateway/activesync/state.pb-c.h"

enum {
	SENT_KEPT = 64,         /* mails of one device that are known again; a phone repeats what is still in its outbox */
	SENT_DIGEST_BYTES = 16,
	SENT_REPEAT_S = 600,    /* the same octets without a ClientId within this are the same mail */
	CLIENT_ID_MAX = 40      /* characters: MS-ASCMD 2.2.3.28.2 */
};

/* What a request asks for, in either of its forms. */
struct send_request {
	const char *data;       /* the mail: in the body of the request, or in the arena … */
	size_t length;
	int fd;                 /* … or in a file, when it is long; -1 */
	uint8_t digest[SENT_DIGEST_BYTES];
	bool has_client_id;
	uint64_t content;       /* digest of the mail itself; 0: without a ClientId */
	bool save, replace;
	Belfry__Connector__Original kind;
	uint32_t collection;    /* of the original … */
	uint64_t item;
};

/* 0, or the status that refuses it. */
int send_request_read(struct request *, struct send_request *send_r);
/* Puts the mail where it stays when the body of the request is released. -1: no file can be had. */
int send_request_keep(struct request *, struct send_request *);

/* --- the record "sent" ----------------------------------------------------------------------------------------- */

/* NULL: not asked for before. */
Belfry__Activesync__SentMail *sent_find(const Belfry__Activesync__SentMails *, const struct send_request *, int64_t now_s);
bool sent_is_done(const Belfry__Activesync__SentMail *);
/* The same ClientId names another mail now. */
bool sent_is_another(const Belfry__Activesync__SentMail *, const struct send_request *);
/* Adds one at the end, the oldest gives way. */
Belfry__Activesync__SentMail *sent_add(Belfry__Activesync__SentMails *, const struct request *,
	const struct send_request *, int64_t now_s);
void sent_remove(Belfry__Activesync__SentMails *, const Belfry__Activesync__SentMail *);

#endif

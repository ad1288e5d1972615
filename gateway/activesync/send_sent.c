/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is remembered of mails that a device had sent (record "sent"). */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include <openssl/evp.h>

#include "gateway/activesync/send_mail.h"

typedef Belfry__Activesync__SentMail mail_t;
typedef Belfry__Activesync__SentMails mails_t;

mail_t *sent_find(const mails_t *mails, const struct send_request *send, int64_t now_s)
{
	for (size_t i = mails->n_mails; i-- > 0;) {
		mail_t *mail = mails->mails[i];

		if (mail->digest.len != sizeof send->digest || memcmp(mail->digest.data, send->digest, sizeof send->digest) != 0)
			continue;
		if (send->has_client_id || (int64_t)mail->at_s + SENT_REPEAT_S >= now_s)
			return mail;
	}
	return NULL;
}

bool sent_is_done(const mail_t *mail)
{
	return mail->message_id[0] == '\0';
}

bool sent_is_another(const mail_t *mail, const struct send_request *send)
{
	return mail->content != 0 && send->content != 0 && mail->content != send->content;
}

/* The domain of the user, if it can stand in a header as it is. */
static const char *domain_of(const char *user)
{
	const char *domain = strrchr(user, '@');

	for (const char *at = domain; at != NULL && *++at != '\0';)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '.')
			return "localhost";
	return domain == NULL || domain[1] == '\0' ? "localhost" : domain + 1;
}

static char *make_message_id(const struct request *request, const struct send_request *send, int64_t now_s)
{
	char *text = arena_printf(request->arena, "%16s%s\n%s\n%lld", "", request->user, request->device, (long long)now_s);
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hex[2 * SENT_DIGEST_BYTES + 1] = "";

	memcpy(text, send->digest, sizeof send->digest);
	int made = EVP_Digest(text, sizeof send->digest + strlen(text + sizeof send->digest), digest, NULL, EVP_sha256(), NULL);
	assert(made == 1);
	for (int i = 0; i < SENT_DIGEST_BYTES; i++) {
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	return arena_printf(request->arena, "<%s@%s>", hex, domain_of(request->user));
}

mail_t *sent_add(mails_t *mails, const struct request *request, const struct send_request *send, int64_t now_s)
{
	mail_t **grown = arena_alloc(request->arena, (mails->n_mails + 1) * sizeof *grown);
	mail_t *mail = arena_alloc(request->arena, sizeof *mail);
	size_t dropped = mails->n_mails < SENT_KEPT ? 0 : mails->n_mails - SENT_KEPT + 1;

	if (mails->n_mails > dropped)
		memcpy(grown, mails->mails + dropped, (mails->n_mails - dropped) * sizeof *grown);
	belfry__activesync__sent_mail__init(mail);
	mail->digest.len = sizeof send->digest;
	mail->digest.data = (uint8_t *)(uintptr_t)send->digest;
	mail->message_id = make_message_id(request, send, now_s);
	mail->at_s = (uint64_t)now_s;
	mails->mails = grown;
	mails->n_mails -= dropped;
	mails->mails[mails->n_mails++] = mail;
	return mail;
}

void sent_remove(mails_t *mails, const mail_t *mail)
{
	size_t at = 0;

	while (at < mails->n_mails && mails->mails[at] != mail)
		at++;
	if (at == mails->n_mails)
		return;
	mails->n_mails--;
	memmove(mails->mails + at, mails->mails + at + 1, (mails->n_mails - at) * sizeof *mails->mails);
}

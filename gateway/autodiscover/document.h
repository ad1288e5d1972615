/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answers (MS-ASCMD 2.2.1.1; AutodiscoverResponse.xsd, AutodiscoverMobileSync.xsd). Texts may be anybody's. */
#ifndef BELFRY_GATEWAY_AUTODISCOVER_DOCUMENT_H
#define BELFRY_GATEWAY_AUTODISCOVER_DOCUMENT_H

#include "lib/core/buffer.h"

#define DOCUMENT_CONTENT_TYPE "text/xml; charset=utf-8"
/* The one AcceptableResponseSchema that is answered by. */
#define DOCUMENT_SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"

/* 2.2.3.64 ErrorCode, and what else servers of the protocol send there (MS-OXDSCLI 2.2.4.1.1.2.4). */
enum document_code {
	DOCUMENT_ADDRESS_UNKNOWN = 500,
	DOCUMENT_INVALID_REQUEST = 600,
	DOCUMENT_NO_PROVIDER = 601       /* for the AcceptableResponseSchema */
};

/* The settings of this user: `url` is the ActiveSync address. */
void document_settings(struct buffer *, const char *email, const char *url);
void document_error(struct buffer *, enum document_code);
/* Status 2 (2.2.3.177.1): asked rightly, and cannot be answered; debug names the part that is to blame. */
void document_failure(struct buffer *, const char *email, const char *message, const char *debug);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a phone asks (MS-ASCMD 2.2.1.1, request schema mobilesync/requestschema/2006): XML of strangers, read by libxml2. */
#ifndef BELFRY_GATEWAY_AUTODISCOVER_QUESTION_H
#define BELFRY_GATEWAY_AUTODISCOVER_QUESTION_H

#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/error.h"

enum {
	QUESTION_DEPTH_MAX = 8,  /* Autodiscover, Request and one below are all there is */
	QUESTION_TEXT_MAX = 512  /* bytes of a value: an address has 320 (RFC 5321 4.5.3.1), a schema's name about 80 */
};

/* In the arena, without the space around them, never "". */
struct question {
	const char *email;       /* EMailAddress */
	const char *schema;      /* AcceptableResponseSchema */
};

/* -1: no such document, or one with a DOCTYPE. Names of elements count, namespaces do not: phones have sent several. */
int question_parse(struct question *question_r, struct arena *, const void *bytes, size_t length, struct error *error_r);

#endif

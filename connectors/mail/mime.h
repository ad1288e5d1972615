/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tree of a mail's parts (RFC 2045, 2046), made from its octets (mime_parse) or from what an IMAP server says of
 * them (connectors/imap/structure.h; then the bodies are not there until somebody loads them).
 * One pass over the octets whatever the nesting; everything broken gives some tree.
 */
#ifndef BELFRY_CONNECTORS_MAIL_MIME_H
#define BELFRY_CONNECTORS_MAIL_MIME_H

#include <stdint.h>

#include "connectors/mail/param.h"
#include "connectors/mail/slice.h"
#include "connectors/mail/transfer.h"
#include "lib/core/arena.h"

enum {
	MIME_DEPTH_MAX = 50,   /* multiparts within multiparts: real mails have 5; deeper ones are shown as text */
	MIME_PARTS_MAX = 1000, /* further boundaries are ignored: they stay in the last part */
};

enum mime_disposition { MIME_DISPOSITION_NONE, MIME_DISPOSITION_INLINE, MIME_DISPOSITION_ATTACHMENT };

struct mime_part {
	struct mime_part *parent, *first, *last, *next; /* tree in the order of the mail */
	struct slice type, subtype;         /* "text", "plain"; never empty; in any case of letters */
	struct param *type_params, *disposition_params;
	enum mime_disposition disposition;
	enum transfer transfer;
	struct slice content_id;            /* without < > */
	struct slice content_location;
	struct slice header;                /* length 0 when not loaded */
	struct slice body;                  /* encoded; when !is_loaded not there */
	bool is_loaded;
	uint64_t size;                      /* of the whole encoded body */
	unsigned number;                    /* 1 and up, within the parent */
};

/* The tree lies in the arena and looks into the octets. Never NULL. */
struct mime_part *mime_parse(struct arena *, const char *octets, size_t length);

/* For whoever builds a tree otherwise. */
struct mime_part *mime_part_create(struct arena *, struct mime_part *parent);
void mime_part_set_type(struct mime_part *, struct slice type, struct slice subtype);
/* "text/plain" split at its slash; what is not of this form is text/plain (RFC 2045 section 5.2). */
void mime_part_set_content_type(struct mime_part *, struct slice content_type);
void mime_part_set_disposition(struct mime_part *, struct slice disposition);

bool mime_is(const struct mime_part *, const char *type, const char *subtype); /* NULL: any */
/* IMAP's number of the part (RFC 9051 section 6.4.5): "1.2"; of a mail in one part "1". */
char *mime_part_number(struct arena *, const struct mime_part *);
/* The name that an attachment has (RFC 2183, else the old name of RFC 2045), UTF-8; NULL: none. */
char *mime_part_name(struct arena *, const struct mime_part *);
/* The next part in the order of the mail, NULL after the last; for walking without recursion. */
struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *);
/* The same, but nothing within this part. */
struct mime_part *mime_next_beside(const struct mime_part *root, const struct mime_part *);

#endif

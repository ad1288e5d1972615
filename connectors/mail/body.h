/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The body that a person reads: which parts it consists of, which of the forms asked for it is given in, converted,
 * cut. Two steps, because the parts of a large mail are not there until they are asked for: body_choose() says which,
 * body_fill() makes the body from what has been loaded since.
 */
#ifndef BELFRY_CONNECTORS_MAIL_BODY_H
#define BELFRY_CONNECTORS_MAIL_BODY_H

#include "connectors/mail/mime.h"
#include "lib/core/arena.h"
#include "lib/ipc/connector.pb-c.h"

enum {
	BODY_WISHES_MAX = 32,            /* further ones are not looked at; there are four types */
	BODY_SEGMENTS_MAX = 16,          /* texts of a mail one after the other: text, picture, text … */
	BODY_PART_MAX = 4 * 1024 * 1024, /* of one text part, encoded: a novel with markup; no phone shows more */
	BODY_PREVIEW_MAX = 255           /* characters (MS-ASAIRS section 2.2.2.34) */
};

/* One text of the body in up to two forms. */
struct body_segment {
	struct mime_part *plain, *html; /* not both NULL */
	bool is_told_before;            /* its plain form is part of an earlier segment's */
};

struct body_plan {
	Belfry__Connector__BodyType native;      /* PLAIN or HTML */
	Belfry__Connector__BodyType type;        /* what will be given; BODY_NONE: nothing was wished */
	const Belfry__Connector__BodyWish *wish; /* NULL with BODY_NONE */
	bool is_part;                            /* what the mail adds to its conversation … */
	bool drops_history;                      /* … which is not all of it */
	uint32_t passed;                         /* wishes that cannot be fulfilled, by their places: a bit each */
	struct body_segment segments[BODY_SEGMENTS_MAX];
	int count;
};

/* Takes MIME when it is wished and mime_support (ActiveSync MIMESupport) allows it for this mail, else the native form
 * when it is among the wishes, else the first that can be given. Without wishes only native is told. */
void body_choose(const struct mime_part *root, Belfry__Connector__BodyWish *const *wishes, size_t count,
	unsigned mime_support, struct body_plan *plan_r);

/* The wish was for all or nothing, and nothing is what the body has become: takes one of the other wishes for the plan
 * (MS-ASAIRS section 2.2.2.3.2). False: it was not so, or there is none. */
bool body_choose_other(const struct mime_part *root, Belfry__Connector__BodyWish *const *wishes, size_t count,
	unsigned mime_support, const Belfry__Connector__Body *body, struct body_plan *);
/* What a preview is made of when the body itself is MIME: the beginning of the text. */
void body_choose_preview(const struct body_plan *, struct body_plan *preview_r);

/* The part that a mail adds to its conversation (MS-ASAIRS section 2.2.2.10), as HTML: all of it, or, when it refers to
 * others, what it does not repeat of them. root's header has been loaded. */
void body_choose_part(const struct mime_part *root, const Belfry__Connector__BodyWish *, struct body_plan *plan_r);

/* The part of a segment that its text is taken from; NULL: nothing of this segment is shown in this form. */
struct mime_part *body_source(const struct body_plan *, const struct body_segment *);
/* How many encoded octets of such a part are enough for what is wished; at most BODY_PART_MAX. */
uint64_t body_octets_needed(const struct body_plan *, const struct mime_part *);
/* Is this part text of the body, shown or in its other form (and so no attachment)? */
bool body_has(const struct body_plan *, const struct mime_part *);

/* Fills type, data, sizes and preview from the parts; not for MIME. Parts that are not loaded give no text. What a
 * conversation gets (body_choose_part) and is over CONNECTOR_INLINE_MAX is left out. */
void body_fill(struct arena *, const struct body_plan *, Belfry__Connector__Body *body_r);
/* The same for MIME: the mail as text (connectors/mail/mime_text.h) or its beginning is cut to the wish, not copied. */
void body_fill_mime(struct arena *, const struct body_plan *, struct slice text, uint64_t full_size,
	Belfry__Connector__Body *body_r);

#endif

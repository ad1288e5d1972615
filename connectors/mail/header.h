/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fields of a header block (RFC 5322 section 2.2), as broken as they come: LF for CRLF, lines that are no field. */
#ifndef BELFRY_CONNECTORS_MAIL_HEADER_H
#define BELFRY_CONNECTORS_MAIL_HEADER_H

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"

struct header_field {
	struct slice name;  /* without white space and colon */
	struct slice value; /* as it stands there, folded; trimmed */
};

/* Takes the next field from the front. False at the empty line, which is taken too: what remains is the body. */
bool header_next(struct slice *rest, struct header_field *field_r);
/* Takes a line from the front, with its end. */
struct slice header_take_line(struct slice *rest);
/* Takes a field as it stands there, with the lines that continue it; or the empty line, or a line that is no field. */
struct slice header_take(struct slice *rest);
/* One line out of a folded value: line ends are dropped, other control characters become spaces. Terminated. */
char *header_unfold(struct arena *, struct slice value);

#endif

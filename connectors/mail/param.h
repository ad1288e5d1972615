/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values with parameters (Content-Type, Content-Disposition): RFC 2045 section 5.1, RFC 2231. */
#ifndef BELFRY_CONNECTORS_MAIL_PARAM_H
#define BELFRY_CONNECTORS_MAIL_PARAM_H

#include "connectors/mail/slice.h"
#include "lib/core/arena.h"

/* Parameters of one field that are looked at: real mails have a handful, name*0 … name*9 included. */
enum { PARAM_MAX = 64 };

struct param {
	struct param *next;
	struct slice name;  /* with RFC 2231's *0* */
	struct slice value; /* without quotes and backslashes, else raw */
};

/* Splits "value; name=value; …". The value before the first ';' is trimmed. */
void param_split(struct arena *, struct slice field, struct slice *value_r, struct param **params_r);
/* Adds one at the front of the list. */
void param_add(struct arena *, struct param **, struct slice name, struct slice value);

/* The value of a parameter that is plain ASCII by nature (charset, boundary); continuations are joined.
 * Length 0 when it is not there. */
struct slice param_raw(struct arena *, const struct param *, const char *name);
/* The value as UTF-8: RFC 2231 with its character set, encoded words where they should not be. NULL: not there. */
char *param_text(struct arena *, const struct param *, const char *name);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The query of a request's URI: plain (MS-ASHTTP 2.2.1.1.1.2) or base64 (2.2.1.1.1.1). The same device gives the same
 * device id either way.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_QUERY_H
#define BELFRY_GATEWAY_ACTIVESYNC_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/error.h"

enum {
	QUERY_DEVICE_ID_MAX = 32,   /* MS-ASHTTP 2.2.1.1.1.2.3: 32 characters */
	QUERY_DEVICE_TYPE_MAX = 32, /* no section says how many; nobody is known who takes more */
	QUERY_VALUE_MAX = 1024,     /* of any other parameter; an AttachmentName is the longest */
	QUERY_PARAMETERS_MAX = 32
};

/* What is wrong with a query that is refused. */
enum query_fault { QUERY_FINE, QUERY_FORM, QUERY_DEVICE_ID, QUERY_DEVICE_TYPE };

/* All strings live in the arena; "" when absent. */
struct query {
	enum query_fault fault;
	const char *command;        /* "Sync"; NULL: a code that names none */
	const char *user;
	const char *device_id;      /* letters and digits only, as the device sends it */
	const char *device_type;
	unsigned version;           /* times ten: 141; 0: not in the query (then in the header) */
	bool has_policy_key;        /* base64: the policy key is here, not in a header */
	uint32_t policy_key;
	const char *collection_id, *item_id, *long_id, *attachment_name;
	bool accepts_multipart, saves_in_sent;
};

/* query: what follows the "?". -1: neither form, or a part too long; fault says which. With a wrong device the rest of
 * the query is there all the same. */
int query_parse(struct query *query_r, struct arena *, const char *query, struct error *error_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an IMAP server says (RFC 3501 §7, §9), in three steps: where a response ends (framer), what kind it is
 * (imap_response_parse), what stands in it (cursor and tokens). Nothing is copied: all texts point into the bytes
 * given and live as long as these.
 */
#ifndef BELFRY_LIB_IMAP_RESPONSE_H
#define BELFRY_LIB_IMAP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/core/buffer.h"

/* A response with its literals, unless the framer has another limit. A watching client asks for nothing long; the
 * longest is a CAPABILITY or an odd server's FETCH with all keywords. */
enum { IMAP_RESPONSE_MAX = 64 * 1024 };

struct imap_text {
	const char *bytes;
	size_t length;
};
/* Compared without regard to case. */
bool imap_text_is(struct imap_text, const char *word);

/* --- where it ends --------------------------------------------------------------------------------------------- */

/* Remembers what has been looked at, so that a response that comes byte by byte is scanned once. Zeroed memory is
 * the start of a response. */
struct imap_framer {
	size_t line;    /* where the current line starts */
	size_t scanned; /* from there on nothing was looked at */
	bool has_literals; /* the response is of a kind that may have literals (RFC 3501 §9: not resp-text) */
	size_t max;        /* stays: for who asks for mails and lists; 0: IMAP_RESPONSE_MAX */
};

/* The length of the first whole response, its CRLF and literals included; the framer then starts anew. 0: there is
 * more to come. -1: longer than allowed. `bytes` always starts at the response's first byte. */
ssize_t imap_framer_next(struct imap_framer *, const char *bytes, size_t length);

/* --- what kind it is ------------------------------------------------------------------------------------------- */

enum imap_kind { IMAP_UNTAGGED, IMAP_TAGGED, IMAP_CONTINUATION };
enum imap_condition { IMAP_NO_CONDITION, IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

struct imap_response {
	enum imap_kind kind;
	enum imap_condition condition;
	struct imap_text tag;     /* tagged */
	struct imap_text code;    /* [CODE code_rest], RFC 5530 and others; empty: none */
	struct imap_text code_rest;
	struct imap_text text;    /* for people; of a continuation: what follows "+ " */
	bool has_number;
	uint32_t number;          /* * 23 EXISTS */
	struct imap_text keyword; /* untagged data: EXISTS, STATUS, … */
	struct imap_text rest;    /* what follows the keyword, without the final CRLF */
};

/* One framed response. -1: not a response at all. */
int imap_response_parse(const char *bytes, size_t length, struct imap_response *response_r);

/* --- what stands in it ----------------------------------------------------------------------------------------- */

enum imap_token_kind { IMAP_END, IMAP_ATOM, IMAP_QUOTED, IMAP_LITERAL, IMAP_OPEN, IMAP_CLOSE, IMAP_BROKEN };

struct imap_token {
	enum imap_token_kind kind;
	struct imap_text text; /* of a quoted string: between the quotes, escapes as they came */
};
struct imap_cursor {
	const char *at, *end;
};

struct imap_cursor imap_cursor_over(struct imap_text);
/* Skips spaces and takes one token. After IMAP_END and IMAP_BROKEN it gives the same again. */
struct imap_token imap_token_next(struct imap_cursor *);
/* Skips a value that may be a list, however deep; false: there is none. */
bool imap_cursor_skip(struct imap_cursor *);
/* The token's value without escapes; false: not an atom or string. */
bool imap_token_append(const struct imap_token *, struct buffer *);
/* An atom of digits that fits 63 bits. */
bool imap_token_number(const struct imap_token *, uint64_t *number_r);

/* * STATUS name (MESSAGES 1 …): RFC 3501 §7.2.4, RFC 7162 §3.1.2.2. */
enum imap_status_item {
	IMAP_STATUS_MESSAGES = 1, IMAP_STATUS_UIDNEXT = 2, IMAP_STATUS_UIDVALIDITY = 4, IMAP_STATUS_UNSEEN = 8,
	IMAP_STATUS_HIGHESTMODSEQ = 16
};
struct imap_status {
	unsigned items; /* which of these were there */
	uint64_t messages, uid_next, uid_validity, unseen, highest_modseq;
};
/* Of the rest of a STATUS response; the mailbox's name as the server writes it is appended to name_r. Items unknown
 * to us are skipped. -1: not of this form. */
int imap_status_parse(struct imap_text rest, struct imap_status *status_r, struct buffer *name_r);

enum imap_capability {
	IMAP_CAP_IDLE = 1, IMAP_CAP_NOTIFY = 2, IMAP_CAP_CONDSTORE = 4, IMAP_CAP_ENABLE = 8, IMAP_CAP_STARTTLS = 16,
	IMAP_CAP_LOGINDISABLED = 32, IMAP_CAP_AUTH_PLAIN = 64, IMAP_CAP_SASL_IR = 128, IMAP_CAP_QRESYNC = 256,
	IMAP_CAP_ESEARCH = 512, IMAP_CAP_UIDPLUS = 1024, IMAP_CAP_MOVE = 2048, IMAP_CAP_SPECIAL_USE = 4096,
	IMAP_CAP_LIST_EXTENDED = 8192, IMAP_CAP_UNSELECT = 16384, IMAP_CAP_ID = 32768,
	IMAP_CAP_NAMESPACE = 65536, IMAP_CAP_CREATE_SPECIAL_USE = 131072, IMAP_CAP_THREAD_REFS = 262144,
	IMAP_CAP_THREAD_REFERENCES = 524288
};
/* A set of enum imap_capability from a list of atoms; QRESYNC implies CONDSTORE and ENABLE (RFC 7162 §3.2.3). */
unsigned imap_capabilities_parse(struct imap_text list);

#endif

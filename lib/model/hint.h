/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hint: something may have happened in a mailbox. It may come early, twice or never; it proves news only when it
 * names uidvalidity and uid (ARCHITECTURE.md, "The park table").
 *
 * Its text form, for the hook's socket, the spool and the inside of a signed datagram (lib/model/hint_signed.h), is
 * one line of at most HINT_LINE_MAX bytes, the newline among them:
 *
 *     BELFRY1 TAB user=alice@example.org TAB event=MessageNew TAB mailbox=INBOX TAB uidvalidity=7 TAB uid=17 ... LF
 *
 * Pairs come in any order, each at most once; unknown ones are refused (a new form gets a new first word). user and
 * event must be there. In values control characters, % and DEL are written %XX; user and mailbox are UTF-8.
 * A connection may bring HINT_LINES_MAX lines. A spool file holds exactly one line.
 */
#ifndef BELFRY_LIB_MODEL_HINT_H
#define BELFRY_LIB_MODEL_HINT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/error.h"

/* RFC 5423 section 4, in its order; and what calendars and address books will send. */
enum hint_event {
	HINT_MESSAGE_APPEND, HINT_MESSAGE_EXPIRE, HINT_MESSAGE_EXPUNGE, HINT_MESSAGE_NEW, HINT_MESSAGE_READ,
	HINT_MESSAGE_TRASH, HINT_FLAGS_SET, HINT_FLAGS_CLEAR, HINT_MAILBOX_CREATE, HINT_MAILBOX_DELETE,
	HINT_MAILBOX_RENAME, HINT_MAILBOX_SUBSCRIBE, HINT_MAILBOX_UNSUBSCRIBE, HINT_ITEM_NEW, HINT_ITEM_UPDATE,
	HINT_ITEM_DELETE, HINT_EVENTS
};
/* "MessageNew" and so on; case does not matter when read. by_name: -1 when there is no such event. */
const char *hint_event_name(enum hint_event);
int hint_event_by_name(const char *name, size_t length);

enum {
	HINT_LINE_MAX = 1024,   /* a user and the longest mailbox name in use fit; the whole fits one datagram everywhere */
	HINT_LINES_MAX = 64,    /* a source with more news opens another connection, so that none holds the hub */
	HINT_USER_MAX = 255,
	HINT_MAILBOX_MAX = 700,
	HINT_ID_SIZE = 33,      /* 32 letters, digits, - or _; and the NUL */
	HINT_SOURCE_MAX = 16    /* lower-case letters, digits, - */
};

struct hint {
	const char *user;       /* as its source knows it, not canonical; never empty, no control characters */
	const char *mailbox;    /* "": somewhere */
	enum hint_event event;
	uint64_t uidvalidity;   /* 0: not known */
	uint64_t uid;           /* 0: not known */
	const char *id;         /* the change id, which goes with it to the phone; "": the source made none */
	const char *source;     /* "hook", "lua"; "": not said. The hub believes it of trusted users only */
};

/* What a parsed hint's strings live in. */
struct hint_text {
	char bytes[HINT_LINE_MAX];
};

/* A line without or with its newline. Strict: anything else than the form above is -1 with the reason in error_r. */
int hint_parse(const char *line, size_t length, struct hint_text *text_r, struct hint *hint_r, struct error *error_r);
/* Writes the line with its newline and a NUL after it; returns its length, or -1 when it does not fit HINT_LINE_MAX or
 * the hint could not be parsed again (empty or overlong user and so on). line_r holds HINT_LINE_MAX + 1. */
int hint_format(const struct hint *, char *line_r, struct error *error_r);

/* A change id nobody else makes: 16 hexadecimal digits. */
void hint_new_id(char id_r[HINT_ID_SIZE]);

#endif

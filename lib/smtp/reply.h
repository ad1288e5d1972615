/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an SMTP server says (RFC 5321 section 4.2): where a reply ends, its code and lines, and what its answer to EHLO
 * announces. Nothing is copied: all texts point into the bytes given and live as long as these.
 */
#ifndef BELFRY_LIB_SMTP_REPLY_H
#define BELFRY_LIB_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All lines of one reply. The longest are answers to EHLO, with some dozens of lines of 512 bytes at the most. */
enum { SMTP_REPLY_MAX = 64 * 1024 };

struct smtp_text {
	const char *bytes;
	size_t length;
};

struct smtp_reply {
	unsigned code;            /* 200 to 559 */
	unsigned enhanced[3];     /* RFC 2034: 5.7.1; all 0: none */
	struct smtp_text text;    /* of the first line, without code and line end */
	struct smtp_text lines;   /* all of it, for smtp_reply_line() */
};

/* The length of the first whole reply. 0: there is more to come. -1: no SMTP server talks so: no code of three digits,
 * another code in a later line, a line end that is not CRLF, too long. */
ssize_t smtp_reply_parse(const char *bytes, size_t length, struct smtp_reply *reply_r);
/* The next line's text from the front of `rest`, which starts as reply.lines. False: no more. */
bool smtp_reply_line(struct smtp_text *rest, struct smtp_text *line_r);

enum smtp_capability {
	SMTP_CAP_STARTTLS = 1, SMTP_CAP_AUTH_PLAIN = 2, SMTP_CAP_8BITMIME = 4, SMTP_CAP_SIZE = 8, SMTP_CAP_SMTPUTF8 = 16,
	SMTP_CAP_PIPELINING = 32
};

struct smtp_capabilities {
	unsigned set;       /* of enum smtp_capability */
	uint64_t size_max;  /* of a mail; 0: not told */
};

/* Of a reply to EHLO: its first line is the server's name. */
void smtp_capabilities_parse(const struct smtp_reply *, struct smtp_capabilities *capabilities_r);

#endif

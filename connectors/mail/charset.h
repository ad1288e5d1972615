/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Character sets of mails to UTF-8. Only sets from our own table reach iconv: several of glibc's rare converters had
 * overflows and endless loops. What cannot be converted becomes U+FFFD; nothing fails.
 */
#ifndef BELFRY_CONNECTORS_MAIL_CHARSET_H
#define BELFRY_CONNECTORS_MAIL_CHARSET_H

#include "connectors/mail/slice.h"
#include "lib/core/buffer.h"

/* Appends text in the character set of that name as UTF-8 fit for XML (forbidden control characters are left out).
 * An empty, unknown or untrue name: UTF-8 if it is that, ISO-2022-JP if it has its escapes, else windows-1252, as
 * what claims to be ASCII or Latin-1 mostly is. */
void charset_append(struct buffer *, struct slice charset, struct slice text);

#endif

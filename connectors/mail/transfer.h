/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content transfer encodings (RFC 2045 section 6), decoded as far as there is sense in the bytes. */
#ifndef BELFRY_CONNECTORS_MAIL_TRANSFER_H
#define BELFRY_CONNECTORS_MAIL_TRANSFER_H

#include <stdint.h>

#include "connectors/mail/slice.h"
#include "lib/core/buffer.h"

enum transfer { TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED_PRINTABLE };

/* From a Content-Transfer-Encoding; anything unknown is the identity. */
enum transfer transfer_from_name(struct slice name);
/* Appends the octets. Foreign bytes in base64 are skipped, broken escapes stay as they are. */
void transfer_append(struct buffer *, enum transfer, struct slice encoded);
/* The same for what comes in pieces cut anywhere. Zeroed but for the encoding to begin with. */
struct transfer_pieces {
	enum transfer transfer;
	uint32_t bits;          /* of base64: digits that make no octet yet, */
	unsigned count;         /* and how many bits they are */
	struct buffer held;     /* of quoted-printable: the end of the last piece, which may be half an escape */
};
void transfer_append_piece(struct transfer_pieces *, struct buffer *, struct slice encoded);
/* After the last; frees what was held. */
void transfer_end_pieces(struct transfer_pieces *, struct buffer *);
/* Q of RFC 2047 section 4.2: as quoted-printable, and _ is a space. */
void transfer_append_q(struct buffer *, struct slice encoded);
/* How long the content is that takes so many octets encoded: estimated. */
uint64_t transfer_decoded_size(enum transfer, uint64_t encoded_bytes);

#endif

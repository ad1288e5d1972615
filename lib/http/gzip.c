/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compressing an answer's body, which stays as it is until it is known that it gets shorter. */
#include "lib/http/gzip.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/core/mem.h"

enum {
	WINDOW_GZIP = 15 + 16,        /* zlib's: the largest window, with gzip's header and trailer */
	MEMORY = 8,                   /* zlib's default: with the window 256 kB */
	PIECE_BYTES = 16 * 1024,      /* read from a file, or compressed into, at once */
	USELESS_PERCENT = 90          /* a picture or an archive: nothing that the phone would notice */
};

struct http_gzip {
	struct http_response response;
	const struct http_piece *piece;   /* the next of it … */
	size_t offset;                    /* … and how much of that has been compressed */
	z_stream z;
	gz_header header;
	Bytef name[HTTP_GZIP_PADDING_MAX + 1]; /* the padding: a file's name, which every reader passes over */
	struct buffer out;
	bool is_useless;
};

/* --- what is compressed ----------------------------------------------------------------------------------------- */

static bool is_zero(const char *weight, const char *end)
{
	for (; weight < end; weight++)
		if (*weight >= '1' && *weight <= '9')
			return false;
	return true;
}

/* One element: a coding, and perhaps ";q=WEIGHT", of which 0 means "not this one". */
static bool names_gzip(const char *element, size_t length)
{
	const char *weight = memchr(element, '=', length);
	size_t coding = strcspn(element, " \t;,");

	if ((coding != 4 || strncasecmp(element, "gzip", 4) != 0) && (coding != 6 || strncasecmp(element, "x-gzip", 6) != 0))
		return false;
	return weight == NULL || !is_zero(weight + 1, element + length);
}

bool http_gzip_is_accepted(const char *accept_encoding)
{
	const char *at = accept_encoding;

	while (at != NULL && *(at += strspn(at, " \t,")) != '\0') {
		size_t length = strcspn(at, ",");
		if (names_gzip(at, length))
			return true;
		at += length;
	}
	return false;
}

bool http_gzip_is_worth(const struct http_response *response)
{
	return response->status == 200 && response->length >= HTTP_GZIP_MIN && response->length <= HTTP_GZIP_MAX;
}

/* --- compressing ------------------------------------------------------------------------------------------------ */

static void pad(struct http_gzip *gzip)
{
	uint8_t random;
	ssize_t got = getrandom(&random, sizeof random, 0);

	assert(got == sizeof random);
	memset(gzip->name, '-', random);
	gzip->header.name = gzip->name;
	gzip->header.os = 255; /* unknown */
	deflateSetHeader(&gzip->z, &gzip->header);
}

struct http_gzip *http_gzip_create(struct http_response *response)
{
	struct http_gzip *gzip = mem_alloc(sizeof *gzip);
	int result = deflateInit2(&gzip->z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, MEMORY, Z_DEFAULT_STRATEGY);

	assert(result == Z_OK); /* all else is memory, which is never NULL here, or our own mistake */
	gzip->response = *response;
	*response = HTTP_RESPONSE(0);
	gzip->piece = gzip->response.first;
	pad(gzip);
	return gzip;
}

static void deflate_bytes(struct http_gzip *gzip, const char *bytes, size_t length, int flush)
{
	z_stream *z = &gzip->z;

	z->next_in = (Bytef *)(uintptr_t)bytes;
	z->avail_in = (uInt)length;
	do {
		z->next_out = (Bytef *)buffer_reserve(&gzip->out, PIECE_BYTES);
		z->avail_out = PIECE_BYTES;
		deflate(z, flush);
		buffer_grow(&gzip->out, PIECE_BYTES - z->avail_out);
	} while (z->avail_out == 0);
}

/* At most `most` bytes of the current piece. 0: the file is shorter than was said, which its sender will find too. */
static size_t deflate_piece(struct http_gzip *gzip, size_t most)
{
	const struct http_piece *piece = gzip->piece;
	size_t left = piece->length - gzip->offset, length = left < most ? left : most;
	char bytes[PIECE_BYTES];

	if (piece->fd < 0) {
		deflate_bytes(gzip, piece->bytes.data + gzip->offset, length, Z_NO_FLUSH);
		return length;
	}
	ssize_t got = pread(piece->fd, bytes, length < sizeof bytes ? length : sizeof bytes,
		piece->offset + (off_t)gzip->offset);
	if (got <= 0)
		return 0;
	deflate_bytes(gzip, bytes, (size_t)got, Z_NO_FLUSH);
	return (size_t)got;
}

bool http_gzip_step(struct http_gzip *gzip)
{
	size_t slice = 0;

	while (gzip->piece != NULL && slice < HTTP_GZIP_SLICE) {
		size_t length = deflate_piece(gzip, HTTP_GZIP_SLICE - slice);
		if (length == 0) {
			gzip->is_useless = true;
			return false;
		}
		slice += length;
		gzip->offset += length;
		if (gzip->offset < gzip->piece->length)
			continue;
		gzip->piece = gzip->piece->next;
		gzip->offset = 0;
	}
	if (gzip->piece == NULL)
		deflate_bytes(gzip, NULL, 0, Z_FINISH);
	gzip->is_useless = gzip->out.length > gzip->z.total_in / 100 * USELESS_PERCENT;
	return gzip->piece != NULL && !gzip->is_useless;
}

void http_gzip_finish(struct http_gzip **owner, struct http_response *response_r)
{
	struct http_gzip *gzip = *owner;

	if (gzip->is_useless) {
		*response_r = gzip->response;
		gzip->response = HTTP_RESPONSE(0);
	} else {
		*response_r = (struct http_response){.status = gzip->response.status, .header = gzip->response.header};
		gzip->response.header = BUFFER_EMPTY;
		http_response_header(response_r, "Content-Encoding", "gzip");
		http_response_bytes(response_r, &gzip->out);
	}
	http_gzip_free(owner);
}

void http_gzip_free(struct http_gzip **owner)
{
	struct http_gzip *gzip = *owner;

	if (gzip == NULL)
		return;
	deflateEnd(&gzip->z);
	buffer_release(&gzip->out);
	http_response_release(&gzip->response);
	free(gzip);
	*owner = NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/outgoing_stream.h"

#include "lib/smtp/lines.h"

struct streaming {
	struct smtp_lines lines;
	struct buffer chunk;
	outgoing_sink *sink;
	void *data;
	struct error *error;
};

static int pass_on(struct streaming *streaming)
{
	int result = streaming->chunk.length == 0 ? 0 : streaming->sink(&streaming->chunk, streaming->data, streaming->error);

	buffer_consume(&streaming->chunk, streaming->chunk.length);
	return result;
}

static int stream_piece(struct streaming *streaming, struct slice piece)
{
	while (piece.length > 0) {
		struct slice chunk = slice_cut(piece, OUTGOING_CHUNK);

		smtp_lines_append(&streaming->lines, &streaming->chunk, chunk.at, chunk.length);
		if (pass_on(streaming) < 0)
			return -1;
		piece = slice_of(piece.at + chunk.length, piece.length - chunk.length);
	}
	return 0;
}

int outgoing_stream(const struct outgoing *mail, enum outgoing_form form, outgoing_sink *sink, void *data,
	struct error *error_r)
{
	struct streaming streaming = {.lines.with_dots = form == OUTGOING_FOR_DATA, .sink = sink, .data = data,
		.error = error_r};
	int result = form == OUTGOING_FOR_COPY ? stream_piece(&streaming, mail->blind) : 0;

	for (size_t i = 0; result == 0 && i < mail->piece_count; i++)
		result = stream_piece(&streaming, mail->pieces[i]);
	smtp_lines_end(&streaming.lines, &streaming.chunk);
	if (result == 0)
		result = pass_on(&streaming);
	buffer_release(&streaming.chunk);
	return result;
}

static int count(const struct buffer *piece, void *data, struct error *error_r)
{
	(void)error_r;
	*(uint64_t *)data += piece->length;
	return 0;
}

uint64_t outgoing_size(const struct outgoing *mail, enum outgoing_form form)
{
	struct error ignored;
	uint64_t size = 0;

	outgoing_stream(mail, form, count, &size, &ignored);
	return size;
}

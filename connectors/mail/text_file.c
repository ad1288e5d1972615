/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/mail/text_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/buffer.h"

int text_file_create(struct text_file *file)
{
	*file = (struct text_file){.fd = memfd_create("body", MFD_CLOEXEC)};
	return file->fd < 0 ? -1 : 0;
}

void text_file_append_octets(struct text_file *file, const char *octets, size_t length)
{
	while (length > 0 && !file->failed) {
		ssize_t written = write(file->fd, octets, length);

		file->failed = written <= 0;
		octets += file->failed ? 0 : written;
		length -= file->failed ? 0 : (size_t)written;
	}
}

void text_file_append(struct text_file *file, const char *octets, size_t length)
{
	struct buffer clean = BUFFER_EMPTY;

	if (file->pieces.tail_length == 0 && utf8_xml_prefix(octets, length) == length) {
		text_file_append_octets(file, octets, length);
		return;
	}
	utf8_pieces_append_xml(&file->pieces, &clean, octets, length);
	text_file_append_octets(file, clean.data, clean.length);
	buffer_release(&clean);
}

void text_file_end(struct text_file *file)
{
	struct buffer clean = BUFFER_EMPTY;

	utf8_pieces_end_xml(&file->pieces, &clean);
	text_file_append_octets(file, clean.data, clean.length);
	buffer_release(&clean);
}

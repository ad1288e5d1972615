/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gateway/activesync/item_parts.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/codec/activesync_tokens.h"

static size_t count_of(const struct item_parts *parts)
{
	return parts->lengths.length / sizeof(uint32_t);
}

/* Its length; 0: there is nothing. */
static size_t add(struct item_parts *parts, const void *bytes, size_t length, int fd)
{
	struct buffer copy = BUFFER_EMPTY;
	struct stat status;
	int own;

	if (fd < 0) {
		buffer_append(&copy, bytes, length);
		http_response_bytes(&parts->content, &copy);
		return length;
	}
	if (fstat(fd, &status) < 0 || status.st_size == 0 || (own = dup(fd)) < 0)
		return 0;
	http_response_file(&parts->content, own, 0, (size_t)status.st_size);
	return (size_t)status.st_size;
}

void item_parts_write(struct item_parts *parts, struct wbxml_writer *writer, const void *bytes, size_t length, int fd)
{
	uint32_t added = (uint32_t)add(parts, bytes, length, fd);

	if (added == 0)
		return;
	buffer_append(&parts->lengths, &added, sizeof added);
	wbxml_writer_number_element(writer, AS_ITEMOPERATIONS_PART, (int64_t)count_of(parts)); /* the document is part 0 */
}

/* Little endian, as the example of the section has it. */
static void append_number(struct buffer *table, size_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		buffer_append_byte(table, (uint8_t)(number >> shift));
}

void item_parts_wrap(struct item_parts *parts, struct buffer *document, struct http_response *response)
{
	const uint32_t *lengths = (const uint32_t *)(const void *)parts->lengths.data;
	size_t count = count_of(parts), offset = 4 + 8 * (count + 1);
	struct buffer table = BUFFER_EMPTY;

	append_number(&table, count + 1);
	for (size_t i = 0; i <= count; i++) {
		size_t length = i == 0 ? document->length : lengths[i - 1];
		append_number(&table, offset);
		append_number(&table, length);
		offset += length;
	}
	http_response_bytes(response, &table);
	http_response_bytes(response, document);
	http_response_append(response, &parts->content);
	buffer_release(&parts->lengths);
}

void item_parts_release(struct item_parts *parts)
{
	http_response_release(&parts->content);
	buffer_release(&parts->lengths);
}

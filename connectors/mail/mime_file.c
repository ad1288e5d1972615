/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/mail/mime_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/mail/mime_text.h"

static uint64_t length_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void take(struct mime_text *text)
{
	text_file_append(text->owner, text->made.data, text->made.length);
	buffer_consume(&text->made, text->made.length);
}

/* A file of text for the one of octets. */
static void replace(struct text_file *file, struct slice octets)
{
	struct text_file made = {.fd = -1};
	struct mime_text text = {.take = take, .owner = &made};
	struct arena *arena;

	if (text_file_create(&made) < 0) {
		file->failed = true;
		return;
	}
	arena = arena_create(0);
	mime_text_make(&text, arena, mime_parse(arena, octets.at, octets.length), octets);
	take(&text);
	text_file_end(&made);
	buffer_release(&text.made);
	arena_free(&arena);
	made.failed = made.failed || file->failed;
	close(file->fd);
	*file = made;
}

/* False: there is nothing that may be shown. */
static bool make_text(struct text_file *file, uint64_t length, bool is_beginning)
{
	char *at = mmap(NULL, length, PROT_READ, MAP_SHARED, file->fd, 0);
	int before = file->fd;
	bool is_text;

	if (at == MAP_FAILED)
		return false;
	uint64_t whole = is_beginning ? length - utf8_incomplete_tail(at, length) : length;
	is_text = !mime_text_is_needed(slice_of(at, whole));
	if (!is_text)
		replace(file, slice_of(at, whole));
	munmap(at, length);
	return is_text ? ftruncate(file->fd, (off_t)whole) == 0 : file->fd != before;
}

uint64_t mime_file_make_text(struct text_file *file, bool is_beginning)
{
	uint64_t length = length_of(file->fd);

	if (length == 0 || make_text(file, length, is_beginning))
		return length_of(file->fd);
	file->failed = true;
	return mime_file_cut(file, 0);
}

uint64_t mime_file_cut(struct text_file *file, uint64_t most)
{
	char last[4];
	uint64_t length = length_of(file->fd);
	size_t count = most < sizeof last ? (size_t)most : sizeof last;

	if (length <= most)
		return length;
	if (pread(file->fd, last, count, (off_t)(most - count)) == (ssize_t)count)
		most -= utf8_incomplete_tail(last, count);
	if (ftruncate(file->fd, (off_t)most) < 0)
		file->failed = true;
	return most;
}

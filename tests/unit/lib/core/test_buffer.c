/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The buffer against a plain array: any order of appending and consuming gives the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/buffer.h"

static void appending_and_consuming_at_random_keeps_the_bytes(void **state)
{
	static char model[1 << 20];
	size_t start = 0, end = 0;
	struct buffer buffer = BUFFER_EMPTY;

	(void)state;
	srand(3);
	while (end < sizeof model - 2000) {
		size_t length = (size_t)rand() % 2000;
		for (size_t i = 0; i < length; i++)
			model[end + i] = (char)rand();
		buffer_append(&buffer, model + end, length);
		end += length;
		size_t gone = buffer.length == 0 ? 0 : (size_t)rand() % (buffer.length + 1);
		buffer_consume(&buffer, gone);
		start += gone;
		assert_int_equal(buffer.length, end - start);
		if (buffer.length != 0)
			assert_memory_equal(buffer.data, model + start, end - start);
	}
	buffer_release(&buffer);
	assert_null(buffer.data);
}

static void printing_and_truncating_give_a_string(void **state)
{
	struct buffer buffer = BUFFER_EMPTY;

	(void)state;
	assert_string_equal(buffer_string(&buffer), "");
	buffer_printf(&buffer, "%s-%d", "bell", 17);
	buffer_append_byte(&buffer, '!');
	assert_string_equal(buffer_string(&buffer), "bell-17!");
	buffer_truncate(&buffer, 4);
	assert_string_equal(buffer_string(&buffer), "bell");
	buffer_release(&buffer);
}

/* Bytes around the content that are not NUL. */
static size_t remains(const struct buffer *buffer)
{
	size_t count = 0;

	for (const char *at = buffer->data - buffer->consumed; at < buffer->data + buffer->length + buffer->room; at++)
		count += (at < buffer->data || at >= buffer->data + buffer->length) && *at != '\0';
	return count;
}

static void nothing_remains_around_what_a_wiping_buffer_holds(void **state)
{
	struct buffer buffer = BUFFER_WIPING;
	char secret[100];

	(void)state;
	memset(buffer_reserve(&buffer, 256), 0, 256);
	memset(secret, 's', sizeof secret);
	srand(4);
	for (int i = 0; i < 1000; i++) {
		buffer_append(&buffer, secret, (size_t)rand() % sizeof secret); /* grows, moves */
		assert_int_equal(remains(&buffer), 0);
		buffer_consume(&buffer, (size_t)rand() % (buffer.length + 1));
		assert_int_equal(remains(&buffer), 0);
		buffer_truncate(&buffer, buffer.length - (size_t)rand() % (buffer.length / 4 + 1));
		assert_int_equal(remains(&buffer), 0);
	}
	buffer_release(&buffer);
	assert_true(buffer.wipes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appending_and_consuming_at_random_keeps_the_bytes),
		cmocka_unit_test(nothing_remains_around_what_a_wiping_buffer_holds),
		cmocka_unit_test(printing_and_truncating_give_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

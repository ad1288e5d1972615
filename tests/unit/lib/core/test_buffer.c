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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appending_and_consuming_at_random_keeps_the_bytes),
		cmocka_unit_test(printing_and_truncating_give_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

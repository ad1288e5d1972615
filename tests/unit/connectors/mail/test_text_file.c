/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Long bodies in a file: whatever the octets and wherever they are cut, the text is the same and XML can carry it. */
#include "tests/unit/connectors/mail/try.h"

#include <fcntl.h>
#include <unistd.h>

#include "connectors/mail/text_file.h"
#include "lib/core/buffer.h"

static const struct { const char *octets; size_t length; const char *text; } cases[] = {
	{"plain", 5, "plain"},
	{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x94.", 17, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x94."},
	{"latin1 \xfc\xdf!", 10, "latin1 \xef\xbf\xbd\xef\xbf\xbd!"},
	{"a\0b\x01\x1b" "c\r\n\t", 9, "abc\r\n\t"},
	{"broken off \xf0\x9f\x94", 14, "broken off \xef\xbf\xbd"},
	{"\xc3\xc3\xa4", 3, "\xef\xbf\xbd\xc3\xa4"},
	{"", 0, ""},
};

static void assert_text(const struct text_file *file, const char *text)
{
	char got[100] = "";
	ssize_t length = pread(file->fd, got, sizeof got - 1, 0);

	assert_false(file->failed);
	assert_int_equal(length, strlen(text));
	assert_string_equal(got, text);
}

static void text_is_clean_wherever_its_octets_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		for (size_t first = 0; first <= cases[i].length; first++) {
			for (size_t second = first; second <= cases[i].length; second++) {
				struct text_file file;
				assert_int_equal(text_file_create(&file), 0);
				text_file_append(&file, cases[i].octets, first);
				text_file_append(&file, cases[i].octets + first, second - first);
				text_file_append(&file, cases[i].octets + second, cases[i].length - second);
				text_file_end(&file);
				assert_text(&file, cases[i].text);
				close(file.fd);
			}
		}
	}
}

static void file_that_takes_nothing_more_says_so(void **state)
{
	struct text_file file = {.fd = open("/dev/full", O_WRONLY)};

	(void)state;
	assert_true(file.fd >= 0);
	text_file_append(&file, "text", 4);
	text_file_append(&file, "more", 4);
	text_file_end(&file);
	assert_true(file.failed);
	close(file.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_clean_wherever_its_octets_are_cut),
		cmocka_unit_test(file_that_takes_nothing_more_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

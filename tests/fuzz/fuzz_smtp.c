/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An SMTP server's bytes as replies; then as a mail on its way to one, cut in two at every place that they name. */
#include <assert.h>
#include <string.h>

#include "lib/smtp/lines.h"
#include "lib/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replies(const char *bytes, size_t length)
{
	struct smtp_capabilities capabilities;
	struct smtp_reply reply;
	struct smtp_text rest, line;
	ssize_t taken;

	while ((taken = smtp_reply_parse(bytes, length, &reply)) > 0) {
		assert((size_t)taken <= length && reply.code >= 200 && reply.code <= 599);
		for (rest = reply.lines; smtp_reply_line(&rest, &line);)
			assert(line.bytes >= bytes && line.bytes + line.length <= bytes + taken);
		smtp_capabilities_parse(&reply, &capabilities);
		bytes += taken;
		length -= (size_t)taken;
	}
}

/* No line end but CRLF, no line that is a dot, the same however it is cut. */
static void mail(const char *bytes, size_t length, size_t cut)
{
	struct smtp_lines whole = {.with_dots = true}, pieces = {.with_dots = true};
	struct buffer one = BUFFER_EMPTY, two = BUFFER_EMPTY;

	smtp_lines_append(&whole, &one, bytes, length);
	smtp_lines_end(&whole, &one);
	smtp_lines_append(&pieces, &two, bytes, cut);
	smtp_lines_append(&pieces, &two, bytes + cut, length - cut);
	smtp_lines_end(&pieces, &two);
	assert(one.length == two.length && (one.length == 0 || memcmp(one.data, two.data, one.length) == 0));
	for (size_t i = 0; i < one.length; i++) {
		assert(one.data[i] != '\n' || (i > 0 && one.data[i - 1] == '\r'));
		assert(one.data[i] != '\r' || (i + 1 < one.length && one.data[i + 1] == '\n'));
	}
	assert(memmem(one.data != NULL ? one.data : "", one.length, "\r\n.\r\n", 5) == NULL);
	buffer_release(&one);
	buffer_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;

	if (size == 0)
		return 0;
	replies(bytes + 1, size - 1);
	mail(bytes + 1, size - 1, data[0] % size);
	return 0;
}

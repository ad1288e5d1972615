/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ActiveSync WBXML on standard input to XML on standard output. -i: indented, -t: opaque data as text where they are. */
#include <stdio.h>
#include <unistd.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_xml.h"
#include "lib/core/buffer.h"

enum { READ_BYTES = 65536 };

static void read_all(FILE *in, struct buffer *buffer)
{
	size_t length;

	do {
		length = fread(buffer_reserve(buffer, READ_BYTES), 1, READ_BYTES, in);
		buffer_grow(buffer, length);
	} while (length != 0);
}

int main(int argc, char **argv)
{
	struct wbxml_xml_options options = {0};
	struct buffer wbxml = BUFFER_EMPTY, xml = BUFFER_EMPTY;
	struct error error;
	int option;

	while ((option = getopt(argc, argv, "it")) != -1) {
		if (option == '?')
			return 2;
		options.indent |= option == 'i';
		options.opaque_as_text |= option == 't';
	}
	read_all(stdin, &wbxml);
	int result = wbxml_to_xml(&xml, &activesync_language, wbxml.data, wbxml.length, &options, &error);
	if (xml.length != 0)
		fwrite(xml.data, 1, xml.length, stdout);
	if (result < 0)
		fprintf(stderr, "wbxml2xml: %s\n", error.text);
	buffer_release(&wbxml);
	buffer_release(&xml);
	return result < 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ManageSieve server's bytes as lines; as a script that is read; and as a text and a name that are put into one. */
#include <assert.h>
#include <string.h>

#include "connectors/imap/oof_script.h"
#include "lib/managesieve/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lines(const char *bytes, size_t length)
{
	struct managesieve_line line;
	struct managesieve_token token;
	struct buffer value = BUFFER_EMPTY;
	ssize_t taken;

	while ((taken = managesieve_line_parse(bytes, length, &line)) > 0) {
		assert((size_t)taken <= length);
		managesieve_capability(&line);
		managesieve_token_append(line.text, &value);
		while ((token = managesieve_token_next(&line.data)).kind != MANAGESIEVE_END && token.kind != MANAGESIEVE_BROKEN) {
			assert(token.bytes >= bytes && token.bytes + token.length <= bytes + taken);
			managesieve_token_append(token, &value);
		}
		assert(value.length <= 2 * (size_t)taken);
		buffer_truncate(&value, 0);
		bytes += taken;
		length -= (size_t)taken;
	}
	buffer_release(&value);
}

/* Behind the comments only quoted strings have what is not ours: with them taken out nothing may be left of the input. */
static void stays_text(const struct buffer *script, size_t strings)
{
	bool is_quoted = false;
	size_t count = 0;

	for (const char *at = strstr(script->data, "require ["); *at != '\0'; at++) {
		if (is_quoted && *at == '\\')
			at++;
		else if (*at == '"')
			count += is_quoted = !is_quoted;
		assert(is_quoted || (unsigned char)*at < 0x80);
		assert(is_quoted || *at != '!');
	}
	assert(!is_quoted && count == strings);
}

static void text(const char *bytes, size_t length, bool is_html)
{
	struct arena *arena = arena_create(0);
	Belfry__Oof__Kept kept = BELFRY__OOF__KEPT__INIT, *again;
	Belfry__Connector__Oof oof = BELFRY__CONNECTOR__OOF__INIT;
	Belfry__Connector__OofMessage message = BELFRY__CONNECTOR__OOF_MESSAGE__INIT;
	struct buffer script = BUFFER_EMPTY;

	kept.oof = &oof;
	kept.former = message.text = arena_strndup(arena, bytes, length);
	oof.state = BELFRY__CONNECTOR__OOF_STATE__OOF_ON;
	oof.internal = oof.unknown = &message;
	message.enabled = true;
	message.is_html = is_html;
	oof_script_write(&script, &kept, "alice@example.org", ~0u);
	buffer_string(&script);
	if (message.text[0] != '\0') /* 3 required, the address and its header, twice address and text, the former */
		stays_text(&script, 3 + 2 + 4 + 1);
	again = oof_script_read(slice_of(script.data, script.length), arena);
	if (!oof_script_fits(&kept))
		assert(again == NULL);
	else
		assert(again != NULL && strcmp(again->former, kept.former) == 0 && strcmp(again->oof->internal->text, message.text) == 0);
	buffer_release(&script);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct arena *arena = arena_create(0);

	lines(bytes, size);
	oof_script_read(slice_of(bytes, size), arena);
	oof_script_answers(slice_of(bytes, size));
	text(bytes, size, false);
	text(bytes, size, true);
	arena_free(&arena);
	return 0;
}

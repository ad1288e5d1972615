/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Autodiscover requests: what is taken is short text, and the answers made of it are XML again. */
#include <assert.h>
#include <string.h>

#include "gateway/autodiscover/document.h"
#include "gateway/autodiscover/question.h"
#include "lib/core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	size_t length = strlen(text);

	assert(length > 0 && length <= QUESTION_TEXT_MAX && utf8_xml_prefix(text, length) == length);
}

/* The answer quotes the address; read as a request it is well-formed, and lacks what a request has. */
static void check_document(struct arena *arena, const char *email)
{
	struct buffer document = BUFFER_EMPTY;
	struct question question;
	struct error error;

	document_settings(&document, email, "https://mail.example.org/Microsoft-Server-ActiveSync");
	assert(question_parse(&question, arena, document.data, document.length, &error) < 0);
	assert(strstr(error.text, "no address or no schema") != NULL);
	buffer_release(&document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	struct question question;
	struct error error;

	if (question_parse(&question, arena, data, size, &error) == 0) {
		check_text(question.email);
		check_text(question.schema);
		check_document(arena, question.email);
	}
	arena_free(&arena);
	return 0;
}

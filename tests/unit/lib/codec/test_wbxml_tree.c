/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests as trees: finding, counting, the difference of missing and empty, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_tree.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/core/arena.h"

#define BYTES(text) text, sizeof(text) - 1
#define HEADER "\x03\x01\x6A\x00"

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = arena_create(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static const struct wbxml_node *parse(const char *bytes, size_t length)
{
	struct wbxml_tree tree;
	struct error error = {0};

	if (wbxml_tree_parse(&tree, arena, &activesync_language, bytes, length, &error) < 0)
		fail_msg("%s", error.text);
	return tree.root;
}

static void a_request_is_walked_by_tag(void **state)
{
	static const char request[] = HEADER "\x45\x5C"
		"\x4F\x4B\x03" "0\0\x01\x52\x03" "5\0\x01\x01"
		"\x4F\x4B\x03" "17\0\x01\x52\x03" "6\0\x01\x01"
		"\x01\x01";
	const struct wbxml_node *root = parse(BYTES(request));
	const struct wbxml_node *collections = wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *collection = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);

	(void)state;
	assert_int_equal(root->tag, AS_AIRSYNC_SYNC);
	assert_int_equal(wbxml_node_count(collections, AS_AIRSYNC_COLLECTION), 2);
	assert_string_equal(wbxml_node_text(collection, AS_AIRSYNC_SYNCKEY), "0");
	collection = wbxml_node_next(collection);
	assert_string_equal(wbxml_node_text(collection, AS_AIRSYNC_SYNCKEY), "17");
	assert_string_equal(wbxml_node_text(collection, AS_AIRSYNC_COLLECTIONID), "6");
	assert_null(wbxml_node_next(collection));
	/* Zero copy. */
	const char *text = wbxml_node_text(collection, AS_AIRSYNC_SYNCKEY);
	assert_true(text > request && text < request + sizeof request);
}

static void nothing_is_found_in_nothing(void **state)
{
	uint32_t number = 42;
	bool flag = true;
	size_t length = 1;

	(void)state;
	assert_null(wbxml_node_child(NULL, AS_AIRSYNC_SYNC));
	assert_null(wbxml_node_next(NULL));
	assert_null(wbxml_node_text(NULL, AS_AIRSYNC_SYNC));
	assert_null(wbxml_node_bytes(NULL, AS_AIRSYNC_SYNC, &length));
	assert_int_equal(length, 0);
	assert_int_equal(wbxml_node_count(NULL, AS_AIRSYNC_SYNC), 0);
	assert_true(wbxml_node_is_empty(NULL));
	assert_int_equal(wbxml_node_number(NULL, AS_AIRSYNC_WINDOWSIZE, &number), WBXML_VALUE_MISSING);
	assert_int_equal(wbxml_node_bool(NULL, AS_AIRSYNC_GETCHANGES, &flag), WBXML_VALUE_MISSING);
	assert_int_equal(number, 42);
	assert_true(flag);
}

static void empty_and_missing_are_different_things(void **state)
{
	/* Options without content; Supported with content, but nothing inside; SyncKey with an empty text; no Class. */
	const struct wbxml_node *root = parse(BYTES(HEADER "\x45\x17\x60\x01\x4B\x03\0\x01\x01"));

	(void)state;
	const struct wbxml_node *options = wbxml_node_child(root, AS_AIRSYNC_OPTIONS);
	const struct wbxml_node *supported = wbxml_node_child(root, AS_AIRSYNC_SUPPORTED);
	assert_non_null(options);
	assert_false(options->has_content);
	assert_true(wbxml_node_is_empty(options));
	assert_non_null(supported);
	assert_true(supported->has_content);
	assert_true(wbxml_node_is_empty(supported));
	assert_false(wbxml_node_is_empty(root));
	assert_string_equal(wbxml_node_text(root, AS_AIRSYNC_OPTIONS), "");
	assert_string_equal(wbxml_node_text(root, AS_AIRSYNC_SYNCKEY), "");
	assert_null(wbxml_node_text(root, AS_AIRSYNC_CLASS));
}

static void numbers_are_read_or_refused(void **state)
{
	static const struct { const char *content; size_t length; enum wbxml_value value; uint32_t number; } cases[] = {
		{BYTES("\x55\x03" "0\0\x01"), WBXML_VALUE_GOOD, 0},
		{BYTES("\x55\x03" "512\0\x01"), WBXML_VALUE_GOOD, 512},
		{BYTES("\x55\x03" "0007\0\x01"), WBXML_VALUE_GOOD, 7},
		{BYTES("\x55\x03" "1\0\x03" "2\0\x01"), WBXML_VALUE_GOOD, 12},
		{BYTES("\x55\x03" "4294967295\0\x01"), WBXML_VALUE_GOOD, UINT32_MAX},
		{BYTES("\x55\x03" "4294967296\0\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x03" "99999999999999999999999999\0\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x03" "-1\0\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x03" "1 \0\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x03" "x\0\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x4B\x01\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\xC3\x01" "1\x01"), WBXML_VALUE_BAD, 99},
		{BYTES("\x55\x03\0\x01"), WBXML_VALUE_EMPTY, 99},
		{BYTES("\x15"), WBXML_VALUE_EMPTY, 99},
		{BYTES("\x14"), WBXML_VALUE_MISSING, 99},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char document[64] = HEADER "\x45";
		uint32_t number = 99;
		memcpy(document + 5, cases[i].content, cases[i].length);
		document[5 + cases[i].length] = 0x01;
		const struct wbxml_node *root = parse(document, 6 + cases[i].length);
		assert_int_equal(wbxml_node_number(root, AS_AIRSYNC_WINDOWSIZE, &number), cases[i].value);
		assert_int_equal(number, cases[i].number);
	}
}

static void booleans_are_read_and_an_empty_one_is_true(void **state)
{
	static const struct { const char *document; size_t length; enum wbxml_value value; bool flag; } cases[] = {
		{BYTES(HEADER "\x45\x53\x03" "1\0\x01\x01"), WBXML_VALUE_GOOD, true},
		{BYTES(HEADER "\x45\x53\x03" "0\0\x01\x01"), WBXML_VALUE_GOOD, false},
		{BYTES(HEADER "\x45\x13\x01"), WBXML_VALUE_EMPTY, true},
		{BYTES(HEADER "\x45\x53\x01\x01"), WBXML_VALUE_EMPTY, true},
		{BYTES(HEADER "\x45\x53\x03" "2\0\x01\x01"), WBXML_VALUE_BAD, false},
		{BYTES(HEADER "\x45\x53\x03" "true\0\x01\x01"), WBXML_VALUE_BAD, false},
		{BYTES(HEADER "\x45\x14\x01"), WBXML_VALUE_MISSING, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool flag = false;
		const struct wbxml_node *root = parse(cases[i].document, cases[i].length);
		assert_int_equal(wbxml_node_bool(root, AS_AIRSYNC_GETCHANGES, &flag), cases[i].value);
		assert_int_equal(flag, cases[i].flag);
	}
}

static void pieces_of_text_are_joined(void **state)
{
	/* A string, an entity, an element in between, a string. */
	const struct wbxml_node *root = parse(BYTES(HEADER "\x45\x4B\x03" "Gr\0\x02\x81\x7C\x03\xC3\x9F\0\x13\x03" "e\0\x01\x4C\x02\x41\x01\x01"));

	(void)state;
	assert_string_equal(wbxml_node_text(root, AS_AIRSYNC_SYNCKEY), "Gr\xC3\xBC\xC3\x9F" "e");
	assert_string_equal(wbxml_node_text(root, AS_AIRSYNC_CLIENTID), "A");
	assert_non_null(wbxml_node_child(wbxml_node_child(root, AS_AIRSYNC_SYNCKEY), AS_AIRSYNC_GETCHANGES));
}

static void a_text_in_a_million_pieces_costs_a_few_copies(void **state)
{
	enum { PIECES = 1000000 };
	struct buffer document = BUFFER_EMPTY;

	(void)state;
	buffer_append(&document, BYTES(HEADER "\x45\x4B"));
	for (int i = 0; i < PIECES; i++)
		buffer_append(&document, BYTES("\x03x\0"));
	buffer_append(&document, BYTES("\x01\x01"));
	const struct wbxml_node *root = parse(document.data, document.length);
	assert_int_equal(strlen(wbxml_node_text(root, AS_AIRSYNC_SYNCKEY)), PIECES);
	assert_true(arena_used(arena) < 6 * PIECES);
	buffer_release(&document);
}

static void opaque_data_are_bytes_and_not_text(void **state)
{
	const struct wbxml_node *root = parse(BYTES(HEADER "\x00\x15\x45\x50\xC3\x03\x00\xFFx\x01\x51\x03" "id\0\x01\x01"));
	size_t length;

	(void)state;
	const char *mime = wbxml_node_bytes(root, AS_COMPOSEMAIL_MIME, &length);
	assert_int_equal(length, 3);
	assert_memory_equal(mime, "\x00\xFFx", 3);
	assert_null(wbxml_node_text(root, AS_COMPOSEMAIL_MIME));
	assert_string_equal(wbxml_node_bytes(root, AS_COMPOSEMAIL_CLIENTID, &length), "id");
	assert_int_equal(length, 2);
}

static void unknown_tags_are_there_and_are_told(void **state)
{
	struct wbxml_tree tree;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, BYTES(HEADER "\x45\x7F\x4B\x03x\0\x01\x01\x3E\x13\x01"), &error), 0);
	assert_int_equal(tree.first_unknown, 0x003F);
	assert_false(tree.root->first_child->known);
	assert_string_equal(wbxml_node_text(tree.root->first_child, AS_AIRSYNC_SYNCKEY), "x");
	assert_non_null(wbxml_node_child(tree.root, AS_AIRSYNC_GETCHANGES));
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, BYTES(HEADER "\x05"), &error), 0);
	assert_int_equal(tree.first_unknown, 0);
}

static void a_tree_has_a_limit_of_elements(void **state)
{
	struct buffer document = BUFFER_EMPTY;
	struct wbxml_tree tree;
	struct error error;

	(void)state;
	buffer_append(&document, BYTES(HEADER "\x45"));
	for (int i = 1; i < WBXML_TREE_NODES_MAX; i++)
		buffer_append_byte(&document, 0x13);
	buffer_append_byte(&document, 0x01);
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, document.data, document.length, &error), 0);
	buffer_truncate(&document, document.length - 1);
	buffer_append(&document, "\x13\x01", 2);
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, document.data, document.length, &error), -1);
	assert_string_equal(error.text, "a request of more than 50000 elements");
	buffer_release(&document);
}

static void a_broken_request_gives_the_parsers_reason(void **state)
{
	struct wbxml_tree tree;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, BYTES(HEADER "\x45\x5C"), &error), -1);
	assert_non_null(strstr(error.text, "ends inside the element Collections"));
	assert_int_equal(wbxml_tree_parse(&tree, arena, &activesync_language, NULL, 0, &error), -1);
}

#define TREE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(a_request_is_walked_by_tag),
		TREE_TEST(nothing_is_found_in_nothing),
		TREE_TEST(empty_and_missing_are_different_things),
		TREE_TEST(numbers_are_read_or_refused),
		TREE_TEST(booleans_are_read_and_an_empty_one_is_true),
		TREE_TEST(pieces_of_text_are_joined),
		TREE_TEST(a_text_in_a_million_pieces_costs_a_few_copies),
		TREE_TEST(opaque_data_are_bytes_and_not_text),
		TREE_TEST(unknown_tags_are_there_and_are_told),
		TREE_TEST(a_tree_has_a_limit_of_elements),
		TREE_TEST(a_broken_request_gives_the_parsers_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

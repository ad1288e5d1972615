/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one phone that waits costs its front, all of ours together (design.md section 5.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>

#include "gateway/activesync/park.h"
#include "gateway/activesync/ping.h"
#include "gateway/activesync/sync.h"
#include "lib/core/stream_internal.h"

enum { FOLDERS = 5, BYTES_MAX = 256 };

/* A user of usual length, and a DeviceId as iOS and Outlook send it. */
static const char user[] = "alice.adams@example.org";
static const char device[] = "8D2V9QK0ML3E1A7TN5C6R4P0XW";

static const struct park_folder *folders(void)
{
	static struct park_folder some[FOLDERS];

	for (uint32_t i = 0; i < FOLDERS; i++)
		some[i].place = (struct park_place){.id = i + 1, .key = {.series = 4000000000u, .number = 12345}};
	return some;
}

static void a_held_ping_costs_at_most_256_bytes_besides_tls(void **state)
{
	size_t park = parks_size(&ping_kind, folders(), FOLDERS, user, device);
	size_t sum = sizeof(struct stream) + http_held_size() + park;

	(void)state;
	print_message("stream %zu + http %zu + park %zu = %zu bytes\n", sizeof(struct stream), http_held_size(), park, sum);
	assert_true(sum <= BYTES_MAX);
}

static void a_held_sync_costs_its_keys_besides(void **state)
{
	size_t ping = parks_size(&ping_kind, folders(), FOLDERS, user, device);
	size_t sync = parks_size(&sync_kind, folders(), FOLDERS, user, device);

	(void)state;
	assert_int_equal(sync - ping, FOLDERS * (5 + 2));
}

/* What malloc really takes for a block, its own word included. */
static size_t real(size_t size)
{
	void *block = malloc(size);
	size_t usable = malloc_usable_size(block);

	free(block);
	return usable + sizeof(size_t);
}

/* Three blocks: malloc rounds each up, and keeps a word of its own before it. */
static void mallocs_share_is_small(void **state)
{
	size_t slot = sizeof(void *), timer = sizeof(struct timer *);
	size_t record = parks_size(&ping_kind, folders(), FOLDERS, user, device) - slot;
	size_t sum = real(sizeof(struct stream)) + real(http_held_size() - timer) + real(record) + slot + timer;

	(void)state;
	print_message("%zu bytes with malloc's own\n", sum);
	assert_true(sum <= BYTES_MAX + 3 * 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_ping_costs_at_most_256_bytes_besides_tls),
		cmocka_unit_test(a_held_sync_costs_its_keys_besides),
		cmocka_unit_test(mallocs_share_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

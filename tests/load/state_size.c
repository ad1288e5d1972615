/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a store has of one device, when nobody else has it open: a line for each record with its key and its bytes.
 * state_size FOLDER USER DEVICE
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/service/store_open.h"

static void scanned(enum store_status status, const struct store_record *records, size_t count, void *data)
{
	if (status != STORE_OK)
		exit(1);
	for (size_t i = 0; i < count; i++)
		printf("%s %zu\n", records[i].key, records[i].length);
	loop_stop(data);
}

int main(int argc, char **argv)
{
	struct loop *loop = loop_create();
	struct error error;
	struct store *store;

	if (argc != 4) {
		fprintf(stderr, "state_size FOLDER USER DEVICE\n");
		return 2;
	}
	store = store_open(loop, &(struct store_settings){.folder = argv[1]}, &error);
	if (store == NULL) {
		fprintf(stderr, "%s: %s\n", argv[1], error.text);
		return 1;
	}
	store_scan(store, &(struct principal){argv[2], argv[3]}, "", scanned, loop);
	loop_run(loop);
	store_close(&store);
	loop_free(&loop);
	return 0;
}

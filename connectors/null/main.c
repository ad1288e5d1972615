/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfry-null: a connector without a backend, for load tests and as the smallest example of the contract.
 * Settings: password (everybody's; default: secret), items (in each INBOX; default: 10), item_bytes (of text each).
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/contract.h"
#include "connectors/daemon.h"
#include "connectors/null/mailbox.h"
#include "connectors/settings.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { ITEMS = 10, ITEMS_MAX = 1000000, ITEM_BYTES = 200, ITEM_BYTES_MAX = 10 * 1024 * 1024 };

static void fill(struct null_store *store, long items, long item_bytes)
{
	char *text = mem_alloc((size_t)item_bytes + 1);
	struct null_mail mail = {.text = text};

	for (long i = 0; i < item_bytes; i++)
		text[i] = i % 72 == 71 ? '\n' : "ding dong "[i % 10];
	for (long i = 0; i < items; i++)
		null_deliver(store, NULL, "INBOX", &mail);
	free(text);
}

int main(void)
{
	struct daemon daemon;
	struct error error;
	long items, item_bytes;

	log_init("null");
	daemon_protect();
	struct settings *settings = settings_read(CONNECTOR_SETTINGS_FD, &error);
	if (settings == NULL || settings_number(settings, "items", ITEMS, 0, ITEMS_MAX, &items, &error) < 0
		|| settings_number(settings, "item_bytes", ITEM_BYTES, 0, ITEM_BYTES_MAX, &item_bytes, &error) < 0)
		daemon_refuse(&error);
	daemon_start(&daemon);
	struct null_store *store = null_store_create(daemon.net, DAEMON_PLACE, &error);
	if (store == NULL)
		daemon_refuse(&error);
	null_store_set_password(store, settings_text(settings, "password", "secret"));
	fill(store, items, item_bytes);
	settings_free(&settings);
	daemon_run(&daemon);
	null_store_free(&store);
	daemon_free(&daemon);
	return EXIT_SUCCESS;
}

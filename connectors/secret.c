/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slots in locked pages. One process has one set: nothing here belongs to a loop. */
#include "connectors/secret.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { BLOCK_BYTES = 64 * 1024 }; /* a few hundred users a block; what is free stays for the next */

struct secret {
	union {
		char text[SECRET_BYTES_MAX + 1];
		struct secret *next_free;
	};
};

static struct secret *first_free;
static size_t kept;

/* A process may lock little (RLIMIT_MEMLOCK): then the pages are still left out of dumps, and the admin is told. */
static void add_block(void)
{
	static int told;
	struct secret *slots = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert(slots != MAP_FAILED); /* as any other allocation */
	if (mlock(slots, BLOCK_BYTES) < 0 && !told++)
		log_warning(LOG_CONNECTOR, "cannot lock memory for passwords: %s; raise LimitMEMLOCK", strerror(errno));
	madvise(slots, BLOCK_BYTES, MADV_DONTDUMP);
	madvise(slots, BLOCK_BYTES, MADV_WIPEONFORK);
	for (size_t i = BLOCK_BYTES / sizeof *slots; i > 0; i--) {
		slots[i - 1].next_free = first_free;
		first_free = &slots[i - 1];
	}
}

struct secret *secret_keep(const char *text)
{
	size_t length = strlen(text);

	if (length > SECRET_BYTES_MAX)
		return NULL;
	if (first_free == NULL)
		add_block();
	struct secret *secret = first_free;
	first_free = secret->next_free;
	memcpy(secret->text, text, length + 1);
	kept++;
	return secret;
}

const char *secret_text(const struct secret *secret)
{
	return secret->text;
}

void secret_drop(struct secret **owner)
{
	struct secret *secret = *owner;

	*owner = NULL;
	if (secret == NULL)
		return;
	mem_wipe(secret, sizeof *secret);
	secret->next_free = first_free;
	first_free = secret;
	kept--;
}

size_t secret_count(void)
{
	return kept;
}

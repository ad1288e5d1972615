/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates: read as root, kept out of swap, sent to fronts. */
#include "gateway/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/privilege.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/role.pb-c.h"
#include "lib/net/tls.h"

enum { PEM_MAX = 256 * 1024 }; /* a chain of ten certificates is 20 kB */

/* In pages of its own: not swapped, not in a core, and empty in every child. */
struct pem {
	uint8_t *bytes;
	size_t length;
	struct timespec changed;
	ino_t inode;
};

struct certificates {
	struct loop *loop;
	const struct config *config;
	certificates_changed *changed;
	void *data;
	struct pem chain, key;
	uint8_t *tickets; /* TLS_TICKET_KEYS_BYTES */
	struct timer look, renew;
};

static void *private_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		abort();
	mlock(pages, size); /* refused where the limit is low: then it may be swapped */
	madvise(pages, size, MADV_DONTDUMP);
	madvise(pages, size, MADV_WIPEONFORK);
	return pages;
}

static void drop_pages(void *pages, size_t size)
{
	if (pages == NULL)
		return;
	mem_wipe(pages, size);
	munmap(pages, size);
}

/* --- the files -------------------------------------------------------------------------------------------------- */

static int read_pem(const char *path, struct pem *pem, struct error *error_r)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0) {
		error_set(error_r, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	pem->bytes = private_pages(PEM_MAX);
	ssize_t got, length = 0;
	while (length < PEM_MAX && (got = read(fd, pem->bytes + length, (size_t)(PEM_MAX - length))) > 0)
		length += got;
	close(fd);
	pem->length = (size_t)length;
	pem->changed = status.st_mtim;
	pem->inode = status.st_ino;
	if (length > 0 && length < PEM_MAX)
		return 0;
	drop_pages(pem->bytes, PEM_MAX);
	pem->bytes = NULL;
	return error_set(error_r, "%s: it is %s", path, length == 0 ? "empty" : "far too long for a PEM file");
}

static bool is_same(const char *path, const struct pem *pem)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_ino == pem->inode && (size_t)status.st_size == pem->length &&
		status.st_mtim.tv_sec == pem->changed.tv_sec && status.st_mtim.tv_nsec == pem->changed.tv_nsec;
}

/* Both files, and whether they make a server's TLS. */
static int read_both(const struct config *config, struct pem *chain_r, struct pem *key_r, struct error *error_r)
{
	*chain_r = *key_r = (struct pem){0};
	if (read_pem(config->certificate, chain_r, error_r) < 0 || read_pem(config->key, key_r, error_r) < 0)
		return -1;
	struct tls_server_context *context = tls_server_context_create(chain_r->bytes, chain_r->length, key_r->bytes,
		key_r->length, NULL, 0, error_r);
	bool is_right = context != NULL;
	tls_server_context_free(&context);
	return is_right ? 0 : -1;
}

static int load(struct certificates *certificates, struct error *error_r)
{
	struct pem chain, key;

	privilege_raise();
	int result = read_both(certificates->config, &chain, &key, error_r);
	privilege_lower();
	if (result == 0) {
		struct pem old_chain = certificates->chain, old_key = certificates->key;
		certificates->chain = chain;
		certificates->key = key;
		chain = old_chain;
		key = old_key;
	}
	drop_pages(chain.bytes, PEM_MAX);
	drop_pages(key.bytes, PEM_MAX);
	return result;
}

/* --- their changes ---------------------------------------------------------------------------------------------- */

static bool has_tls(const struct certificates *certificates)
{
	return certificates->config->listen.count > 0;
}

static bool files_changed(const struct certificates *certificates)
{
	privilege_raise();
	bool changed = !is_same(certificates->config->certificate, &certificates->chain) ||
		!is_same(certificates->config->key, &certificates->key);
	privilege_lower();
	return changed;
}

void certificates_look(struct certificates *certificates)
{
	struct error error;

	if (!has_tls(certificates) || !files_changed(certificates))
		return;
	if (load(certificates, &error) < 0) {
		log_error(LOG_TLS, "the new certificate is not used: %s", error.text);
		return;
	}
	log_info(LOG_TLS, "certificate=%s new: given to all fronts", log_quote(certificates->config->certificate));
	certificates->changed(certificates->data);
}

static void look(struct timer *timer)
{
	struct certificates *certificates = container_of(timer, struct certificates, look);

	timer_start(certificates->loop, &certificates->look, CERTIFICATES_LOOK_S * 1000, look);
	certificates_look(certificates);
}

/* The newer key seals, the older still opens what was sealed before. */
static void renew_tickets(struct certificates *certificates)
{
	memcpy(certificates->tickets + TLS_TICKET_KEY_BYTES, certificates->tickets, TLS_TICKET_KEY_BYTES);
	if (RAND_bytes(certificates->tickets, TLS_TICKET_KEY_BYTES) != 1)
		abort();
}

static void renew(struct timer *timer)
{
	struct certificates *certificates = container_of(timer, struct certificates, renew);

	timer_start(certificates->loop, &certificates->renew, CERTIFICATES_TICKETS_S * 1000, renew);
	renew_tickets(certificates);
	certificates->changed(certificates->data);
}

struct certificates *certificates_open(struct loop *loop, const struct config *config, certificates_changed *changed,
	void *data, struct error *error_r)
{
	struct certificates *certificates = mem_alloc(sizeof *certificates);

	*certificates = (struct certificates){.loop = loop, .config = config, .changed = changed, .data = data};
	if (!has_tls(certificates))
		return certificates;
	certificates->tickets = private_pages(TLS_TICKET_KEYS_BYTES);
	renew_tickets(certificates);
	renew_tickets(certificates);
	if (load(certificates, error_r) < 0) {
		certificates_close(&certificates);
		return NULL;
	}
	timer_start(loop, &certificates->look, CERTIFICATES_LOOK_S * 1000, look);
	timer_start(loop, &certificates->renew, CERTIFICATES_TICKETS_S * 1000, renew);
	return certificates;
}

void certificates_close(struct certificates **owner)
{
	struct certificates *certificates = *owner;

	if (certificates == NULL)
		return;
	timer_stop(certificates->loop, &certificates->look);
	timer_stop(certificates->loop, &certificates->renew);
	drop_pages(certificates->chain.bytes, PEM_MAX);
	drop_pages(certificates->key.bytes, PEM_MAX);
	drop_pages(certificates->tickets, TLS_TICKET_KEYS_BYTES);
	free(certificates);
	*owner = NULL;
}

void certificates_send(const struct certificates *certificates, struct link *link)
{
	Belfry__Role__Certificate files = BELFRY__ROLE__CERTIFICATE__INIT;
	Belfry__Role__Rein rein = BELFRY__ROLE__REIN__INIT;

	if (!has_tls(certificates))
		return;
	files.chain_pem = (ProtobufCBinaryData){certificates->chain.length, certificates->chain.bytes};
	files.key_pem = (ProtobufCBinaryData){certificates->key.length, certificates->key.bytes};
	files.ticket_keys = (ProtobufCBinaryData){TLS_TICKET_KEYS_BYTES, certificates->tickets};
	rein.body_case = BELFRY__ROLE__REIN__BODY_CERTIFICATE;
	rein.certificate = &files;
	link_send(link, &rein.base, -1);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates, keys and what we allow of TLS. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/tls_internal.h"

/* Forward secrecy only; phones choose among them by what their processor does well. */
static const char cipher_list[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL";

/* An SSL_CTX's ticket keys go with it. */
struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
};
struct ticket_keys {
	struct ticket_key key[2];
};
_Static_assert(sizeof(struct ticket_keys) == TLS_TICKET_KEYS_BYTES, "what Certificate.ticket_keys holds");

const char *tls_trouble(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	ERR_clear_error();
	return reason == NULL ? "unknown trouble" : reason;
}

void tls_prepare(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	unsigned char byte;

	RAND_bytes(&byte, 1);
	SSL_CTX_free(context);
	signal(SIGPIPE, SIG_IGN);
}

static SSL_CTX *context_create(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (context == NULL)
		abort(); /* out of memory, or OpenSSL is not installed in one piece */
	signal(SIGPIPE, SIG_IGN);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(context, cipher_list);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
		SSL_OP_CLEANSE_PLAINTEXT); /* passwords come this way */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

/* --- tickets --------------------------------------------------------------------------------------------------- */

static void ticket_keys_freed(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (pointer != NULL)
		mem_wipe(pointer, sizeof(struct ticket_keys));
	free(pointer);
}

static int ticket_keys_index(void)
{
	static int number = -1;

	if (number < 0)
		number = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, ticket_keys_freed);
	return number;
}

static int use_mac_key(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters);
}

static int seal(struct ticket_key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	memcpy(name, key->name, sizeof key->name);
	if (RAND_bytes(iv, 16) != 1 || EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1)
		return -1;
	return use_mac_key(mac, key) == 1 ? 1 : -1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 1 fine, 2 fine but give a new ticket, 0 no such key, -1 broken. */
static int ticket_key_wanted(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
	int is_sealing)
{
	struct ticket_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ticket_keys_index());

	if (is_sealing)
		return seal(&keys->key[0], name, iv, cipher, mac);
	for (int i = 0; i < 2; i++) {
		struct ticket_key *key = &keys->key[i];
		if (memcmp(name, key->name, sizeof key->name) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || use_mac_key(mac, key) != 1)
			return -1;
		return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2; /* RFC 8446 C.4: a ticket is for one use */
	}
	return 0;
}

static void use_tickets(SSL_CTX *context, const void *keys, size_t length)
{
	if (length != TLS_TICKET_KEYS_BYTES) {
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(context, 0);
		return;
	}
	SSL_CTX_set_ex_data(context, ticket_keys_index(), mem_dup(keys, length));
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key_wanted);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"belfry", 6);
}

/* --- the server's certificate ---------------------------------------------------------------------------------- */

/* A key with a passphrase would make OpenSSL ask at the terminal. */
static int no_passphrase(char *text, int size, int is_writing, void *data)
{
	(void)text, (void)size, (void)is_writing, (void)data;
	return -1;
}

static int use_key(SSL_CTX *context, const void *pem, size_t length, struct error *error_r)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	if (key == NULL)
		return error_set(error_r, "the key file holds no private key that can be read without a passphrase (%s)",
			tls_trouble());
	int fits = SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
	EVP_PKEY_free(key);
	return fits ? 0 : error_set(error_r, "the key does not belong to the certificate (%s)", tls_trouble());
}

static void warn_of_dates(const X509 *certificate)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		log_warning(LOG_TLS, "the certificate has expired: phones will refuse it");
	else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		log_warning(LOG_TLS, "the certificate is not valid yet: phones will refuse it");
}

static int use_chain(SSL_CTX *context, const void *pem, size_t length, struct error *error_r)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	int result = 0;

	if (certificate == NULL)
		result = error_set(error_r, "the certificate file holds no certificate in PEM (%s)", tls_trouble());
	else if (SSL_CTX_use_certificate(context, certificate) != 1)
		result = error_set(error_r, "the certificate cannot be used (%s)", tls_trouble());
	else
		warn_of_dates(certificate);
	X509_free(certificate);
	while (result == 0 && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		SSL_CTX_add0_chain_cert(context, certificate);
	ERR_clear_error(); /* the chain ends with "no start line" */
	BIO_free(bio);
	return result;
}

/* RFC 7301 3.2: who speaks only what we do not is told so. */
static int protocol_offered(SSL *ssl, const unsigned char **chosen_r, unsigned char *length_r, const unsigned char *offered,
	unsigned offered_length, void *data)
{
	static const unsigned char spoken[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl, (void)data;
	if (SSL_select_next_proto(&chosen, length_r, spoken, sizeof spoken - 1, offered, offered_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen_r = chosen;
	return SSL_TLSEXT_ERR_OK;
}

struct tls_server_context *tls_server_context_create(const void *chain_pem, size_t chain_length, const void *key_pem,
	size_t key_length, const void *ticket_keys, size_t ticket_keys_length, struct error *error_r)
{
	struct tls_server_context *context = mem_alloc(sizeof *context);

	context->ssl = context_create(TLS_server_method());
	if (use_chain(context->ssl, chain_pem, chain_length, error_r) < 0 ||
	    use_key(context->ssl, key_pem, key_length, error_r) < 0) {
		tls_server_context_free(&context);
		return NULL;
	}
	use_tickets(context->ssl, ticket_keys, ticket_keys_length);
	SSL_CTX_set_alpn_select_cb(context->ssl, protocol_offered, NULL);
	return context;
}

void tls_server_context_free(struct tls_server_context **context)
{
	if (*context == NULL)
		return;
	SSL_CTX_free((*context)->ssl);
	free(*context);
	*context = NULL;
}

/* --- the client's ---------------------------------------------------------------------------------------------- */

struct tls_client_context *tls_client_context_create(const char *ca_file, struct error *error_r)
{
	struct tls_client_context *context = mem_alloc(sizeof *context);

	context->ssl = context_create(TLS_client_method());
	if (ca_file != NULL && access(ca_file, R_OK) < 0) {
		error_set(error_r, "cannot read %s as user %d: %s", ca_file, (int)geteuid(), strerror(errno));
		tls_client_context_free(&context);
	} else if (ca_file != NULL && SSL_CTX_load_verify_file(context->ssl, ca_file) != 1) {
		error_set(error_r, "%s: no certificates of authorities in PEM there (%s)", ca_file, tls_trouble());
		tls_client_context_free(&context);
	} else if (ca_file == NULL && SSL_CTX_set_default_verify_paths(context->ssl) != 1) {
		error_set(error_r, "the system's certificates of authorities cannot be read (%s)", tls_trouble());
		tls_client_context_free(&context);
	}
	return context;
}

void tls_client_context_free(struct tls_client_context **context)
{
	if (*context == NULL)
		return;
	SSL_CTX_free((*context)->ssl);
	free(*context);
	*context = NULL;
}

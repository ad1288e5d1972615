/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates made on the spot. */
#include "tests/unit/lib/net/certificates.h"

#include <assert.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void take(BIO *bio, struct buffer *pem_r)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	*pem_r = BUFFER_EMPTY;
	buffer_append(pem_r, bytes, (size_t)length);
	BIO_free(bio);
}

static void add_names(X509 *certificate, const char *names)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
	assert(extension != NULL);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

void certificate_make(const char *names, long from_s, long until_s, struct buffer *chain_r, struct buffer *key_r)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	BIO *chain = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"belfry test", -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	add_names(certificate, names);
	assert(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert(PEM_write_bio_X509(chain, certificate) == 1);
	assert(PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1);
	take(chain, chain_r);
	take(secret, key_r);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

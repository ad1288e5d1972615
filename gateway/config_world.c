/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does the world fit the configuration? Files, certificates, ports, programs, limits: all that is wrong at once. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_internal.h"
#include "gateway/programs.h"
#include "lib/model/hint_signed.h"
#include "lib/net/net.h"

enum {
	EXPIRY_WARNING_S = 7 * 24 * 3600, /* what renews certificates has had 23 days by then */
	FRONT_OTHER_FDS = 100             /* of a front: links, listeners, log */
};

/* --- the certificate -------------------------------------------------------------------------------------------- */

static void check_dates(struct config_complaints *complaints, const char *path, const X509 *certificate)
{
	time_t soon = time(NULL) + EXPIRY_WARNING_S;

	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		config_error(complaints, path, "the certificate has expired: every phone refuses it; renew it");
	else if (X509_cmp_time(X509_get0_notAfter(certificate), &soon) < 0)
		config_warning(complaints, path, "the certificate expires within a week");
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		config_error(complaints, path, "the certificate is not valid yet; look at this machine's clock");
}

static FILE *open_pem(struct config_complaints *complaints, const char *option, const char *path)
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		config_error(complaints, NULL, "%s %s: %s; name the PEM file there, or make it", option, path, strerror(errno));
	return file;
}

static X509 *read_certificate(struct config_complaints *complaints, const char *path)
{
	FILE *file = open_pem(complaints, "certificate", path);

	if (file == NULL)
		return NULL;
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (certificate == NULL)
		config_error(complaints, path, "it holds no certificate in PEM form");
	return certificate;
}

/* Keys with a pass phrase: nobody is there to type it. */
static int no_phrase(char *buffer, int size, int is_writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)is_writing;
	(void)data;
	return -1;
}

static EVP_PKEY *read_key(struct config_complaints *complaints, const char *path)
{
	FILE *file = open_pem(complaints, "key", path);
	struct stat status;

	if (file == NULL)
		return NULL;
	if (fstat(fileno(file), &status) == 0 && (status.st_mode & 077) != 0)
		config_warning(complaints, path, "others can read this key; chmod 600 %s", path);
	setbuf(file, NULL);
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_phrase, NULL);
	fclose(file);
	if (key == NULL)
		config_error(complaints, path, "it holds no private key in PEM form without a pass phrase");
	return key;
}

static void check_certificate(struct config_complaints *complaints, const struct config *config)
{
	if (config->listen.count == 0 || config->certificate == NULL || config->key == NULL)
		return;
	X509 *certificate = read_certificate(complaints, config->certificate);
	EVP_PKEY *key = read_key(complaints, config->key);
	if (certificate != NULL)
		check_dates(complaints, config->certificate, certificate);
	if (certificate != NULL && key != NULL && X509_check_private_key(certificate, key) != 1)
		config_error(complaints, config->key, "this is not the key of %s (whose first certificate must be this "
			"server's own)", config->certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

/* --- files and programs ----------------------------------------------------------------------------------------- */

/* A folder that main makes when it is not there: its nearest parent that is there must be a folder. */
static void check_folder(struct config_complaints *complaints, const char *name, const char *path)
{
	char parent[PATH_MAX];
	struct stat status;

	snprintf(parent, sizeof parent, "%s", path);
	while (stat(parent, &status) < 0) {
		char *slash = strrchr(parent, '/');
		if (errno != ENOENT || slash == NULL || slash == parent)
			break;
		*slash = '\0';
	}
	if (stat(parent, &status) < 0 || !S_ISDIR(status.st_mode))
		config_error(complaints, NULL, "%s %s: %s", name, path, errno == 0 ? "not a folder" : strerror(errno));
	else if (access(parent, W_OK | X_OK) < 0)
		config_error(complaints, NULL, "%s %s: cannot write in %s: %s", name, path, parent, strerror(errno));
}

static void check_connector(struct config_complaints *complaints, const struct config_connector *connector)
{
	char path[PATH_MAX];
	struct error error;

	if (program_find(connector->program, path, &error) < 0)
		config_error(complaints, NULL, "connector \"%s\": program: %s; give the name of one that is there, or a path",
			connector->name, error.text);
	if (connector->ca_file != NULL && access(connector->ca_file, R_OK) < 0)
		config_error(complaints, NULL, "connector \"%s\": ca_file %s: %s; without the option the system's list is taken",
			connector->name, connector->ca_file, strerror(errno));
}

static void check_keys(struct config_complaints *complaints, const char *path)
{
	struct error error;
	struct stat status;
	struct hint_keys *keys = hint_keys_load(path, &error);

	if (keys == NULL)
		config_error(complaints, NULL, "hook: udp_key_file %s", error.text);
	else if (stat(path, &status) == 0 && (status.st_mode & 077) != 0)
		config_warning(complaints, path, "others can read these keys; chmod 600 %s", path);
	hint_keys_free(&keys);
}

/* --- the kernel ------------------------------------------------------------------------------------------------- */

static void check_addresses(struct config_complaints *complaints, const struct config_strings *addresses)
{
	struct error error;

	for (size_t i = 0; i < addresses->count; i++) {
		if (config_check_address(addresses->items[i], &error) < 0)
			continue; /* told with its line */
		errno = 0;
		int fd = net_bind(addresses->items[i], 0, &error);
		if (fd >= 0)
			close(fd);
		else if (errno == EADDRINUSE)
			config_warning(complaints, NULL, "%s (when that is a running belfryd, all is well)", error.text);
		else
			config_error(complaints, NULL, "%s", error.text);
	}
}

static void check_limits(struct config_complaints *complaints, const struct config *config)
{
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
	struct rlimit files;
	int backlog;

	if (file != NULL && fscanf(file, "%d", &backlog) == 1 && backlog < NET_BACKLOG)
		config_warning(complaints, NULL, "net.core.somaxconn is %d: a burst of deliveries while the hub is busy goes "
			"by the spool; sysctl net.core.somaxconn=%d", backlog, NET_BACKLOG);
	if (file != NULL)
		fclose(file);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < config->max_connections + FRONT_OTHER_FDS)
		config_warning(complaints, NULL, "a process may open %llu files here, so a front holds fewer phones than "
			"max_connections = %u; raise LimitNOFILE, or have more fronts", (unsigned long long)files.rlim_max,
			config->max_connections);
}

unsigned config_check_world(const struct config *config, config_complain *tell, void *data)
{
	struct config_complaints complaints = {.tell = tell, .data = data};

	config_check_users(&complaints, config);
	check_certificate(&complaints, config);
	check_folder(&complaints, "state_dir", config->state_dir);
	check_folder(&complaints, "run_dir", config->run_dir);
	for (size_t i = 0; i < config->connector_count; i++)
		check_connector(&complaints, &config->connectors[i]);
	if (config->hook.udp_key_file != NULL)
		check_keys(&complaints, config->hook.udp_key_file);
	check_limits(&complaints, config);
	check_addresses(&complaints, &config->listen);
	check_addresses(&complaints, &config->listen_plain);
	check_addresses(&complaints, &config->listen_proxy);
	if (config->metrics != NULL)
		check_addresses(&complaints, &(struct config_strings){(char **)(uintptr_t)&config->metrics, 1});
	return complaints.errors;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Master passwords, from their files to the connectors; and all else that a connector is told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_internal.h"
#include "lib/core/mem.h"

enum {
	SECRET_MAX = 1024,          /* a password; more is the wrong file */
	SETTINGS_MAX = 64 * 1024    /* what a connector reads of them */
};

char *config_secret_read(const char *path, struct error *error_r)
{
	char text[SECRET_MAX + 1];
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		error_set(error_r, "%s: %s", path, strerror(errno));
		return NULL;
	}
	setbuf(file, NULL); /* no copy of it stays behind in a freed buffer */
	size_t length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	char *secret = text[0] == '\0' ? NULL : mem_strdup(text);
	if (secret == NULL)
		error_set(error_r, "%s: its first line is empty", path);
	mem_wipe(text, sizeof text);
	return secret;
}

void config_secret_free(char *secret)
{
	if (secret != NULL)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

int config_connector_settings(const struct config_connector *connector, struct buffer *settings_r,
	struct error *error_r)
{
	if (connector->watch_as == CONFIG_WATCH_MASTER) {
		char *secret = config_secret_read(connector->master_password_file, error_r);
		if (secret == NULL)
			return -1;
		buffer_reserve(settings_r, SETTINGS_MAX); /* never moved: a move would leave a copy behind */
		buffer_printf(settings_r, "master_user=%s\nmaster_password=%s\n", connector->master_user, secret);
		config_secret_free(secret);
	}
	buffer_printf(settings_r, "name=%s\nlogin=%s\nhost=%s\nport=%u\ntls=%s\ntls_name=%s\nwatch_as=%s\nhook=%s\n",
		connector->name, config_login_words[connector->login], connector->host, connector->port,
		config_tls_words[connector->tls], connector->tls_name, config_watch_words[connector->watch_as], config_hook_words[connector->hook]);
	buffer_printf(settings_r, "recheck_s=%u\nworkers=%u\ntimeout_s=%u\n", connector->recheck_s, connector->workers,
		connector->timeout_s);
	if (connector->ca_file != NULL)
		buffer_printf(settings_r, "ca_file=%s\n", connector->ca_file);
	if (connector->smtp_host != NULL)
		buffer_printf(settings_r, "smtp_host=%s\nsmtp_port=%u\nsmtp_tls=%s\nsmtp_tls_name=%s\nsmtp_auth=%s\n",
			connector->smtp_host, connector->smtp_port, config_tls_words[connector->smtp_tls], connector->smtp_tls_name,
			config_auth_words[connector->smtp_auth]);
	if (connector->sieve_host != NULL)
		buffer_printf(settings_r, "sieve_host=%s\nsieve_port=%u\nsieve_tls=%s\nsieve_tls_name=%s\n", connector->sieve_host,
			connector->sieve_port, config_tls_words[connector->sieve_tls], connector->sieve_tls_name);
	for (size_t i = 0; i < connector->options.count; i++)
		buffer_printf(settings_r, "%s\n", connector->options.items[i]);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From values to struct config: what follows from others is filled in, users and secrets are looked up. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_internal.h"
#include "lib/core/mem.h"

static void lower(char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

static void resolve_trusted(struct config_hook *hook)
{
	uid_t uid;
	gid_t gid;

	hook->trusted = mem_alloc_array(hook->trusted_users.count + 1, sizeof *hook->trusted);
	for (size_t i = 0; i < hook->trusted_users.count; i++)
		if (config_user_find(hook->trusted_users.items[i], &uid, &gid) == 0)
			hook->trusted[hook->trusted_count++] = uid;
}

/* What is no network was told when it was read. */
static void resolve_proxies(struct config *config)
{
	struct error error;

	config->trusted = mem_alloc_array(config->trusted_proxies.count + 1, sizeof *config->trusted);
	for (size_t i = 0; i < config->trusted_proxies.count; i++)
		if (ip_network_parse(config->trusted_proxies.items[i], &config->trusted[config->trusted_count], &error) == 0)
			config->trusted_count++;
}

static void check_secret(struct config_complaints *complaints, const struct config_connector *connector)
{
	const char *path = connector->master_password_file;
	struct error error;
	struct stat status;
	char *secret = config_secret_read(path, &error);

	if (secret == NULL)
		config_error(complaints, NULL, "connector \"%s\": master_password_file %s; the master user's password stands there, "
			"in the first line", connector->name, error.text);
	else if (stat(path, &status) == 0 && (status.st_mode & 077) != 0)
		config_warning(complaints, path, "others can read this secret; chmod 600 %s", path);
	config_secret_free(secret);
}

static void store_connector(struct config_complaints *complaints, struct config_connector *connector, cfg_t *cfg)
{
	option_table_store(&config_sections[CONFIG_SINGLE_SECTIONS].table, cfg, connector);
	connector->name = mem_strdup(cfg_title(cfg));
	for (size_t i = 0; i < connector->domains.count; i++)
		lower(connector->domains.items[i]);
	if (connector->port == 0)
		connector->port = connector->tls == CONFIG_TLS_DIRECT ? 993 : 143;
	if (connector->tls_name == NULL)
		connector->tls_name = mem_strdup(connector->host);
	if (connector->smtp_port == 0)
		connector->smtp_port = connector->smtp_tls == CONFIG_TLS_DIRECT ? 465 : 587;
	if (connector->smtp_tls_name == NULL && connector->smtp_host != NULL)
		connector->smtp_tls_name = mem_strdup(connector->smtp_host);
	if (connector->sieve_tls_name == NULL && connector->sieve_host != NULL)
		connector->sieve_tls_name = mem_strdup(connector->sieve_host);
	if (connector->watch_as == CONFIG_WATCH_MASTER && connector->master_password_file != NULL)
		check_secret(complaints, connector);
}

struct config *config_store(struct config_complaints *complaints, cfg_t *cfg)
{
	struct config *config = mem_alloc(sizeof *config);

	option_table_store(&config_top_table, cfg, config);
	for (int i = 0; i < CONFIG_SINGLE_SECTIONS; i++)
		option_table_store(&config_sections[i].table, cfg_getsec(cfg, config_sections[i].name),
			(char *)config + config_sections[i].offset);
	lower(config->default_domain);
	config_user_resolve(&config->user_front);
	config_user_resolve(&config->user_hub);
	config_user_resolve(&config->user_connector);
	resolve_trusted(&config->hook);
	resolve_proxies(config);
	config->connector_count = cfg_size(cfg, "connector");
	config->connectors = mem_alloc_array(config->connector_count + 1, sizeof *config->connectors);
	for (size_t i = 0; i < config->connector_count; i++)
		store_connector(complaints, &config->connectors[i], cfg_getnsec(cfg, "connector", (unsigned)i));
	return config;
}

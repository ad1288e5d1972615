/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the options fit each other. */
#include <string.h>
#include <unistd.h>

#include "gateway/config_internal.h"

const struct config_connector *config_find_domain(const struct config *config, const char *domain,
	const struct config_connector *before)
{
	for (size_t i = 0; i < config->connector_count && &config->connectors[i] != before; i++)
		for (size_t n = 0; n < config->connectors[i].domains.count; n++)
			if (strcmp(config->connectors[i].domains.items[n], domain) == 0)
				return &config->connectors[i];
	return NULL;
}

static void check_domains(struct config_complaints *complaints, const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->connector_count; i++) {
		const struct config_connector *connector = &config->connectors[i];
		for (size_t n = 0; n < connector->domains.count; n++) {
			const struct config_connector *other = config_find_domain(config, connector->domains.items[n], connector);
			if (other != NULL)
				config_error(complaints, path, "connectors \"%s\" and \"%s\" both serve %s; give each its own domains",
					other->name, connector->name, connector->domains.items[n]);
		}
	}
	if (config->default_domain != NULL && config_instance_for(config, config->default_domain) == NULL)
		config_error(complaints, path, "no connector serves default_domain %s; name it in domains, or have one with \"*\"",
			config->default_domain);
}

static void check_users(struct config_complaints *complaints, const struct config *config, const char *path)
{
	uid_t front = config->user_front.uid, hub = config->user_hub.uid, connector = config->user_connector.uid;

	bool is_same = (front == hub && front != CONFIG_NO_USER) || (front == connector && front != CONFIG_NO_USER) ||
		(hub == connector && hub != CONFIG_NO_USER);

	if (geteuid() == 0 && is_same)
		config_warning(complaints, path, "two roles have the same user: one can then read the other's memory and files");
}

void config_check_together(struct config_complaints *complaints, const struct config *config, const char *path)
{
	bool has_tls = config->listen.count > 0;

	if (!has_tls && config->listen_plain.count == 0 && config->listen_proxy.count == 0)
		config_error(complaints, path, "nothing listens; give listen (or listen_plain, listen_proxy) an address");
	if (config->listen_plain.count > 0 && config->trusted_proxies.count == 0)
		config_warning(complaints, path, "listen_plain without trusted_proxies: no X-Forwarded-For is believed, so that all "
			"phones behind the proxy count as one address; trusted_proxies = {\"127.0.0.1\"} names it");
	if (has_tls && (config->certificate == NULL || config->key == NULL))
		config_error(complaints, path, "certificate and key are missing; phones speak TLS only "
			"(behind a proxy that does TLS: listen = {} and listen_plain)");
	if (config->connector_count == 0)
		config_error(complaints, path, "no connector: add a section connector \"main\" { ... } for the mail server");
	if (config->activesync.heartbeat_min_s > config->activesync.heartbeat_max_s)
		config_error(complaints, path, "heartbeat_min_s is above heartbeat_max_s");
	if ((config->hook.udp == NULL) != (config->hook.udp_key_file == NULL))
		config_error(complaints, path, "hook: udp and udp_key_file go together");
	check_domains(complaints, config, path);
	check_users(complaints, config, path);
}

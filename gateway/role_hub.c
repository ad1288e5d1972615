/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hub as a role: opens the store, hands over what the configuration says. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/hub/hub.h"
#include "gateway/role_internal.h"
#include "gateway/service/store_open.h"
#include "lib/core/mem.h"

struct hub_role {
	const struct role_settings *settings;
	struct store *store;
	struct hub *hub;
	struct hint_keys *keys;
	struct hub_instance_settings *instances;
	char store_folder[PATH_MAX], backup_folder[PATH_MAX], spool_folder[PATH_MAX];
	uid_t front_users[2];
};

static enum hub_hook hook_of(const struct config_connector *connector)
{
	switch (connector->hook) {
	case CONFIG_HOOK_YES: return HUB_HOOK_YES;
	case CONFIG_HOOK_NO: return HUB_HOOK_NO;
	case CONFIG_HOOK_AUTO: break;
	}
	return HUB_HOOK_AUTO;
}

static void name_instances(struct hub_role *role, const struct config *config)
{
	role->instances = mem_alloc_array(config->connector_count, sizeof *role->instances);
	for (size_t i = 0; i < config->connector_count; i++) {
		const struct config_connector *connector = &config->connectors[i];
		role->instances[i] = (struct hub_instance_settings){
			.name = connector->name, .hook = hook_of(connector), .recheck_s = connector->recheck_s};
	}
}

static void *create(const struct role_settings *settings, unsigned number, struct error *error_r)
{
	const struct config *config = settings->config;
	struct hub_role *role = mem_alloc(sizeof *role);

	(void)number;
	role->settings = settings;
	role->front_users[0] = config->user_front.uid;
	role->front_users[1] = config->user_hub.uid; /* belfryd -s: the front is in the hub's process */
	snprintf(role->store_folder, sizeof role->store_folder, "%s/store", config->state_dir);
	snprintf(role->backup_folder, sizeof role->backup_folder, "%s/backup", config->state_dir);
	places_spool(config, role->spool_folder, sizeof role->spool_folder);
	name_instances(role, config);
	if (config->hook.udp_key_file == NULL)
		return role;
	role->keys = hint_keys_load(config->hook.udp_key_file, error_r);
	if (role->keys != NULL)
		return role;
	free(role->instances);
	free(role);
	return NULL;
}

static int start(void *instance, struct net *net, struct error *error_r)
{
	struct hub_role *role = instance;
	const struct config *config = role->settings->config;
	struct store_settings store = {.folder = role->store_folder};
	struct hub_settings hub = {
		.instances = role->instances, .instance_count = config->connector_count,
		.front_users = role->front_users, .front_user_count = 2,
		.trusted_users = config->hook.trusted, .trusted_user_count = config->hook.trusted_count,
		.hook_rate = config->hook.rate, .default_domain = config->default_domain,
		.spool_folder = role->spool_folder, .backup_folder = role->backup_folder, .hook_keys = role->keys,
		.max_devices = config->activesync.max_devices, .request_burst = config->activesync.request_burst,
		.requests_per_minute = config->activesync.requests_per_minute, .notifiers = role->settings->notifiers,
	};

	role->store = store_open(net_loop(net), &store, error_r);
	if (role->store == NULL)
		return -1;
	role->hub = hub_start(net, &hub, role->store, error_r);
	return role->hub == NULL ? -1 : 0;
}

static void free_hub(void *instance)
{
	struct hub_role *role = instance;

	if (role->hub != NULL)
		hub_stop(&role->hub);
	if (role->store != NULL)
		store_close(&role->store);
	hint_keys_free(&role->keys);
	free(role->instances);
	free(role);
}

const struct role_ops role_hub_ops = {.create = create, .start = start, .free = free_hub};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry.conf to struct config, in steps that have a file each: gateway/config_internal.h. */
#include "gateway/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_internal.h"
#include "gateway/config_text.h"

static void check_braces(struct config_complaints *complaints, const struct config_text *text)
{
	unsigned line = config_text_open_brace(text);

	if (line != 0)
		config_error(complaints, config_line_name(text, line), "what is opened with { here is never closed; put the "
			"missing } at its end");
}

/* As far as it can be read; NULL: not at all. What is wrong is counted in the complaints. */
static struct config *load(struct config_complaints *complaints, const char *path)
{
	struct config_text text;
	struct config *config = NULL;
	struct error error;

	if (config_text_read(&text, path, &error) < 0) {
		config_error(complaints, NULL, "%s", error.text);
		config_text_release(&text);
		return NULL;
	}
	complaints->text = &text;
	cfg_t *cfg = config_read(complaints, buffer_string(&text.bytes));
	if (cfg != NULL) {
		check_braces(complaints, &text);
		config = config_store(complaints, cfg);
		cfg_free(cfg);
		config_check_together(complaints, config, path);
	}
	complaints->text = NULL;
	config_text_release(&text);
	return config;
}

struct config *config_load(const char *path, config_complain *tell, void *data)
{
	struct config_complaints complaints = {.tell = tell, .data = data};
	struct config *config = load(&complaints, path);

	if (config != NULL)
		config_check_users(&complaints, config);
	if (complaints.errors > 0)
		config_free(&config);
	return config;
}

unsigned config_test(const char *path, config_complain *tell, void *data)
{
	struct config_complaints complaints = {.tell = tell, .data = data};
	struct config *config = load(&complaints, path);
	unsigned errors = complaints.errors;

	if (config != NULL)
		errors += config_check_world(config, tell, data);
	config_free(&config);
	return errors;
}

void config_free(struct config **owner)
{
	struct config *config = *owner;

	if (config == NULL)
		return;
	for (size_t i = 0; i < config->connector_count; i++) {
		option_table_free(&config_sections[CONFIG_SINGLE_SECTIONS].table, &config->connectors[i]);
		free(config->connectors[i].name);
	}
	free(config->connectors);
	free(config->hook.trusted);
	free(config->trusted);
	for (int i = 0; i < CONFIG_SINGLE_SECTIONS; i++)
		option_table_free(&config_sections[i].table, (char *)config + config_sections[i].offset);
	option_table_free(&config_top_table, config);
	free(config);
	*owner = NULL;
}

/* --- questions -------------------------------------------------------------------------------------------------- */

const struct config_connector *config_instance_for(const struct config *config, const char *user)
{
	const char *domain = strchr(user, '@') == NULL ? user : user_domain(user);
	const struct config_connector *connector = config_find_domain(config, domain, NULL);

	return connector != NULL ? connector : config_find_domain(config, "*", NULL);
}

const struct config_connector *config_instance_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->connector_count; i++)
		if (strcmp(config->connectors[i].name, name) == 0)
			return &config->connectors[i];
	return NULL;
}

int config_canonical_user(const struct config *config, const char *login, char user_r[USER_MAX + 1],
	struct error *error_r)
{
	return user_canonical(login, config->default_domain, user_r, error_r);
}

void config_backend_user(const struct config_connector *connector, const char *user, char name_r[USER_MAX + 1])
{
	size_t length = connector->login == CONFIG_LOGIN_FULL ? strlen(user) : strcspn(user, "@");

	snprintf(name_r, USER_MAX + 1, "%.*s", (int)length, user);
}

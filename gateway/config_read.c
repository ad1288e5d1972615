/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From text to values, over libconfuse, by the tables. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_internal.h"
#include "lib/core/mem.h"

/* libconfuse's callbacks carry no pointer of ours: whom to tell while config_read() runs. */
static struct config_complaints *reading;

static void syntax_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof text, format, args);
	config_error(reading, config_here(reading, cfg), "%s; belfry.conf(5) shows what can stand here", text);
}

static const struct option_table *table_of(const cfg_t *cfg)
{
	for (int i = 0; i < CONFIG_SECTIONS; i++)
		if (strcmp(cfg->name, config_sections[i].name) == 0)
			return &config_sections[i].table;
	return &config_top_table;
}

static int value_read(cfg_t *cfg, cfg_opt_t *row)
{
	const struct option *option = option_table_find(table_of(cfg), row->name);

	if (option != NULL)
		option_check_value(reading, cfg, row, option);
	return 0; /* go on: more may be wrong */
}

/* No machine has all of the usual delivery users: only who was thought of is missed. */
static bool is_usual(const char *user)
{
	char *quoted = mem_printf("\"%s\"", user);
	bool found = strstr(CONFIG_TRUSTED_USERS, quoted) != NULL;

	free(quoted);
	return found;
}

static int trusted_users_read(cfg_t *cfg, cfg_opt_t *row)
{
	uid_t uid;
	gid_t gid;

	for (unsigned i = 0; i < cfg_opt_size(row); i++) {
		const char *user = cfg_opt_getnstr(row, i);
		if (config_user_find(user, &uid, &gid) < 0 && !is_usual(user))
			config_warning(reading, config_here(reading, cfg), "trusted_users: there is no user %s; left out", user);
	}
	return 0;
}

/* "alice@elsewhere" would be let in as "alice", and be another user than the one that the hook tells of. */
static void check_login(cfg_t *connector)
{
	for (unsigned i = 0; i < cfg_size(connector, "domains"); i++)
		if (strcmp(cfg_getnstr(connector, "domains", i), "*") == 0 && strcmp(cfg_getstr(connector, "login"), "user") == 0)
			config_warning(reading, config_here(reading, connector), "connector \"%s\": login = \"user\" with domains = "
				"{\"*\"}: alice@ANY.DOMAIN signs in as alice, but rings only by the name that hooks tell; name the domains, "
				"or use login = \"full\"", cfg_title(connector));
}

static int connector_name_check(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return name[0] == '\0' || strlen(name) > 32 || name[strspn(name, letters)] != '\0' ? -1 : 0;
}

/* A server on another machine gets no password in clear. */
static void check_clear(cfg_t *cfg, cfg_t *connector, const char *tls, const char *host)
{
	const char *name = cfg_getstr(connector, host);

	if (name != NULL && strcmp(cfg_getstr(connector, tls), "none") == 0 && !config_is_this_host(name))
		config_error(reading, config_here(reading, cfg), "connector \"%s\": %s = \"none\": passwords would cross the "
			"network to %s in clear; use \"starttls\" or \"tls\"", cfg_title(connector), tls, name);
}

/* After the closing brace of a connector: how its values fit together. */
static int connector_read(cfg_t *cfg, cfg_opt_t *row)
{
	cfg_t *connector = cfg_opt_getnsec(row, cfg_opt_size(row) - 1);
	const char *name = cfg_title(connector);

	if (connector_name_check(name) < 0)
		config_error(reading, config_here(reading, cfg),
			"connector \"%s\": a name is 1 to 32 letters, digits, - and _", name);
	check_clear(cfg, connector, "tls", "host");
	check_clear(cfg, connector, "smtp_tls", "smtp_host");
	check_clear(cfg, connector, "sieve_tls", "sieve_host");
	bool has_user = cfg_getstr(connector, "master_user") != NULL;
	bool has_password = cfg_getstr(connector, "master_password_file") != NULL;
	bool is_master = strcmp(cfg_getstr(connector, "watch_as"), "master") == 0;
	if (is_master && !(has_user && has_password))
		config_error(reading, config_here(reading, cfg), "connector \"%s\": watch_as = \"master\" needs master_user and "
			"master_password_file", name);
	if (!is_master && (has_user || has_password))
		config_warning(reading, config_here(reading, cfg), "connector \"%s\": a master user is given but not used; "
			"watch_as = \"master\" uses it", name);
	check_login(connector);
	return 0;
}

cfg_t *config_read(struct config_complaints *complaints, const char *bytes)
{
	cfg_opt_t *rows = option_table_build(&config_top_table, CONFIG_SECTIONS), *inner[CONFIG_SECTIONS];

	for (int i = 0; i < CONFIG_SECTIONS; i++) {
		inner[i] = option_table_build(&config_sections[i].table, 0);
		rows[config_top_table.count + (size_t)i] = (cfg_opt_t)CFG_SEC((char *)(uintptr_t)config_sections[i].name, inner[i],
			i < CONFIG_SINGLE_SECTIONS ? CFGF_NONE : CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	}
	for (size_t i = 0; i < config_top_table.count; i++)
		rows[i].validcb = value_read;
	for (int i = 0; i < CONFIG_SECTIONS; i++)
		for (size_t n = 0; n < config_sections[i].table.count; n++)
			inner[i][n].validcb = value_read;
	rows[config_top_table.count + CONFIG_SINGLE_SECTIONS].validcb = connector_read;
	cfg_t *cfg = cfg_init(rows, CFGF_NONE); /* copies the rows */
	reading = complaints;
	cfg_set_error_function(cfg, syntax_error);
	cfg_set_validate_func(cfg, "hook|trusted_users", trusted_users_read);
	for (int i = 0; i < CONFIG_SECTIONS; i++)
		free(inner[i]);
	free(rows);
	int result = cfg_parse_buf(cfg, bytes);
	reading = NULL;
	if (result == CFG_SUCCESS)
		return cfg;
	cfg_free(cfg);
	return NULL;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of gateway/config.c among themselves: the order in which a file becomes a struct config. */
#ifndef BELFRY_GATEWAY_CONFIG_INTERNAL_H
#define BELFRY_GATEWAY_CONFIG_INTERNAL_H

#include "gateway/config_table.h"

/* config_check.c: is a text what the option wants? -1: the error says what to do. */
option_check config_check_address, config_check_plain_address, config_check_metrics, config_check_network,
	config_check_path, config_check_run_dir, config_check_public_url, config_check_domain, config_check_domain_or_all,
	config_check_option, config_check_one_line, config_check_user;
/* A numeric host, or a name, of this machine itself. */
bool config_is_this_host(const char *host);

/* config_user.c. By name or "#1234"; -1: there is none. */
int config_user_find(const char *name, uid_t *uid_r, gid_t *gid_r);
/* Fills in uid and gid: of its name, or ours without root; CONFIG_NO_USER: there is none. */
void config_user_resolve(struct config_user *);
/* Those that there are none of. */
void config_check_users(struct config_complaints *, const struct config *);

/* config_options.c: THE tables. A section's offset is in struct config; of connectors there are several. */
struct config_section {
	const char *name;
	struct option_table table;
	size_t offset;
};
enum { CONFIG_SECTIONS = 4, CONFIG_SINGLE_SECTIONS = CONFIG_SECTIONS - 1 /* the last is "connector" */ };
extern const struct option_table config_top_table;
extern const struct config_section config_sections[CONFIG_SECTIONS];
extern const char *const config_login_words[], *const config_tls_words[], *const config_auth_words[],
	*const config_watch_words[], *const config_hook_words[];
#define CONFIG_TRUSTED_USERS "{\"root\", \"dovecot\", \"vmail\", \"mail\"}"

/* config_read.c: what stands in the text, by the tables, each value checked; NULL when it cannot be read on. */
cfg_t *config_read(struct config_complaints *, const char *bytes);
/* config_store.c: and its values as plain data. */
struct config *config_store(struct config_complaints *, cfg_t *);
/* config_together.c: whether they fit each other. */
void config_check_together(struct config_complaints *, const struct config *, const char *path);
/* The first connector that names the domain, of those before `before`; NULL: none. */
const struct config_connector *config_find_domain(const struct config *, const char *domain,
	const struct config_connector *before);

/* config_secret.c. The first line of the file, without its end; NULL with error_r. */
char *config_secret_read(const char *path, struct error *error_r);
void config_secret_free(char *secret);

#endif

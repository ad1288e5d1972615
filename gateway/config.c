/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry.conf to struct config: the tables of all options, what each may be, and how they fit together. */
#include "gateway/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_braces.h"
#include "gateway/config_table.h"
#include "lib/core/mem.h"

enum {
	SECRET_MAX = 1024,          /* a password; more is the wrong file */
	USERS_MAX_ID = 0x7fffffff,
	SETTINGS_MAX = 64 * 1024,   /* what a connector reads of them */
	PIECE_BYTES = 16 * 1024     /* of a file, at once */
};

/* --- what a text may be ----------------------------------------------------------------------------------------- */

static int split_address(const char *text, char *host, size_t size)
{
	const char *colon = strrchr(text, ':'), *port = colon == NULL ? text : colon + 1;
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	char *end;

	long number = strtol(port, &end, 10);
	if (*port < '0' || *port > '9' || *end != '\0' || number < 1 || number > 65535)
		return -1;
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= size || (colon != NULL && length == 0))
		return -1;
	memcpy(host, text, length);
	host[length] = '\0';
	return 0;
}

static bool is_numeric_host(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int check_address(const char *text, struct error *error_r)
{
	char host[64];

	if (split_address(text, host, sizeof host) < 0 ||
	    (host[0] != '\0' && strcmp(host, "*") != 0 && !is_numeric_host(host)))
		return error_set(error_r, "it must be PORT, HOST:PORT or [HOST]:PORT with a numeric HOST");
	return 0;
}

static int check_plain_address(const char *text, struct error *error_r)
{
	char host[64];

	if (check_address(text, error_r) < 0)
		return -1;
	split_address(text, host, sizeof host);
	if (!is_loopback(host))
		return error_set(error_r, "passwords would cross the network in clear; "
			"listen on 127.0.0.1:PORT or [::1]:PORT, for a proxy on this machine");
	return 0;
}

static int check_metrics(const char *text, struct error *error_r)
{
	char host[64];

	if (check_address(text, error_r) < 0)
		return -1;
	split_address(text, host, sizeof host);
	return is_loopback(host) ? 0 : error_set(error_r, "everybody could read it; listen on 127.0.0.1:PORT or [::1]:PORT");
}

static int check_network(const char *text, struct error *error_r)
{
	struct ip_network network;

	return ip_network_parse(text, &network, error_r);
}

static int check_path(const char *text, struct error *error_r)
{
	return text[0] == '/' ? 0 : error_set(error_r, "it must be a path that begins with /");
}

static int check_run_dir(const char *text, struct error *error_r)
{
	/* sun_path has 108 bytes; the longest name below is connector-NAME.sock with NAME of 32 */
	return strlen(text) > 50 ? error_set(error_r, "a folder for sockets has at most 50 bytes") : check_path(text, error_r);
}

static int check_public_url(const char *text, struct error *error_r)
{
	static const char scheme[] = "https://";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
	const char *host = text + strlen(scheme);

	if (strncmp(text, scheme, strlen(scheme)) != 0 || host[0] == '\0' || host[strspn(host, letters)] != '\0')
		return error_set(error_r, "it must be https://HOST or https://HOST:PORT, and nothing behind it");
	return 0;
}

static int check_domain(const char *text, struct error *error_r)
{
	char user[USER_MAX + 1];

	return user_canonical("user", text, user, NULL) < 0 || strchr(text, '@') != NULL ?
		error_set(error_r, "it must be a domain, such as example.org") : 0;
}

static int check_domain_or_all(const char *text, struct error *error_r)
{
	return strcmp(text, "*") == 0 ? 0 : check_domain(text, error_r);
}

static int check_option(const char *text, struct error *error_r)
{
	return text[0] == '=' || strchr(text, '=') == NULL || strchr(text, '\n') != NULL ?
		error_set(error_r, "it must be key=value, on one line") : 0;
}

static int check_one_line(const char *text, struct error *error_r)
{
	return text[0] == '\0' || strpbrk(text, "\r\n") != NULL ? error_set(error_r, "it must be one line, not empty") : 0;
}

static int find_user(const char *name, uid_t *uid_r, gid_t *gid_r)
{
	const struct passwd *entry;
	char *end;

	if (name[0] != '#') {
		entry = getpwnam(name);
		if (entry == NULL)
			return -1;
	} else {
		long number = strtol(name + 1, &end, 10);
		if (name[1] == '\0' || *end != '\0' || number < 0 || number > USERS_MAX_ID)
			return -1;
		*uid_r = (uid_t)number;
		*gid_r = (gid_t)number;
		entry = getpwuid((uid_t)number);
	}
	if (entry != NULL) {
		*uid_r = entry->pw_uid;
		*gid_r = entry->pw_gid;
	}
	return 0;
}

static int check_role_user(const char *text, struct error *error_r)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0) /* all roles run as whoever started us */
		return 0;
	if (find_user(text, &uid, &gid) < 0)
		return error_set(error_r, "there is no such user; adduser --system --group %s makes one", text);
	return uid == 0 ? error_set(error_r, "no role runs as root") : 0;
}

/* --- the tables ------------------------------------------------------------------------------------------------- */

#define OPTION_END_OF(array) {array, sizeof array / sizeof array[0]}
#define AT(type, member) offsetof(struct type, member)

static const char *const login_words[] = {"user", "full", NULL};
static const char *const tls_words[] = {"none", "starttls", "tls", NULL};
static const char *const auth_words[] = {"plain", "none", NULL};
static const char *const watch_words[] = {"none", "session", "master", NULL};
static const char *const hook_words[] = {"auto", "yes", "no", NULL};

static const struct option top_options[] = {
	{"listen", OPTION_TEXTS, AT(config, listen), .text = "{\"443\"}", .check = check_address},
	{"listen_plain", OPTION_TEXTS, AT(config, listen_plain), .text = "{}", .check = check_plain_address},
	{"listen_proxy", OPTION_TEXTS, AT(config, listen_proxy), .text = "{}", .check = check_plain_address},
	{"trusted_proxies", OPTION_TEXTS, AT(config, trusted_proxies), .text = "{}", .check = check_network},
	{"metrics", OPTION_TEXT, AT(config, metrics), .check = check_metrics},
	{"certificate", OPTION_TEXT, AT(config, certificate), .check = check_path},
	{"key", OPTION_TEXT, AT(config, key), .check = check_path},
	{"public_url", OPTION_TEXT, AT(config, public_url), .check = check_public_url},
	{"state_dir", OPTION_TEXT, AT(config, state_dir), .text = BELFRY_LOCALSTATEDIR "/lib/belfry", .check = check_path},
	{"run_dir", OPTION_TEXT, AT(config, run_dir), .text = BELFRY_RUNSTATEDIR "/belfry", .check = check_run_dir},
	{"fronts", OPTION_NUMBER, AT(config, fronts), .number = 2, .least = 1, .most = 64},
	{"max_connections", OPTION_NUMBER, AT(config, max_connections), .number = 15000, .least = 1, .most = 60000},
	{"gzip", OPTION_TRUTH, AT(config, gzip), .number = true},
	{"alive_s", OPTION_NUMBER, AT(config, alive_s), .number = 10, .least = 0, .most = 3600},
	{"user_front", OPTION_TEXT, AT(config, user_front.name), .text = "belfry-front", .check = check_role_user},
	{"user_hub", OPTION_TEXT, AT(config, user_hub.name), .text = "belfry-hub", .check = check_role_user},
	{"user_connector", OPTION_TEXT, AT(config, user_connector.name), .text = "belfry-connector",
		.check = check_role_user},
	{"default_domain", OPTION_TEXT, AT(config, default_domain), .check = check_domain},
};

static const struct option hook_options[] = {
	{"mode", OPTION_NUMBER, AT(config_hook, mode), .number = 0666, .least = 0, .most = 0777},
	{"trusted_users", OPTION_TEXTS, AT(config_hook, trusted_users),
		.text = "{\"root\", \"dovecot\", \"vmail\", \"mail\"}"},
	{"rate", OPTION_NUMBER, AT(config_hook, rate), .number = 100, .least = 1, .most = 1000000},
	{"udp", OPTION_TEXT, AT(config_hook, udp), .check = check_address},
	{"udp_key_file", OPTION_TEXT, AT(config_hook, udp_key_file), .check = check_path},
};

static const struct option connector_options[] = {
	{"program", OPTION_TEXT, AT(config_connector, program), .text = "belfry-imap", .check = check_one_line},
	{"domains", OPTION_TEXTS, AT(config_connector, domains), .text = "{\"*\"}", .check = check_domain_or_all},
	{"login", OPTION_WORD, AT(config_connector, login), .number = CONFIG_LOGIN_USER, .words = login_words},
	{"host", OPTION_TEXT, AT(config_connector, host), .text = "127.0.0.1", .check = check_one_line},
	{"port", OPTION_NUMBER, AT(config_connector, port), .number = 0, .least = 1, .most = 65535},
	{"tls", OPTION_WORD, AT(config_connector, tls), .number = CONFIG_TLS_STARTTLS, .words = tls_words},
	{"tls_name", OPTION_TEXT, AT(config_connector, tls_name), .check = check_one_line},
	{"ca_file", OPTION_TEXT, AT(config_connector, ca_file), .check = check_path},
	{"smtp_host", OPTION_TEXT, AT(config_connector, smtp_host), .check = check_one_line},
	{"smtp_port", OPTION_NUMBER, AT(config_connector, smtp_port), .number = 0, .least = 1, .most = 65535},
	{"smtp_tls", OPTION_WORD, AT(config_connector, smtp_tls), .number = CONFIG_TLS_STARTTLS, .words = tls_words},
	{"smtp_tls_name", OPTION_TEXT, AT(config_connector, smtp_tls_name), .check = check_one_line},
	{"smtp_auth", OPTION_WORD, AT(config_connector, smtp_auth), .number = 0, .words = auth_words},
	{"sieve_host", OPTION_TEXT, AT(config_connector, sieve_host), .check = check_one_line},
	{"sieve_port", OPTION_NUMBER, AT(config_connector, sieve_port), .number = 4190, .least = 1, .most = 65535},
	{"sieve_tls", OPTION_WORD, AT(config_connector, sieve_tls), .number = CONFIG_TLS_STARTTLS, .words = tls_words},
	{"sieve_tls_name", OPTION_TEXT, AT(config_connector, sieve_tls_name), .check = check_one_line},
	{"watch_as", OPTION_WORD, AT(config_connector, watch_as), .number = CONFIG_WATCH_SESSION, .words = watch_words},
	{"master_user", OPTION_TEXT, AT(config_connector, master_user), .check = check_one_line},
	{"master_password_file", OPTION_TEXT, AT(config_connector, master_password_file), .check = check_path},
	{"hook", OPTION_WORD, AT(config_connector, hook), .number = CONFIG_HOOK_AUTO, .words = hook_words},
	{"recheck_s", OPTION_NUMBER, AT(config_connector, recheck_s), .number = 300, .least = 10, .most = 86400},
	{"workers", OPTION_NUMBER, AT(config_connector, workers), .number = 4, .least = 1, .most = 256},
	{"timeout_s", OPTION_NUMBER, AT(config_connector, timeout_s), .number = 30, .least = 1, .most = 600},
	{"option", OPTION_TEXTS, AT(config_connector, options), .text = "{}", .check = check_option},
};

/* Heartbeats: MS-ASCMD 2.2.3.79.1 allows 60 to 3540 seconds. WindowSize: 1 to 512 (2.2.3.199). */
static const struct option activesync_options[] = {
	{"heartbeat_min_s", OPTION_NUMBER, AT(activesync_settings, heartbeat_min_s), .number = 60, .least = 1, .most = 3540},
	{"heartbeat_max_s", OPTION_NUMBER, AT(activesync_settings, heartbeat_max_s), .number = 3540, .least = 1, .most = 3540},
	{"max_folders", OPTION_NUMBER, AT(activesync_settings, max_folders), .number = 300, .least = 1, .most = 10000},
	{"window_max", OPTION_NUMBER, AT(activesync_settings, window_max), .number = 512, .least = 1, .most = 512},
	{"max_devices", OPTION_NUMBER, AT(activesync_settings, max_devices), .number = 50, .least = 1, .most = 10000},
	{"max_mail_size", OPTION_NUMBER, AT(activesync_settings, max_mail_size), .number = 26214400, .least = 10240,
		.most = 209715200},
	{"request_burst", OPTION_NUMBER, AT(activesync_settings, request_burst), .number = 1000, .least = 10, .most = 1000000},
	{"requests_per_minute", OPTION_NUMBER, AT(activesync_settings, requests_per_minute), .number = 30, .least = 0, .most = 6000},
};

/* The ranges of MS-ASPROV 2.2.2 */
static const struct option policy_options[] = {
	{"required", OPTION_TRUTH, AT(policy_settings, required), .number = true},
	{"password", OPTION_TRUTH, AT(policy_settings, password), .number = false},
	{"password_min_length", OPTION_NUMBER, AT(policy_settings, password_min_length), .number = 4, .least = 1, .most = 16},
	{"inactivity_lock_s", OPTION_NUMBER, AT(policy_settings, inactivity_lock_s), .number = 900, .least = 0, .most = 9999},
	{"max_failed_attempts", OPTION_NUMBER, AT(policy_settings, max_failed_attempts), .number = 8, .least = 4, .most = 16},
	{"encryption", OPTION_TRUTH, AT(policy_settings, encryption), .number = false},
};

static const struct option_table top_table = OPTION_END_OF(top_options);

/* The sections; a NULL offset means that there are several. */
static const struct section {
	const char *name;
	struct option_table table;
	size_t offset;
} sections[] = {
	{"hook", OPTION_END_OF(hook_options), AT(config, hook)},
	{"activesync", OPTION_END_OF(activesync_options), AT(config, activesync)},
	{"policy", OPTION_END_OF(policy_options), AT(config, policy)},
	{"connector", OPTION_END_OF(connector_options), 0},
};
enum { SECTIONS = sizeof sections / sizeof sections[0], SINGLE_SECTIONS = SECTIONS - 1 };
static const struct option_table *const connector_table = &sections[SINGLE_SECTIONS].table;

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* libconfuse's callbacks carry no pointer of ours: whom to tell while config_load() runs. */
static struct config_complaints *reading;

static void syntax_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof text, format, args);
	config_error(reading, config_here(reading, cfg), "%s; belfry.conf(5) shows what can stand here", text);
}

static const struct option_table *table_of(const cfg_t *cfg)
{
	for (int i = 0; i < SECTIONS; i++)
		if (strcmp(cfg->name, sections[i].name) == 0)
			return &sections[i].table;
	return &top_table;
}

static int value_read(cfg_t *cfg, cfg_opt_t *row)
{
	const struct option *option = option_table_find(table_of(cfg), row->name);

	if (option != NULL)
		option_check_value(reading, cfg, row, option);
	return 0; /* go on: more may be wrong */
}

static int trusted_users_read(cfg_t *cfg, cfg_opt_t *row)
{
	uid_t uid;
	gid_t gid;

	for (unsigned i = 0; i < cfg_opt_size(row); i++)
		if (find_user(cfg_opt_getnstr(row, i), &uid, &gid) < 0)
			config_warning(reading, config_here(reading, cfg), "trusted_users: there is no user %s; left out",
				cfg_opt_getnstr(row, i));
	return 0;
}

static bool is_this_host(const char *host)
{
	return is_loopback(host) || strcmp(host, "localhost") == 0;
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

	if (name != NULL && strcmp(cfg_getstr(connector, tls), "none") == 0 && !is_this_host(name))
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
	return 0;
}

/* -1: told. */
static int read_text(const char *path, struct buffer *text_r)
{
	FILE *file = fopen(path, "re");
	size_t length;

	errno = 0;
	while (file != NULL && (length = fread(buffer_reserve(text_r, PIECE_BYTES), 1, PIECE_BYTES, file)) > 0)
		buffer_grow(text_r, length);
	int code = errno; /* of fopen, or of fread: a folder can be opened */
	if (file != NULL)
		fclose(file);
	if (code != 0)
		config_error(reading, path, "%s", strerror(code));
	return code == 0 ? 0 : -1;
}

static void check_braces(const char *path, const struct buffer *text)
{
	unsigned line = config_open_brace(text->data, text->length);

	if (line != 0) {
		char *here = mem_printf("%s:%u", path, line);
		config_error(reading, here, "what is opened with { here is never closed; put the missing } at its end");
		free(here);
	}
}

/* Whatever stands there, by the tables; NULL when it cannot be read on. */
static cfg_t *read_file(const char *path)
{
	cfg_opt_t *rows = option_table_build(&top_table, SECTIONS + 1), *inner[SECTIONS];

	for (int i = 0; i < SECTIONS; i++) {
		inner[i] = option_table_build(&sections[i].table, 0);
		rows[top_table.count + (size_t)i] = (cfg_opt_t)CFG_SEC((char *)(uintptr_t)sections[i].name, inner[i],
			i < SINGLE_SECTIONS ? CFGF_NONE : CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	}
	rows[top_table.count + SECTIONS] = (cfg_opt_t)CFG_FUNC("include", cfg_include);
	for (size_t i = 0; i < top_table.count; i++)
		rows[i].validcb = value_read;
	for (int i = 0; i < SECTIONS; i++)
		for (size_t n = 0; n < sections[i].table.count; n++)
			inner[i][n].validcb = value_read;
	rows[top_table.count + SINGLE_SECTIONS].validcb = connector_read;
	cfg_t *cfg = cfg_init(rows, CFGF_NONE); /* copies the rows */
	reading->file = cfg;
	cfg_set_error_function(cfg, syntax_error);
	cfg_set_validate_func(cfg, "hook|trusted_users", trusted_users_read);
	for (int i = 0; i < SECTIONS; i++)
		free(inner[i]);
	free(rows);
	int result = cfg_parse(cfg, path);
	if (result == CFG_FILE_ERROR)
		config_error(reading, path, "%s", strerror(errno));
	if (result == CFG_SUCCESS)
		return cfg;
	cfg_free(cfg);
	return NULL;
}

/* --- from what stands there to struct config -------------------------------------------------------------------- */

static void lower(char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

static void resolve_user(struct config_user *user)
{
	user->uid = geteuid();
	user->gid = getegid();
	if (user->uid == 0)
		find_user(user->name, &user->uid, &user->gid);
}

static void resolve_trusted(struct config_hook *hook)
{
	uid_t uid;
	gid_t gid;

	hook->trusted = mem_alloc_array(hook->trusted_users.count + 1, sizeof *hook->trusted);
	for (size_t i = 0; i < hook->trusted_users.count; i++)
		if (find_user(hook->trusted_users.items[i], &uid, &gid) == 0)
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

/* The first line of the file, without its end; free it wiped. NULL with error_r. */
static char *read_secret(const char *path, struct error *error_r)
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

static void free_secret(char *secret)
{
	if (secret != NULL)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

static void check_secret(const struct config_connector *connector)
{
	const char *path = connector->master_password_file;
	struct error error;
	struct stat status;
	char *secret = read_secret(path, &error);

	if (secret == NULL)
		config_error(reading, NULL, "connector \"%s\": master_password_file %s; the master user's password stands there, "
			"in the first line", connector->name, error.text);
	else if (stat(path, &status) == 0 && (status.st_mode & 077) != 0)
		config_warning(reading, path, "others can read this secret; chmod 600 %s", path);
	free_secret(secret);
}

static void store_connector(struct config_connector *connector, cfg_t *cfg)
{
	option_table_store(connector_table, cfg, connector);
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
		check_secret(connector);
}

static struct config *store(cfg_t *cfg)
{
	struct config *config = mem_alloc(sizeof *config);

	option_table_store(&top_table, cfg, config);
	for (int i = 0; i < SINGLE_SECTIONS; i++)
		option_table_store(&sections[i].table, cfg_getsec(cfg, sections[i].name), (char *)config + sections[i].offset);
	lower(config->default_domain);
	resolve_user(&config->user_front);
	resolve_user(&config->user_hub);
	resolve_user(&config->user_connector);
	resolve_trusted(&config->hook);
	resolve_proxies(config);
	config->connector_count = cfg_size(cfg, "connector");
	config->connectors = mem_alloc_array(config->connector_count + 1, sizeof *config->connectors);
	for (size_t i = 0; i < config->connector_count; i++)
		store_connector(&config->connectors[i], cfg_getnsec(cfg, "connector", (unsigned)i));
	return config;
}

/* --- how it fits together --------------------------------------------------------------------------------------- */

static const struct config_connector *find_domain(const struct config *config, const char *domain,
	const struct config_connector *before)
{
	for (size_t i = 0; i < config->connector_count && &config->connectors[i] != before; i++)
		for (size_t n = 0; n < config->connectors[i].domains.count; n++)
			if (strcmp(config->connectors[i].domains.items[n], domain) == 0)
				return &config->connectors[i];
	return NULL;
}

static void check_domains(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->connector_count; i++) {
		const struct config_connector *connector = &config->connectors[i];
		for (size_t n = 0; n < connector->domains.count; n++) {
			const struct config_connector *other = find_domain(config, connector->domains.items[n], connector);
			if (other != NULL)
				config_error(reading, path, "connectors \"%s\" and \"%s\" both serve %s; give each its own domains",
					other->name, connector->name, connector->domains.items[n]);
		}
	}
	if (config->default_domain != NULL && config_instance_for(config, config->default_domain) == NULL)
		config_error(reading, path, "no connector serves default_domain %s; name it in domains, or have one with \"*\"",
			config->default_domain);
}

static void check_users(const struct config *config, const char *path)
{
	uid_t front = config->user_front.uid, hub = config->user_hub.uid, connector = config->user_connector.uid;

	if (geteuid() == 0 && (front == hub || front == connector || hub == connector))
		config_warning(reading, path, "two roles have the same user: one can then read the other's memory and files");
}

static void check_together(const struct config *config, const char *path)
{
	bool has_tls = config->listen.count > 0;

	if (!has_tls && config->listen_plain.count == 0 && config->listen_proxy.count == 0)
		config_error(reading, path, "nothing listens; give listen (or listen_plain, listen_proxy) an address");
	if (config->listen_plain.count > 0 && config->trusted_proxies.count == 0)
		config_warning(reading, path, "listen_plain without trusted_proxies: no X-Forwarded-For is believed, so that all "
			"phones behind the proxy count as one address; trusted_proxies = {\"127.0.0.1\"} names it");
	if (has_tls && (config->certificate == NULL || config->key == NULL))
		config_error(reading, path, "certificate and key are missing; phones speak TLS only "
			"(behind a proxy that does TLS: listen = {} and listen_plain)");
	if (config->connector_count == 0)
		config_error(reading, path, "no connector: add a section connector \"main\" { ... } for the mail server");
	if (config->activesync.heartbeat_min_s > config->activesync.heartbeat_max_s)
		config_error(reading, path, "heartbeat_min_s is above heartbeat_max_s");
	if ((config->hook.udp == NULL) != (config->hook.udp_key_file == NULL))
		config_error(reading, path, "hook: udp and udp_key_file go together");
	check_domains(config, path);
	check_users(config, path);
}

struct config *config_load(const char *path, config_complain *tell, void *data)
{
	struct config_complaints complaints = {.tell = tell, .data = data};
	struct config *config = NULL;
	struct buffer text = BUFFER_EMPTY;

	reading = &complaints;
	cfg_t *cfg = read_text(path, &text) < 0 ? NULL : read_file(path);
	if (cfg != NULL) {
		check_braces(path, &text);
		config = store(cfg);
		cfg_free(cfg);
		check_together(config, path);
	}
	reading = NULL;
	buffer_release(&text);
	if (complaints.errors > 0)
		config_free(&config);
	return config;
}

void config_free(struct config **owner)
{
	struct config *config = *owner;

	if (config == NULL)
		return;
	for (size_t i = 0; i < config->connector_count; i++) {
		option_table_free(connector_table, &config->connectors[i]);
		free(config->connectors[i].name);
	}
	free(config->connectors);
	free(config->hook.trusted);
	free(config->trusted);
	for (int i = 0; i < SINGLE_SECTIONS; i++)
		option_table_free(&sections[i].table, (char *)config + sections[i].offset);
	option_table_free(&top_table, config);
	free(config);
	*owner = NULL;
}

/* --- questions -------------------------------------------------------------------------------------------------- */

const struct config_connector *config_instance_for(const struct config *config, const char *user)
{
	const char *domain = strchr(user, '@') == NULL ? user : user_domain(user);
	const struct config_connector *connector = find_domain(config, domain, NULL);

	return connector != NULL ? connector : find_domain(config, "*", NULL);
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

int config_connector_settings(const struct config_connector *connector, struct buffer *settings_r,
	struct error *error_r)
{
	if (connector->watch_as == CONFIG_WATCH_MASTER) {
		char *secret = read_secret(connector->master_password_file, error_r);
		if (secret == NULL)
			return -1;
		buffer_reserve(settings_r, SETTINGS_MAX); /* never moved: a move would leave a copy behind */
		buffer_printf(settings_r, "master_user=%s\nmaster_password=%s\n", connector->master_user, secret);
		free_secret(secret);
	}
	buffer_printf(settings_r, "name=%s\nlogin=%s\nhost=%s\nport=%u\ntls=%s\ntls_name=%s\nwatch_as=%s\nhook=%s\n",
		connector->name, login_words[connector->login], connector->host, connector->port, tls_words[connector->tls],
		connector->tls_name, watch_words[connector->watch_as], hook_words[connector->hook]);
	buffer_printf(settings_r, "recheck_s=%u\nworkers=%u\ntimeout_s=%u\n", connector->recheck_s, connector->workers,
		connector->timeout_s);
	if (connector->ca_file != NULL)
		buffer_printf(settings_r, "ca_file=%s\n", connector->ca_file);
	if (connector->smtp_host != NULL)
		buffer_printf(settings_r, "smtp_host=%s\nsmtp_port=%u\nsmtp_tls=%s\nsmtp_tls_name=%s\nsmtp_auth=%s\n",
			connector->smtp_host, connector->smtp_port, tls_words[connector->smtp_tls], connector->smtp_tls_name,
			auth_words[connector->smtp_auth]);
	if (connector->sieve_host != NULL)
		buffer_printf(settings_r, "sieve_host=%s\nsieve_port=%u\nsieve_tls=%s\nsieve_tls_name=%s\n", connector->sieve_host,
			connector->sieve_port, tls_words[connector->sieve_tls], connector->sieve_tls_name);
	for (size_t i = 0; i < connector->options.count; i++)
		buffer_printf(settings_r, "%s\n", connector->options.items[i]);
	return 0;
}

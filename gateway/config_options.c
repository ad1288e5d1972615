/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every option of belfry.conf: its type, default and bounds, and where its value goes. */
#include "gateway/config_internal.h"

#define OPTION_END_OF(array) {array, sizeof array / sizeof array[0]}
#define AT(type, member) offsetof(struct type, member)

const char *const config_login_words[] = {"user", "full", NULL};
const char *const config_tls_words[] = {"none", "starttls", "tls", NULL};
const char *const config_auth_words[] = {"plain", "none", NULL};
const char *const config_watch_words[] = {"none", "session", "master", NULL};
const char *const config_hook_words[] = {"auto", "yes", "no", NULL};

static const struct option top_options[] = {
	{"listen", OPTION_TEXTS, AT(config, listen), .text = "{\"443\"}", .check = config_check_address},
	{"listen_plain", OPTION_TEXTS, AT(config, listen_plain), .text = "{}", .check = config_check_plain_address},
	{"listen_proxy", OPTION_TEXTS, AT(config, listen_proxy), .text = "{}", .check = config_check_plain_address},
	{"trusted_proxies", OPTION_TEXTS, AT(config, trusted_proxies), .text = "{}", .check = config_check_network},
	{"metrics", OPTION_TEXT, AT(config, metrics), .check = config_check_metrics},
	{"certificate", OPTION_TEXT, AT(config, certificate), .check = config_check_path},
	{"key", OPTION_TEXT, AT(config, key), .check = config_check_path},
	{"public_url", OPTION_TEXT, AT(config, public_url), .check = config_check_public_url},
	{"state_dir", OPTION_TEXT, AT(config, state_dir), .text = BELFRY_LOCALSTATEDIR "/lib/belfry",
		.check = config_check_path},
	{"run_dir", OPTION_TEXT, AT(config, run_dir), .text = BELFRY_RUNSTATEDIR "/belfry", .check = config_check_run_dir},
	{"fronts", OPTION_NUMBER, AT(config, fronts), .number = 2, .least = 1, .most = 64},
	{"max_connections", OPTION_NUMBER, AT(config, max_connections), .number = 15000, .least = 1, .most = 60000},
	{"gzip", OPTION_TRUTH, AT(config, gzip), .number = true},
	{"alive_s", OPTION_NUMBER, AT(config, alive_s), .number = 10, .least = 0, .most = 3600},
	{"user_front", OPTION_TEXT, AT(config, user_front.name), .text = "belfry-front", .check = config_check_user},
	{"user_hub", OPTION_TEXT, AT(config, user_hub.name), .text = "belfry-hub", .check = config_check_user},
	{"user_connector", OPTION_TEXT, AT(config, user_connector.name), .text = "belfry-connector",
		.check = config_check_user},
	{"default_domain", OPTION_TEXT, AT(config, default_domain), .check = config_check_domain},
};

static const struct option hook_options[] = {
	{"mode", OPTION_NUMBER, AT(config_hook, mode), .number = 0666, .least = 0, .most = 0777},
	{"trusted_users", OPTION_TEXTS, AT(config_hook, trusted_users), .text = CONFIG_TRUSTED_USERS},
	{"rate", OPTION_NUMBER, AT(config_hook, rate), .number = 100, .least = 1, .most = 1000000},
	{"udp", OPTION_TEXT, AT(config_hook, udp), .check = config_check_address},
	{"udp_key_file", OPTION_TEXT, AT(config_hook, udp_key_file), .check = config_check_path},
};

static const struct option connector_options[] = {
	{"program", OPTION_TEXT, AT(config_connector, program), .text = "belfry-imap", .check = config_check_one_line},
	{"domains", OPTION_TEXTS, AT(config_connector, domains), .text = "{\"*\"}", .check = config_check_domain_or_all},
	{"login", OPTION_WORD, AT(config_connector, login), .number = CONFIG_LOGIN_USER, .words = config_login_words},
	{"host", OPTION_TEXT, AT(config_connector, host), .text = "127.0.0.1", .check = config_check_one_line},
	{"port", OPTION_NUMBER, AT(config_connector, port), .number = 0, .least = 1, .most = 65535},
	{"tls", OPTION_WORD, AT(config_connector, tls), .number = CONFIG_TLS_STARTTLS, .words = config_tls_words},
	{"tls_name", OPTION_TEXT, AT(config_connector, tls_name), .check = config_check_one_line},
	{"ca_file", OPTION_TEXT, AT(config_connector, ca_file), .check = config_check_path},
	{"smtp_host", OPTION_TEXT, AT(config_connector, smtp_host), .check = config_check_one_line},
	{"smtp_port", OPTION_NUMBER, AT(config_connector, smtp_port), .number = 0, .least = 1, .most = 65535},
	{"smtp_tls", OPTION_WORD, AT(config_connector, smtp_tls), .number = CONFIG_TLS_STARTTLS, .words = config_tls_words},
	{"smtp_tls_name", OPTION_TEXT, AT(config_connector, smtp_tls_name), .check = config_check_one_line},
	{"smtp_auth", OPTION_WORD, AT(config_connector, smtp_auth), .number = 0, .words = config_auth_words},
	{"sieve_host", OPTION_TEXT, AT(config_connector, sieve_host), .check = config_check_one_line},
	{"sieve_port", OPTION_NUMBER, AT(config_connector, sieve_port), .number = 4190, .least = 1, .most = 65535},
	{"sieve_tls", OPTION_WORD, AT(config_connector, sieve_tls), .number = CONFIG_TLS_STARTTLS, .words = config_tls_words},
	{"sieve_tls_name", OPTION_TEXT, AT(config_connector, sieve_tls_name), .check = config_check_one_line},
	{"watch_as", OPTION_WORD, AT(config_connector, watch_as), .number = CONFIG_WATCH_SESSION, .words = config_watch_words},
	{"master_user", OPTION_TEXT, AT(config_connector, master_user), .check = config_check_one_line},
	{"master_password_file", OPTION_TEXT, AT(config_connector, master_password_file), .check = config_check_path},
	{"hook", OPTION_WORD, AT(config_connector, hook), .number = CONFIG_HOOK_AUTO, .words = config_hook_words},
	{"recheck_s", OPTION_NUMBER, AT(config_connector, recheck_s), .number = 300, .least = 10, .most = 86400},
	{"workers", OPTION_NUMBER, AT(config_connector, workers), .number = 4, .least = 1, .most = 256},
	{"timeout_s", OPTION_NUMBER, AT(config_connector, timeout_s), .number = 30, .least = 1, .most = 600},
	{"option", OPTION_TEXTS, AT(config_connector, options), .text = "{}", .check = config_check_option},
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

const struct option_table config_top_table = OPTION_END_OF(top_options);

const struct config_section config_sections[CONFIG_SECTIONS] = {
	{"hook", OPTION_END_OF(hook_options), AT(config, hook)},
	{"activesync", OPTION_END_OF(activesync_options), AT(config, activesync)},
	{"policy", OPTION_END_OF(policy_options), AT(config, policy)},
	{"connector", OPTION_END_OF(connector_options), 0},
};

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The configuration, belfry.conf(5), as plain data, read once by main. It holds paths of secrets, never a secret: the
 * roles are forked with it.
 */
#ifndef BELFRY_GATEWAY_CONFIG_H
#define BELFRY_GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "gateway/service/settings.h"
#include "gateway/service/user.h"
#include "lib/core/buffer.h"
#include "lib/core/error.h"
#include "lib/net/ip.h"

#define CONFIG_DEFAULT_PATH BELFRY_SYSCONFDIR "/belfry/belfry.conf"

struct config_strings {
	char **items;
	size_t count;
};

#define CONFIG_NO_USER ((uid_t)-1) /* the system has none of that name */

/* A role's user, resolved. */
struct config_user {
	char *name;
	uid_t uid;
	gid_t gid;
};

struct config_hook {
	unsigned mode;              /* of the socket */
	struct config_strings trusted_users;
	uid_t *trusted;             /* of them: who may tell of everybody's mail */
	size_t trusted_count;
	unsigned rate;              /* messages a second from one foreign user */
	char *udp;                  /* NULL: none */
	char *udp_key_file;         /* NULL when udp is */
};

enum config_login { CONFIG_LOGIN_USER, CONFIG_LOGIN_FULL };
enum config_tls { CONFIG_TLS_NONE, CONFIG_TLS_STARTTLS, CONFIG_TLS_DIRECT };
enum config_watch { CONFIG_WATCH_NONE, CONFIG_WATCH_SESSION, CONFIG_WATCH_MASTER };
enum config_hooked { CONFIG_HOOK_AUTO, CONFIG_HOOK_YES, CONFIG_HOOK_NO };

/* One backend. */
struct config_connector {
	char *name;
	char *program;              /* a path, or a name in libexec/belfry */
	struct config_strings domains; /* lower case; "*": all that no other connector names */
	enum config_login login;
	char *host;
	unsigned port;
	enum config_tls tls;
	char *tls_name;             /* never NULL */
	char *ca_file;              /* NULL: the system's */
	char *smtp_host;            /* NULL: nothing can be sent */
	unsigned smtp_port;
	enum config_tls smtp_tls;
	char *smtp_tls_name;        /* NULL when smtp_host is */
	int smtp_auth;              /* 0: plain */
	char *sieve_host;           /* NULL: phones cannot answer mails while their user is out of office */
	unsigned sieve_port;
	enum config_tls sieve_tls;
	char *sieve_tls_name;       /* NULL when sieve_host is */
	enum config_watch watch_as;
	char *master_user;          /* NULL: none */
	char *master_password_file; /* NULL: none */
	enum config_hooked hook;
	unsigned recheck_s;
	unsigned workers;
	unsigned timeout_s;
	struct config_strings options; /* "key=value" for connectors of others */
};

struct config {
	struct config_strings listen, listen_plain, listen_proxy;
	struct config_strings trusted_proxies;
	struct ip_network *trusted; /* of them: whose X-Forwarded-For is believed */
	size_t trusted_count;
	char *metrics;              /* an address; NULL: none */
	char *certificate, *key;    /* paths; NULL when nothing listens with TLS */
	char *public_url;           /* "https://HOST[:PORT]"; NULL: none */
	char *state_dir, *run_dir;
	unsigned fronts;
	unsigned max_connections;   /* of one front */
	bool gzip;                  /* answers are compressed for phones that take it */
	unsigned alive_s;           /* how often each process is asked whether it lives; 0: never */
	struct config_user user_front, user_hub, user_connector;
	char *default_domain;       /* lower case; NULL: none */
	struct config_hook hook;
	struct config_connector *connectors;
	size_t connector_count;     /* at least 1 */
	struct activesync_settings activesync;
	struct policy_settings policy;
};

/* Where complaints go: one line each, "FILE:LINE: what is wrong; what to do". */
typedef void config_complain(const char *text, bool is_error, void *data);

/* Reads and checks the text itself. NULL after at least one error was told. */
struct config *config_load(const char *path, config_complain *, void *data);
void config_free(struct config **);
/* The same and, whatever is wrong with the text, the world against it (belfryd -t): users, files, certificates, folders,
 * programs, addresses. How many errors were told. */
unsigned config_test(const char *path, config_complain *, void *data);
/* The world alone. */
unsigned config_check_world(const struct config *, config_complain *, void *data);

/* The connector that serves this canonical user: the one that names its domain, else the one with "*". NULL: none. */
const struct config_connector *config_instance_for(const struct config *, const char *user);
const struct config_connector *config_instance_named(const struct config *, const char *name);
/* user_canonical() with the default domain. */
int config_canonical_user(const struct config *, const char *login, char user_r[USER_MAX + 1], struct error *error_r);
/* The name by which the backend knows the canonical user (login = "user" or "full"). */
void config_backend_user(const struct config_connector *, const char *user, char name_r[USER_MAX + 1]);

/* What a connector daemon reads from descriptor 4: "key=value" lines with the keys of its section, master_password
 * (read from its file now) instead of the file, then its options. Holds a secret: wipe it. -1: the file is unreadable. */
int config_connector_settings(const struct config_connector *, struct buffer *settings_r, struct error *error_r);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings of belfry-imap, with their defaults and bounds. */
#include "connectors/imap/settings.h"

#include <stddef.h>
#include <string.h>

#include "connectors/contract.h"

static const char *const tls_words[] = {"starttls", "tls", "none", NULL};
static const char *const watch_as_words[] = {"master", "session", "none", NULL};
static const char *const login_words[] = {"user", "full", NULL};
static const char *const auth_words[] = {"plain", "none", NULL};

static const struct number {
	const char *key;
	size_t offset;
	long otherwise, least, most;
} numbers[] = {
	{"timeout_s", offsetof(struct imap_settings, timeout_s), 30, 1, 600},
	{"workers", offsetof(struct imap_settings, workers), 4, 1, 256},
	{"logins_max", offsetof(struct imap_settings, logins_max), 32, 1, 1000},
	{"sessions_max", offsetof(struct imap_settings, sessions_max), 10000, 1, 1000000},
	{"login_ttl_s", offsetof(struct imap_settings, login_ttl_s), CONNECTOR_LOGIN_TTL_S, 0, 86400},
	{"linger_s", offsetof(struct imap_settings, linger_s), 60, 0, 1500},
	{"poll_s", offsetof(struct imap_settings, poll_s), 30, 1, 3600},
	{"poll_most_s", offsetof(struct imap_settings, poll_most_s), 300, 1, 3600},
	{"worker_idle_s", offsetof(struct imap_settings, worker_idle_s), 300, 1, 86400},
};

static int read_numbers(struct imap_settings *settings, struct error *error_r)
{
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		const struct number *number = &numbers[i];
		long value;
		if (settings_number(settings->text, number->key, number->otherwise, number->least, number->most, &value,
			error_r) < 0)
			return -1;
		*(int *)((char *)settings + number->offset) = (int)value;
	}
	long port;
	long usual = settings->tls == IMAP_TLS_IMPLICIT ? 993 : 143;
	if (settings_number(settings->text, "port", usual, 1, 65535, &port, error_r) < 0)
		return -1;
	settings->port = (int)port;
	usual = settings->smtp_tls == IMAP_TLS_IMPLICIT ? 465 : 587;
	if (settings_number(settings->text, "smtp_port", usual, 1, 65535, &port, error_r) < 0)
		return -1;
	settings->smtp_port = (int)port;
	if (settings_number(settings->text, "sieve_port", 4190, 1, 65535, &port, error_r) < 0)
		return -1;
	settings->sieve_port = (int)port;
	return 0;
}

static bool is_this_host(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int read_words(struct imap_settings *settings, struct error *error_r)
{
	int tls, watch_as, login;

	if (settings_choice(settings->text, "tls", tls_words, IMAP_TLS_STARTTLS, &tls, error_r) < 0
		|| settings_choice(settings->text, "watch_as", watch_as_words, IMAP_WATCH_AS_SESSION, &watch_as, error_r) < 0
		|| settings_choice(settings->text, "login", login_words, 0, &login, error_r) < 0)
		return -1;
	settings->tls = (enum imap_tls)tls;
	settings->watch_as = (enum imap_watch_as)watch_as;
	settings->login_is_full = login == 1;
	if (settings->tls == IMAP_TLS_NONE && !is_this_host(settings->host))
		return error_set(error_r, "tls = none: passwords would cross the network to %s in clear; use starttls or tls",
			settings->host);
	if (settings->watch_as == IMAP_WATCH_AS_MASTER
		&& (settings->master_user == NULL || settings->master_password == NULL))
		return error_set(error_r, "watch_as = master needs master_user and master_password_file");
	return 0;
}

static int read_smtp_words(struct imap_settings *settings, struct error *error_r)
{
	int tls, auth;

	if (settings_choice(settings->text, "smtp_tls", tls_words, IMAP_TLS_STARTTLS, &tls, error_r) < 0
		|| settings_choice(settings->text, "smtp_auth", auth_words, 0, &auth, error_r) < 0)
		return -1;
	settings->smtp_tls = (enum imap_tls)tls;
	settings->smtp_has_login = auth == 0;
	if (settings->smtp_host != NULL && settings->smtp_tls == IMAP_TLS_NONE && !is_this_host(settings->smtp_host))
		return error_set(error_r, "smtp_tls = none: mails and passwords would cross the network to %s in clear; "
			"use starttls or tls", settings->smtp_host);
	return 0;
}

static int read_sieve_words(struct imap_settings *settings, struct error *error_r)
{
	int tls;

	if (settings_choice(settings->text, "sieve_tls", tls_words, IMAP_TLS_STARTTLS, &tls, error_r) < 0)
		return -1;
	settings->sieve_tls = (enum imap_tls)tls;
	if (settings->sieve_host != NULL && settings->sieve_tls == IMAP_TLS_NONE && !is_this_host(settings->sieve_host))
		return error_set(error_r, "sieve_tls = none: passwords would cross the network to %s in clear; use starttls or tls",
			settings->sieve_host);
	return 0;
}

int imap_settings_from(struct settings *text, struct imap_settings *settings_r, struct error *error_r)
{
	*settings_r = (struct imap_settings){.text = text};
	settings_r->name = settings_text(text, "name", "imap");
	settings_r->host = settings_text(text, "host", "127.0.0.1");
	settings_r->tls_name = settings_text(text, "tls_name", settings_r->host);
	settings_r->ca_file = settings_text(text, "ca_file", "");
	settings_r->master_user = settings_text(text, "master_user", NULL);
	settings_r->master_password = settings_text(text, "master_password", NULL);
	settings_r->smtp_host = settings_text(text, "smtp_host", NULL);
	settings_r->smtp_tls_name = settings_text(text, "smtp_tls_name", settings_r->smtp_host);
	settings_r->sieve_host = settings_text(text, "sieve_host", NULL);
	settings_r->sieve_tls_name = settings_text(text, "sieve_tls_name", settings_r->sieve_host);
	if (read_words(settings_r, error_r) < 0 || read_smtp_words(settings_r, error_r) < 0
		|| read_sieve_words(settings_r, error_r) < 0 || read_numbers(settings_r, error_r) < 0) {
		imap_settings_free(settings_r);
		return -1;
	}
	return 0;
}

int imap_settings_read(int fd, struct imap_settings *settings_r, struct error *error_r)
{
	struct settings *text = settings_read(fd, error_r);

	*settings_r = (struct imap_settings){0};
	return text == NULL ? -1 : imap_settings_from(text, settings_r, error_r);
}

void imap_settings_free(struct imap_settings *settings)
{
	settings_free(&settings->text);
}

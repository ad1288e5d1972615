/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the admin set for one IMAP backend; read alike by the daemon and its workers. */
#ifndef BELFRY_CONNECTORS_IMAP_SETTINGS_H
#define BELFRY_CONNECTORS_IMAP_SETTINGS_H

#include <stdbool.h>

#include "connectors/settings.h"

enum imap_tls { IMAP_TLS_STARTTLS, IMAP_TLS_IMPLICIT, IMAP_TLS_NONE };
enum imap_watch_as { IMAP_WATCH_AS_MASTER, IMAP_WATCH_AS_SESSION, IMAP_WATCH_AS_NONE };

/* Defaults and bounds of the numbers; each can be set as option = {"key=value"}. */
struct imap_settings {
	struct settings *text;   /* where the strings live */
	const char *name;        /* of the instance */
	const char *host;        /* name or numeric address */
	const char *tls_name;    /* the name that the certificate must have */
	const char *ca_file;     /* "": the system's */
	const char *master_user, *master_password; /* NULL unless watch_as is master */
	/* Where mail is handed in for sending. */
	const char *smtp_host;   /* NULL: nowhere */
	const char *smtp_tls_name;
	enum imap_tls smtp_tls;
	bool smtp_has_login;     /* as the user, by AUTH PLAIN; else the server knows us by our address */
	int smtp_port;
	/* Where Sieve scripts are kept. */
	const char *sieve_host;  /* NULL: nowhere */
	const char *sieve_tls_name;
	enum imap_tls sieve_tls;
	int sieve_port;
	bool login_is_full;      /* the backend knows alice@example.org, not alice */
	enum imap_tls tls;
	enum imap_watch_as watch_as;
	int port;
	int timeout_s;           /* a request, and any single wait for the backend */
	int workers;             /* processes at the most */
	int logins_max;          /* verifications at the backend at the same time */
	int sessions_max;        /* of the watch half, in all */
	int login_ttl_s;         /* how long a verified password is taken without asking the backend */
	int linger_s;            /* a session opened for a Check stays that long for the next one */
	int poll_s;              /* shortest interval where polling is all that is left */
	int poll_most_s;         /* longest */
	int worker_idle_s;       /* a worker without work ends after this */
};

/* NULL-initialised by the caller; frees with imap_settings_free. -1 with error_r: which setting, why, what instead. */
int imap_settings_read(int fd, struct imap_settings *settings_r, struct error *error_r);
int imap_settings_from(struct settings *, struct imap_settings *settings_r, struct error *error_r); /* takes it over */
void imap_settings_free(struct imap_settings *);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a header to a user, and the refusals of logins. */
#include "gateway/service/login.h"

#include "gateway/service/user.h"
#include "lib/http/basic.h"

int login_read(struct http_exchange *exchange, const struct directory *directory, struct login *login_r)
{
	char user[USER_MAX + 1];
	const char *name;

	if (http_basic(exchange, &name, &login_r->password) < 0 ||
	    user_canonical(name, directory->default_domain, user, NULL) < 0)
		return -1;
	login_r->user = arena_strdup(exchange->arena, user);
	login_r->instance = directory->instance_for(directory, user);
	return 0;
}

static void begin(struct http_response *response, unsigned status, const char *text)
{
	*response = HTTP_RESPONSE(status);
	http_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	http_response_string(response, text);
}

void login_challenge(struct http_response *response_r)
{
	begin(response_r, 401, "user and password, please");
	http_response_header(response_r, "WWW-Authenticate", "Basic realm=\"ActiveSync\"");
}

void login_refused(const Belfry__Connector__Response *login, struct http_response *response_r)
{
	unsigned wait_s = LOGIN_RETRY_AFTER_S;

	if (login->status == BELFRY__CONNECTOR__STATUS__REFUSED) {
		login_challenge(response_r);
		return;
	}
	if (login->logged_in != NULL && login->logged_in->retry_after_s != 0)
		wait_s = login->logged_in->retry_after_s;
	begin(response_r, 503, "the login cannot be checked now; come again");
	http_response_header(response_r, "Retry-After", "%u", wait_s);
}

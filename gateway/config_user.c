/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users of the system, by name or number; and those of the roles. */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/config_internal.h"

enum { USERS_MAX_ID = 0x7fffffff };

int config_user_find(const char *name, uid_t *uid_r, gid_t *gid_r)
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

void config_user_resolve(struct config_user *user)
{
	user->uid = geteuid(); /* without root all roles run as whoever started us */
	user->gid = getegid();
	if (user->uid != 0)
		return;
	user->uid = CONFIG_NO_USER;
	config_user_find(user->name, &user->uid, &user->gid);
}

void config_check_users(struct config_complaints *complaints, const struct config *config)
{
	const struct {
		const char *option;
		const struct config_user *user;
	} users[] = {
		{"user_front", &config->user_front}, {"user_hub", &config->user_hub}, {"user_connector", &config->user_connector},
	};

	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
		if (users[i].user->uid == CONFIG_NO_USER)
			config_error(complaints, NULL, "%s = \"%s\": there is no such user; systemd-sysusers makes those of the package, "
				"adduser --system --group %s another", users[i].option, users[i].user->name, users[i].user->name);
}

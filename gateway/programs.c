/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the programs are that main starts. */
#include "gateway/programs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of the running program, without the slash; "" when it is not known. */
static void own_folder(char path_r[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path_r, PATH_MAX - 1);

	path_r[length < 0 ? 0 : length] = '\0';
	char *slash = strrchr(path_r, '/');
	if (slash != NULL)
		*slash = '\0';
}

int program_find(const char *name, char path_r[PATH_MAX], struct error *error_r)
{
	char own[PATH_MAX];

	if (strchr(name, '/') != NULL) {
		snprintf(path_r, PATH_MAX, "%s", name);
		return access(path_r, X_OK) == 0 ? 0 : error_set(error_r, "%s: %s", name, strerror(errno));
	}
	snprintf(path_r, PATH_MAX, "%s/%s", BELFRY_LIBEXECDIR, name);
	if (access(path_r, X_OK) == 0)
		return 0;
	own_folder(own);
	if (snprintf(path_r, PATH_MAX, "%s/%s", own, name) < PATH_MAX && access(path_r, X_OK) == 0)
		return 0;
	return error_set(error_r, "there is no program %s in %s", name, BELFRY_LIBEXECDIR);
}

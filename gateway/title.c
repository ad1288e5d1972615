/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ps shows of a role: written over the arguments, which is where ps looks (Linux has no call for it). */
#include "gateway/title.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/core/mem.h"

static struct {
	char *start;
	size_t size;
} room;

/* The strings lie one after the other: arguments, then environment. */
static void copy_strings(char **strings)
{
	for (; *strings != NULL; strings++) {
		if (room.start != NULL && *strings == room.start + room.size)
			room.size += strlen(*strings) + 1;
		*strings = mem_strdup(*strings);
	}
}

void title_init(int argc, char **argv)
{
	size_t count = 0;

	if (argc == 0)
		return;
	room.start = argv[0];
	copy_strings(argv);
	while (environ[count] != NULL)
		count++;
	environ = mem_dup(environ, (count + 1) * sizeof *environ);
	copy_strings(environ);
}

void title_set(const char *title)
{
	const char *colon = strstr(title, ": ");

	prctl(PR_SET_NAME, colon == NULL ? title : colon + 2);
	if (room.size == 0)
		return;
	memset(room.start, 0, room.size);
	snprintf(room.start, room.size, "%s", title);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plays transcripts, all or those named or made by chance: "replay [-w WAY] [-c WRITE] [-r FIRST-LAST] [FILE.rpl…]". */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/replay/chance.h"
#include "tests/replay/play.h"

enum {
	CUTS_MAX = 2000,
	CHANCES = 3 /* transcripts by chance that "make check" plays; more are for a night */
};

struct choice {
	int way;      /* -1: all */
	unsigned cut; /* 0: after every write */
};

static unsigned played, failed;

/* False: it failed. */
static bool play_one(const struct script *script, enum way way, unsigned cut, unsigned *writes_r)
{
	struct buffer failure;
	bool skipped, passed = play_script(script, way, cut, &skipped, writes_r, &failure);

	played += !skipped;
	if (!passed) {
		printf("FAIL (%s", way_names[way]);
		if (way >= WAY_CUT)
			printf(" after write %u", cut);
		printf(") %s\n", buffer_string(&failure));
	}
	buffer_release(&failure);
	return passed;
}

static bool play_cuts(const struct script *script, enum way way, const struct choice *choice)
{
	unsigned writes = CUTS_MAX, ignored;
	bool passed = true;

	if (choice->cut != 0)
		return play_one(script, way, choice->cut, &ignored);
	play_one(script, WAY_PLAIN, 0, &writes);
	for (unsigned cut = 1; cut <= writes && cut <= CUTS_MAX && passed; cut++)
		passed = play_one(script, way, cut, &ignored);
	return passed;
}

static bool play_all_ways(const struct script *script, const struct choice *choice)
{
	unsigned before = played, writes;
	bool passed = true;

	for (int way = 0; passed && way < WAYS; way++) {
		if (choice->way >= 0 && choice->way != way)
			continue;
		passed = way >= WAY_CUT ? play_cuts(script, (enum way)way, choice)
			: play_one(script, (enum way)way, 0, &writes);
	}
	if (passed)
		printf("PASS %s (%u plays)\n", script->path, played - before);
	failed += !passed;
	fflush(stdout);
	return passed;
}

static void play_file(const char *path, const struct choice *choice)
{
	struct arena *arena = arena_create(0);
	struct script script;
	struct error error;

	if (script_read(path, arena, &script, &error) == 0)
		play_all_ways(&script, choice);
	else {
		printf("FAIL %s\n", error.text);
		failed++;
	}
	arena_free(&arena);
}

static void play_chance(unsigned number, const struct choice *choice)
{
	struct arena *arena = arena_create(0);
	struct buffer text = BUFFER_EMPTY;
	struct script script;
	struct error error;

	chance_write(number, &text);
	if (script_parse(arena_printf(arena, "chance-%u.rpl", number), buffer_string(&text), arena, &script, &error) < 0) {
		printf("FAIL %s\n", error.text);
		failed++;
	} else if (!play_all_ways(&script, choice))
		printf("The transcript:\n%s", buffer_string(&text));
	buffer_release(&text);
	arena_free(&arena);
}

static int is_transcript(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && strcmp(entry->d_name + length - 4, ".rpl") == 0;
}

static void play_folder(const char *folder, const struct choice *choice)
{
	struct dirent **entries;
	char path[2048];
	int count = scandir(folder, &entries, is_transcript, alphasort);

	if (count <= 0) {
		printf("FAIL %s: no transcripts\n", folder);
		failed++;
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		play_file(path, choice);
		free(entries[i]);
	}
	free(entries);
}

static int way_by_name(const char *name)
{
	for (int way = 0; way < WAYS; way++)
		if (strcmp(way_names[way], name) == 0)
			return way;
	fprintf(stderr, "replay: there is no way \"%s\"\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct choice choice = {.way = -1};
	const char *source = getenv("srcdir");
	bool only_chance = false;
	char folder[1000];
	int option;

	unsigned first = 1, last = CHANCES;

	while ((option = getopt(argc, argv, "w:c:r:")) != -1)
		switch (option) {
		case 'r': only_chance = sscanf(optarg, "%u-%u", &first, &last) == 2; break;
		case 'w': choice.way = way_by_name(optarg); break;
		case 'c': choice.cut = (unsigned)strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	snprintf(folder, sizeof folder, "%s/tests/replay", source == NULL ? "." : source);
	for (int i = optind; i < argc; i++)
		play_file(argv[i], &choice);
	if (optind == argc && !only_chance)
		play_folder(folder, &choice);
	for (unsigned number = first; optind == argc && number <= last; number++)
		play_chance(number, &choice);
	printf("%u plays, %u transcripts failed\n", played, failed);
	return failed != 0;
}

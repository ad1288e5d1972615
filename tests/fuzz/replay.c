/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a fuzz target over its corpus in "make check": each file as it is, cut at every length, and with bytes changed
 * at random (the same in each run). The target is called fuzz_NAME and its corpus tests/fuzz/corpus/NAME.
 * The same target linked with -fsanitize=fuzzer instead of this file is a real fuzzer (tests/fuzz/run).
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	INPUT_MAX = 1 << 20,
	CUTS_MAX = 400,     /* lengths tried a file; longer files are cut in strides */
	MUTATIONS = 200
};

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13; /* xorshift32 */
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

/* In a heap block of exactly its size, so that the sanitizer sees the first byte read too many. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_changed(const uint8_t *data, size_t size)
{
	uint8_t *changed = malloc(size);

	for (int i = 0; size > 0 && i < MUTATIONS; i++) {
		memcpy(changed, data, size);
		for (uint32_t n = next_random() % 4 + 1; n > 0; n--)
			changed[next_random() % size] = (uint8_t)next_random();
		run(changed, size);
	}
	free(changed);
}

static int replay(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		return -1;
	}
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	run(data, size);
	size_t stride = size / CUTS_MAX + 1;
	for (size_t length = 0; length < size; length += stride)
		run(data, length);
	run_changed(data, size);
	return 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/'), *source = getenv("srcdir");
	struct dirent **entries;
	char folder[1024], path[2048];

	if (argc > 1)
		return replay(argv[1]) < 0;
	name = name == NULL ? argv[0] : name + 1;
	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", source == NULL ? "." : source, name + strlen("fuzz_"));
	int count = scandir(folder, &entries, is_visible, alphasort), failed = count <= 0;
	if (failed)
		fprintf(stderr, "%s: no corpus\n", folder);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		failed |= replay(path) < 0;
		free(entries[i]);
	}
	free(count < 0 ? NULL : entries);
	printf("%s: %d files replayed\n", name, count);
	return failed;
}

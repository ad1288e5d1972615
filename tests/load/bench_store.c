/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Durable commits a second, and how long one takes, with some in flight; beside the floor of the same disk in the same
 * run: as many bytes written in one go and fdatasync, again and again.
 * bench_store [-d FOLDER] [-s SECONDS] [-v VALUE_BYTES] [-r RECORDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/service/store_open.h"
#include "lib/core/mem.h"

enum { IN_FLIGHT_MAX = 4096, LATENCIES_MAX = 1 << 22 };

static const size_t in_flights[] = {1, 16, 256, 2048};

struct bench {
	struct loop *loop;
	struct store *store;
	double seconds;
	size_t value_bytes, records;
	char *value;
	int64_t until_us;
	size_t in_flight;       /* not answered */
	uint32_t *latencies_us;
	size_t count;
};

/* A device that commits, and commits again as soon as it was answered. */
struct device {
	struct bench *bench;
	char user[64];
	size_t records, next;   /* its own: so many, the one written next */
	uint64_t *revisions;
	int64_t asked_us;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, why);
	exit(1);
}

static void keep_latency(struct bench *bench, int64_t since_us)
{
	if (bench->count < LATENCIES_MAX)
		bench->latencies_us[bench->count++] = (uint32_t)(now_us() - since_us);
}

static int compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static double percentile_ms(struct bench *bench, double part)
{
	return bench->count == 0 ? 0 : bench->latencies_us[(size_t)(part * (double)(bench->count - 1))] / 1000.;
}

static void report(struct bench *bench, const char *what, size_t in_flight, double seconds, size_t commits_each)
{
	qsort(bench->latencies_us, bench->count, sizeof *bench->latencies_us, compare);
	printf("%-6s in_flight=%-5zu commits_per_s=%-8.0f p50_ms=%-7.3f p99_ms=%-7.3f max_ms=%.3f\n", what, in_flight,
		(double)(bench->count * commits_each) / seconds, percentile_ms(bench, 0.5), percentile_ms(bench, 0.99),
		percentile_ms(bench, 1));
	fflush(stdout);
	bench->count = 0;
}

/* --- the floor ------------------------------------------------------------------------------------------------- */

static void run_floor(struct bench *bench, const char *folder, size_t in_flight)
{
	size_t bytes = in_flight * bench->value_bytes;
	char *path = mem_printf("%s/floor", folder), *batch = mem_alloc(bytes);
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int64_t start_us = now_us(), until_us = start_us + (int64_t)(bench->seconds * 1e6);

	if (file < 0)
		fail(path, strerror(errno));
	while (now_us() < until_us) {
		int64_t since_us = now_us();
		if (write(file, batch, bytes) != (ssize_t)bytes || fdatasync(file) < 0)
			fail(path, strerror(errno));
		keep_latency(bench, since_us);
	}
	report(bench, "floor", in_flight, (double)(now_us() - start_us) / 1e6, in_flight);
	close(file);
	unlink(path);
	free(path);
	free(batch);
}

/* --- the store ------------------------------------------------------------------------------------------------- */

static void device_commit(struct device *device);

static void committed(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	struct device *device = data;
	struct bench *bench = device->bench;

	(void)count;
	if (status != STORE_OK)
		fail("commit", "not OK");
	keep_latency(bench, device->asked_us);
	device->revisions[device->next] = revisions[0];
	device->next = (device->next + 1) % device->records;
	if (now_us() < bench->until_us)
		device_commit(device);
	else if (--bench->in_flight == 0)
		loop_stop(bench->loop);
}

static void device_commit(struct device *device)
{
	char key[32];

	snprintf(key, sizeof key, "sync/%zu", device->next);
	device->asked_us = now_us();
	store_put_if(device->bench->store, &(struct principal){device->user, "PHONE1"}, key,
		device->revisions[device->next], device->bench->value, device->bench->value_bytes, committed, device);
}

static void run_store(struct bench *bench, size_t in_flight)
{
	static struct device devices[IN_FLIGHT_MAX];
	int64_t start_us = now_us();

	bench->until_us = start_us + (int64_t)(bench->seconds * 1e6);
	bench->in_flight = in_flight;
	for (size_t i = 0; i < in_flight; i++) {
		struct device *device = &devices[i];
		*device = (struct device){.bench = bench, .records = bench->records / in_flight + 1};
		snprintf(device->user, sizeof device->user, "user%zu.%zu@example.org", in_flight, i);
		device->revisions = mem_alloc_array(device->records, sizeof *device->revisions);
		device_commit(device);
	}
	loop_run(bench->loop);
	report(bench, "store", in_flight, (double)(now_us() - start_us) / 1e6, 1);
	for (size_t i = 0; i < in_flight; i++)
		free(devices[i].revisions);
}

static void read_options(struct bench *bench, const char **folder_r, int argc, char **argv)
{
	for (int option; (option = getopt(argc, argv, "d:s:v:r:")) != -1;) {
		switch (option) {
		case 'd': *folder_r = optarg; break;
		case 's': bench->seconds = atof(optarg); break;
		case 'v': bench->value_bytes = (size_t)atol(optarg); break;
		case 'r': bench->records = (size_t)atol(optarg); break;
		default: fail("usage", "bench_store [-d FOLDER] [-s SECONDS] [-v VALUE_BYTES] [-r RECORDS]");
		}
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {.seconds = 2, .value_bytes = 300, .records = 10000};
	const char *parent = "/var/tmp";
	struct error error;

	read_options(&bench, &parent, argc, argv);
	char *folder = mem_printf("%s/bench-store-%d", parent, (int)getpid());
	bench.value = mem_alloc(bench.value_bytes);
	bench.latencies_us = mem_alloc_array(LATENCIES_MAX, sizeof *bench.latencies_us);
	bench.loop = loop_create();
	bench.store = store_open(bench.loop, &(struct store_settings){.folder = folder}, &error);
	if (bench.store == NULL)
		fail("open", error.text);
	printf("folder=%s value_bytes=%zu records=%zu\n", folder, bench.value_bytes, bench.records);
	for (size_t i = 0; i < sizeof in_flights / sizeof *in_flights; i++) {
		run_floor(&bench, folder, in_flights[i]);
		run_store(&bench, in_flights[i]);
	}
	int64_t since_us = now_us();
	store_close(&bench.store);
	printf("close_ms=%.1f; remove %s\n", (double)(now_us() - since_us) / 1000., folder);
	loop_free(&bench.loop);
	free(bench.latencies_us);
	free(bench.value);
	free(folder);
	return 0;
}

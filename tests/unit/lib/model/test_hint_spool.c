/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The spool between a hook and the hub: what is left is taken once; what is no hint is thrown out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/model/hint_spool.h"

static const char line[] = "BELFRY1\tuser=alice@example.org\tevent=MessageNew\tid=7\n";

struct room {
	char path[64];
	struct hint_spool *spool;
	int warnings;
};

static void count_warning(enum log_level level, const char *text, void *data)
{
	(void)text;
	assert_int_equal(level, LOG_LEVEL_WARNING);
	((struct room *)data)->warnings++;
}

static int set_up(void **state)
{
	static struct room room;

	room = (struct room){.path = "/tmp/belfry-test-XXXXXX"};
	assert_non_null(mkdtemp(room.path));
	room.spool = hint_spool_open(room.path, NULL);
	assert_non_null(room.spool);
	log_set_sink(count_warning, &room);
	*state = &room;
	return 0;
}

static int tear_down(void **state)
{
	struct room *room = *state;

	log_set_sink(NULL, NULL);
	hint_spool_close(&room->spool);
	return rmdir(room->path);
}

static int take_at(struct room *room, int64_t now_s)
{
	struct hint_text text;
	struct hint hint;
	uid_t from = (uid_t)-1;

	int taken = hint_spool_take(room->spool, now_s, &text, &hint, &from);
	if (taken == 1) {
		assert_string_equal(hint.user, "alice@example.org");
		assert_int_equal(from, getuid());
	}
	return taken;
}

static int take(struct room *room)
{
	return take_at(room, 1);
}

static void what_was_left_is_taken_once(void **state)
{
	struct room *room = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(room), 1);
	assert_int_equal(take(room), 0);
	assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	assert_int_equal(take(room), 1);
	assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 0);
}

static void put(const struct room *room, const char *name, const char *text, size_t length)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", room->path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void what_is_no_hint_is_thrown_out(void **state)
{
	struct room *room = *state;
	char path[128], big[HINT_LINE_MAX + 100];

	memset(big, 'a', sizeof big);
	put(room, "hint-empty", "", 0);
	put(room, "hint-big", big, sizeof big);
	put(room, "hint-two", "BELFRY1\tuser=a\tevent=MessageNew\nBELFRY1\tuser=b\tevent=MessageNew\n", 63);
	snprintf(path, sizeof path, "%s/hint-fifo", room->path);
	assert_int_equal(mkfifo(path, 0666), 0);
	snprintf(path, sizeof path, "%s/hint-folder", room->path);
	assert_int_equal(mkdir(path, 0777), 0);
	snprintf(path, sizeof path, "%s/hint-link", room->path);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(take(room), 0);
	assert_int_equal(hint_spool_counts(room->spool)->removed, 6);
	assert_int_equal(room->warnings, 1);
	assert_int_equal(take(room), 0);
	put(room, "hint-empty", "", 0);
	assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 1);
	put(room, "hint-empty", "", 0);
	assert_int_equal(take_at(room, 1 + HINT_SPOOL_COMPLAIN_S), 0);
	assert_int_equal(room->warnings, 2);
}

static void a_second_name_of_anothers_file_is_not_believed(void **state)
{
	struct room *room = *state;
	char path[128], second[128];

	put(room, ".mine", line, strlen(line));
	snprintf(path, sizeof path, "%s/.mine", room->path);
	snprintf(second, sizeof second, "%s/hint-stolen", room->path);
	assert_int_equal(link(path, second), 0);
	assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 1);
	assert_int_equal(unlink(path), 0);
}

static void a_folder_full_of_things_does_not_keep_others_waiting(void **state)
{
	struct room *room = *state;
	char path[128], inner[160];

	snprintf(path, sizeof path, "%s/hint-0", room->path);
	snprintf(inner, sizeof inner, "%s/x", path);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_int_equal(mkdir(inner, 0777), 0);
	assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	assert_int_equal(take(room), 1);
	assert_int_equal(take(room), 0);
	assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 1);
	snprintf(path, sizeof path, "%s/.refused-hint-0", room->path);
	snprintf(inner, sizeof inner, "%s/x", path);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(path), 0);
}

/* Nobody can open a file now: 0 when there are to be descriptors again. */
static void lack_descriptors(rlim_t descriptors)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = descriptors == 0 ? limit.rlim_max : descriptors;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void what_we_cannot_open_for_want_of_descriptors_stays(void **state)
{
	struct room *room = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	lack_descriptors(1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 1);
	lack_descriptors(0);
	for (int taken = 0, calls = 0; taken < 3; calls++) {
		assert_int_not_equal(calls, 10);
		taken += take(room);
	}
	for (int i = 0; i < 2; i++) /* to the end of a round without trouble */
		assert_int_equal(take(room), 0);
	assert_int_equal(room->warnings, 1);
	assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	lack_descriptors(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(room), 0);
	lack_descriptors(0);
	assert_int_equal(room->warnings, 2);
	while (take(room) == 0)
		continue;
}

/* As a script does, which cannot set a mode. */
static void what_is_left_can_be_read_whatever_the_umask(void **state)
{
	struct room *room = *state;
	struct stat status;
	struct error error;
	char path[128];

	if (hint_spool_open_to_all(room->path, &error) < 0) {
		if (getenv("CI") != NULL)
			fail_msg("%s", error.text);
		print_message("%s\n", error.text);
		skip();
	}
	mode_t mask = umask(077);
	snprintf(path, sizeof path, "%s/hint-1", room->path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
	umask(mask);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
	assert_int_equal(take(room), 1);
	assert_int_equal(hint_spool_open_to_all("/nonexistent/spool", &error), -1);
}

static void what_is_hidden_goes_when_it_is_old(void **state)
{
	struct room *room = *state;
	struct stat status;
	char path[128], inner[160];

	put(room, ".lua-1", line, strlen(line));
	snprintf(path, sizeof path, "%s/.folder", room->path);
	assert_int_equal(mkdir(path, 0777), 0);
	snprintf(path, sizeof path, "%s/.refused-full", room->path);
	snprintf(inner, sizeof inner, "%s/x", path);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_int_equal(mkdir(inner, 0777), 0);
	assert_int_equal(stat(path, &status), 0);
	int64_t now_s = status.st_ctime;
	assert_int_equal(take_at(room, now_s), 0);
	assert_int_equal(hint_spool_counts(room->spool)->staying, 3);
	assert_int_equal(take_at(room, now_s + 2 * HINT_SPOOL_HIDDEN_S), 0);
	assert_int_equal(hint_spool_counts(room->spool)->removed, 2);
	assert_int_equal(hint_spool_counts(room->spool)->staying, 1);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(take_at(room, now_s + 3 * HINT_SPOOL_HIDDEN_S), 0);
	assert_int_equal(take_at(room, now_s + 3 * HINT_SPOOL_HIDDEN_S), 0);
	assert_int_equal(hint_spool_counts(room->spool)->staying, 0);
	assert_int_equal(room->warnings, 0);
}

static void many_names_are_looked_at_in_several_calls(void **state)
{
	struct room *room = *state;
	char name[32];
	int calls = 0;

	for (int i = 0; i < 2 * HINT_SPOOL_BATCH; i++) {
		snprintf(name, sizeof name, ".%d", i);
		put(room, name, line, strlen(line));
	}
	assert_int_equal(hint_spool_leave(room->path, line, strlen(line), NULL), 0);
	for (int taken = -1; taken != 0; calls++)
		taken = take(room);
	assert_in_range(calls, 3, 5);
	assert_int_equal(hint_spool_counts(room->spool)->taken, 1);
	while (take_at(room, INT64_C(1) << 40) != 0)
		continue;
}

static void without_a_folder_leaving_fails_in_words(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(hint_spool_leave("/nonexistent/spool", line, strlen(line), &error), -1);
	assert_non_null(strstr(error.text, "/nonexistent/spool: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_left_is_taken_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_hint_is_thrown_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_name_of_anothers_file_is_not_believed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_folder_full_of_things_does_not_keep_others_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_we_cannot_open_for_want_of_descriptors_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_left_can_be_read_whatever_the_umask, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_hidden_goes_when_it_is_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_names_are_looked_at_in_several_calls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_folder_leaving_fails_in_words, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

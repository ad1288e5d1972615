/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfryctl: asks the hub over its control socket (gateway/hub/control.h) and shows the answer as text or JSON.
 * Exit status: 0 done, 1 the hub said no, 2 wrong usage, 3 the hub cannot be reached.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/belfryctl_copy.h"
#include "gateway/hub/control.h"
#include "lib/core/buffer.h"
#include "lib/core/mem.h"

#define DEFAULT_SOCKET BELFRY_RUNSTATEDIR "/belfry/control.sock"

enum { STATUS_DONE = 0, STATUS_REFUSED = 1, STATUS_USAGE = 2, STATUS_UNREACHABLE = 3 };
enum { COLUMNS_MAX = 16 };

static const char usage_text[] =
	"usage: belfryctl [-s SOCKET] [-j] REQUEST\n"
	"  status               what the hub holds, has done, and is connected to\n"
	"  metrics              all that is counted, as Prometheus reads it\n"
	"  held [USER]          the requests that are held now\n"
	"  why USER [DEVICE]    why the phone rang or did not\n"
	"  kick USER [DEVICE]   answers what is held: the phone comes again\n"
	"  devices USER         the devices that the user has\n"
	"  forget USER DEVICE   removes all that is kept of a device\n"
	"  backup FOLDER        copies the store there; nobody waits for it\n"
	"  reload               looks at the certificate now, as SIGHUP does\n"
	"  trace on|off WHAT    a subsystem, \"all\", user=USER or device=DEVICE: in hub, fronts, connectors\n"
	"options:\n"
	"  -s, --socket SOCKET  the control socket (default: " DEFAULT_SOCKET ")\n"
	"  -j, --json           JSON instead of text\n";

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof address.sun_path) {
		fprintf(stderr, "belfryctl: %s: too long for a socket's path\n", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (errno == ENOENT)
		fprintf(stderr, "belfryctl: belfryd is not running: no socket at %s\n", path);
	else if (errno == ECONNREFUSED)
		fprintf(stderr, "belfryctl: belfryd is not running: nobody listens at %s\n", path);
	else
		fprintf(stderr, "belfryctl: %s: %s%s\n", path, strerror(errno), errno == EACCES ? "; are you root?" : "");
	return -1;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = send(fd, bytes, length, MSG_NOSIGNAL);
		if (written < 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

static int read_all(int fd, struct buffer *answer)
{
	ssize_t length;

	do {
		char *room = buffer_reserve(answer, 65536);
		length = read(fd, room, 65536);
		if (length > 0)
			buffer_grow(answer, (size_t)length);
	} while (length > 0);
	return length < 0 || answer->length == 0 ? -1 : 0;
}

static int ask(const char *path, char *words[], int count, struct buffer *answer)
{
	struct buffer line = BUFFER_EMPTY;
	int fd = connect_to(path);

	if (fd < 0)
		return -1;
	for (int i = 0; i < count; i++)
		buffer_printf(&line, "%s%s", i == 0 ? "" : "\t", words[i]);
	buffer_append_byte(&line, '\n');
	int result = write_all(fd, line.data, line.length);
	if (result == 0)
		result = read_all(fd, answer);
	if (result < 0)
		fprintf(stderr, "belfryctl: the hub closed the connection without an answer; is this root, or its own user?\n");
	buffer_release(&line);
	close(fd);
	return result;
}

/* --- showing ------------------------------------------------------------------------------------------------------------- */

struct line {
	char *words[COLUMNS_MAX];
	size_t count;
};

struct lines {
	struct line *items;
	size_t count;
};

/* Splits the answer in place. */
static struct lines lines_of(struct buffer *answer)
{
	struct lines lines = {0};
	size_t size = 0;
	char *rest = NULL;

	buffer_string(answer);
	for (char *text = strtok_r(answer->data, "\n", &rest); text != NULL; text = strtok_r(NULL, "\n", &rest)) {
		if (lines.count == size) {
			size = size == 0 ? 64 : size * 2;
			lines.items = mem_realloc(lines.items, size * sizeof *lines.items);
		}
		struct line *line = &lines.items[lines.count++];
		*line = (struct line){0};
		while (text != NULL && line->count < COLUMNS_MAX)
			line->words[line->count++] = strsep(&text, "\t");
	}
	return lines;
}

static bool is_a(const struct line *line, const char *what)
{
	return line->count > 0 && strcmp(line->words[0], what) == 0;
}

static const char *column_name(const char *word)
{
	return *word == '#' ? word + 1 : word;
}

/* Of the table that begins at `head`: how wide each column is. The last is not padded. */
static void measure(const struct lines *lines, size_t head, size_t widths[COLUMNS_MAX])
{
	memset(widths, 0, COLUMNS_MAX * sizeof *widths);
	for (size_t at = head; at < lines->count && (at == head || is_a(&lines->items[at], "row")); at++) {
		const struct line *line = &lines->items[at];
		size_t first = at == head ? 2 : 1;
		for (size_t i = first; i < line->count; i++) {
			size_t width = strlen(at == head ? column_name(line->words[i]) : line->words[i]);
			if (width > widths[i - first])
				widths[i - first] = width;
		}
	}
}

static void show_cells(const struct line *head, const struct line *line, size_t first, const size_t widths[COLUMNS_MAX])
{
	for (size_t i = first; i < line->count; i++) {
		size_t column = i - first;
		bool is_number = column + 2 < head->count && *head->words[column + 2] == '#', is_last = i + 1 == line->count;
		const char *word = line == head ? column_name(line->words[i]) : line->words[i];
		printf("%*s%s", is_number ? (int)widths[column] : is_last ? 0 : -(int)widths[column], word, is_last ? "\n" : "  ");
	}
}

static void show_text(const struct lines *lines)
{
	size_t widths[COLUMNS_MAX], tables = 0;
	const struct line *head = NULL;

	for (size_t i = 0; i < lines->count; i++) {
		const struct line *line = &lines->items[i];
		if (is_a(line, "table")) {
			head = line;
			measure(lines, i, widths);
			printf("%s", tables++ > 0 ? "\n" : "");
			show_cells(head, head, 2, widths);
		} else if (is_a(line, "row") && head != NULL) {
			show_cells(head, line, 1, widths);
		} else if (is_a(line, "note") && line->count > 1) {
			printf("%s\n", line->words[1]);
		}
	}
}

static void json_string(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void json_row(const struct line *head, const struct line *line)
{
	putchar('{');
	for (size_t i = 1; i < line->count && i + 1 < head->count; i++) {
		const char *name = head->words[i + 1];
		printf("%s", i == 1 ? "" : ", ");
		json_string(column_name(name));
		printf(": ");
		if (*name == '#')
			printf("%s", line->words[i]);
		else
			json_string(line->words[i]);
	}
	putchar('}');
}

/* {"TABLE": [{"COLUMN": value, …}, …], …, "notes": ["…", …]} */
static void show_json(const struct lines *lines)
{
	const struct line *head = NULL;
	size_t rows = 0, notes = 0;

	putchar('{');
	for (size_t i = 0; i < lines->count; i++) {
		const struct line *line = &lines->items[i];
		if (is_a(line, "table") && line->count > 1) {
			printf("%s", head == NULL ? "" : "], ");
			json_string(line->words[1]);
			printf(": [");
			head = line;
			rows = 0;
		} else if (is_a(line, "row") && head != NULL) {
			printf("%s", rows++ == 0 ? "" : ", ");
			json_row(head, line);
		}
	}
	printf("%s\"notes\": [", head == NULL ? "" : "], ");
	for (size_t i = 0; i < lines->count; i++)
		if (is_a(&lines->items[i], "note") && lines->items[i].count > 1) {
			printf("%s", notes++ == 0 ? "" : ", ");
			json_string(lines->items[i].words[1]);
		}
	printf("]}\n");
}

static int show(struct buffer *answer, bool is_json)
{
	struct lines lines = lines_of(answer);
	int status = STATUS_DONE;

	if (lines.count == 0 || !is_a(&lines.items[0], "ok")) {
		fprintf(stderr, "belfryctl: %s\n", lines.count > 0 && lines.items[0].count > 1 ? lines.items[0].words[1] :
			"the hub's answer makes no sense");
		status = STATUS_REFUSED;
	} else if (is_json) {
		show_json(&lines);
	} else {
		show_text(&lines);
	}
	free(lines.items);
	return status;
}

/* --- what is not the hub's alone ------------------------------------------------------------------------------------------ */

struct asking {
	const char *path; /* of the socket */
	char **words;
	int count;
	bool is_json;
};

/* main bound the socket: that is whom the kernel names as its other end, whoever answers there. */
static int reload(const struct asking *asking)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	int fd = connect_to(asking->path), result = -1;

	if (fd < 0)
		return STATUS_UNREACHABLE;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid > 0)
		result = kill(peer.pid, SIGHUP);
	close(fd);
	if (result < 0) {
		fprintf(stderr, "belfryctl: belfryd cannot be signalled: %s\n", strerror(errno));
		return STATUS_REFUSED;
	}
	printf("belfryd (process %d) looks at certificate and key now; its log says when they are new, or wrong. All "
		"else in belfry.conf is read at a start only.\n", (int)peer.pid);
	return STATUS_DONE;
}

/* The hub may write nowhere but beside its store; this tool may. */
static int take_backup(struct buffer *answer, const char *folder)
{
	struct lines lines = lines_of(answer);
	struct error error;
	int status = STATUS_REFUSED;

	if (lines.count != 3 || !is_a(&lines.items[0], "ok") || lines.items[2].count != 2)
		fprintf(stderr, "belfryctl: %s\n", lines.count == 1 && lines.items[0].count == 2 ? lines.items[0].words[1] :
			"the hub's answer makes no sense");
	else if (folder_move(lines.items[2].words[1], folder, &error) < 0)
		fprintf(stderr, "belfryctl: %s; the backup is still in %s: move it from there\n", error.text,
			lines.items[2].words[1]);
	else
		status = STATUS_DONE;
	free(lines.items);
	return status;
}

/* As it came: no tables. */
static int metrics(const struct asking *asking)
{
	static const char ok[] = "ok\n";
	struct buffer answer = BUFFER_EMPTY;
	int status = STATUS_UNREACHABLE;

	if (ask(asking->path, asking->words, 1, &answer) == 0) {
		if (answer.length >= sizeof ok - 1 && memcmp(answer.data, ok, sizeof ok - 1) == 0) {
			fwrite(answer.data + sizeof ok - 1, 1, answer.length - (sizeof ok - 1), stdout);
			status = STATUS_DONE;
		} else {
			status = show(&answer, false);
		}
	}
	buffer_release(&answer);
	return status;
}

static int backup(const struct asking *asking)
{
	const char *folder = asking->words[1];
	struct buffer answer = BUFFER_EMPTY;

	if (mkdir(folder, 0700) < 0) {
		fprintf(stderr, "belfryctl: %s: %s; name a folder that is not there yet\n", folder, strerror(errno));
		return STATUS_REFUSED;
	}
	int status = ask(asking->path, asking->words, 1, &answer) < 0 ? STATUS_UNREACHABLE : take_backup(&answer, folder);
	buffer_release(&answer);
	if (status != STATUS_DONE)
		folder_remove(folder);
	else
		printf("the store is in %s\n", folder);
	return status;
}

/* What the hub does by itself. */
static int ask_hub(const struct asking *asking)
{
	struct buffer answer = BUFFER_EMPTY;
	int status = STATUS_UNREACHABLE;

	if (ask(asking->path, asking->words, asking->count, &answer) == 0)
		status = show(&answer, asking->is_json);
	buffer_release(&answer);
	return status;
}

static const struct request {
	const char *name;
	int least, most; /* words, its name among them */
	int (*run)(const struct asking *);
} requests[] = {
	{"status", 1, 1, ask_hub}, {"metrics", 1, 1, metrics}, {"held", 1, 2, ask_hub}, {"why", 2, 3, ask_hub},
	{"kick", 2, 3, ask_hub}, {"devices", 2, 2, ask_hub}, {"forget", 3, 3, ask_hub}, {"backup", 2, 2, backup},
	{"reload", 1, 1, reload}, {"trace", 3, 3, ask_hub},
};

/* --- the command line ------------------------------------------------------------------------------------------------------ */

static int usage(FILE *to, int status)
{
	fputs(usage_text, to);
	return status;
}

/* Words become a line: what would end one cannot be meant. */
static bool words_are_right(char *words[], int count)
{
	size_t length = 0;

	for (int i = 0; i < count; i++) {
		if (*words[i] == '\0' || strpbrk(words[i], "\t\n") != NULL)
			return false;
		length += strlen(words[i]) + 1;
	}
	return count > 0 && count <= CONTROL_WORDS_MAX && length < CONTROL_LINE_MAX;
}

/* NULL: there is none, or not with these words. */
static const struct request *request_find(char *words[], int count)
{
	const struct request *end = requests + sizeof requests / sizeof *requests;

	if (!words_are_right(words, count))
		return NULL;
	if (strcmp(words[0], "trace") == 0 && (count < 2 || (strcmp(words[1], "on") != 0 && strcmp(words[1], "off") != 0)))
		return NULL;
	for (const struct request *request = requests; request < end; request++)
		if (strcmp(request->name, words[0]) == 0)
			return count >= request->least && count <= request->most ? request : NULL;
	return NULL;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'}, {0},
	};
	struct asking asking = {.path = DEFAULT_SOCKET};
	int option;

	while ((option = getopt_long(argc, argv, "+s:jhV", options, NULL)) != -1) {
		switch (option) {
		case 's': asking.path = optarg; break;
		case 'j': asking.is_json = true; break;
		case 'h': return usage(stdout, STATUS_DONE);
		case 'V': printf("belfryctl %s\n", VERSION); return STATUS_DONE;
		default: return usage(stderr, STATUS_USAGE);
		}
	}
	asking.words = argv + optind;
	asking.count = argc - optind;
	const struct request *request = request_find(asking.words, asking.count);
	return request == NULL ? usage(stderr, STATUS_USAGE) : request->run(&asking);
}

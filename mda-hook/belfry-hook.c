/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfry-hook: in the delivery path, tells the hub that a mail has arrived. Whatever is wrong with that never delays
 * or fails a delivery: it is a line in the mail log and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "mda-hook/agent.h"
#include "mda-hook/tell.h"

static const char usage[] =
	"usage: belfry-hook [options] USER [MAILBOX]\n"
	"       belfry-hook [options] USER [EXTENSION] -- COMMAND [ARGUMENT ...]\n"
	"\n"
	"Tells Belfry that a mail for USER has arrived; with a command, runs that delivery agent first, tells only of what\n"
	"it has delivered, and ends as it ended.\n"
	"\n"
	"  -m MAILBOX   where the mail went, when that is known (default: somewhere)\n"
	"  -e EVENT     what happened, a name of RFC 5423 (default: MessageNew)\n"
	"  -s SOCKET    of the hub (default: " BELFRY_RUNSTATEDIR "/belfry/hook.sock)\n"
	"  -S FOLDER    the hint spool (default: spool beside the socket)\n"
	"  -u ADDRESS:PORT -k KEYFILE\n"
	"               tell a hub on another machine, by a signed datagram\n"
	"  -h           this text\n";

struct arguments {
	struct tell_way way;
	struct hint hint;
	char **command; /* NULL: none */
	char *spool;
};

/* "spool" beside the socket, as the hub has it in its run_dir. */
static char *spool_beside(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - socket) + 1;
	char *spool = malloc(length + sizeof "spool");

	if (spool != NULL)
		sprintf(spool, "%.*sspool", (int)length, socket);
	return spool;
}

static int take_option(struct arguments *arguments, int option)
{
	int event;

	switch (option) {
	case 'm': arguments->hint.mailbox = optarg; return 0;
	case 's': arguments->way.socket = optarg; return 0;
	case 'S': arguments->way.spool = optarg; return 0;
	case 'u': arguments->way.udp = optarg; return 0;
	case 'k': arguments->way.key_file = optarg; return 0;
	case 'e':
		event = hint_event_by_name(optarg, strlen(optarg));
		arguments->hint.event = event < 0 ? HINT_MESSAGE_NEW : (enum hint_event)event;
		return event < 0 ? -1 : 0;
	default: return -1;
	}
}

/* The command is found whatever else is wrong: a mail must be delivered even when the hook is called wrongly. */
static char **find_command(int count, char **words)
{
	for (int i = 1; i < count; i++)
		if (strcmp(words[i], "--") == 0)
			return i + 1 < count ? words + i + 1 : NULL;
	return NULL;
}

/* count: of the words before "--". */
static int read_arguments(struct arguments *arguments, int count, char **words)
{
	int option, result = 0;

	while ((option = getopt(count, words, "+:m:e:s:S:u:k:h")) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(EX_OK);
		}
		result |= take_option(arguments, option);
	}
	int left = count - optind;
	if (left < 1 || left > 2 || words[optind][0] == '\0')
		return -1;
	arguments->hint.user = words[optind];
	if (left == 2 && arguments->command == NULL)
		arguments->hint.mailbox = words[optind + 1];
	if (arguments->way.spool == NULL)
		arguments->way.spool = arguments->spool = spool_beside(arguments->way.socket);
	return result;
}

/* Whoever pipes a message to us would fail if nobody read it. */
static void drain_input(void)
{
	static char bytes[64 * 1024];
	struct stat input;

	if (fstat(STDIN_FILENO, &input) == 0 && S_ISFIFO(input.st_mode))
		while (read(STDIN_FILENO, bytes, sizeof bytes) > 0)
			;
}

static void tell_hub(struct arguments *arguments)
{
	struct error error;
	char id[HINT_ID_SIZE];

	hint_new_id(id);
	arguments->hint.id = id;
	arguments->hint.source = arguments->way.udp != NULL ? "udp" : "hook";
	if (tell(&arguments->way, &arguments->hint, &error) == 0)
		return;
	openlog("belfry-hook", LOG_PID, LOG_MAIL);
	syslog(LOG_WARNING, "user=%s not told: %s; the mail itself is delivered, the phone rings later",
		arguments->hint.user, error.text);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.way.socket = BELFRY_RUNSTATEDIR "/belfry/hook.sock",
		.hint = {.mailbox = "", .event = HINT_MESSAGE_NEW, .id = "", .source = ""},
		.command = find_command(argc, argv),
	};
	int words = arguments.command == NULL ? argc : (int)(arguments.command - argv) - 1, status = 0;
	int good = read_arguments(&arguments, words, argv);

	if (good < 0)
		fputs(usage, stderr);
	if (arguments.command != NULL)
		status = agent_run(arguments.command);
	else if (good < 0)
		return EX_USAGE;
	else
		drain_input();
	if (good == 0 && status == 0)
		tell_hub(&arguments);
	free(arguments.spool);
	if (arguments.command != NULL)
		agent_exit_like(status);
	return EX_OK;
}

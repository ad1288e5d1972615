/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfry-hook, in the path of each delivery: alone it tells the hub; as a wrapper it runs the real delivery agent
 * first, ends as that ended, and tells the hub only of what was delivered. It needs the libc and nothing else.
 * Whatever goes wrong with telling is never the mail's problem.
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "mda-hook/agent.h"
#include "mda-hook/tell.h"

enum { INPUT_WAIT_MS = 1000 };

struct arguments {
	struct tell_way way;
	struct hint hint;
	const char *wrong;     /* what cannot be understood; NULL: nothing */
	char *const *agent;    /* NULL: there is none */
};

static int usage(FILE *to)
{
	fputs("usage: belfry-hook [options] USER [MAILBOX]\n"
		"       belfry-hook [options] USER [EXTENSION] -- AGENT [ARGUMENT ...]\n"
		"  -m MAILBOX   where it was delivered; default: somewhere\n"
		"  -e EVENT     what happened (RFC 5423); default: MessageNew\n"
		"  -s SOCKET    of the hub; default: " BELFRY_RUNSTATEDIR "/belfry/hook.sock\n"
		"  -S FOLDER    the spool; default: spool beside the socket\n"
		"  -u HOST:PORT -k KEYFILE   the hub is on another machine\n"
		"Tells Belfry that a mail for USER was delivered; with an agent runs that first, and ends as it ended.\n", to);
	return to == stdout ? 0 : EX_USAGE;
}

/* --- arguments -------------------------------------------------------------------------------------------------- */

static void take_event(struct arguments *arguments, const char *name)
{
	int event = hint_event_by_name(name, strlen(name));

	if (event < 0)
		arguments->wrong = "there is no such event";
	else
		arguments->hint.event = (enum hint_event)event;
}

static void take_option(struct arguments *arguments, char letter, const char *value)
{
	switch (letter) {
	case 'm': arguments->hint.mailbox = value; break;
	case 'e': take_event(arguments, value); break;
	case 's': arguments->way.socket = value; break;
	case 'S': arguments->way.spool = value; break;
	case 'u': arguments->way.udp = value; break;
	case 'k': arguments->way.key_file = value; break;
	default: arguments->wrong = "there is no such option"; break;
	}
}

static bool is_end(const char *argument)
{
	return strcmp(argument, "--") == 0;
}

/* Not getopt(): options may follow the user, and behind -- everything is the agent's. */
static void parse(char **argv, struct arguments *arguments)
{
	const char *words[2] = {NULL, NULL};
	size_t count = 0;

	for (argv++; *argv != NULL && !is_end(*argv); argv++) {
		char *argument = *argv;
		bool has_value = argv[1] != NULL && !is_end(argv[1]); /* an address such as -m@… must not eat the -- */
		if (argument[0] == '-' && argument[1] != '\0' && argument[2] == '\0' && has_value)
			take_option(arguments, argument[1], *++argv);
		else if (argument[0] == '-' && argument[1] != '\0')
			arguments->wrong = "there is no such option";
		else if (count == 2)
			arguments->wrong = "too many words";
		else
			words[count++] = argument;
	}
	for (; *argv != NULL && is_end(*argv); argv++)
		arguments->agent = argv + 1;
	arguments->hint.user = words[0];
	if (words[0] == NULL || words[0][0] == '\0')
		arguments->wrong = "the user is missing";
	/* Postfix hands a wrapper the user and the address's extension; the extension is no mailbox. */
	if (arguments->agent == NULL && words[1] != NULL)
		arguments->hint.mailbox = words[1];
	if ((arguments->way.udp == NULL) != (arguments->way.key_file == NULL))
		arguments->wrong = "-u and -k go together";
}

/* The spool lies beside the socket unless it was named. */
static void find_spool(struct tell_way *way, char *folder, size_t size)
{
	const char *slash = strrchr(way->socket, '/');

	if (way->spool != NULL)
		return;
	snprintf(folder, size, "%.*s/spool", slash == NULL ? 1 : (int)(slash - way->socket), slash == NULL ? "." : way->socket);
	way->spool = folder;
}

/* --- what is wrong ---------------------------------------------------------------------------------------------- */

/* To the system's log, as one datagram that waits for nobody: a mail server would put what we print into a bounce,
 * and syslog(3) may wait. <20> is facility mail, priority warning. */
static void log_quietly(const char *user, const char *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char text[512];
	int length = snprintf(text, sizeof text, "<20>belfry-hook[%d]: the hub was not told of user=%.100s: %s", (int)getpid(),
		user == NULL ? "-" : user, why);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	for (char *c = text + 4; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (fd < 0)
		return;
	sendto(fd, text, (size_t)(length < (int)sizeof text ? length : (int)sizeof text - 1), MSG_NOSIGNAL,
		(struct sockaddr *)&address, sizeof address);
	close(fd);
}

/* Somebody may be looking at our output; but a hub that is away is no error of whoever delivers. */
static int complain(const struct arguments *arguments, const char *why)
{
	fprintf(stderr, "belfry-hook: %s\n", why);
	return arguments->wrong != NULL ? usage(stderr) : 0;
}

/* Whoever pipes the mail to us would fail if nobody read it; but a pipe that nobody writes to may be anything. */
static void drain_input(void)
{
	static char bytes[64 * 1024];
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct stat status;

	if (fstat(STDIN_FILENO, &status) < 0 || !S_ISFIFO(status.st_mode))
		return;
	while (poll(&input, 1, INPUT_WAIT_MS) > 0 && read(STDIN_FILENO, bytes, sizeof bytes) > 0)
		continue;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.way.socket = BELFRY_RUNSTATEDIR "/belfry/hook.sock",
		.hint = {.event = HINT_MESSAGE_NEW, .source = "hook"},
	};
	char folder[sizeof((struct sockaddr_un *)NULL)->sun_path + 8];
	struct error error;
	int status = 0;

	if (argc == 0)
		return usage(stderr);
	if (argc == 2 && strcmp(argv[1], "-h") == 0)
		return usage(stdout);
	parse(argv, &arguments);
	bool is_wrapper = arguments.agent != NULL && arguments.agent[0] != NULL;
	if (is_wrapper)
		status = agent_run(arguments.agent);
	else if (arguments.agent != NULL)
		arguments.wrong = "behind -- the agent is missing";
	if (is_wrapper && status != 0)
		agent_end(status);
	find_spool(&arguments.way, folder, sizeof folder);
	const char *why = arguments.wrong;
	if (why == NULL && tell(&arguments.way, &arguments.hint, &error) < 0)
		why = error.text;
	if (!is_wrapper)
		drain_input();
	if (why == NULL)
		return 0;
	log_quietly(arguments.hint.user, why);
	return is_wrapper ? 0 : complain(&arguments, why);
}

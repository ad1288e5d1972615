/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfryd: arguments, THE tables of engines and notifiers, and off to the supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/activesync/activesync.h"
#include "gateway/autodiscover/autodiscover.h"
#include "gateway/config.h"
#include "gateway/sandbox.h"
#include "gateway/supervisor.h"
#include "gateway/title.h"
#include "lib/core/log.h"
#include "notify/null.h"
#include "notify/ping.h"

struct arguments {
	const char *config_path;
	bool test, single;
};

/* --- THE tables ------------------------------------------------------------------------------------------------- */

/* Each engine's settings, made from the configuration. */
struct engines {
	struct activesync_engine_settings activesync;
	struct autodiscover_engine_settings autodiscover;
	struct directory directory;
	struct front_engine table[2];
};

static const char *instance_for(const struct directory *directory, const char *user)
{
	const struct config_connector *connector = config_instance_for(directory->data, user);

	return connector == NULL ? NULL : connector->name;
}

static void fill_engines(struct engines *engines, const struct config *config)
{
	engines->directory = (struct directory){
		.default_domain = config->default_domain, .instance_for = instance_for, .data = config};
	engines->activesync = (struct activesync_engine_settings){
		.limits = config->activesync, .policy = config->policy, .directory = &engines->directory};
	engines->autodiscover = (struct autodiscover_engine_settings){
		.public_url = config->public_url, .directory = &engines->directory};
	engines->table[0] = (struct front_engine){&activesync_engine, &engines->activesync};
	engines->table[1] = (struct front_engine){&autodiscover_engine, &engines->autodiscover};
}

static const struct notifier *const notifiers[] = {&notifier_null, &notifier_ping, NULL};

/* Connectors are programs of their own: the configuration's sections are their table. */

/* --- starting --------------------------------------------------------------------------------------------------- */

static int usage(FILE *to)
{
	fputs("usage: belfryd [-f] [-s] [-c FILE]\n"
		"       belfryd -t [-c FILE]\n"
		"       belfryd -V\n"
		"  -c FILE  the configuration, " CONFIG_DEFAULT_PATH " by default\n"
		"  -t       check it and what it needs, tell all that is wrong, and end\n"
		"  -s       one process for hub and front, to debug (connectors stay programs of their own)\n"
		"  -f       nothing: the foreground is where it is anyway\n"
		"  -V       say the version and end\n"
		"belfryd stays in the foreground and logs to standard error; see belfryd(8).\n", to);
	return to == stdout ? 0 : 2;
}

static void complain_plainly(const char *text, bool is_error, void *data)
{
	(void)is_error;
	(void)data;
	fprintf(stderr, "%s\n", text);
}

static void complain_to_log(const char *text, bool is_error, void *data)
{
	(void)data;
	if (is_error)
		log_error(LOG_MAIN, "%s", text);
	else
		log_warning(LOG_MAIN, "%s", text);
}

static int test(const char *path)
{
	unsigned errors = config_test(path, complain_plainly, NULL);

	if (errors == 0)
		printf("%s: all is right\n", path);
	return errors == 0 ? 0 : 1;
}

/* Descriptors 0 to 2 exist, so that no socket gets such a number; and as many more as we may have. */
static void prepare_process(void)
{
	struct rlimit files;
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
		continue;
	if (fd > 2)
		close(fd);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(027);
	OPENSSL_init_ssl(0, NULL); /* reads its files now; roles cannot later */
}

static void say_what_is_missing(bool single)
{
	if (geteuid() != 0)
		log_warning(LOG_MAIN, "not started as root: all roles run as this user and could read each other's memory");
	else if (single)
		log_warning(LOG_MAIN, "-s is for debugging: front and hub share one process");
	if (!single && !sandbox_can_limit_files())
		log_warning(LOG_MAIN, "this kernel has no landlock: only users and modes keep roles from others' files");
}

static int serve(const struct arguments *arguments)
{
	struct config *config = config_load(arguments->config_path, complain_to_log, NULL);
	struct engines engines;
	struct error error;

	if (config == NULL)
		return 1;
	prepare_process();
	say_what_is_missing(arguments->single);
	fill_engines(&engines, config);
	struct role_settings settings = {.config = config, .engines = engines.table,
		.engine_count = sizeof engines.table / sizeof engines.table[0], .notifiers = notifiers};
	struct places *places = places_bind(config, &error);
	int status = 1;
	if (places == NULL)
		log_error(LOG_MAIN, "%s", error.text);
	else
		status = supervisor_run(&settings, places, arguments->single);
	places_free(&places, true);
	config_free(&config);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.config_path = CONFIG_DEFAULT_PATH};
	int option;

	title_init(argc, argv);
	log_init("main");
	while ((option = getopt(argc, argv, "c:tsfVh")) != -1) {
		switch (option) {
		case 'c': arguments.config_path = optarg; break;
		case 't': arguments.test = true; break;
		case 's': arguments.single = true; break;
		case 'f': break; /* the foreground is where we are anyway */
		case 'V': puts(PACKAGE_STRING); return 0;
		case 'h': return usage(stdout);
		default: return usage(stderr);
		}
	}
	if (optind != argc)
		return usage(stderr);
	return arguments.test ? test(arguments.config_path) : serve(&arguments);
}

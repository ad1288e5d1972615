/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration: what a file becomes, and that each mistake is told with its line, several at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config.h"
#include "lib/core/mem.h"

struct room {
	char folder[64], path[128], secret[128];
	struct buffer said;
};

static void hear(const char *text, bool is_error, void *data)
{
	buffer_printf(data, "%s%s\n", is_error ? "" : "(only) ", text);
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, mode);
}

/* The file "CONF" in what was said stands for the path. */
static struct config *load(struct room *room, const char *text)
{
	write_text(room->path, text, 0600);
	buffer_release(&room->said);
	return config_load(room->path, hear, &room->said);
}

static int set_up(void **state)
{
	static struct room room;

	room = (struct room){.folder = "/tmp/belfry-test-XXXXXX"};
	assert_non_null(mkdtemp(room.folder));
	snprintf(room.path, sizeof room.path, "%s/belfry.conf", room.folder);
	snprintf(room.secret, sizeof room.secret, "%s/secret", room.folder);
	write_text(room.secret, "s3cret word\nmore\n", 0600);
	*state = &room;
	return 0;
}

static int tear_down(void **state)
{
	struct room *room = *state;

	buffer_release(&room->said);
	unlink(room->path);
	unlink(room->secret);
	return rmdir(room->folder);
}

/* The least that can run; what follows is added. Users by number, because the machine may have none of ours. */
#define USERS "user_front = \"#61001\"\nuser_hub = \"#61002\"\nuser_connector = \"#61003\"\n"
#define LEAST USERS "certificate = \"/c\"\nkey = \"/k\"\n"
#define MAIN "connector \"main\" { domains = {\"example.org\"} }\n"

static void a_short_file_gives_the_defaults(void **state)
{
	struct room *room = *state;
	struct config *config = load(room, LEAST MAIN);

	assert_non_null(config);
	assert_string_equal(buffer_string(&room->said), "");
	assert_int_equal(config->listen.count, 1);
	assert_string_equal(config->listen.items[0], "443");
	assert_int_equal(config->listen_plain.count, 0);
	assert_true(config->listen_proxy.count == 0 && config->trusted_count == 0);
	assert_true(config->fronts == 2 && config->max_connections == 15000 && config->alive_s == 10);
	assert_null(config->default_domain);
	assert_int_equal(config->hook.mode, 0666);
	assert_null(config->hook.udp);
	assert_int_equal(config->connector_count, 1);
	const struct config_connector *connector = &config->connectors[0];
	assert_string_equal(connector->program, "belfry-imap");
	assert_string_equal(connector->host, "127.0.0.1");
	assert_string_equal(connector->tls_name, "127.0.0.1");
	assert_null(connector->smtp_host); /* nothing is sent */
	assert_int_equal(connector->smtp_port, 587);
	assert_int_equal(config->activesync.max_mail_size, 25 * 1024 * 1024);
	assert_true(connector->port == 143 && connector->tls == CONFIG_TLS_STARTTLS);
	assert_true(connector->watch_as == CONFIG_WATCH_SESSION && connector->hook == CONFIG_HOOK_AUTO);
	assert_true(config->activesync.heartbeat_min_s == 60 && config->activesync.heartbeat_max_s == 3540);
	assert_true(config->policy.required && !config->policy.password && !config->policy.encryption);
	if (geteuid() == 0)
		assert_true(config->user_front.uid == 61001 && config->user_front.gid == 61001);
	config_free(&config);
}

static void every_value_arrives_where_it_belongs(void **state)
{
	struct room *room = *state;
	char *text = mem_printf(USERS "listen = {\"127.0.0.1:8443\", \"[::1]:8443\"}\nlisten_plain = {\"127.0.0.1:8080\"}\n"
		"listen_proxy = {\"[::1]:8081\"}\ntrusted_proxies = {\"127.0.0.1\", \"192.0.2.0/24\"}\n"
		"public_url = \"https://mail.example:8443\"\n"
		"certificate = \"/c\"\nkey = \"/k\"\nstate_dir = \"/s\"\nrun_dir = \"/r\"\nfronts = 3\nmax_connections = 7\n"
		"alive_s = 0\n"
		"default_domain = \"Example.ORG\"\n"
		"hook {\n mode = 0660\n trusted_users = {\"root\", \"#61009\"}\n rate = 5\n}\n"
		"connector \"one\" {\n program = \"/p\"\n domains = {\"Example.org\"}\n login = \"full\"\n host = \"mail.example\"\n"
		" tls = \"tls\"\n ca_file = \"/ca\"\n watch_as = \"master\"\n master_user = \"m\"\n"
		" master_password_file = \"%s\"\n hook = \"yes\"\n recheck_s = 60\n workers = 9\n timeout_s = 10\n"
		" option = {\"a=b c\", \"d=\"}\n}\n"
		"connector \"two\" {\n domains = {\"*\"}\n tls = \"none\"\n port = 1143\n watch_as = \"none\"\n"
		" smtp_host = \"out.example\"\n smtp_tls = \"tls\"\n smtp_auth = \"none\"\n"
		" sieve_host = \"sieve.example\"\n sieve_tls = \"tls\"\n}\n"
		"activesync {\n heartbeat_min_s = 10\n heartbeat_max_s = 600\n max_folders = 4\n window_max = 99\n max_devices = 2\n"
		" max_mail_size = 20480\n request_burst = 20\n requests_per_minute = 0\n}\n"
		"policy {\n required = no\n password = yes\n password_min_length = 6\n inactivity_lock_s = 60\n"
		" max_failed_attempts = 5\n encryption = true\n}\n", room->secret);
	struct config *config = load(room, text);
	struct buffer settings = BUFFER_EMPTY;

	free(text);
	if (config == NULL)
		fail_msg("%s", buffer_string(&room->said));
	assert_string_equal(config->listen.items[1], "[::1]:8443");
	assert_string_equal(config->public_url, "https://mail.example:8443");
	assert_string_equal(config->listen_proxy.items[0], "[::1]:8081");
	assert_true(config->trusted_count == 2 && config->trusted[1].bits == 96 + 24);
	assert_string_equal(config->default_domain, "example.org");
	assert_true(config->fronts == 3 && config->max_connections == 7 && config->alive_s == 0);
	assert_true(config->hook.mode == 0660 && config->hook.rate == 5 && config->hook.trusted_count == 2);
	assert_true(config->hook.trusted[0] == 0 && config->hook.trusted[1] == 61009);
	const struct config_connector *one = &config->connectors[0], *two = &config->connectors[1];
	assert_true(one->port == 993 && one->login == CONFIG_LOGIN_FULL && one->tls == CONFIG_TLS_DIRECT);
	assert_true(two->port == 1143 && two->tls == CONFIG_TLS_NONE && two->watch_as == CONFIG_WATCH_NONE);
	assert_int_equal(config->activesync.max_mail_size, 20480);
	assert_true(config->activesync.window_max == 99 && config->activesync.max_devices == 2);
	assert_true(config->activesync.request_burst == 20 && config->activesync.requests_per_minute == 0);
	assert_true(!config->policy.required && config->policy.password && config->policy.encryption);
	assert_true(config->policy.max_failed_attempts == 5);
	assert_int_equal(config_connector_settings(one, &settings, NULL), 0);
	assert_string_equal(buffer_string(&settings), "master_user=m\nmaster_password=s3cret word\n"
		"name=one\nlogin=full\nhost=mail.example\nport=993\ntls=tls\ntls_name=mail.example\nwatch_as=master\nhook=yes\n"
		"recheck_s=60\nworkers=9\ntimeout_s=10\nca_file=/ca\na=b c\nd=\n");
	buffer_truncate(&settings, 0);
	assert_int_equal(config_connector_settings(two, &settings, NULL), 0);
	assert_non_null(strstr(buffer_string(&settings), "\nsmtp_host=out.example\nsmtp_port=465\nsmtp_tls=tls\n"
		"smtp_tls_name=out.example\nsmtp_auth=none\n"));
	assert_non_null(strstr(buffer_string(&settings), "\nsieve_host=sieve.example\nsieve_port=4190\nsieve_tls=tls\n"
		"sieve_tls_name=sieve.example\n"));
	buffer_release(&settings);
	config_free(&config);
}

static void users_find_their_connector(void **state)
{
	struct room *room = *state;
	char user[USER_MAX + 1];
	struct config *config = load(room, LEAST "default_domain = \"example.org\"\n"
		"connector \"one\" { domains = {\"Example.org\", \"example.net\"} login = \"full\" }\n"
		"connector \"rest\" {}\n");

	assert_non_null(config);
	assert_string_equal(config_instance_for(config, "alice@example.org")->name, "one");
	assert_string_equal(config_instance_for(config, "alice@example.net")->name, "one");
	assert_string_equal(config_instance_for(config, "alice@sub.example.org")->name, "rest");
	assert_null(config_instance_named(config, "two"));
	assert_int_equal(config_canonical_user(config, "alice", user, NULL), 0);
	assert_string_equal(user, "alice@example.org");
	config_backend_user(config_instance_named(config, "one"), "alice@example.org", user);
	assert_string_equal(user, "alice@example.org");
	config_backend_user(config_instance_named(config, "rest"), "bob@example.com", user);
	assert_string_equal(user, "bob");
	config_free(&config);
	config = load(room, LEAST "connector \"one\" { domains = {\"example.org\"} }\n");
	assert_null(config_instance_for(config, "alice@example.net"));
	config_free(&config);
}

static void a_mistake_is_told_with_its_line(void **state)
{
	static const struct { const char *text, *said; } cases[] = {
		{LEAST MAIN "lisen = {\"443\"}\n", "belfry.conf:7: no such option 'lisen'; belfry.conf(5)"},
		{LEAST MAIN "fronts = many\n", "belfry.conf:7: "},
		{LEAST MAIN "fronts = 0\n", "belfry.conf:7: fronts = 0: it can be 1 to 64"},
		{LEAST MAIN "fronts = 65\n", "belfry.conf:7: fronts = 65: it can be 1 to 64"},
		{LEAST MAIN "listen = {\"example.org:443\"}\n", "belfry.conf:7: listen = \"example.org:443\": it must be PORT"},
		{LEAST MAIN "listen = {\"70000\"}\n", "it must be PORT"},
		{LEAST MAIN "listen = {\"443x\"}\n", "it must be PORT"},
		{LEAST MAIN "listen = {\":443\"}\n", "it must be PORT"},
		{LEAST MAIN "listen_plain = {\"0.0.0.0:80\"}\n", "belfry.conf:7: listen_plain = \"0.0.0.0:80\": passwords"},
		{LEAST MAIN "listen_plain = {\"80\"}\n", "passwords would cross the network"},
		{LEAST MAIN "public_url = \"http://mail.example\"\n", "public_url = \"http://mail.example\": it must be https://"},
		{LEAST MAIN "public_url = \"https://\"\n", "it must be https://"},
		{LEAST MAIN "public_url = \"https://mail.example/\"\n", "and nothing behind it"},
		{LEAST MAIN "listen_proxy = {\"80\"}\n", "passwords would cross the network"},
		{LEAST MAIN "metrics = \"9190\"\n", "belfry.conf:7: metrics = \"9190\": everybody could read it"},
		{LEAST MAIN "trusted_proxies = {\"proxy.example.org\"}\n", "belfry.conf:7: trusted_proxies = \"proxy.example.org\": "
			"it must be a numeric address"},
		{LEAST MAIN "state_dir = \"var\"\n", "state_dir = \"var\": it must be a path"},
		{LEAST MAIN "run_dir = \"/a2345678901234567890123456789012345678901234567890\"\n", "at most 50 bytes"},
		{LEAST MAIN "default_domain = \"a b\"\n", "it must be a domain"},
		{LEAST MAIN "default_domain = \"a@b\"\n", "it must be a domain"},
		{LEAST MAIN "hook { mode = 01777 }\n", "mode = 1023: it can be 0 to 511"},
		{LEAST MAIN "hook { udp = \"0.0.0.0:4190\" }\n", "udp and udp_key_file go together"},
		{LEAST MAIN "hook {\n\n shout = 1\n}\n", "belfry.conf:9: no such option 'shout'"},
		{LEAST "connector \"main\" {\n login = \"both\"\n}\n", "belfry.conf:7: login = \"both\": it can be \"user\" or \"full\""},
		{LEAST "connector \"main\" {\n tls = \"none\"\n host = \"mail.example.org\"\n}\n", "belfry.conf:9: connector \"main\": tls"},
		{LEAST "connector \"main\" {\n smtp_tls = \"none\"\n smtp_host = \"mail.example.org\"\n}\n",
			"belfry.conf:9: connector \"main\": smtp_tls"},
		{LEAST "connector \"main\" {\n sieve_tls = \"none\"\n sieve_host = \"mail.example.org\"\n}\n",
			"belfry.conf:9: connector \"main\": sieve_tls"},
		{LEAST "connector \"main\" {\n watch_as = \"master\"\n}\n", "connector \"main\": watch_as = \"master\" needs"},
		{LEAST "connector \"main\" {\n watch_as = \"master\"\n master_user = \"m\"\n master_password_file = \"/nonexistent/p\"\n}\n",
			"connector \"main\": master_password_file /nonexistent/p: No such file or directory; the master user's password"},
		{LEAST "connector \"main\" {\n host = \"localhost\"\n", "belfry.conf:6: what is opened with { here is never closed"},
		{LEAST MAIN "policy {\n required = no # }\n /* } */ // }\n", "belfry.conf:7: what is opened with { here is never closed"},
		{LEAST "default_domain = \"example.org\n" MAIN, "default_domain: its value ends in another line"},
		{LEAST "connector \"main\" {\n option = {\"nothing\"}\n}\n", "it must be key=value"},
		{LEAST "connector \"ma in\" {}\n", "a name is 1 to 32 letters"},
		{LEAST MAIN MAIN, "belfry.conf:7: "},
		{LEAST "connector \"main\" {}\nconnector \"other\" {}\n", "connectors \"main\" and \"other\" both serve *"},
		{LEAST, "no connector: add a section"},
		{LEAST "default_domain = \"b.example\"\nconnector \"main\" { domains = {\"a.example\"} }\n", "no connector serves default_domain"},
		{USERS MAIN, "certificate and key are missing"},
		{LEAST MAIN "listen = {}\n", "nothing listens"},
		{LEAST MAIN "activesync { heartbeat_min_s = 100 heartbeat_max_s = 99 }\n", "heartbeat_min_s is above"},
		{LEAST MAIN "activesync { heartbeat_max_s = 3541 }\n", "it can be 1 to 3540"},
		{LEAST MAIN "policy { max_failed_attempts = 3 }\n", "it can be 4 to 16"},
	};
	struct room *room = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *config = load(room, cases[i].text);
		if (config != NULL || strstr(buffer_string(&room->said), cases[i].said) == NULL)
			fail_msg("case %zu: wanted \"%s\", heard \"%s\"", i, cases[i].said, buffer_string(&room->said));
	}
}

/* Whatever stands above it in comments, quotes and other files. */
static void lines_are_counted_once(void **state)
{
	struct room *room = *state;
	char *more = mem_printf("%s/more", room->folder);
	char *text = mem_printf("# one\n\n  # three\n// four\n/* five\n six */ fronts = 0\n"
		"listen = { # seven\n \"0\", # eight\n # \"nine\"\n}\nrun_dir = \"a # b // c /* d\" # eleven {\n"
		"include(\"%s\") workers = 3 # twelve\n", more);

	write_text(more, "# one\nmax_connections = 0 # two\n\npolicy { # four\n # }\n password_min_length = 17\n}\n", 0600);
	assert_null(load(room, text));
	unlink(more);
	static const char *const said[] = {"belfry.conf:6: fronts = 0", "belfry.conf:8: listen = \"0\"",
		"belfry.conf:11: run_dir = \"a # b // c /* d\"", "more:2: max_connections = 0", "more:6: password_min_length = 17",
		"belfry.conf:12: no such option 'workers'"};
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		if (strstr(buffer_string(&room->said), said[i]) == NULL)
			fail_msg("wanted \"%s\", heard \"%s\"", said[i], buffer_string(&room->said));
	free(text);
	free(more);
}

static void what_is_included_is_named_when_it_cannot_be(void **state)
{
	struct room *room = *state;
	char *text = mem_printf("\ninclude(\"/nonexistent/more\")\n"), *circle = mem_printf("include(\"%s\")\n", room->path);

	assert_null(load(room, text));
	assert_non_null(strstr(buffer_string(&room->said), "/nonexistent/more: No such file or directory (included by "));
	assert_non_null(strstr(buffer_string(&room->said), "belfry.conf:2)"));
	assert_null(load(room, circle));
	assert_non_null(strstr(buffer_string(&room->said), "is there one that includes itself?"));
	assert_null(load(room, LEAST MAIN "include = 1\n"));
	assert_non_null(strstr(buffer_string(&room->said), "belfry.conf:7: no such option 'include'"));
	free(text);
	free(circle);
}

static void several_mistakes_are_told_at_once(void **state)
{
	struct room *room = *state;
	struct config *config = load(room, LEAST "fronts = 0\nstate_dir = \"x\"\nconnector \"main\" {\n port = 0\n workers = 1000\n}\n"
		"policy { password_min_length = 17 }\n");
	static const char *const said[] = {":6: fronts", ":7: state_dir", ":9: port", ":10: workers",
		":12: password_min_length"};

	assert_null(config);
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		assert_non_null(strstr(buffer_string(&room->said), said[i]));
}

static void what_is_in_quotes_or_comments_opens_nothing(void **state)
{
	struct room *room = *state;
	struct config *config = load(room, LEAST "# {\n// { it's\n/* { \" { *//*/ { */\n"
		"connector \"main\" { option = {\"a={{\", 'b=\\'{'} }\n");

	if (config == NULL)
		fail_msg("%s", buffer_string(&room->said));
	config_free(&config);
}

static void each_wrong_element_of_a_list_is_told_once(void **state)
{
	struct room *room = *state;

	assert_null(load(room, LEAST MAIN "listen = {\"443\", \"0\", \"x\"}\n"));
	const char *first = strstr(buffer_string(&room->said), "listen = \"0\": it must be PORT");
	assert_non_null(first);
	const char *second = strstr(first, "listen = \"x\": it must be PORT");
	assert_non_null(second);
	assert_null(strstr(strchr(second, '\n'), "it must be PORT"));
}

static void a_folder_is_no_configuration(void **state)
{
	struct room *room = *state;

	assert_null(config_load(room->folder, hear, &room->said));
	assert_non_null(strstr(buffer_string(&room->said), ": Is a directory"));
}

static void what_may_go_wrong_is_warned_of(void **state)
{
	struct room *room = *state;
	char *text = mem_printf(LEAST "hook {\n trusted_users = {\"nobody-has-this-name\"}\n}\n"
		"connector \"main\" {\n watch_as = \"master\"\n master_user = \"m\"\n master_password_file = \"%s\"\n}\n", room->secret);

	chmod(room->secret, 0644);
	struct config *config = load(room, text);
	free(text);
	assert_non_null(config);
	assert_non_null(strstr(buffer_string(&room->said), ":7: warning: trusted_users: there is no user nobody-has-this-name"));
	assert_non_null(strstr(buffer_string(&room->said), "others can read this secret; chmod 600"));
	assert_int_equal(config->hook.trusted_count, 0);
	config_free(&config);
	config = load(room, LEAST "connector \"main\" {\n master_user = \"m\"\n}\n");
	assert_non_null(config);
	assert_non_null(strstr(buffer_string(&room->said), "a master user is given but not used"));
	config_free(&config);
	config = load(room, LEAST "hook { trusted_users = {\"root\", \"vmail\", \"mail\", \"dovecot\"} }\n" MAIN);
	assert_string_equal(buffer_string(&room->said), ""); /* usual names are not missed */
	config_free(&config);
	config = load(room, LEAST "connector \"main\" {\n}\n");
	assert_non_null(strstr(buffer_string(&room->said), ":7: warning: connector \"main\": login = \"user\" with domains = {\"*\"}"));
	config_free(&config);
	config = load(room, LEAST "connector \"main\" { login = \"full\" }\n");
	assert_string_equal(buffer_string(&room->said), "");
	config_free(&config);
}

static void all_that_is_missing_is_told_in_one_round(void **state)
{
	struct room *room = *state;
	static const char *const said[] = {"fronts = 0", "certificate /nonexistent/c: No such file", "key /nonexistent/k: No such",
		"state_dir /dev/null/none", "run_dir /dev/null/none", "program: /nonexistent/program",
		"user_front = \"nobody-a\": there is no such user", "user_hub = \"nobody-b\": there is no such user",
		"user_connector = \"nobody-c\": there is no such user"};
	const char *text = "user_front = \"nobody-a\"\nuser_hub = \"nobody-b\"\nuser_connector = \"nobody-c\"\nfronts = 0\n"
		"certificate = \"/nonexistent/c\"\nkey = \"/nonexistent/k\"\nstate_dir = \"/dev/null/none\"\nrun_dir = \"/dev/null/none\"\n"
		"listen = {\"127.0.0.1:0x\"}\nconnector \"main\" { program = \"/nonexistent/program\" login = \"full\" }\n";
	size_t users = geteuid() == 0 ? 0 : 3; /* nobody else can change his user */

	assert_null(load(room, text));
	buffer_release(&room->said);
	unsigned errors = config_test(room->path, hear, &room->said);
	assert_true(errors >= sizeof said / sizeof said[0] - users);
	for (size_t i = 0; i < sizeof said / sizeof said[0] - users; i++)
		if (strstr(buffer_string(&room->said), said[i]) == NULL)
			fail_msg("wanted \"%s\", heard \"%s\"", said[i], buffer_string(&room->said));
	assert_null(strstr(buffer_string(&room->said), "have the same user"));
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct room *room = *state;

	assert_null(config_load("/nonexistent/belfry.conf", hear, &room->said));
	assert_non_null(strstr(buffer_string(&room->said), "/nonexistent/belfry.conf: No such file"));
}

static void a_proxy_that_nobody_believes_is_told(void **state)
{
	struct room *room = *state;
	struct config *config = load(room, LEAST MAIN "listen_plain = {\"127.0.0.1:8080\"}\n");

	assert_non_null(strstr(buffer_string(&room->said), "listen_plain without trusted_proxies"));
	config_free(&config);
	config = load(room, LEAST MAIN "listen_plain = {\"127.0.0.1:8080\"}\ntrusted_proxies = {\"127.0.0.1\"}\n");
	assert_string_equal(buffer_string(&room->said), "");
	config_free(&config);
	config = load(room, LEAST MAIN "listen_proxy = {\"127.0.0.1:8080\"}\n");
	assert_string_equal(buffer_string(&room->said), "");
	config_free(&config);
}

/* The example must stay right; only its users and its names of files are this machine's business. */
static void the_example_is_right_and_holds_the_defaults(void **state)
{
	struct room *room = *state;
	char path[1024], text[16384], changed[16384];
	const char *source = getenv("srcdir");

	snprintf(path, sizeof path, "%s/doc/belfry.conf.example", source == NULL ? "." : source);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	size_t length = 0;
	for (const char *at = text; *at != '\0';) {
		const char *user = strncmp(at, "\"belfry-front\"", 14) == 0 ? "\"#61001\"" :
			strncmp(at, "\"belfry-hub\"", 12) == 0 ? "\"#61002\"" :
			strncmp(at, "\"belfry-connector\"", 18) == 0 ? "\"#61003\"" : NULL;
		if (user == NULL) {
			changed[length++] = *at++;
			continue;
		}
		length += (size_t)sprintf(changed + length, "%s", user);
		at = strchr(at + 1, '"') + 1;
	}
	changed[length] = '\0';
	struct config *example = load(room, changed);
	if (example == NULL)
		fail_msg("%s", buffer_string(&room->said));
	struct config *defaults = load(room, LEAST MAIN);
	assert_memory_equal(&example->activesync, &defaults->activesync, sizeof example->activesync);
	assert_memory_equal(&example->policy, &defaults->policy, sizeof example->policy);
	assert_true(example->fronts == defaults->fronts && example->max_connections == defaults->max_connections);
	assert_int_equal(example->alive_s, defaults->alive_s);
	assert_true(example->hook.mode == defaults->hook.mode && example->hook.rate == defaults->hook.rate);
	assert_int_equal(example->hook.trusted_users.count, defaults->hook.trusted_users.count);
	struct buffer one = BUFFER_EMPTY, other = BUFFER_EMPTY;
	config_connector_settings(&example->connectors[0], &one, NULL);
	config_connector_settings(&defaults->connectors[0], &other, NULL);
	assert_string_equal(buffer_string(&one), buffer_string(&other));
	buffer_release(&one);
	buffer_release(&other);
	config_free(&example);
	config_free(&defaults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_short_file_gives_the_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_value_arrives_where_it_belongs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(users_find_their_connector, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mistake_is_told_with_its_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_are_counted_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_included_is_named_when_it_cannot_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(several_mistakes_are_told_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_in_quotes_or_comments_opens_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_wrong_element_of_a_list_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_folder_is_no_configuration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_may_go_wrong_is_warned_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_that_is_missing_is_told_in_one_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_proxy_that_nobody_believes_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_example_is_right_and_holds_the_defaults, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

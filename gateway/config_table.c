/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sections of a configuration file as tables, over libconfuse. */
#include "gateway/config_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

/* --- complaints ------------------------------------------------------------------------------------------------- */

static void complain(struct config_complaints *complaints, bool is_error, const char *where, const char *format,
	va_list args)
{
	char text[1024];
	int at = snprintf(text, sizeof text / 2, "%s%s%s", where == NULL ? "" : where, where == NULL ? "" : ": ",
		is_error ? "" : "warning: ");

	at = at < (int)sizeof text / 2 ? at : (int)sizeof text / 2 - 1;
	vsnprintf(text + at, sizeof text - (size_t)at, format, args);
	complaints->errors += is_error;
	if (strncmp(text, complaints->last, sizeof complaints->last - 1) == 0)
		return;
	snprintf(complaints->last, sizeof complaints->last, "%.*s", (int)sizeof complaints->last - 1, text);
	complaints->tell(text, is_error, complaints->data);
}

void config_error(struct config_complaints *complaints, const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(complaints, true, where, format, args);
	va_end(args);
}

void config_warning(struct config_complaints *complaints, const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(complaints, false, where, format, args);
	va_end(args);
}

const char *config_line_name(const struct config_text *text, unsigned line)
{
	static char name[512];
	struct config_line from = config_text_line(text, line);

	snprintf(name, sizeof name, "%s:%u", from.file, from.number);
	return name;
}

const char *config_here(const struct config_complaints *complaints, const cfg_t *section)
{
	return config_line_name(complaints->text, section->line < 0 ? 0 : (unsigned)section->line);
}

/* --- the tables ------------------------------------------------------------------------------------------------- */

static cfg_opt_t build_row(const struct option *option)
{
	char *name = (char *)(uintptr_t)option->name, *text = (char *)(uintptr_t)option->text;

	switch (option->type) {
	case OPTION_NUMBER: return (cfg_opt_t)CFG_INT(name, option->number, CFGF_NONE);
	case OPTION_TRUTH: return (cfg_opt_t)CFG_BOOL(name, option->number ? cfg_true : cfg_false, CFGF_NONE);
	case OPTION_TEXTS: return (cfg_opt_t)CFG_STR_LIST(name, text, CFGF_NONE);
	case OPTION_WORD:
		text = (char *)(uintptr_t)option->words[option->number];
		break;
	case OPTION_TEXT: break;
	}
	return (cfg_opt_t)CFG_STR(name, text, CFGF_NONE);
}

cfg_opt_t *option_table_build(const struct option_table *table, size_t extra)
{
	cfg_opt_t *rows = mem_alloc_array(table->count + extra + 1, sizeof *rows);

	for (size_t i = 0; i < table->count; i++)
		rows[i] = build_row(&table->options[i]);
	for (size_t i = table->count; i < table->count + extra + 1; i++)
		rows[i] = (cfg_opt_t)CFG_END();
	return rows;
}

const struct option *option_table_find(const struct option_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->options[i].name, name) == 0)
			return &table->options[i];
	return NULL;
}

static int find_word(const struct option *option, const char *word)
{
	for (int i = 0; option->words[i] != NULL; i++)
		if (strcmp(option->words[i], word) == 0)
			return i;
	return -1;
}

static void check_word(struct config_complaints *complaints, cfg_t *cfg, const struct option *option, const char *word)
{
	char words[128] = "";

	if (find_word(option, word) >= 0)
		return;
	for (int i = 0; option->words[i] != NULL; i++)
		snprintf(words + strlen(words), sizeof words - strlen(words), "%s\"%s\"", i == 0 ? "" : " or ", option->words[i]);
	config_error(complaints, config_here(complaints, cfg), "%s = \"%s\": it can be %s", option->name, word, words);
}

static void check_text(struct config_complaints *complaints, cfg_t *cfg, const struct option *option, const char *text)
{
	struct error error;

	if (strchr(text, '\n') != NULL)
		config_error(complaints, config_here(complaints, cfg), "%s: its value ends in another line than it begins; put the "
			"closing quote where it is missing", option->name);
	else if (option->check != NULL && option->check(text, &error) < 0)
		config_error(complaints, config_here(complaints, cfg), "%s = \"%s\": %s", option->name, text, error.text);
}

void option_check_value(struct config_complaints *complaints, cfg_t *cfg, cfg_opt_t *row, const struct option *option)
{
	long number;

	switch (option->type) {
	case OPTION_NUMBER:
		number = cfg_opt_getnint(row, 0);
		if (number < option->least || number > option->most)
			config_error(complaints, config_here(complaints, cfg), "%s = %ld: it can be %ld to %ld", option->name, number,
				option->least, option->most);
		break;
	case OPTION_WORD:
		check_word(complaints, cfg, option, cfg_opt_getnstr(row, 0));
		break;
	case OPTION_TEXT:
	case OPTION_TEXTS:
		if (cfg_opt_size(row) > 0) /* told of each element, when it has come */
			check_text(complaints, cfg, option, cfg_opt_getnstr(row, cfg_opt_size(row) - 1));
		break;
	case OPTION_TRUTH:
		break;
	}
}

static void store_texts(cfg_t *cfg, const struct option *option, struct config_strings *to)
{
	to->count = cfg_size(cfg, option->name);
	to->items = mem_alloc_array(to->count + 1, sizeof *to->items);
	for (size_t i = 0; i < to->count; i++)
		to->items[i] = mem_strdup(cfg_getnstr(cfg, option->name, (unsigned)i));
}

void option_table_store(const struct option_table *table, cfg_t *cfg, void *to)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option *option = &table->options[i];
		void *place = (char *)to + option->offset;
		switch (option->type) {
		case OPTION_NUMBER: *(unsigned *)place = (unsigned)cfg_getint(cfg, option->name); break;
		case OPTION_TRUTH: *(bool *)place = cfg_getbool(cfg, option->name) == cfg_true; break;
		case OPTION_TEXT: *(char **)place = mem_strdup(cfg_getstr(cfg, option->name)); break;
		case OPTION_TEXTS: store_texts(cfg, option, place); break;
		case OPTION_WORD: *(int *)place = find_word(option, cfg_getstr(cfg, option->name)); break;
		}
	}
}

void option_table_free(const struct option_table *table, void *from)
{
	for (size_t i = 0; i < table->count; i++) {
		void *place = (char *)from + table->options[i].offset;
		if (table->options[i].type == OPTION_TEXT)
			free(*(char **)place);
		if (table->options[i].type != OPTION_TEXTS)
			continue;
		struct config_strings *strings = place;
		for (size_t n = 0; n < strings->count; n++)
			free(strings->items[n]);
		free(strings->items);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sections of a configuration file as tables: one row an option says its name, type, default, bounds, and where in
 * which struct its value goes. Over libconfuse; for gateway/config*.c only.
 */
#ifndef BELFRY_GATEWAY_CONFIG_TABLE_H
#define BELFRY_GATEWAY_CONFIG_TABLE_H

#include <confuse.h>

#include "gateway/config.h"
#include "gateway/config_text.h"

enum option_type {
	OPTION_NUMBER, /* unsigned */
	OPTION_TRUTH,  /* bool */
	OPTION_TEXT,   /* char *, on the heap; NULL: not given */
	OPTION_TEXTS,  /* struct config_strings */
	OPTION_WORD    /* an enum: the index of one of words */
};

/* Is this text right for the option? -1 with what is wrong and what to do. */
typedef int option_check(const char *text, struct error *error_r);

struct option {
	const char *name;
	enum option_type type;
	size_t offset;
	const char *text;         /* default of a text; of texts as in the file: {"a", "b"} */
	long number, least, most; /* default and bounds of a number; default of a truth or a word */
	const char *const *words; /* NULL at the end */
	option_check *check;      /* of each text; may be NULL */
};

struct option_table {
	const struct option *options;
	size_t count;
};

/* Whom to tell, and how often it was told. */
struct config_complaints {
	config_complain *tell;
	void *data;
	unsigned errors;
	const struct config_text *text; /* what is being read; NULL: nothing */
	char last[256];    /* told last: libconfuse shows the end of a list twice */
};
/* What is wrong and what to do; where: NULL, or a file. */
void config_error(struct config_complaints *, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void config_warning(struct config_complaints *, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "FILE:LINE" of what is being read, in a static buffer; line: of its text. */
const char *config_here(const struct config_complaints *, const cfg_t *section);
const char *config_line_name(const struct config_text *, unsigned line);

/* Rows for libconfuse, with room for `extra` more before its end mark; free() it. */
cfg_opt_t *option_table_build(const struct option_table *, size_t extra);
/* The row of this name; NULL: none. */
const struct option *option_table_find(const struct option_table *, const char *name);
/* The value just read, against its row: told with file and line. */
void option_check_value(struct config_complaints *, cfg_t *, cfg_opt_t *, const struct option *);
/* Values to the struct, and freeing them there. */
void option_table_store(const struct option_table *, cfg_t *, void *to);
void option_table_free(const struct option_table *, void *from);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Berkeley DB 5.3 behind the table interface: one database of records, one of the few things to know about them. */
#include "gateway/service/store_db.h"

#include <assert.h>
#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/mem.h"

enum {
	FILE_MODE = 0600,
	REVISION_BYTES = 8,
	REVISION_FIRST = 1 /* 0 is no revision */
};

#define RECORDS_FILE "records.db"  /* user NUL device NUL key -> revision (8 bytes, big endian), value */
#define ABOUT_FILE "about.db"      /* "format" -> FORMAT; "revision" -> the first not set aside yet */
#define LOCK_FILE "lock"
#define FORMAT "belfry store 1"

struct store_db {
	struct store_table table;
	char *folder;
	int lock;              /* descriptor; -1: none */
	DB_ENV *env;
	DB *records, *about;
	DBC *cursor;
	bool cursor_stands;    /* on some row */
	DB_TXN *transaction;   /* between begin and end */
	uint64_t revision_next, revision_end; /* those set aside */
	uint8_t *row;          /* revision and value of a row, as read or to be written */
	struct store_key row_key;

	pthread_mutex_t mutex; /* guards the rest: two threads may find it broken */
	int panic;             /* the error that made Berkeley DB refuse everything, which it then reports as another */
	bool broken, full;
	struct error why;
};

enum { ROW_MAX = REVISION_BYTES + STORE_VALUE_MAX };

/* --- trouble --------------------------------------------------------------------------------------------------- */

/* Berkeley DB explains itself by a callback, before the function that failed returns. */
static _Thread_local char last_message[160];

static void keep_message(const DB_ENV *env, const char *prefix, const char *message)
{
	(void)env;
	(void)prefix;
	if (last_message[0] == '\0') /* the first is the cause, what follows are complaints about it */
		snprintf(last_message, sizeof last_message, "%s", message);
}

/* Its other output (statistics, progress) is nobody's. */
static void drop_message(const DB_ENV *env, const char *message)
{
	(void)env;
	(void)message;
}

static void panicked(DB_ENV *env, u_int32_t event, void *info)
{
	struct store_db *db = env->app_private;

	if (event != DB_EVENT_PANIC)
		return;
	pthread_mutex_lock(&db->mutex);
	if (db->panic == 0 && *(int *)info != DB_RUNRECOVERY)
		db->panic = *(int *)info;
	pthread_mutex_unlock(&db->mutex);
}

static bool is_want_of_room(int code)
{
	return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

static bool is_systems(int code)
{
	return code > 0 && code != EINVAL && code != ENOENT; /* these two it says of damaged files too */
}

/* The system's errors speak for themselves; of its own, what it said tells more. */
static const char *explain(int code)
{
	return is_systems(code) || last_message[0] == '\0' ? db_strerror(code) : last_message;
}

/* Remembers the first failure. Returns -1. */
static int broken(struct store_db *db, const char *what, int code)
{
	pthread_mutex_lock(&db->mutex);
	if (!db->broken) {
		int cause = db->panic != 0 ? db->panic : code;
		db->broken = true;
		db->full = is_want_of_room(cause);
		error_set(&db->why, "%s: %s", what, explain(cause));
	}
	pthread_mutex_unlock(&db->mutex);
	last_message[0] = '\0';
	return -1;
}

bool store_db_is_broken(const struct store_db *db)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&db->mutex;

	pthread_mutex_lock(mutex);
	bool is = db->broken;
	pthread_mutex_unlock(mutex);
	return is;
}

const char *store_db_why_broken(const struct store_db *db)
{
	return db->why.text;
}

bool store_db_was_full(const struct store_db *db)
{
	return db->full;
}

/* --- the table ------------------------------------------------------------------------------------------------- */

static struct store_db *table_owner(struct store_table *table)
{
	return container_of(table, struct store_db, table);
}

static DBT dbt(const void *data, size_t size)
{
	DBT dbt;

	memset(&dbt, 0, sizeof dbt);
	dbt.data = (void *)data;
	dbt.size = (u_int32_t)size;
	return dbt;
}

/* For what is read: a place of ours. */
static DBT dbt_room(void *data, size_t room)
{
	DBT into = dbt(data, 0);

	into.ulen = (u_int32_t)room;
	into.flags = DB_DBT_USERMEM;
	return into;
}

static uint64_t revision_unpack(const uint8_t *bytes)
{
	uint64_t revision = 0;

	for (int i = 0; i < REVISION_BYTES; i++)
		revision = revision << 8 | bytes[i];
	return revision;
}

static void revision_pack(uint8_t *bytes, uint64_t revision)
{
	for (int i = REVISION_BYTES; i-- > 0; revision >>= 8)
		bytes[i] = (uint8_t)revision;
}

static int table_revision(struct store_table *table, const struct store_key *key, uint64_t *revision_r)
{
	struct store_db *db = table_owner(table);
	uint8_t bytes[REVISION_BYTES];
	DBT name = dbt(key->bytes, key->length), into = dbt_room(bytes, sizeof bytes);

	into.flags |= DB_DBT_PARTIAL;
	into.dlen = sizeof bytes;
	int code = db->records->get(db->records, NULL, &name, &into, 0);
	if (code == DB_NOTFOUND)
		return 0;
	if (code != 0)
		return broken(db, "cannot read a record", code);
	*revision_r = revision_unpack(bytes);
	return 1;
}

/* Moves the cursor, and tells what is there. */
static int cursor_get(struct store_db *db, u_int32_t how, struct store_row *row_r)
{
	DBT key = dbt_room(db->row_key.bytes, sizeof db->row_key.bytes), row = dbt_room(db->row, ROW_MAX);

	key.size = (u_int32_t)db->row_key.length;
	db->cursor_stands = true;
	int code = db->cursor->get(db->cursor, &key, &row, how);
	if (code == DB_NOTFOUND)
		return 0;
	if (code == 0 && row.size < REVISION_BYTES)
		code = EINVAL;
	if (code != 0)
		return broken(db, "cannot read the records", code);
	*row_r = (struct store_row){
		.key = db->row_key.bytes,
		.key_length = key.size,
		.revision = revision_unpack(db->row),
		.value = db->row + REVISION_BYTES,
		.length = row.size - REVISION_BYTES,
	};
	return 1;
}

static int table_seek(struct store_table *table, const struct store_key *key, struct store_row *row_r)
{
	struct store_db *db = table_owner(table);

	db->row_key.length = key->length;
	memcpy(db->row_key.bytes, key->bytes, key->length);
	return cursor_get(db, DB_SET_RANGE, row_r);
}

static int table_next(struct store_table *table, struct store_row *row_r)
{
	return cursor_get(table_owner(table), DB_NEXT, row_r);
}

/* Berkeley DB only marks a row that is removed while a cursor stands on it, and takes it off the page when the cursor
 * leaves: a reader's does so outside of any transaction and without a word in the log, after which recovery fails. */
static int cursor_leave(struct store_db *db)
{
	if (!db->cursor_stands)
		return 0;
	db->cursor_stands = false;
	int code = db->cursor->close(db->cursor);
	db->cursor = NULL;
	return code == 0 ? db->records->cursor(db->records, NULL, &db->cursor, 0) : code;
}

static int table_begin(struct store_table *table)
{
	struct store_db *db = table_owner(table);
	int code = cursor_leave(db);

	if (code == 0)
		code = db->env->txn_begin(db->env, NULL, &db->transaction, 0);
	return code == 0 ? 0 : broken(db, "cannot begin a transaction", code);
}

/* Whatever fails inside a transaction ends it. */
static int undo(struct store_db *db, const char *what, int code)
{
	int result = broken(db, what, code);
	DB_TXN *transaction = db->transaction;

	db->transaction = NULL;
	transaction->abort(transaction);
	return result;
}

static int table_end(struct store_table *table)
{
	struct store_db *db = table_owner(table);
	DB_TXN *transaction = db->transaction;

	db->transaction = NULL;
	int code = transaction->commit(transaction, DB_TXN_NOSYNC); /* store_db_flush makes it durable */
	return code == 0 ? 0 : broken(db, "cannot commit a transaction", code);
}

static int about_put(struct store_db *db, DB_TXN *transaction, const char *name, const void *value, size_t length)
{
	DBT key = dbt(name, strlen(name)), data = dbt(value, length);

	return db->about->put(db->about, transaction, &key, &data, 0);
}

/* The next revision; from time to time many are set aside, in the same transaction. */
static int revision_take(struct store_db *db, uint64_t *revision_r)
{
	if (db->revision_next == db->revision_end) {
		uint8_t bytes[REVISION_BYTES];
		revision_pack(bytes, db->revision_end + STORE_DB_REVISIONS);
		int code = about_put(db, db->transaction, "revision", bytes, sizeof bytes);
		if (code != 0)
			return code;
		db->revision_end += STORE_DB_REVISIONS;
	}
	*revision_r = db->revision_next++;
	return 0;
}

static int table_put(struct store_table *table, const struct store_key *key, const void *value, size_t length,
	uint64_t *revision_r)
{
	struct store_db *db = table_owner(table);
	DBT name = dbt(key->bytes, key->length), data = dbt(db->row, REVISION_BYTES + length);
	int code = revision_take(db, revision_r);

	revision_pack(db->row, *revision_r);
	if (length != 0)
		memcpy(db->row + REVISION_BYTES, value, length);
	if (code == 0)
		code = db->records->put(db->records, db->transaction, &name, &data, 0);
	return code == 0 ? 0 : undo(db, "cannot write a record", code);
}

static int table_remove(struct store_table *table, const struct store_key *key)
{
	struct store_db *db = table_owner(table);
	DBT name = dbt(key->bytes, key->length);
	int code = db->records->del(db->records, db->transaction, &name, 0);

	return code == 0 ? 0 : undo(db, "cannot remove a record", code);
}

static const struct store_table db_table = {
	.revision = table_revision,
	.seek = table_seek,
	.next = table_next,
	.begin = table_begin,
	.end = table_end,
	.put = table_put,
	.remove = table_remove,
};

struct store_table *store_db_table(struct store_db *db)
{
	return &db->table;
}

int store_db_flush(struct store_db *db)
{
	int code = db->env->log_flush(db->env, NULL);

	return code == 0 ? 0 : broken(db, "cannot write the log", code);
}

/* --- opening --------------------------------------------------------------------------------------------------- */

static int open_failed(const struct store_db *db, int code, struct error *error_r)
{
	int cause = db->panic != 0 ? db->panic : code;

	if (is_systems(cause))
		error_set(error_r, "cannot open the store in %s: %s", db->folder, explain(cause));
	else
		error_set(error_r, "the store in %s is damaged (%.80s): put a backup in its place, or move it away: "
			"then each phone synchronises from the start", db->folder, explain(cause));
	return -1;
}

static int folder_prepare(const char *folder, struct error *error_r)
{
	struct stat status;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set(error_r, "cannot make the folder %s: %s", folder, strerror(errno));
	if (stat(folder, &status) < 0)
		return error_set(error_r, "cannot look at %s: %s", folder, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return error_set(error_r, "%s is not a folder: the store needs one", folder);
	if ((status.st_mode & 077) != 0)
		return error_set(error_r, "the folder %s is open to other users: chmod 700 %s", folder, folder);
	return 0;
}

/* The environment is private, so nothing of Berkeley DB's would keep a second process out. */
static int folder_lock(struct store_db *db, struct error *error_r)
{
	char *path = mem_printf("%s/" LOCK_FILE, db->folder);

	db->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	free(path);
	if (db->lock < 0)
		return error_set(error_r, "cannot write in %s: %s: all in it must be its user's, chown -R %d %s", db->folder,
			strerror(errno), (int)geteuid(), db->folder);
	if (flock(db->lock, LOCK_EX | LOCK_NB) < 0)
		return error_set(error_r, "the store in %s is in use by another process", db->folder);
	return 0;
}

/* The names of new files are in the folder, which is a file too. */
static int folder_sync(const struct store_db *db)
{
	int folder = open(db->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = folder < 0 || fsync(folder) < 0 ? errno : 0;

	if (folder >= 0)
		close(folder);
	return code;
}

static int environment_open(struct store_db *db, size_t cache_bytes)
{
	const size_t gigabyte = (size_t)1 << 30;
	int code = db_env_create(&db->env, 0);

	if (code != 0)
		return code;
	DB_ENV *env = db->env;
	env->app_private = db;
	env->set_errcall(env, keep_message);
	env->set_msgcall(env, drop_message);
	env->set_event_notify(env, panicked);
	if ((code = env->set_cachesize(env, (u_int32_t)(cache_bytes / gigabyte), (u_int32_t)(cache_bytes % gigabyte), 1)) != 0 ||
		(code = env->set_lg_max(env, STORE_DB_LOG_FILE_BYTES)) != 0 ||
		(code = env->set_lg_bsize(env, STORE_DB_LOG_BUFFER_BYTES)) != 0 ||
		(code = env->set_lg_filemode(env, FILE_MODE)) != 0)
		return code;
	return env->open(env, db->folder, DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_THREAD | DB_INIT_MPOOL | DB_INIT_LOG |
		DB_INIT_TXN, FILE_MODE);
}

static int database_open(struct store_db *db, DB **database_r, const char *file)
{
	int code = db_create(database_r, db->env, 0);

	if (code != 0)
		return code;
	DB *database = *database_r;
	if ((code = database->set_pagesize(database, STORE_DB_PAGE_BYTES)) != 0 ||
		(code = database->set_flags(database, DB_CHKSUM)) != 0)
		return code;
	return database->open(database, NULL, file, NULL, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, FILE_MODE);
}

static int about_get(struct store_db *db, const char *name, void *into, size_t room, size_t *length_r)
{
	DBT key = dbt(name, strlen(name)), data = dbt_room(into, room);
	int code = db->about->get(db->about, NULL, &key, &data, 0);

	*length_r = data.size;
	return code;
}

/* A new store is given its format; an old one must have it. */
static int format_check(struct store_db *db)
{
	char format[64];
	size_t length;
	int code = about_get(db, "format", format, sizeof format, &length);

	if (code == DB_NOTFOUND)
		return about_put(db, NULL, "format", FORMAT, strlen(FORMAT));
	if (code != 0)
		return code;
	if (length == strlen(FORMAT) && memcmp(format, FORMAT, length) == 0)
		return 0;
	snprintf(last_message, sizeof last_message, "its format is \"%.*s\", not \"" FORMAT "\"", (int)length, format);
	return DB_OLD_VERSION;
}

static int revision_load(struct store_db *db)
{
	uint8_t bytes[REVISION_BYTES];
	size_t length;
	int code = about_get(db, "revision", bytes, sizeof bytes, &length);

	if (code == 0 && length != sizeof bytes)
		return EINVAL;
	db->revision_next = db->revision_end = code == 0 ? revision_unpack(bytes) : REVISION_FIRST;
	return code == DB_NOTFOUND ? 0 : code;
}

static int open_all(struct store_db *db, size_t cache_bytes)
{
	int code;

	last_message[0] = '\0';
	if ((code = environment_open(db, cache_bytes)) == 0 &&
		(code = database_open(db, &db->about, ABOUT_FILE)) == 0 &&
		(code = database_open(db, &db->records, RECORDS_FILE)) == 0 &&
		(code = db->records->cursor(db->records, NULL, &db->cursor, 0)) == 0 &&
		(code = format_check(db)) == 0 &&
		(code = revision_load(db)) == 0 &&
		(code = db->env->txn_checkpoint(db->env, 0, 0, DB_FORCE)) == 0)
		code = folder_sync(db);
	return code;
}

struct store_db *store_db_open(const char *folder, size_t cache_bytes, struct error *error_r)
{
	struct store_db *db = mem_alloc(sizeof *db);
	int code;

	db->table = db_table;
	db->folder = mem_strdup(folder);
	db->row = mem_alloc(ROW_MAX);
	db->lock = -1;
	pthread_mutex_init(&db->mutex, NULL);
	if (folder_prepare(folder, error_r) == 0 && folder_lock(db, error_r) == 0) {
		if ((code = open_all(db, cache_bytes)) == 0)
			return db;
		open_failed(db, code, error_r);
	}
	db->broken = true;
	store_db_close(&db);
	return NULL;
}

/*
 * A broken environment is only taken apart: it must not write pages of which the log may be missing. That it panicked
 * has to be overlooked then, else it keeps its memory. What it says to all that was said before.
 */
void store_db_close(struct store_db **owner)
{
	struct store_db *db = *owner;

	if (db == NULL)
		return;
	assert(db->transaction == NULL);
	if (!store_db_is_broken(db))
		store_db_checkpoint(db, true, NULL);
	else if (db->env != NULL)
		db->env->set_flags(db->env, DB_NOPANIC | DB_NOFLUSH, 1);
	u_int32_t how = store_db_is_broken(db) ? DB_NOSYNC : 0;
	if (db->cursor != NULL)
		db->cursor->close(db->cursor);
	if (db->records != NULL)
		db->records->close(db->records, how);
	if (db->about != NULL)
		db->about->close(db->about, how);
	if (db->env != NULL)
		db->env->close(db->env, 0);
	if (db->lock >= 0)
		close(db->lock);
	pthread_mutex_destroy(&db->mutex);
	free(db->folder);
	free(db->row);
	free(db);
	*owner = NULL;
}

/* --- beside the table ------------------------------------------------------------------------------------------ */

int store_db_checkpoint(struct store_db *db, bool any, struct error *error_r)
{
	int code = db->env->txn_checkpoint(db->env, any ? 0 : STORE_DB_CHECKPOINT_KB, 0, 0);

	if (code != 0) {
		broken(db, "cannot write the records", code);
		return error_set(error_r, "cannot write the records: %s", db_strerror(code));
	}
	code = db->env->log_archive(db->env, NULL, DB_ARCH_REMOVE);
	return code == 0 ? 0 : error_set(error_r, "cannot remove old log files: %s", db_strerror(code));
}

/* The copy has the pages as they were while it was made, and the log that mends them: recovery does so, and proves it. */
int store_db_backup(struct store_db *db, const char *folder, struct error *error_r)
{
	if (mkdir(folder, 0700) < 0)
		return error_set(error_r, "cannot make the folder %s: %s", folder, strerror(errno));
	last_message[0] = '\0';
	int code = db->env->backup(db->env, folder, DB_EXCL);
	if (code != 0)
		return error_set(error_r, "cannot copy the store to %s: %s", folder, explain(code));
	struct store_db *copy = store_db_open(folder, STORE_DB_COPY_CACHE_BYTES, error_r);
	if (copy == NULL)
		return -1;
	store_db_close(&copy);
	return 0;
}

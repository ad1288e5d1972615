/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The store on disk and its two threads. The worker makes all calls, in batches: run what is there, make it durable
 * with one flush, then release the answers; what is asked meanwhile is the next batch. So a lone commit goes at once,
 * and under load one flush serves all who wait for it. The keeper writes checkpoints and backups beside it.
 *
 *   loop ── queue ──▶ worker: run, run, run … flush ── answered ──▶ loop
 *                       └─ a backup ──▶ keeper ────── answered ──▶ loop
 */
#include "gateway/service/store_open.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/service/store_db.h"
#include "lib/core/log.h"
#include "lib/core/loop_wakeup.h"
#include "lib/core/mem.h"

enum {
	BATCH_US = 1000,     /* of calls before a flush: a batch that goes on and on would let its first wait */
	KEEPER_TICK_S = 1    /* it looks whether much was logged */
};

/* What a thread wants to be logged; only the loop logs. */
struct news {
	struct news *next;
	enum log_level level;
	struct error text;
};

struct store_disk {
	struct store store;
	struct loop_wakeup *wakeup;
	char *folder;
	size_t cache_bytes;
	unsigned checkpoint_s, reopen_s;
	pthread_t worker, keeper;

	/* The worker's alone. */
	struct store_calls todo;
	bool may_reopen;
	int64_t tried_us;                 /* to open it */

	pthread_mutex_t mutex;            /* guards all that follows */
	pthread_cond_t asked, keep, kept; /* for the worker; for the keeper; for who waits for the keeper */
	struct store_calls queue, answered;
	struct news *news, **last_news;
	bool worker_ends, keeper_ends;
	struct store_call *backup;        /* for the keeper */
	struct store_db *db;              /* the worker's to change, and the keeper's to use while keeper_works */
	bool keeper_works;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- to the loop ----------------------------------------------------------------------------------------------- */

static void tell(struct store_disk *disk, enum log_level level, const char *text)
{
	struct news *news = mem_alloc(sizeof *news);

	news->level = level;
	error_set(&news->text, "%s", text);
	pthread_mutex_lock(&disk->mutex);
	*disk->last_news = news;
	disk->last_news = &news->next;
	pthread_mutex_unlock(&disk->mutex);
	loop_wakeup_ring(disk->wakeup);
}

/* The list is empty afterwards. */
static void calls_append(struct store_calls *to, struct store_calls *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	store_calls_init(from);
}

static void hand_over(struct store_disk *disk, struct store_calls *done)
{
	if (done->first == NULL)
		return;
	pthread_mutex_lock(&disk->mutex);
	bool first = disk->answered.first == NULL;
	calls_append(&disk->answered, done);
	pthread_mutex_unlock(&disk->mutex);
	if (first)
		loop_wakeup_ring(disk->wakeup);
}

static void log_news(struct store_disk *disk, struct news *news)
{
	while (news != NULL) {
		struct news *next = news->next;
		if (news->level == LOG_LEVEL_ERROR)
			log_error(LOG_STORE, "folder=%s error=\"%s\"", log_quote(disk->folder), news->text.text);
		else if (news->level == LOG_LEVEL_WARNING)
			log_warning(LOG_STORE, "folder=%s warning=\"%s\"", log_quote(disk->folder), news->text.text);
		else
			log_info(LOG_STORE, "folder=%s event=\"%s\"", log_quote(disk->folder), news->text.text);
		free(news);
		news = next;
	}
}

static struct news *take_news(struct store_disk *disk)
{
	struct news *news = disk->news;

	disk->news = NULL;
	disk->last_news = &disk->news;
	return news;
}

static void worker_rang(void *owner)
{
	struct store_disk *disk = owner;
	struct store_calls answered;
	struct store_call *call;

	store_calls_init(&answered);
	pthread_mutex_lock(&disk->mutex);
	calls_append(&answered, &disk->answered);
	struct news *news = take_news(disk);
	pthread_mutex_unlock(&disk->mutex);
	log_news(disk, news);
	while ((call = store_calls_take(&answered)) != NULL)
		store_answer(call);
}

/* --- the keeper ------------------------------------------------------------------------------------------------ */

static void make_checkpoint(struct store_disk *disk, struct store_db *db, int64_t *last_us)
{
	bool is_time = now_us() - *last_us >= (int64_t)disk->checkpoint_s * 1000000;
	struct error error;

	if (store_db_checkpoint(db, is_time, &error) < 0)
		tell(disk, LOG_LEVEL_WARNING, error.text);
	if (is_time)
		*last_us = now_us();
}

static void make_backup(struct store_disk *disk, struct store_db *db, struct store_call *call)
{
	struct error error;

	call->status = STORE_UNAVAILABLE;
	if (db == NULL)
		return; /* why was told */
	if (store_db_backup(db, call->backup.folder, &error) < 0)
		tell(disk, LOG_LEVEL_ERROR, error.text);
	else
		call->status = STORE_OK;
}

static void await_tick(struct store_disk *disk)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += KEEPER_TICK_S;
	if (disk->backup == NULL && !disk->keeper_ends)
		pthread_cond_timedwait(&disk->keep, &disk->mutex, &until);
}

static void *keeper_main(void *data)
{
	struct store_disk *disk = data;
	int64_t checkpoint_us = now_us();

	pthread_setname_np(pthread_self(), "store keeper");
	pthread_mutex_lock(&disk->mutex);
	while (!disk->keeper_ends || disk->backup != NULL) {
		await_tick(disk);
		struct store_call *backup = disk->backup;
		struct store_db *db = disk->db;
		disk->keeper_works = true;
		pthread_mutex_unlock(&disk->mutex);
		if (backup != NULL)
			make_backup(disk, db, backup);
		else if (db != NULL)
			make_checkpoint(disk, db, &checkpoint_us);
		pthread_mutex_lock(&disk->mutex);
		disk->keeper_works = false;
		if (backup != NULL) { /* another may have come while it was no backup */
			disk->backup = NULL;
			store_calls_add(&disk->answered, backup);
			loop_wakeup_ring(disk->wakeup);
		}
		pthread_cond_signal(&disk->kept);
	}
	pthread_mutex_unlock(&disk->mutex);
	return NULL;
}

/* --- the worker ------------------------------------------------------------------------------------------------ */

static void set_db(struct store_disk *disk, struct store_db *db)
{
	pthread_mutex_lock(&disk->mutex);
	while (disk->keeper_works)
		pthread_cond_wait(&disk->kept, &disk->mutex);
	disk->db = db;
	pthread_mutex_unlock(&disk->mutex);
}

/*
 * Nothing may be answered from a broken store. After a full disk it is opened again, with what is on the disk. After an
 * I/O error it is not: the kernel may show us pages that never reached the disk, until the machine was looked after.
 */
static void give_up_db(struct store_disk *disk)
{
	struct store_db *db = disk->db;
	struct error text;

	disk->may_reopen = store_db_was_full(db);
	disk->tried_us = now_us();
	error_set(&text, "unavailable: %s; %s", store_db_why_broken(db), disk->may_reopen ?
		"make room, it goes on by itself" : "look after the disk, restart belfryd; if that does not help, put a backup there");
	tell(disk, LOG_LEVEL_ERROR, text.text);
	set_db(disk, NULL);
	store_db_close(&db);
}

static void reopen_db(struct store_disk *disk)
{
	struct error error;

	if (disk->db != NULL || !disk->may_reopen || now_us() - disk->tried_us < disk->reopen_s * (int64_t)1000000)
		return;
	disk->tried_us = now_us();
	struct store_db *db = store_db_open(disk->folder, disk->cache_bytes, &error);
	tell(disk, db == NULL ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, db == NULL ? error.text : "available again");
	set_db(disk, db);
}

/* The keeper answers it. false: it cannot now. */
static bool pass_backup(struct store_disk *disk, struct store_call *call)
{
	pthread_mutex_lock(&disk->mutex);
	bool passed = disk->backup == NULL;
	if (passed)
		disk->backup = call;
	pthread_cond_signal(&disk->keep);
	pthread_mutex_unlock(&disk->mutex);
	return passed;
}

/* Runs one call; it is then in `done`, or the keeper's. Returns whether it wrote. */
static bool run_call(struct store_disk *disk, struct store_call *call, struct store_calls *done)
{
	if (call->kind == STORE_BACKUP) {
		if (pass_backup(disk, call))
			return false;
		call->status = STORE_UNAVAILABLE;
	} else if (disk->db == NULL || store_db_is_broken(disk->db)) {
		call->status = STORE_UNAVAILABLE;
	} else {
		store_table_run(store_db_table(disk->db), call);
	}
	store_calls_add(done, call);
	return call->kind == STORE_COMMIT && call->status == STORE_OK && call->commit.count != 0;
}

static void refuse_all(struct store_calls *calls)
{
	for (struct store_call *call = calls->first; call != NULL; call = call->next)
		call->status = STORE_UNAVAILABLE;
}

static void take_queue(struct store_disk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	calls_append(&disk->todo, &disk->queue);
	pthread_mutex_unlock(&disk->mutex);
}

static void run_batch(struct store_disk *disk)
{
	int64_t until_us = now_us() + BATCH_US;
	struct store_calls done;
	bool wrote = false;

	store_calls_init(&done);
	do {
		wrote |= run_call(disk, store_calls_take(&disk->todo), &done);
		if (disk->todo.first == NULL)
			take_queue(disk);
	} while (disk->todo.first != NULL && now_us() < until_us);
	if (disk->db != NULL && wrote)
		store_db_flush(disk->db);
	if (disk->db != NULL && store_db_is_broken(disk->db)) {
		refuse_all(&done);
		give_up_db(disk);
	}
	hand_over(disk, &done);
}

/* false: no more will come. */
static bool await_calls(struct store_disk *disk)
{
	if (disk->todo.first != NULL)
		return true;
	pthread_mutex_lock(&disk->mutex);
	while (disk->queue.first == NULL && !disk->worker_ends)
		pthread_cond_wait(&disk->asked, &disk->mutex);
	calls_append(&disk->todo, &disk->queue);
	pthread_mutex_unlock(&disk->mutex);
	return disk->todo.first != NULL;
}

static void *worker_main(void *data)
{
	struct store_disk *disk = data;

	pthread_setname_np(pthread_self(), "store");
	while (await_calls(disk)) {
		reopen_db(disk);
		run_batch(disk);
	}
	return NULL;
}

/* --- the driver ------------------------------------------------------------------------------------------------ */

static void submit(struct store *store, struct store_call *call)
{
	struct store_disk *disk = container_of(store, struct store_disk, store);

	pthread_mutex_lock(&disk->mutex);
	bool first = disk->queue.first == NULL;
	store_calls_add(&disk->queue, call);
	pthread_mutex_unlock(&disk->mutex);
	if (first)
		pthread_cond_signal(&disk->asked);
}

static void end_thread(struct store_disk *disk, pthread_t thread, bool *ends, pthread_cond_t *waits)
{
	pthread_mutex_lock(&disk->mutex);
	*ends = true;
	pthread_cond_signal(waits);
	pthread_mutex_unlock(&disk->mutex);
	pthread_join(thread, NULL);
}

static void release(struct store_disk *disk)
{
	log_news(disk, take_news(disk));
	store_db_close(&disk->db);
	store_calls_free(&disk->answered);
	loop_wakeup_free(&disk->wakeup);
	pthread_cond_destroy(&disk->asked);
	pthread_cond_destroy(&disk->keep);
	pthread_cond_destroy(&disk->kept);
	pthread_mutex_destroy(&disk->mutex);
	free(disk->folder);
}

static void close_disk(struct store *store)
{
	struct store_disk *disk = container_of(store, struct store_disk, store);

	end_thread(disk, disk->worker, &disk->worker_ends, &disk->asked);
	end_thread(disk, disk->keeper, &disk->keeper_ends, &disk->keep);
	release(disk);
}

/* Signals are the loop's: the threads have them blocked. */
static void start_thread(pthread_t *thread_r, void *(*run)(void *), struct store_disk *disk)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(thread_r, NULL, run, disk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert(code == 0); /* as for memory: there is nothing to go on with */
}

static void conditions_init(struct store_disk *disk)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&disk->mutex, NULL);
	pthread_cond_init(&disk->asked, NULL);
	pthread_cond_init(&disk->kept, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&disk->keep, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct store *store_open(struct loop *loop, const struct store_settings *settings, struct error *error_r)
{
	static const struct store_driver driver = {submit, close_disk};
	size_t cache_bytes = settings->cache_bytes == 0 ? STORE_CACHE_BYTES : settings->cache_bytes;
	struct store_db *db = store_db_open(settings->folder, cache_bytes, error_r);

	if (db == NULL)
		return NULL;
	struct store_disk *disk = mem_alloc(sizeof *disk);
	store_init(&disk->store, &driver, loop);
	disk->folder = mem_strdup(settings->folder);
	disk->cache_bytes = cache_bytes;
	disk->checkpoint_s = settings->checkpoint_s == 0 ? STORE_CHECKPOINT_S : settings->checkpoint_s;
	disk->reopen_s = settings->reopen_s == 0 ? STORE_REOPEN_S : settings->reopen_s;
	disk->db = db;
	disk->last_news = &disk->news;
	store_calls_init(&disk->todo);
	store_calls_init(&disk->queue);
	store_calls_init(&disk->answered);
	conditions_init(disk);
	disk->wakeup = loop_wakeup_create(loop, worker_rang, disk);
	start_thread(&disk->worker, worker_main, disk);
	start_thread(&disk->keeper, keeper_main, disk);
	return &disk->store;
}

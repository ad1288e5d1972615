/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tokens as time: a device whose paid_ms lies ahead of the clock has used so much of its burst. */
#include "gateway/hub/pace.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

/* Hash tables of uthash keep the order of insertion: who comes is put in anew. */
struct device {
	UT_hash_handle hh;
	int64_t paid_ms;
	bool is_refused; /* and the log says so */
	char key[];
};

struct pace {
	struct loop *loop;
	int64_t token_ms, burst_ms;
	struct device *devices;
};

enum { KEY_MAX = PRINCIPAL_USER_MAX + PRINCIPAL_DEVICE_MAX + 2 };

struct pace *pace_create(struct loop *loop, unsigned burst, unsigned per_minute)
{
	struct pace *pace = mem_alloc(sizeof *pace);

	*pace = (struct pace){.loop = loop, .token_ms = per_minute == 0 ? 0 : 60000 / per_minute};
	pace->burst_ms = pace->token_ms * burst;
	return pace;
}

static void drop(struct pace *pace, struct device *device)
{
	HASH_DELETE(hh, pace->devices, device);
	free(device);
}

void pace_free(struct pace **owner)
{
	struct pace *pace = *owner;

	*owner = NULL;
	if (pace == NULL)
		return;
	while (pace->devices != NULL)
		drop(pace, pace->devices);
	free(pace);
}

/* A NUL between them: neither has one. Names over their limits are no devices of ours; what is cut is counted together. */
static size_t make_key(const struct principal *principal, char key_r[KEY_MAX])
{
	size_t user = strnlen(principal->user, PRINCIPAL_USER_MAX), device = strnlen(principal->device, PRINCIPAL_DEVICE_MAX);

	memcpy(key_r, principal->user, user);
	key_r[user] = '\0';
	memcpy(key_r + user + 1, principal->device, device);
	return user + 1 + device;
}

/* Those at the front have been away for the longest. */
static void drop_old(struct pace *pace, int64_t now_ms)
{
	while (pace->devices != NULL &&
	       (pace->devices->paid_ms <= now_ms || HASH_COUNT(pace->devices) >= PACE_DEVICES_MAX))
		drop(pace, pace->devices);
}

static struct device *touch(struct pace *pace, const char *key, size_t length, int64_t now_ms)
{
	struct device *device;

	HASH_FIND(hh, pace->devices, key, length, device);
	if (device != NULL) {
		HASH_DELETE(hh, pace->devices, device);
	} else {
		drop_old(pace, now_ms);
		device = mem_alloc(sizeof *device + length);
		memcpy(device->key, key, length);
	}
	HASH_ADD(hh, pace->devices, key, length, device);
	if (device->paid_ms < now_ms)
		device->paid_ms = now_ms;
	return device;
}

/* Until there is room for a rest's worth of tokens, or for all, but at least for one. */
static unsigned refuse(const struct pace *pace, struct device *device, const struct principal *principal, int64_t now_ms)
{
	int64_t rest_ms = PACE_REST_S * 1000 < pace->burst_ms ? PACE_REST_S * 1000 : pace->burst_ms;

	if (rest_ms < pace->token_ms)
		rest_ms = pace->token_ms;
	if (!device->is_refused)
		log_warning(LOG_HUB, "user=%s device=%s comes too often and gets nowhere: it is told to wait (request_burst, "
			"requests_per_minute)", log_quote(principal->user), log_quote(principal->device));
	device->is_refused = true;
	return (unsigned)((device->paid_ms - now_ms - pace->burst_ms + rest_ms + 999) / 1000);
}

unsigned pace_take(struct pace *pace, const struct principal *principal)
{
	int64_t now_ms = loop_now_ms(pace->loop);
	char key[KEY_MAX];

	if (pace->token_ms == 0)
		return 0;
	struct device *device = touch(pace, key, make_key(principal, key), now_ms);
	if (device->paid_ms + pace->token_ms > now_ms + pace->burst_ms)
		return refuse(pace, device, principal, now_ms);
	if (device->paid_ms + PACE_REST_S * 1000 <= now_ms + pace->burst_ms) /* it has rested */
		device->is_refused = false;
	device->paid_ms += pace->token_ms;
	return 0;
}

void pace_give_back(struct pace *pace, const struct principal *principal)
{
	struct device *device;
	char key[KEY_MAX];
	size_t length = make_key(principal, key);

	HASH_FIND(hh, pace->devices, key, length, device);
	if (device != NULL)
		device->paid_ms -= pace->token_ms;
}

unsigned pace_count(const struct pace *pace)
{
	return HASH_COUNT(pace->devices);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a hint and a position mean for a held request. */
#include "gateway/service/router.h"

/* splitmix64's finalizer: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

struct position position_pack(const Belfry__Role__Position *position)
{
	if (position == NULL)
		return (struct position){0};
	if (position->validity < POSITION_FOLDED && position->next < POSITION_FOLDED)
		return (struct position){position->token, (uint32_t)position->validity, (uint32_t)position->next};
	uint64_t folded = mix(mix(mix(position->validity) ^ position->next) ^ position->token);
	return (struct position){folded, POSITION_FOLDED, POSITION_FOLDED};
}

bool position_is_unknown(const struct position *position)
{
	return position->validity == 0 && position->next == 0 && position->token == 0;
}

bool position_is_same(const struct position *a, const struct position *b)
{
	return a->validity == b->validity && a->next == b->next && a->token == b->token && !position_is_unknown(a);
}

/* A validity or next of 0 is a backend that does not have such a thing. */
static bool is_countable(const struct position *position)
{
	return position->validity != 0 && position->next != 0 && position->validity != POSITION_FOLDED;
}

bool position_has_news(const struct position *now, const struct position *then)
{
	return is_countable(now) && is_countable(then) && now->validity == then->validity && now->next > then->next;
}

bool position_has_reached(const struct position *now, const struct position *least)
{
	return position_has_news(now, least) ||
		(is_countable(now) && is_countable(least) && now->validity == least->validity && now->next == least->next);
}

struct position router_hint_position(const struct hint *hint)
{
	bool is_new = hint->event == HINT_MESSAGE_NEW || hint->event == HINT_MESSAGE_APPEND || hint->event == HINT_ITEM_NEW;

	if (!is_new || hint->uidvalidity == 0 || hint->uid == 0 || hint->uidvalidity >= POSITION_FOLDED ||
	    hint->uid >= POSITION_FOLDED - 1)
		return (struct position){0};
	return (struct position){0, (uint32_t)hint->uidvalidity, (uint32_t)hint->uid + 1};
}

bool router_hint_proves(const struct hint *hint, const struct position *device)
{
	struct position least = router_hint_position(hint);

	return position_has_news(&least, device);
}

int router_retry_ms(unsigned retries_done)
{
	static const int delays_ms[ROUTER_RETRIES] = {50, 500, 5000};

	return retries_done < ROUTER_RETRIES ? delays_ms[retries_done] : -1;
}

int router_backoff_ms(unsigned failures)
{
	enum { FIRST_MS = 1000, MOST_MS = 60000 };

	return failures >= 6 ? MOST_MS : FIRST_MS << failures;
}

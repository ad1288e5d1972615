/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device has, and the plan. The heart is at the end: whatever happens to mailbox and answers, it converges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/sync_state.h"

enum { SEEN = BELFRY__CONNECTOR__FLAG__SEEN, FLAGGED = BELFRY__CONNECTOR__FLAG__FLAGGED,
	ANSWERED = BELFRY__CONNECTOR__FLAG__ANSWERED, FORWARDED = BELFRY__CONNECTOR__FLAG__FORWARDED };

/* --- by cases -------------------------------------------------------------------------------------------------- */

/* "1-3 7" */
static struct ranges set(const char *text)
{
	struct ranges ranges = RANGES_EMPTY;
	char *at = (char *)(uintptr_t)text;

	while (*at != '\0') {
		uint64_t first = strtoull(at, &at, 10), last = *at == '-' ? strtoull(at + 1, &at, 10) : first;
		ranges_add(&ranges, first, last);
		at += strspn(at, " ");
	}
	return ranges;
}

static void assert_set(const struct ranges *ranges, const char *text)
{
	struct ranges expected = set(text);

	if (!ranges_equal(ranges, &expected)) {
		for (size_t i = 0; i < ranges->count; i++)
			print_error("%llu-%llu ", (unsigned long long)ranges->list[i].first, (unsigned long long)ranges->list[i].last);
		fail_msg("instead of \"%s\"", text);
	}
	ranges_release(&expected);
}

static void a_plan_tells_removals_then_flags_then_new_items(void **state)
{
	static const struct {
		const char *has, *unseen, *flagged; /* as the device sees them */
		const char *present, *existing;     /* existing NULL: no filter */
		const char *changed;                /* "uid:flags", s seen, f flagged, a answered */
		uint64_t window;
		const char *deletes, *soft_deletes, *changes, *adds;
		bool more, is_told;
	} cases[] = {
		{"", "", "", "", NULL, "", 10, "", "", "", "", false, false},
		{"", "", "", "1-5", NULL, "1:s 2:s", 10, "", "", "", "1-5", false, true},
		{"1-5", "", "", "1-5", NULL, "1:s 2:s 5:sa", 10, "", "", "", "", false, false},
		{"1-5", "", "", "1-5", NULL, "1: 2:sf 3:s", 10, "", "", "1-2", "", false, true},
		{"1-5", "1-5", "3", "1-5", NULL, "1:s 3: 4:f", 10, "", "", "1 3 4", "", false, true},
		{"1-5", "", "", "2-4", NULL, "", 10, "1 5", "", "", "", false, true},
		{"1-5", "", "", "2-4", "2-5", "", 10, "1", "5", "", "", false, true},
		{"1-5", "", "", "", "1-5", "", 10, "", "1-5", "", "", false, true},
		/* the window */
		{"", "", "", "1-100", NULL, "", 10, "", "", "", "91-100", true, true},
		{"", "", "", "1-10", NULL, "", 10, "", "", "", "1-10", false, true},
		{"1-10", "", "", "3-20", NULL, "5: 6:", 3, "1-2", "", "5", "", true, true},
		{"1-10", "", "", "3-20", NULL, "5: 6:", 4, "1-2", "", "5-6", "", true, true},
		{"1-10", "", "", "3-20", NULL, "5: 6:", 6, "1-2", "", "5-6", "19-20", true, true},
		{"1-10", "", "", "3-10", NULL, "5: 6:", 1, "2", "", "", "", true, true},
		{"1-10", "", "", "5-10", "3-10", "", 3, "1-2", "4", "", "", true, true},
		{"1-3", "", "", "1-4", NULL, "1:", 0, "", "", "", "", true, false},
		{"1-3", "", "", "1-3", NULL, "", 0, "", "", "", "", false, false},
		/* flags of what the device does not have, or does not keep, are not told */
		{"1-3", "", "", "2-4", NULL, "1: 4:", 10, "1", "", "", "4", false, true},
		{"1-3", "", "", "1-3", NULL, "9: 0:", 10, "", "", "", "", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
		struct sync_state device = {.record = &record, .has = set(cases[i].has), .unseen = set(cases[i].unseen),
			.flagged = set(cases[i].flagged), .told = {.adds = set("77"), .changes = set("78"), .deletes = set("79"),
			.soft_deletes = set("80"), .more = true}};
		struct ranges present = set(cases[i].present), existing = set(cases[i].existing == NULL ? "" : cases[i].existing);
		Belfry__Connector__ItemFlags flags[8], *list[8];
		size_t count = 0;
		for (const char *at = cases[i].changed; *at != '\0'; count++) {
			char *end;
			belfry__connector__item_flags__init(&flags[count]);
			list[count] = &flags[count];
			flags[count].id = strtoull(at, &end, 10);
			for (at = end + 1; *at != '\0' && *at != ' '; at++)
				flags[count].flags |= *at == 's' ? SEEN : *at == 'f' ? FLAGGED : ANSWERED;
			at += *at == ' ';
		}
		bool is_told = sync_state_plan(&device, &present, cases[i].existing == NULL ? NULL : &existing, list, count,
			NULL, cases[i].window);
		assert_set(&device.told.deletes, cases[i].deletes);
		assert_set(&device.told.soft_deletes, cases[i].soft_deletes);
		assert_set(&device.told.changes, cases[i].changes);
		assert_set(&device.told.adds, cases[i].adds);
		assert_int_equal(device.told.more, cases[i].more);
		assert_true(device.told.more || !device.told.owes_flags);
		assert_int_equal(is_told, cases[i].is_told);
		sync_state_release(&device);
		ranges_release(&present);
		ranges_release(&existing);
	}
}

static void the_devices_own_changes_are_its_view(void **state)
{
	Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
	struct sync_state device = {.record = &record};

	(void)state;
	assert_true(sync_state_added(&device, 5, SEEN | ANSWERED));
	assert_false(sync_state_added(&device, 5, SEEN));
	assert_true(sync_state_added(&device, 5, SEEN | FLAGGED));
	assert_int_equal(sync_state_flags(&device, 5), SEEN | FLAGGED);
	sync_state_set(&device, 5, 0, SEEN);
	assert_int_equal(sync_state_flags(&device, 5), FLAGGED);
	sync_state_set(&device, 5, SEEN, FLAGGED);
	assert_int_equal(sync_state_flags(&device, 5), SEEN);
	sync_state_set(&device, 5, ANSWERED, 0);
	assert_int_equal(sync_state_flags(&device, 5), SEEN);
	sync_state_removed(&device, 5);
	assert_set(&device.has, "");
	assert_set(&device.unseen, "");
	assert_set(&device.flagged, "");
	sync_state_release(&device);
}

static void a_damaged_record_is_refused(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t length;
	} cases[] = {
		{(const uint8_t *)"\xff", 1}, {(const uint8_t *)"\x01", 1}, {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 11},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int field = 0; field < 11; field++) {
			Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
			ProtobufCBinaryData *fields[] = {&record.has, &record.unseen, &record.flagged, &record.told_adds,
				&record.told_changes, &record.told_deletes, &record.told_soft_deletes, &record.bad,
				&record.answered, &record.forwarded, &record.told_verbs};
			struct sync_state device;
			*fields[field] = (ProtobufCBinaryData){cases[i].length, (uint8_t *)(uintptr_t)cases[i].bytes};
			assert_int_equal(sync_state_open(&device, &record), -1);
		}
}

static void unreadable_items_are_remembered_as_long_as_the_device_has_them(void **state)
{
	Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
	struct sync_state device;
	struct ranges present = set("1-4 10-100");

	(void)state;
	assert_int_equal(sync_state_open(&device, &record), 0);
	for (uint64_t id = 1; id <= 100; id++) {
		sync_state_added(&device, id, SEEN);
		assert_int_equal(sync_state_note_bad(&device, id, true), id <= SYNC_BAD_MAX);
	}
	assert_false(sync_state_note_bad(&device, 1, true));
	assert_true(sync_state_note_bad(&device, 3, false));
	assert_false(sync_state_note_bad(&device, 3, false));
	sync_state_removed(&device, 4);
	sync_state_plan(&device, &present, NULL, NULL, 0, NULL, 100); /* 5-9 were expunged */
	assert_set(&device.bad, "1-2 10-50");
	ranges_release(&present);
	sync_state_release(&device);
}

static void an_answer_that_told_too_much_is_damage(void **state)
{
	Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
	static uint8_t all[] = "\x00\xff\xff\xff\xff\x7f";
	struct sync_state device;

	(void)state;
	record.has = (ProtobufCBinaryData){6, all};
	assert_int_equal(sync_state_open(&device, &record), 0); /* a device may have very much */
	sync_state_release(&device);
	record.told_adds = (ProtobufCBinaryData){6, all};
	assert_int_equal(sync_state_open(&device, &record), -1);
}

/* --- categories and verbs -------------------------------------------------------------------------------------- */

static void a_device_is_told_of_verbs_and_categories_when_it_shows_them(void **state)
{
	static char red[] = "Red", work[] = "Work", *all[] = {red, work};
	static const struct {
		bool shows_all;
		uint32_t flags;
		uint32_t keywords[2];
		size_t keyword_count;
		const char *changes, *verbs;
	} steps[] = { /* of item 5, which the device has without anything */
		{false, SEEN | ANSWERED, {0}, 1, "", ""},
		{true, SEEN | ANSWERED, {0}, 1, "5", "5"},
		{true, SEEN | ANSWERED, {0}, 1, "", ""},
		{true, SEEN | ANSWERED | FORWARDED, {0}, 1, "5", "5"},
		{true, SEEN | FORWARDED, {0, 1}, 2, "5", "5"},
		{true, SEEN | FORWARDED, {1, 0}, 2, "", ""},
		{true, SEEN | FORWARDED, {7, 0}, 2, "5", ""}, /* there is no seventh */
		{true, FORWARDED, {0}, 1, "5", ""},
		{true, FORWARDED, {0}, 0, "5", ""},
	};
	Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
	struct sync_state device;
	struct ranges present = set("1-9");
	struct arena *arena = arena_create(0);
	const struct sync_names names = {all, 2, arena};

	(void)state;
	assert_int_equal(sync_state_open(&device, &record), 0);
	for (uint64_t id = 1; id < 10; id++)
		sync_state_added(&device, id, SEEN);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		Belfry__Connector__ItemFlags flags = BELFRY__CONNECTOR__ITEM_FLAGS__INIT, *list = &flags;
		flags.id = 5;
		flags.flags = steps[i].flags;
		flags.keywords = (uint32_t *)(uintptr_t)steps[i].keywords;
		flags.n_keywords = steps[i].keyword_count;
		device.shows_all = steps[i].shows_all;
		sync_state_plan(&device, &present, NULL, &list, 1, &names, 10);
		assert_set(&device.told.changes, steps[i].changes);
		assert_set(&device.told.verbs, steps[i].verbs);
	}
	ranges_release(&present);
	sync_state_release(&device);
	arena_free(&arena);
}

static void categories_are_kept_by_the_sets_that_occur(void **state)
{
	static char red[] = "Red", work[] = "Work", lower[] = "work", *both[] = {red, work}, *again[] = {lower, red}, *one[] = {work};
	Belfry__Activesync__Sync record = BELFRY__ACTIVESYNC__SYNC__INIT;
	struct sync_labels labels = {0}, opened;
	struct arena *arena = arena_create(0);
	struct ranges half = set("1-500");

	(void)state;
	for (uint64_t id = 1; id <= 1000; id++)
		assert_true(sync_labels_put(&labels, id, both, 2, arena));
	assert_false(sync_labels_put(&labels, 7, again, 2, arena));
	assert_true(sync_labels_put(&labels, 7, one, 1, arena));
	assert_true(sync_labels_put(&labels, 8, NULL, 0, arena));
	assert_false(sync_labels_put(&labels, 8, NULL, 0, arena));
	sync_labels_pack(&labels, &record);
	assert_int_equal(record.n_labels, 2);
	assert_int_equal(sync_labels_open(&opened, &record), 0);
	assert_int_equal(sync_labels_find(&opened, 1000)->count, 2);
	assert_string_equal(sync_labels_find(&opened, 7)->names[0], "Work");
	assert_null(sync_labels_find(&opened, 8));
	sync_labels_keep(&opened, &half);
	assert_null(sync_labels_find(&opened, 501));
	sync_labels_release(&opened);
	sync_labels_release(&labels);
	ranges_release(&half);
	arena_free(&arena);
}

static void more_sets_of_categories_than_can_be_kept_are_no_news(void **state)
{
	struct sync_labels labels = {0};
	struct arena *arena = arena_create(0);

	(void)state;
	for (uint64_t id = 1; id <= SYNC_LABELS_MAX + 1; id++) {
		char *name = arena_printf(arena, "category %u", (unsigned)id);
		bool has_room = id <= SYNC_LABELS_MAX;
		assert_int_equal(sync_labels_would_change(&labels, id, &name, 1), has_room);
		assert_int_equal(sync_labels_put(&labels, id, &name, 1, arena), has_room);
	}
	char *name = arena_strdup(arena, "new");
	sync_labels_put(&labels, 3, NULL, 0, NULL); /* the last of its set */
	assert_true(sync_labels_would_change(&labels, 200, &name, 1));
	assert_true(sync_labels_put(&labels, 200, &name, 1, arena));
	sync_labels_release(&labels);
	arena_free(&arena);
}

static void names_of_categories_have_a_room_that_fits_into_the_store(void **state)
{
	struct sync_labels labels = {0};
	struct arena *arena = arena_create(0);
	char *names[SYNC_LABEL_NAMES_MAX];
	size_t kept = 0;

	(void)state;
	for (uint64_t id = 1; id <= SYNC_LABELS_MAX; id++) {
		for (size_t i = 0; i < SYNC_LABEL_NAMES_MAX; i++)
			names[i] = arena_printf(arena, "%03u %03u %0240u", (unsigned)id, (unsigned)i, 0);
		bool would = sync_labels_would_change(&labels, id, names, SYNC_LABEL_NAMES_MAX);
		assert_int_equal(sync_labels_put(&labels, id, names, SYNC_LABEL_NAMES_MAX, arena), would);
		kept += would;
	}
	assert_int_equal(kept, SYNC_LABELS_BYTES_MAX / (SYNC_LABEL_NAMES_MAX * 252));
	sync_labels_release(&labels);
	arena_free(&arena);
}

/* --- it converges ---------------------------------------------------------------------------------------------- */

enum { ITEMS = 60, ROUNDS = 400, SEEDS = 60 };

struct item {
	bool is_there, is_recent;
	uint32_t flags;
	uint64_t token; /* of its last change */
};

struct phone {
	bool has[ITEMS];
	uint32_t flags[ITEMS];
};

struct world {
	struct item items[ITEMS]; /* by uid; 0 is none */
	uint64_t next, token;
	struct phone phone;
	Belfry__Activesync__Sync record;
	struct buffer kept;       /* the record's sets as the store has them */
	uint64_t known_token;
	bool filters;
};

static bool chance(unsigned percent)
{
	return (unsigned)rand() % 100 < percent;
}

static uint32_t random_flags(void)
{
	return (uint32_t)rand() & (SEEN | FLAGGED | ANSWERED);
}

static void something_happens(struct world *world)
{
	uint64_t uid = world->next <= 1 ? 0 : 1 + (uint64_t)rand() % (world->next - 1);
	struct item *item = &world->items[uid];

	world->token++;
	if (chance(40) && world->next < ITEMS)
		world->items[world->next++] = (struct item){true, true, random_flags(), world->token};
	else if (uid != 0 && item->is_there && chance(30))
		item->is_there = false;
	else if (uid != 0 && item->is_there && chance(30))
		item->is_recent = false; /* time passes: it leaves the filter, and no flag has changed */
	else if (uid != 0 && item->is_there) {
		item->flags = random_flags();
		item->token = world->token;
	}
}

static bool is_shown(const struct world *world, uint64_t uid)
{
	return world->items[uid].is_there && (!world->filters || world->items[uid].is_recent);
}

static void open_state(struct world *world, struct sync_state *state)
{
	assert_int_equal(sync_state_open(state, &world->record), 0);
}

/* As the store does: into bytes, and what is read next time comes from there. */
static void keep_state(struct world *world, struct sync_state *state)
{
	struct buffer bytes = BUFFER_EMPTY;

	sync_state_pack(state, &bytes);
	buffer_release(&world->kept);
	world->kept = bytes;
}

/* What the device does itself, at server and state. */
static void own_changes(struct world *world, struct sync_state *state)
{
	for (uint64_t uid = 1; uid < ITEMS; uid++) {
		struct item *item = &world->items[uid];
		if (!world->phone.has[uid] || !chance(5))
			continue;
		if (chance(50)) {
			item->is_there = world->phone.has[uid] = false;
			sync_state_removed(state, uid);
			world->token++;
			continue;
		}
		uint32_t wanted = world->phone.flags[uid] ^ (chance(50) ? SEEN : FLAGGED);
		world->phone.flags[uid] = wanted; /* the user has done it, whatever the server says */
		if (!item->is_there)
			continue; /* NOT_FOUND: the state stays, and the Delete is told next */
		item->flags = (item->flags & ANSWERED) | wanted;
		item->token = ++world->token;
		sync_state_set(state, uid, wanted, ~wanted & (SEEN | FLAGGED));
	}
}

static void survey(const struct world *world, struct ranges *present, struct ranges *existing,
	Belfry__Connector__ItemFlags *flags, Belfry__Connector__ItemFlags **list, size_t *count_r)
{
	*count_r = 0;
	for (uint64_t uid = 1; uid < world->next; uid++) {
		const struct item *item = &world->items[uid];
		if (item->is_there)
			ranges_add(existing, uid, uid);
		if (!is_shown(world, uid))
			continue;
		ranges_add(present, uid, uid);
		if (item->token <= world->known_token && chance(80)) /* what has not changed MAY be left out */
			continue;
		list[*count_r] = &flags[*count_r];
		belfry__connector__item_flags__init(&flags[*count_r]);
		flags[*count_r].id = uid;
		flags[(*count_r)++].flags = item->flags;
	}
}

static void plan(struct world *world, struct sync_state *state, uint64_t window)
{
	struct ranges present = RANGES_EMPTY, existing = RANGES_EMPTY;
	Belfry__Connector__ItemFlags flags[ITEMS], *list[ITEMS];
	uint64_t token = world->token;
	size_t count;

	survey(world, &present, &existing, flags, list, &count);
	sync_state_plan(state, &present, world->filters ? &existing : NULL, list, count, NULL, window);
	if (!state->told.owes_flags)
		world->known_token = token;
	ranges_release(&present);
	ranges_release(&existing);
}

/* The answer is written, and becomes the phone's unless it is lost. Between survey and fetch things happen. */
static void answer(struct world *world, struct sync_state *state, bool arrives, bool calm)
{
	struct phone phone = world->phone;

	for (uint64_t uid = 1; uid < ITEMS; uid++) {
		if (ranges_has(&state->told.deletes, uid) || ranges_has(&state->told.soft_deletes, uid))
			phone.has[uid] = false;
		if (ranges_has(&state->told.changes, uid)) {
			assert_true(phone.has[uid]);
			phone.flags[uid] = sync_state_flags(state, uid);
		}
	}
	if (!calm && chance(20))
		something_happens(world);
	for (uint64_t uid = 1; uid < ITEMS; uid++) {
		const struct item *item = &world->items[uid];
		if (!ranges_has(&state->told.adds, uid))
			continue;
		if (!item->is_there) {
			sync_state_untell(state, uid);
			continue;
		}
		sync_state_added(state, uid, item->flags);
		phone.has[uid] = true;
		phone.flags[uid] = item->flags & (SEEN | FLAGGED);
	}
	if (arrives)
		world->phone = phone;
}

/* One Sync until its answer has arrived. Returns whether the last one had nothing to tell. */
static bool synchronise(struct world *world, bool calm)
{
	struct sync_state state;
	uint64_t window = chance(50) ? 1 + (uint64_t)rand() % 8 : 512;

	open_state(world, &state);
	if (!calm)
		own_changes(world, &state);
	plan(world, &state, window);
	for (bool arrives = false; !arrives;) {
		arrives = calm || chance(60);
		answer(world, &state, arrives, calm);
		keep_state(world, &state);
		sync_state_release(&state);
		if (!arrives && chance(50))
			something_happens(world);
		open_state(world, &state); /* the same key comes again and is told the same */
	}
	bool is_quiet = !state.told.more && state.told.adds.count + state.told.changes.count + state.told.deletes.count +
		state.told.soft_deletes.count == 0;
	sync_state_release(&state);
	return is_quiet;
}

static void assert_same(const struct world *world, unsigned seed)
{
	for (uint64_t uid = 1; uid < ITEMS; uid++) {
		if (world->phone.has[uid] != is_shown(world, uid))
			fail_msg("seed %u: item %llu is %s", seed, (unsigned long long)uid, world->phone.has[uid] ? "left" : "missing");
		if (world->phone.has[uid] && world->phone.flags[uid] != (world->items[uid].flags & (SEEN | FLAGGED)))
			fail_msg("seed %u: item %llu has flags %u instead of %u", seed, (unsigned long long)uid,
				world->phone.flags[uid], world->items[uid].flags);
	}
}

static void whatever_happens_the_phone_has_the_mailbox_in_the_end(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct world world = {.next = 1, .token = 1, .record = BELFRY__ACTIVESYNC__SYNC__INIT};
		srand(seed);
		for (int round = 0; round < ROUNDS; round++) {
			for (int n = rand() % 4; n > 0; n--)
				something_happens(&world);
			if (chance(5))
				world.filters = !world.filters;
			synchronise(&world, false);
			if (!chance(10))
				continue;
			for (int turn = 0; !synchronise(&world, true) && turn < 2 * ITEMS;)
				turn++;
			assert_true(synchronise(&world, true));
			assert_same(&world, seed);
		}
		buffer_release(&world.kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_tells_removals_then_flags_then_new_items),
		cmocka_unit_test(the_devices_own_changes_are_its_view),
		cmocka_unit_test(a_damaged_record_is_refused),
		cmocka_unit_test(unreadable_items_are_remembered_as_long_as_the_device_has_them),
		cmocka_unit_test(an_answer_that_told_too_much_is_damage),
		cmocka_unit_test(a_device_is_told_of_verbs_and_categories_when_it_shows_them),
		cmocka_unit_test(categories_are_kept_by_the_sets_that_occur),
		cmocka_unit_test(names_of_categories_have_a_room_that_fits_into_the_store),
		cmocka_unit_test(more_sets_of_categories_than_can_be_kept_are_no_news),
		cmocka_unit_test(whatever_happens_the_phone_has_the_mailbox_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

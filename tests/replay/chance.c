/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Transcripts made by chance. No answer is foretold; what must hold is what holds for every transcript: phones are told
 * nothing odd, a held Ping misses nothing, and in the end everybody has what the mailboxes have.
 */
#include "tests/replay/chance.h"

#include <stdbool.h>
#include <stdint.h>

enum { STEPS = 45, DEVICES = 3, FRONTS = 2 };

struct chance {
	struct buffer *out;
	uint32_t state;
	unsigned subjects;
	bool work_is_there;
};

static unsigned upto(struct chance *chance, unsigned count)
{
	chance->state ^= chance->state << 13; /* xorshift32 */
	chance->state ^= chance->state >> 17;
	chance->state ^= chance->state << 5;
	return chance->state % count;
}

static bool one_in(struct chance *chance, unsigned count)
{
	return upto(chance, count) == 0;
}

static const char *one_of(struct chance *chance, const char *const list[], unsigned count)
{
	return list[upto(chance, count)];
}
#define ONE_OF(chance, ...) \
	one_of(chance, (const char *const[]){__VA_ARGS__}, sizeof(const char *const[]){__VA_ARGS__} / sizeof(char *))

static const char *folder(struct chance *chance)
{
	return ONE_OF(chance, "INBOX", "INBOX", "INBOX", "Sent", "Work");
}

static char device(struct chance *chance)
{
	return (char)('A' + upto(chance, DEVICES));
}

static const char *user_of(char device)
{
	return device == 'C' ? "bob" : "alice";
}

/* --- the backend ----------------------------------------------------------------------------------------------- */

static void deliver(struct chance *chance)
{
	const char *user = ONE_OF(chance, "alice", "alice", "bob"), *mailbox = folder(chance);
	unsigned subject = ++chance->subjects, hook = upto(chance, 4);

	buffer_printf(chance->out, "backend ! change %s %s MessageNew \"s%u\" maybe", user, mailbox, subject);
	if (one_in(chance, 4))
		buffer_printf(chance->out, " flags=%s", ONE_OF(chance, "seen", "flagged", "seen,flagged", "answered"));
	if (one_in(chance, 6))
		buffer_printf(chance->out, " categories=%s", ONE_OF(chance, "Red", "Red,Work", "Work"));
	if (one_in(chance, 4))
		buffer_printf(chance->out, " age=%s", ONE_OF(chance, "6h", "54h", "110h", "10d"));
	if (one_in(chance, 8))
		buffer_printf(chance->out, " bad");
	if (one_in(chance, 6))
		buffer_printf(chance->out, " count=%u", 2 + upto(chance, 9));
	buffer_printf(chance->out, one_in(chance, 3) ? " quietly\n" : "\n");
	if (hook == 0)
		buffer_printf(chance->out, "hook ! %s %s MessageNew \"s%u\"\n", user, mailbox, subject);
	else if (hook == 1)
		buffer_printf(chance->out, "hook ! %s %s MessageNew bare as=lua\n", user, mailbox);
}

static void touch(struct chance *chance)
{
	const char *event = ONE_OF(chance, "FlagsSet", "FlagsSet", "FlagsClear", "MessageExpunge", "MessageExpunge");

	buffer_printf(chance->out, "backend ! change %s %s %s ?%u flags=%s maybe%s\n", ONE_OF(chance, "alice", "alice", "bob"),
		folder(chance), event, upto(chance, 20), ONE_OF(chance, "seen", "flagged", "seen,flagged", "answered", "forwarded"),
		one_in(chance, 3) ? " quietly" : "");
	buffer_printf(chance->out, "backend ! change alice INBOX %s ?%u categories=%s maybe\n",
		ONE_OF(chance, "FlagsSet", "FlagsClear"), upto(chance, 20), ONE_OF(chance, "Red", "Red,Work", "Work"));
}

/* The mailbox Work of alice comes and goes, not only by her phones. */
static void rebuild(struct chance *chance)
{
	const char *event = !chance->work_is_there ? "MailboxCreate" : one_in(chance, 2) ? "Renewed" : "MailboxDelete";

	buffer_printf(chance->out, "backend ! change alice Work %s maybe\n", event);
	if (*event == 'M')
		chance->work_is_there = !chance->work_is_there;
}

/* --- phones ---------------------------------------------------------------------------------------------------- */

static void collection(struct chance *chance)
{
	static const char *const changes[] = {"read", "unread", "flag", "unflag", "delete", "delete", "fetch"};
	struct buffer *out = chance->out;

	if (one_in(chance, 3))
		buffer_printf(out, " window=%u", 1 + upto(chance, 6));
	if (one_in(chance, 6))
		buffer_printf(out, " filter=%u", upto(chance, 4));
	if (one_in(chance, 6))
		buffer_printf(out, " changes=0");
	if (one_in(chance, 6))
		buffer_printf(out, " body=%u:%u", 1 + upto(chance, 2), upto(chance, 100));
	if (one_in(chance, 6))
		buffer_printf(out, " conflict=%u", upto(chance, 2));
	if (one_in(chance, 12))
		buffer_printf(out, " key=%s", ONE_OF(chance, "0", "1-1", "junk"));
	for (unsigned count = upto(chance, 4); count > 0; count--)
		buffer_printf(out, " %s=?%u", one_of(chance, changes, sizeof changes / sizeof *changes), upto(chance, 20));
}

/* What was sent before is over first: a phone does not send two Syncs at once, but for the same one again. */
static void sync(struct chance *chance)
{
	char name = device(chance);

	buffer_printf(chance->out, "device %c ends\ndevice %c > POST Cmd=Sync front=%u maybe", name, name,
		1 + upto(chance, FRONTS));
	buffer_printf(chance->out, " folder=INBOX");
	collection(chance);
	if (one_in(chance, 3)) {
		buffer_printf(chance->out, " folder=%s", ONE_OF(chance, "Sent", "Work", "#99"));
		collection(chance);
	}
	buffer_printf(chance->out, "\n");
	if (one_in(chance, 4))
		buffer_printf(chance->out, "device %c > again front=%u\n", name, 1 + upto(chance, FRONTS));
}

static void move(struct chance *chance)
{
	char name = device(chance);

	buffer_printf(chance->out, "device %c ends\ndevice %c > POST Cmd=MoveItems front=%u maybe folder=%s to=%s item=?%u",
		name, name, 1 + upto(chance, FRONTS), ONE_OF(chance, "INBOX", "INBOX", "Sent", "#99"),
		ONE_OF(chance, "Sent", "Trash", "INBOX", "#98"), upto(chance, 20));
	for (unsigned count = upto(chance, 4); count > 0; count--)
		buffer_printf(chance->out, ",?%u", upto(chance, 20));
	buffer_printf(chance->out, "\n");
	if (one_in(chance, 4))
		buffer_printf(chance->out, "device %c > again front=%u\n", name, 1 + upto(chance, FRONTS));
}

static void folder_sync(struct chance *chance)
{
	char name = device(chance);

	buffer_printf(chance->out, "device %c ends\ndevice %c > POST Cmd=FolderSync front=%u", name, name,
		1 + upto(chance, FRONTS));
	if (one_in(chance, 6))
		buffer_printf(chance->out, " key=%s", ONE_OF(chance, "0", "9-9"));
	buffer_printf(chance->out, "\n");
}

static void folder_change(struct chance *chance)
{
	static const char *const names[] = {"Work", "Play", "Rest"};
	const char *name = one_of(chance, names, 3), *other = one_of(chance, names, 3);
	char by = device(chance);

	buffer_printf(chance->out, "device %c ends\ndevice %c > POST Cmd=", by, by);
	switch (upto(chance, 4)) {
	case 0: buffer_printf(chance->out, "FolderDelete folder=%s", name); break;
	case 1: buffer_printf(chance->out, "FolderUpdate folder=%s name=%s", name, other); break;
	default: buffer_printf(chance->out, "FolderCreate name=%s", name);
	}
	buffer_printf(chance->out, " front=%u maybe\n", 1 + upto(chance, FRONTS));
}

static void ping(struct chance *chance)
{
	buffer_printf(chance->out, "device %c > POST Cmd=Ping heartbeat=%u folders=%s front=%u maybe\n", device(chance),
		60 + upto(chance, 3481), ONE_OF(chance, "INBOX", "INBOX,Sent", "INBOX,Work"), 1 + upto(chance, FRONTS));
}

/* --- processes ------------------------------------------------------------------------------------------------- */

static void hub(struct chance *chance)
{
	buffer_printf(chance->out, "hub kill\n");
	if (one_in(chance, 2))
		deliver(chance);
	buffer_printf(chance->out, "time +%us\nhub start\ntime +3s\n", 1 + upto(chance, 20));
}

static void front(struct chance *chance)
{
	unsigned number = 1 + upto(chance, FRONTS);

	buffer_printf(chance->out, "front %u kill\nfront %u start\n", number, number);
}

/* It dies, or falls silent until nobody waits for it any more. */
static void connector(struct chance *chance)
{
	bool dies = one_in(chance, 2);

	if (dies)
		buffer_printf(chance->out, "connector kill\n");
	else
		buffer_printf(chance->out, "connector %s %u\n", ONE_OF(chance, "deaf", "mute"), upto(chance, 6));
	if (one_in(chance, 2))
		deliver(chance);
	sync(chance);
	if (one_in(chance, 3))
		front(chance);
	buffer_printf(chance->out, one_in(chance, 2) ? "time +200s\n" : "time +1s\n");
	buffer_printf(chance->out, dies ? "connector start\ntime +5s\n" : "connector resume\ntime +5s\n");
}

static void time_passes(struct chance *chance)
{
	buffer_printf(chance->out, "time +%u%s\n", 1 + upto(chance, 500), one_in(chance, 3) ? "s" : "ms");
}

/* Long enough for the recheck to have found what nobody announced. */
static void look(struct chance *chance)
{
	(void)chance;
	buffer_printf(chance->out, "time +400s\n");
	for (char name = 'A'; name < 'A' + DEVICES; name++)
		buffer_printf(chance->out, "device %c ends\ndevice %c missed nothing\n", name, name);
}

void chance_write(unsigned number, struct buffer *transcript)
{
	static const struct { unsigned until; void (*happen)(struct chance *); } what[] = {{22, deliver}, {36, touch},
		{38, rebuild}, {58, sync}, {62, move}, {66, folder_sync}, {70, folder_change}, {84, ping}, {86, hub}, {88, front}, {91, connector},
		{97, time_passes}, {100, look}};
	struct chance chance = {.out = transcript, .state = number * 2654435761u | 1};

	buffer_printf(transcript, "# Made by chance, number %u.\n", number);
	buffer_printf(transcript, "settings fronts=%d recheck=120 hook=%s window_max=%s\n", FRONTS, ONE_OF(&chance, "auto", "yes", "no"), ONE_OF(&chance, "7", "100"));
	for (char name = 'A'; name < 'A' + DEVICES; name++)
		buffer_printf(transcript, "device %c user=%s version=%s\ndevice %c knows INBOX\n", name, user_of(name),
			ONE_OF(&chance, "12.1", "14.0", "14.1"), name);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned choice = upto(&chance, 100), at = 0;
		while (choice >= what[at].until)
			at++;
		what[at].happen(&chance);
	}
	look(&chance);
}

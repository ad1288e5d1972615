/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hint to a line and back. Read by the hub from whoever may connect, so the reader trusts nothing. */
#include "lib/model/hint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/core/utf8.h"

static const char first_word[] = "BELFRY1";

static const char *const event_names[HINT_EVENTS] = {
	"MessageAppend", "MessageExpire", "MessageExpunge", "MessageNew", "MessageRead", "MessageTrash", "FlagsSet",
	"FlagsClear", "MailboxCreate", "MailboxDelete", "MailboxRename", "MailboxSubscribe", "MailboxUnSubscribe",
	"ItemNew", "ItemUpdate", "ItemDelete",
};

const char *hint_event_name(enum hint_event event)
{
	return event_names[event];
}

int hint_event_by_name(const char *name, size_t length)
{
	for (int i = 0; i < HINT_EVENTS; i++)
		if (strlen(event_names[i]) == length && strncasecmp(event_names[i], name, length) == 0)
			return i;
	return -1;
}

/* --- the values ------------------------------------------------------------------------------------------------- */

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_made_of(const char *text, const char *letters)
{
	return text[strspn(text, letters)] == '\0';
}

static int take_number(const char *text, uint64_t *number_r)
{
	uint64_t number = 0;

	if (*text == '\0' || !is_made_of(text, "0123456789"))
		return -1;
	for (; *text != '\0'; text++)
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *text - '0', &number))
			return -1;
	*number_r = number;
	return 0;
}

static bool user_is_right(const char *user, size_t length)
{
	for (const char *c = user; *c != '\0'; c++)
		if (is_control(*c))
			return false;
	return length > 0 && length <= HINT_USER_MAX && utf8_is_valid(user, length);
}

static const char id_letters[] = "0123456789-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char source_letters[] = "0123456789-abcdefghijklmnopqrstuvwxyz";

/* The keys, in the order in which they are written. Each sets its field from a decoded, terminated value. */
enum key { KEY_USER, KEY_EVENT, KEY_MAILBOX, KEY_UIDVALIDITY, KEY_UID, KEY_ID, KEY_SOURCE, KEYS };
static const char *const key_names[KEYS] = {"user", "event", "mailbox", "uidvalidity", "uid", "id", "source"};

static int set_event(struct hint *hint, const char *value, size_t length)
{
	int event = hint_event_by_name(value, length);

	if (event >= 0)
		hint->event = (enum hint_event)event;
	return event < 0 ? -1 : 0;
}

static int set(struct hint *hint, enum key key, const char *value, size_t length)
{
	switch (key) {
	case KEY_USER:
		hint->user = value;
		return user_is_right(value, length) ? 0 : -1;
	case KEY_EVENT:
		return set_event(hint, value, length);
	case KEY_MAILBOX:
		hint->mailbox = value;
		return length <= HINT_MAILBOX_MAX && utf8_is_valid(value, length) ? 0 : -1;
	case KEY_UIDVALIDITY:
		return take_number(value, &hint->uidvalidity);
	case KEY_UID:
		return take_number(value, &hint->uid);
	case KEY_ID:
		hint->id = value;
		return length < HINT_ID_SIZE && is_made_of(value, id_letters) ? 0 : -1;
	case KEY_SOURCE:
		hint->source = value;
		return length <= HINT_SOURCE_MAX && is_made_of(value, source_letters) ? 0 : -1;
	case KEYS:
		break;
	}
	return -1;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 'a' - 'A' : c);

	return found == NULL ? -1 : (int)(found - digits);
}

/* Undoes %XX; -1 for a broken one, a bare control character, and %00, which no name has. */
static int decode(const char *from, const char *end, char *to)
{
	char *start = to;

	for (; from < end; from++) {
		if (is_control(*from))
			return -1;
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = end - from > 2 ? hex_digit(from[1]) : -1, low = end - from > 2 ? hex_digit(from[2]) : -1;
		if (high < 0 || low < 0 || high + low == 0)
			return -1;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return (int)(to - start);
}

static int find_key(const char *name, size_t length)
{
	for (int i = 0; i < KEYS; i++)
		if (strlen(key_names[i]) == length && memcmp(key_names[i], name, length) == 0)
			return i;
	return -1;
}

/* One pair, from after its tab to the next tab or the end. */
static int take_pair(const char *at, const char *end, unsigned *seen, char **text, struct hint *hint,
	struct error *error_r)
{
	const char *equals = memchr(at, '=', (size_t)(end - at));

	int key = equals == NULL ? -1 : find_key(at, (size_t)(equals - at));
	if (key < 0)
		return error_set(error_r, "it has a pair that is not known");
	if (*seen & 1u << key)
		return error_set(error_r, "%s stands there twice", key_names[key]);
	*seen |= 1u << key;
	int length = decode(equals + 1, end, *text);
	if (length < 0 || set(hint, (enum key)key, *text, (size_t)length) < 0)
		return error_set(error_r, "the value of %s is not a right one", key_names[key]);
	*text += length + 1;
	return 0;
}

int hint_parse(const char *line, size_t length, struct hint_text *text_r, struct hint *hint_r, struct error *error_r)
{
	const char *end = line + length, *at = line + sizeof first_word - 1;
	char *text = text_r->bytes;
	unsigned seen = 0;

	*hint_r = (struct hint){.user = "", .mailbox = "", .id = "", .source = ""};
	if (length > HINT_LINE_MAX)
		return error_set(error_r, "it is longer than %d bytes", HINT_LINE_MAX);
	if (length > 0 && end[-1] == '\n')
		end--;
	if ((size_t)(end - line) < sizeof first_word || memcmp(line, first_word, sizeof first_word - 1) != 0 || *at != '\t')
		return error_set(error_r, "it does not begin with %s and a tab", first_word);
	while (at < end) {
		const char *tab = memchr(at + 1, '\t', (size_t)(end - at - 1));
		const char *stop = tab == NULL ? end : tab;
		if (take_pair(at + 1, stop, &seen, &text, hint_r, error_r) < 0)
			return -1;
		at = stop;
	}
	if (!(seen & 1u << KEY_USER) || !(seen & 1u << KEY_EVENT))
		return error_set(error_r, "it names no %s", seen & 1u << KEY_USER ? "event" : "user");
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct writer {
	char *at, *end; /* end: where the newline goes at the latest */
	bool is_full;
};

static void put(struct writer *writer, const char *bytes, size_t length)
{
	writer->is_full = writer->is_full || length > (size_t)(writer->end - writer->at);
	if (writer->is_full)
		return;
	memcpy(writer->at, bytes, length);
	writer->at += length;
}

static void put_pair(struct writer *writer, enum key key, const char *value)
{
	char coded[4];

	put(writer, "\t", 1);
	put(writer, key_names[key], strlen(key_names[key]));
	put(writer, "=", 1);
	for (; *value != '\0'; value++) {
		if (is_control(*value) || *value == '%')
			put(writer, coded, (size_t)snprintf(coded, sizeof coded, "%%%02X", (unsigned char)*value));
		else
			put(writer, value, 1);
	}
}

static void put_text(struct writer *writer, enum key key, const char *value)
{
	if (value != NULL && *value != '\0')
		put_pair(writer, key, value);
}

static void put_number(struct writer *writer, enum key key, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
	if (number != 0)
		put_pair(writer, key, digits);
}

int hint_format(const struct hint *hint, char *line_r, struct error *error_r)
{
	struct writer writer = {line_r, line_r + HINT_LINE_MAX - 1, false};
	struct hint_text text;
	struct hint again;

	put(&writer, first_word, sizeof first_word - 1);
	put_text(&writer, KEY_USER, hint->user);
	put_text(&writer, KEY_EVENT, event_names[hint->event]);
	put_text(&writer, KEY_MAILBOX, hint->mailbox);
	put_number(&writer, KEY_UIDVALIDITY, hint->uidvalidity);
	put_number(&writer, KEY_UID, hint->uid);
	put_text(&writer, KEY_ID, hint->id);
	put_text(&writer, KEY_SOURCE, hint->source);
	if (writer.is_full)
		return error_set(error_r, "the names are too long for one message");
	*writer.at++ = '\n';
	*writer.at = '\0';
	int length = (int)(writer.at - line_r);
	return hint_parse(line_r, (size_t)length, &text, &again, error_r) < 0 ? -1 : length;
}

void hint_new_id(char id_r[HINT_ID_SIZE])
{
	uint64_t random;

	/* So few bytes never come short (getrandom(2)); it waits only early at boot, when no mail is delivered. */
	ssize_t got = getrandom(&random, sizeof random, 0);
	assert(got == sizeof random);
	snprintf(id_r, HINT_ID_SIZE, "%016llx", (unsigned long long)random);
}

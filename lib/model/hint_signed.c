/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signed hints: the key file, signing and verifying. */
#include "lib/model/hint_signed.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/core/mem.h"
#include "lib/core/sha256.h"

static const char first_word[] = "BELFRYU1\t";

enum {
	MAC_DIGITS = 2 * SHA256_BYTES,
	NONCE_DIGITS = 2 * HINT_NONCE_BYTES,
	KEY_FILE_MAX = 1 << 20, /* 10,000 senders; more is some other file */
};

struct key {
	char sender[HINT_SENDER_MAX + 1];
	uint8_t bytes[HINT_KEY_MAX];
	size_t length;
	char *domains; /* as in the file: with commas */
};

struct hint_keys {
	struct key *keys;
	size_t count;
};

/* --- hexadecimal ------------------------------------------------------------------------------------------------ */

static void to_hex(const uint8_t *bytes, size_t length, char *digits_r)
{
	for (size_t i = 0; i < length; i++)
		snprintf(digits_r + 2 * i, 3, "%02x", bytes[i]);
}

static int from_hex(const char *digits, size_t length, uint8_t *bytes_r)
{
	for (size_t i = 0; i < length; i++) {
		char c = digits[i];
		int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (value < 0)
			return -1;
		bytes_r[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : bytes_r[i / 2] | value);
	}
	return length % 2 == 0 ? 0 : -1;
}

/* --- the key file ----------------------------------------------------------------------------------------------- */

static bool sender_is_right(const char *sender, size_t length)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return length > 0 && length <= HINT_SENDER_MAX && strspn(sender, letters) >= length;
}

/* The next word of [*at, end); its length, 0 when there is none. */
static size_t next_word(const char **at, const char *end, const char **word_r)
{
	while (*at < end && strchr(" \t\r", **at) != NULL)
		(*at)++;
	*word_r = *at;
	while (*at < end && strchr(" \t\r", **at) == NULL)
		(*at)++;
	return (size_t)(*at - *word_r);
}

static const struct key *find_key(const struct hint_keys *keys, const char *sender, size_t length)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strlen(keys->keys[i].sender) == length && memcmp(keys->keys[i].sender, sender, length) == 0)
			return &keys->keys[i];
	return NULL;
}

static int take_line(struct hint_keys *keys, const char *line, const char *end, int number, struct error *error_r)
{
	const char *sender, *key, *domains, *rest;
	size_t sender_length = next_word(&line, end, &sender);

	if (sender_length == 0 || *sender == '#')
		return 0;
	size_t key_length = next_word(&line, end, &key);
	size_t domains_length = next_word(&line, end, &domains);
	if (domains_length == 0 || next_word(&line, end, &rest) != 0)
		return error_set(error_r, "line %d: it must be: sender key domains", number);
	if (!sender_is_right(sender, sender_length))
		return error_set(error_r, "line %d: a sender is at most %d letters, digits, dots, - and _", number,
			HINT_SENDER_MAX);
	if (find_key(keys, sender, sender_length) != NULL)
		return error_set(error_r, "line %d: this sender has a key already", number);
	keys->keys = mem_realloc(keys->keys, (keys->count + 1) * sizeof *keys->keys);
	struct key *new = &keys->keys[keys->count];
	memset(new, 0, sizeof *new);
	if (key_length < 2 * HINT_KEY_MIN || key_length > 2 * HINT_KEY_MAX ||
	    from_hex(key, key_length, new->bytes) < 0)
		return error_set(error_r, "line %d: a key is %d to %d hexadecimal digits (openssl rand -hex 32 makes one)",
			number, 2 * HINT_KEY_MIN, 2 * HINT_KEY_MAX);
	memcpy(new->sender, sender, sender_length);
	new->length = key_length / 2;
	new->domains = mem_strndup(domains, domains_length);
	keys->count++;
	return 0;
}

struct hint_keys *hint_keys_parse(const char *text, size_t length, struct error *error_r)
{
	struct hint_keys *keys = mem_alloc(sizeof *keys);
	const char *end = text + length;

	for (int number = 1; text < end; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline == NULL ? end : newline;
		if (memchr(text, '\0', (size_t)(stop - text)) != NULL ||
		    take_line(keys, text, stop, number, error_r) < 0) {
			if (memchr(text, '\0', (size_t)(stop - text)) != NULL)
				error_set(error_r, "line %d: it holds a NUL: this is no text", number);
			hint_keys_free(&keys);
			return NULL;
		}
		text = stop + 1;
	}
	if (keys->count == 0) {
		error_set(error_r, "it holds no key; a line is: sender key domains");
		hint_keys_free(&keys);
	}
	return keys;
}

struct hint_keys *hint_keys_load(const char *path, struct error *error_r)
{
	FILE *file = fopen(path, "re");
	struct hint_keys *keys = NULL;
	struct error why;

	if (file == NULL) {
		error_set(error_r, "%s: %s", path, strerror(errno));
		return NULL;
	}
	setbuf(file, NULL); /* no copy of the keys stays behind in a freed buffer */
	char *text = mem_alloc(KEY_FILE_MAX);
	size_t length = fread(text, 1, KEY_FILE_MAX, file);
	if (ferror(file) || length == KEY_FILE_MAX)
		error_set(error_r, "%s: %s", path, ferror(file) ? strerror(errno) : "it is far too long for a key file");
	else if ((keys = hint_keys_parse(text, length, &why)) == NULL)
		error_set(error_r, "%s: %s", path, why.text);
	mem_wipe(text, length);
	free(text);
	fclose(file);
	return keys;
}

void hint_keys_free(struct hint_keys **owner)
{
	struct hint_keys *keys = *owner;

	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++)
		free(keys->keys[i].domains);
	if (keys->keys != NULL)
		mem_wipe(keys->keys, keys->count * sizeof *keys->keys);
	free(keys->keys);
	free(keys);
	*owner = NULL;
}

bool hint_sender_may(const struct hint_keys *keys, const char *sender, const char *user)
{
	const struct key *key = find_key(keys, sender, strlen(sender));
	const char *at = strrchr(user, '@');

	for (const char *word = key == NULL ? "" : key->domains; *word != '\0';) {
		size_t length = strcspn(word, ",");
		const char *subject = memchr(word, '@', length) != NULL ? user : at == NULL ? "" : at + 1;
		if (length == 1 && *word == '*')
			return true;
		if (strlen(subject) == length && strncasecmp(subject, word, length) == 0)
			return true;
		word += length + (word[length] == ',');
	}
	return false;
}

/* --- the datagram ----------------------------------------------------------------------------------------------- */

int hint_sign(const struct hint_keys *keys, const char *line, size_t length, int64_t now_s, char *datagram_r,
	struct error *error_r)
{
	const struct key *key = &keys->keys[0];
	uint8_t nonce[HINT_NONCE_BYTES], mac[SHA256_BYTES];
	char digits[NONCE_DIGITS + 1], mac_digits[MAC_DIGITS + 1];
	char *body = datagram_r + sizeof first_word - 1 + MAC_DIGITS + 1;
	size_t room = HINT_DATAGRAM_MAX - (size_t)(body - datagram_r);

	ssize_t got = getrandom(nonce, sizeof nonce, 0);
	assert(got == sizeof nonce);
	to_hex(nonce, sizeof nonce, digits);
	int body_length = snprintf(body, room, "%lld\t%s\t%s\t%.*s", (long long)now_s, digits, key->sender, (int)length, line);
	if (body_length < 0 || (size_t)body_length >= room)
		return error_set(error_r, "the message does not fit a datagram of %d bytes", HINT_DATAGRAM_MAX);
	hmac_sha256(key->bytes, key->length, body, (size_t)body_length, mac);
	to_hex(mac, sizeof mac, mac_digits);
	memcpy(datagram_r, first_word, sizeof first_word - 1);
	memcpy(datagram_r + sizeof first_word - 1, mac_digits, MAC_DIGITS);
	body[-1] = '\t';
	return (int)(body - datagram_r) + body_length;
}

/* The field up to the next tab; NULL when there is none. */
static const char *take_field(const char **at, const char *end, size_t *length_r)
{
	const char *field = *at, *tab = memchr(field, '\t', (size_t)(end - field));

	if (tab == NULL)
		return NULL;
	*length_r = (size_t)(tab - field);
	*at = tab + 1;
	return field;
}

static int take_time(const char *digits, size_t length, int64_t *time_r)
{
	int64_t time_s = 0;

	if (length == 0 || length > 12) /* the year 33658 */
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		time_s = time_s * 10 + (digits[i] - '0');
	}
	*time_r = time_s;
	return 0;
}

/* In the same time wherever they differ. */
static bool is_same_mac(const uint8_t *a, const uint8_t *b)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < SHA256_BYTES; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

int hint_verify(const struct hint_keys *keys, const char *datagram, size_t length, int64_t now_s,
	struct hint_text *text_r, struct hint *hint_r, struct hint_signature *signature_r, struct error *error_r)
{
	const char *at = datagram + sizeof first_word - 1, *end = datagram + length;
	uint8_t mac[SHA256_BYTES], wanted[SHA256_BYTES], nonce[HINT_NONCE_BYTES];
	size_t mac_length, time_length, nonce_length, sender_length;

	if (length > HINT_DATAGRAM_MAX || length < sizeof first_word ||
	    memcmp(datagram, first_word, sizeof first_word - 1) != 0)
		return error_set(error_r, "it is no signed message");
	const char *mac_digits = take_field(&at, end, &mac_length), *body = at;
	const char *time = mac_digits == NULL ? NULL : take_field(&at, end, &time_length);
	const char *nonce_digits = time == NULL ? NULL : take_field(&at, end, &nonce_length);
	const char *sender = nonce_digits == NULL ? NULL : take_field(&at, end, &sender_length);
	if (sender == NULL || mac_length != MAC_DIGITS || nonce_length != NONCE_DIGITS ||
	    from_hex(mac_digits, MAC_DIGITS, mac) < 0 || from_hex(nonce_digits, NONCE_DIGITS, nonce) < 0 ||
	    take_time(time, time_length, &signature_r->time_s) < 0)
		return error_set(error_r, "it is no signed message of the right form");
	const struct key *key = find_key(keys, sender, sender_length);
	if (key == NULL)
		return error_set(error_r, "its sender has no key here");
	hmac_sha256(key->bytes, key->length, body, (size_t)(end - body), wanted);
	if (!is_same_mac(mac, wanted))
		return error_set(error_r, "it is not signed with the key of %s", key->sender);
	if (signature_r->time_s < now_s - HINT_SIGNED_WINDOW_S || signature_r->time_s > now_s + HINT_SIGNED_WINDOW_S)
		return error_set(error_r, "the clock of %s differs by more than %d s, or the message was sent again",
			key->sender, HINT_SIGNED_WINDOW_S);
	signature_r->sender = key->sender;
	memcpy(&signature_r->nonce, nonce, sizeof signature_r->nonce);
	return hint_parse(at, (size_t)(end - at), text_r, hint_r, error_r);
}

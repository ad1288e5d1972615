/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The query of a request, in both its forms. */
#include "gateway/activesync/query.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

/* MS-ASHTTP 2.2.1.1.1.1.2: codes of commands in the base64 form. */
static const char *const command_codes[] = {
	[0] = "Sync", [1] = "SendMail", [2] = "SmartForward", [3] = "SmartReply", [4] = "GetAttachment",
	[9] = "FolderSync", [10] = "FolderCreate", [11] = "FolderDelete", [12] = "FolderUpdate", [13] = "MoveItems",
	[14] = "GetItemEstimate", [15] = "MeetingResponse", [16] = "Search", [17] = "Settings", [18] = "Ping",
	[19] = "ItemOperations", [20] = "Provision", [21] = "ResolveRecipients", [22] = "ValidateCert", [23] = "Find",
};

/* MS-ASHTTP 2.2.1.1.1.1.3: tags of command parameters. */
enum { TAG_ATTACHMENT_NAME = 0, TAG_COLLECTION_ID = 1, TAG_ITEM_ID = 3, TAG_LONG_ID = 4, TAG_OPTIONS = 7, TAG_USER = 8 };
enum { OPTION_SAVE_IN_SENT = 1, OPTION_ACCEPT_MULTIPART = 2 };

/* Some devices put braces or dashes around their id: letters and digits remain, in both forms. */
static const char *clean_id(struct arena *arena, const char *text, size_t length)
{
	char *id = arena_alloc(arena, length + 1), *end = id;

	for (size_t i = 0; i < length; i++)
		if (isalnum((unsigned char)text[i]))
			*end++ = text[i];
	return id;
}

static int check(struct query *query, struct error *error_r)
{
	size_t id = strlen(query->device_id);

	query->fault = QUERY_DEVICE_ID;
	if (id == 0 || id > QUERY_DEVICE_ID_MAX)
		return error_set(error_r, "the device id has %zu characters; 1 to %d are allowed", id, QUERY_DEVICE_ID_MAX);
	query->fault = QUERY_DEVICE_TYPE;
	if (query->device_type[0] == '\0' || strlen(query->device_type) > QUERY_DEVICE_TYPE_MAX)
		return error_set(error_r, "the device type is missing or too long");
	for (const char *c = query->device_type; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return error_set(error_r, "the device type has control characters");
	query->fault = QUERY_FINE;
	return 0;
}

/* --- plain ----------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* NULL: a broken escape, or a NUL in it. */
static char *unescape(struct arena *arena, const char *text, size_t length)
{
	char *plain = arena_alloc(arena, length + 1), *end = plain;

	for (size_t i = 0; i < length; i++) {
		char c = text[i] == '+' ? ' ' : text[i];
		if (c == '%') {
			if (i + 2 >= length || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return NULL;
			c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
			i += 2;
			if (c == '\0')
				return NULL;
		}
		*end++ = c;
	}
	return plain;
}

static void take_parameter(struct query *query, struct arena *arena, const char *name, const char *value)
{
	if (strcasecmp(name, "Cmd") == 0)
		query->command = value;
	else if (strcasecmp(name, "User") == 0)
		query->user = value;
	else if (strcasecmp(name, "DeviceId") == 0)
		query->device_id = clean_id(arena, value, strlen(value));
	else if (strcasecmp(name, "DeviceType") == 0)
		query->device_type = value;
	else if (strcasecmp(name, "CollectionId") == 0)
		query->collection_id = value;
	else if (strcasecmp(name, "ItemId") == 0)
		query->item_id = value;
	else if (strcasecmp(name, "LongId") == 0)
		query->long_id = value;
	else if (strcasecmp(name, "AttachmentName") == 0)
		query->attachment_name = value;
	else if (strcasecmp(name, "SaveInSent") == 0)
		query->saves_in_sent = strcasecmp(value, "T") == 0;
}

static int parse_plain(struct query *query, struct arena *arena, const char *text, struct error *error_r)
{
	for (unsigned count = 0; *text != '\0'; count++) {
		size_t length = strcspn(text, "&"), name_length = strcspn(text, "=&");
		if (count == QUERY_PARAMETERS_MAX || length > QUERY_VALUE_MAX)
			return error_set(error_r, "the query has too many or too long parameters");
		char *name = unescape(arena, text, name_length);
		char *value = name_length < length ? unescape(arena, text + name_length + 1, length - name_length - 1)
						   : arena_strdup(arena, "");
		if (name == NULL || value == NULL)
			return error_set(error_r, "the query has a broken %%-escape");
		take_parameter(query, arena, name, value);
		text += length + (text[length] == '&');
	}
	return 0;
}

/* --- base64 ---------------------------------------------------------------------------------------------------- */

struct bytes {
	const uint8_t *at, *end;
};

static int take_byte(struct bytes *bytes, unsigned *value_r)
{
	if (bytes->at == bytes->end)
		return -1;
	*value_r = *bytes->at++;
	return 0;
}

/* A length byte and so many bytes. */
static int take_field(struct bytes *bytes, const uint8_t **field_r, size_t *length_r)
{
	unsigned length;

	if (take_byte(bytes, &length) < 0 || length > (size_t)(bytes->end - bytes->at))
		return -1;
	*field_r = bytes->at;
	*length_r = length;
	bytes->at += length;
	return 0;
}

/* Devices send 16 raw bytes where their plain form shows 32 hexadecimal digits, or the very characters. */
static const char *device_id(struct arena *arena, const uint8_t *field, size_t length)
{
	bool is_text = length > 0;

	for (size_t i = 0; i < length; i++)
		is_text = is_text && isprint(field[i]);
	if (is_text)
		return clean_id(arena, (const char *)field, length);
	char *id = arena_alloc(arena, length * 2 + 1);
	for (size_t i = 0; i < length; i++) {
		id[i * 2] = "0123456789ABCDEF"[field[i] >> 4];
		id[i * 2 + 1] = "0123456789ABCDEF"[field[i] & 15];
	}
	return id;
}

static const char *field_text(struct arena *arena, const uint8_t *field, size_t length)
{
	return arena_strndup(arena, (const char *)field, length);
}

static int take_parameters(struct query *query, struct arena *arena, struct bytes *bytes)
{
	const uint8_t *field;
	size_t length;
	unsigned tag;

	while (bytes->at < bytes->end) {
		if (take_byte(bytes, &tag) < 0 || take_field(bytes, &field, &length) < 0)
			return -1;
		switch (tag) {
		case TAG_ATTACHMENT_NAME: query->attachment_name = field_text(arena, field, length); break;
		case TAG_COLLECTION_ID: query->collection_id = field_text(arena, field, length); break;
		case TAG_ITEM_ID: query->item_id = field_text(arena, field, length); break;
		case TAG_LONG_ID: query->long_id = field_text(arena, field, length); break;
		case TAG_USER: query->user = field_text(arena, field, length); break;
		case TAG_OPTIONS:
			query->saves_in_sent = length > 0 && field[0] & OPTION_SAVE_IN_SENT;
			query->accepts_multipart = length > 0 && field[0] & OPTION_ACCEPT_MULTIPART;
			break;
		default: break;
		}
	}
	return 0;
}

static int parse_bytes(struct query *query, struct arena *arena, struct bytes bytes)
{
	unsigned command, locale_low, locale_high;
	const uint8_t *field;
	size_t length;

	if (take_byte(&bytes, &query->version) < 0 || take_byte(&bytes, &command) < 0 ||
	    take_byte(&bytes, &locale_low) < 0 || take_byte(&bytes, &locale_high) < 0)
		return -1;
	query->command = command < sizeof command_codes / sizeof *command_codes ? command_codes[command] : NULL;
	if (take_field(&bytes, &field, &length) < 0)
		return -1;
	query->device_id = device_id(arena, field, length);
	if (take_field(&bytes, &field, &length) < 0 || (length != 0 && length != 4))
		return -1;
	if (length == 4) {
		query->has_policy_key = true;
		query->policy_key = field[0] | (uint32_t)field[1] << 8 | (uint32_t)field[2] << 16 | (uint32_t)field[3] << 24;
	}
	if (take_field(&bytes, &field, &length) < 0)
		return -1;
	query->device_type = field_text(arena, field, length);
	return take_parameters(query, arena, &bytes);
}

/* Proxies and some devices escape "+", "/" and "=" of the base64 form; others send its URL-safe alphabet. */
static size_t plain_base64(const char *text, char *plain)
{
	char *end = plain;

	for (; *text != '\0'; text++) {
		char c = *text;
		if (c == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
			c = (char)(hex(text[1]) * 16 + hex(text[2]));
			text += 2;
		}
		*end++ = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	return (size_t)(end - plain);
}

static int parse_base64(struct query *query, struct arena *arena, const char *text, struct error *error_r)
{
	char *padded = arena_alloc(arena, strlen(text) + 5);
	uint8_t *bytes = arena_alloc(arena, strlen(text) + 5);
	size_t length = plain_base64(text, padded);

	while (length > 0 && padded[length - 1] == '=')
		padded[--length] = '\0';
	size_t pad = (4 - length % 4) % 4;
	memcpy(padded + length, "===", pad);
	int decoded = pad == 3 ? -1 : EVP_DecodeBlock(bytes, (const unsigned char *)padded, (int)(length + pad));
	if (decoded < 0 || parse_bytes(query, arena, (struct bytes){bytes, bytes + decoded - (int)pad}) < 0)
		return error_set(error_r, "the query is neither name=value pairs nor the base64 form");
	return 0;
}

int query_parse(struct query *query_r, struct arena *arena, const char *text, struct error *error_r)
{
	*query_r = (struct query){.fault = QUERY_FORM, .command = NULL, .user = "", .device_id = "", .device_type = "", .collection_id = "",
		.item_id = "", .long_id = "", .attachment_name = ""};
	/* base64 has "=" only at its end */
	bool is_plain = strchr(text, '&') != NULL || (strchr(text, '=') != NULL && strchr(text, '=')[1] != '=' &&
		strchr(text, '=')[1] != '\0');
	if ((is_plain ? parse_plain : parse_base64)(query_r, arena, text, error_r) < 0)
		return -1;
	return check(query_r, error_r);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SASL PLAIN. */
#include "connectors/imap/sasl_plain.h"

#include <assert.h>
#include <openssl/evp.h>

void sasl_plain_append(struct buffer *out, const struct session_login *login)
{
	struct buffer message = BUFFER_WIPING;
	size_t room;

	assert(out->wipes);
	buffer_append_string(&message, login->authorize_as);
	buffer_append_byte(&message, 0);
	buffer_append_string(&message, login->user);
	buffer_append_byte(&message, 0);
	buffer_append_string(&message, login->password);
	room = (message.length + 2) / 3 * 4 + 1;
	buffer_grow(out, (size_t)EVP_EncodeBlock((unsigned char *)buffer_reserve(out, room),
		(const unsigned char *)message.data, (int)message.length));
	buffer_release(&message);
}

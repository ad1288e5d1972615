/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine for Autodiscover (MS-ASCMD 2.2.1.1): a phone that knows a mail address and a password alone is told where
 * ActiveSync is served. It asks https://DOMAIN/autodiscover/autodiscover.xml, then https://autodiscover.DOMAIN/…, then
 * http:// there, to be sent to the right place; doc/install.md says how these names come to lead here.
 */
#ifndef BELFRY_GATEWAY_AUTODISCOVER_AUTODISCOVER_H
#define BELFRY_GATEWAY_AUTODISCOVER_AUTODISCOVER_H

#include "gateway/engine.h"
#include "gateway/service/directory.h"

/* engine_host.settings of this engine. */
struct autodiscover_engine_settings {
	const char *public_url;            /* "https://mail.example.org"; NULL: by the name that the phone used */
	const struct directory *directory;
};

extern const struct engine autodiscover_engine;

#endif

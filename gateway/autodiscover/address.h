/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where phones find us, as far as we can know. */
#ifndef BELFRY_GATEWAY_AUTODISCOVER_ADDRESS_H
#define BELFRY_GATEWAY_AUTODISCOVER_ADDRESS_H

#include <stdbool.h>

#include "lib/http/server.h"

/*
 * "https://mail.example.org" in the exchange's arena. public_url NULL: by the name that the phone has used for this very
 * request, which led here and had a certificate that it took. NULL: it has used none that could stand in an address.
 */
const char *address_of_house(const char *public_url, struct http_exchange *);

/* The phone has come by another name than public_url's, or without TLS: a proxy in front says so. What it asks before
 * it tells a password is then to be sent on to the right place. */
bool address_is_another(const char *public_url, const struct http_exchange *);

#endif

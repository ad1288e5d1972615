/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What Prometheus asks for, GET /metrics over HTTP at the place "metrics", on loopback. A front serves it, for it is
 * fronts that read strangers' bytes; the numbers are the hub's, which any front gets.
 */
#ifndef BELFRY_GATEWAY_METRICS_PAGE_H
#define BELFRY_GATEWAY_METRICS_PAGE_H

#include "gateway/service/hub_client.h"
#include "lib/core/error.h"

enum { METRICS_CONNECTIONS_MAX = 16 }; /* Prometheus keeps one */

struct metrics_page;

/* The hub's client must outlive the page by its own end, which answers who still waits. NULL with error_r. */
struct metrics_page *metrics_page_create(struct net *, struct hub_client *, struct error *error_r);
void metrics_page_free(struct metrics_page **);

#endif

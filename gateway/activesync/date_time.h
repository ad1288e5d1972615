/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times as elements have them: "2026-11-28T00:00:00.000Z" (MS-ASDTYPE 2.3). */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_DATE_TIME_H
#define BELFRY_GATEWAY_ACTIVESYNC_DATE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec/wbxml_writer.h"

/* In seconds; the fraction is left out, and before 1970 is 0. False: it is none. */
bool date_time_parse(const char *text, uint64_t *time_s_r);
/* Nothing is written of what no four digits of a year can say. */
void date_time_write(struct wbxml_writer *, uint16_t tag, uint64_t time_s);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times of elements. */
#include "gateway/activesync/date_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool date_time_parse(const char *text, uint64_t *time_s_r)
{
	struct tm tm = {0};
	int length = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
	    &length) != 6 || length == 0)
		return false;
	text += length;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (strcmp(text, "Z") != 0 || tm.tm_mon < 1 || tm.tm_mon > 12)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	time_t time = timegm(&tm);
	*time_s_r = time < 0 ? 0 : (uint64_t)time;
	return true;
}

void date_time_write(struct wbxml_writer *writer, uint16_t tag, uint64_t time_s)
{
	char text[80]; /* as much as six ints could take */
	struct tm tm;
	time_t when = (time_t)time_s;

	if (gmtime_r(&when, &tm) == NULL || tm.tm_year > 8099)
		return;
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.000Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		tm.tm_hour, tm.tm_min, tm.tm_sec);
	wbxml_writer_text_element(writer, tag, text);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Fri, 21 Nov 1997 09:55:06 -0600" and what mailers make of it. */
#include "connectors/mail/date.h"

#include <time.h>

#include <stddef.h>

struct date_fields {
	int day, month, year, hour, minute, second;
	int zone_minutes;
};

static void skip_separators(struct slice *rest)
{
	while (rest->length > 0 && (slice_is_blank(*rest->at) || *rest->at == ',' || *rest->at == '-')) {
		rest->at++;
		rest->length--;
	}
}

/* -1: no digit there. */
static int take_number(struct slice *rest, int most_digits)
{
	int number = -1;

	for (int i = 0; i < most_digits && rest->length > 0 && *rest->at >= '0' && *rest->at <= '9'; i++) {
		number = (number < 0 ? 0 : number) * 10 + (*rest->at - '0');
		rest->at++;
		rest->length--;
	}
	return number;
}

static struct slice take_letters(struct slice *rest)
{
	struct slice word = slice_of(rest->at, 0);

	while (rest->length > 0 && ((*rest->at | 0x20) >= 'a' && (*rest->at | 0x20) <= 'z')) {
		rest->at++;
		rest->length--;
		word.length++;
	}
	return word;
}

static int take_month(struct slice *rest)
{
	static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
		"dec"};
	struct slice word = take_letters(rest);

	for (int i = 0; i < 12; i++)
		if (slice_begins(word, months[i]))
			return i + 1;
	return -1;
}

static bool take_time(struct slice *rest, struct date_fields *date)
{
	date->hour = take_number(rest, 2);
	if (rest->length == 0 || (*rest->at != ':' && *rest->at != '.'))
		return false;
	*rest = slice_of(rest->at + 1, rest->length - 1);
	date->minute = take_number(rest, 2);
	if (rest->length > 0 && (*rest->at == ':' || *rest->at == '.')) {
		*rest = slice_of(rest->at + 1, rest->length - 1);
		date->second = take_number(rest, 2);
	}
	return date->hour >= 0 && date->hour < 24 && date->minute >= 0 && date->minute < 60 && date->second >= 0
		&& date->second <= 60;
}

/* RFC 5322 section 4.3: the American zones; all other letters say nothing. */
static int zone_of_word(struct slice word)
{
	static const struct { const char *name; int hours; } zones[] = {
		{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7},
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (slice_is(word, zones[i].name))
			return zones[i].hours * 60;
	return 0;
}

static int take_zone(struct slice *rest)
{
	int sign, number;

	while (rest->length > 0 && slice_is_blank(*rest->at))
		*rest = slice_of(rest->at + 1, rest->length - 1);
	if (rest->length == 0 || (*rest->at != '+' && *rest->at != '-'))
		return zone_of_word(take_letters(rest));
	sign = *rest->at == '-' ? -1 : 1;
	*rest = slice_of(rest->at + 1, rest->length - 1);
	number = take_number(rest, 4);
	return number < 0 || number > 1459 ? 0 : sign * (number / 100 * 60 + number % 100);
}

/* Days since 1970-01-01 in the Gregorian calendar: years are counted from March, so that leap days come last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

uint64_t date_parse(struct slice text)
{
	struct date_fields date = {0};
	int64_t seconds;

	skip_separators(&text);
	take_letters(&text); /* the day's name */
	skip_separators(&text);
	date.day = take_number(&text, 2);
	skip_separators(&text);
	date.month = take_month(&text);
	skip_separators(&text);
	date.year = take_number(&text, 4);
	if (date.day < 1 || date.day > 31 || date.month < 1 || date.year < 0)
		return 0;
	if (date.year < 100) /* RFC 5322 section 4.3 */
		date.year += date.year < 50 ? 2000 : 1900;
	else if (date.year < 1000)
		date.year += 1900;
	skip_separators(&text);
	if (!take_time(&text, &date))
		return 0;
	date.zone_minutes = take_zone(&text);
	seconds = days_of(date.year, date.month, date.day) * 86400 + date.hour * 3600 + date.minute * 60 + date.second
		- date.zone_minutes * 60;
	return seconds > 0 ? (uint64_t)seconds : 0;
}

void date_append(struct buffer *out, int64_t seconds)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t time = (time_t)seconds;
	struct tm tm;

	gmtime_r(&time, &tm); /* not strftime(): it speaks the locale's language */
	buffer_printf(out, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, names[tm.tm_mon],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

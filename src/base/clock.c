#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_utc_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_to_utc(int64_t us)
{
	return clock_utc_us() - (clock_us() - us);
}

int64_t clock_from_utc(int64_t utc_us)
{
	int64_t now = clock_us(), age = clock_utc_us() - utc_us;

	return age > 0 ? now - age : now;
}

/*
 * Days since 1970-01-01 to and from the proleptic Gregorian calendar, counted
 * from 1 March so that the leap day comes last. gmtime_r would do on POSIX,
 * but its range and thread safety differ between systems.
 */
static int64_t days_from_date(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

void clock_format(char out[CLOCK_TEXT_MAX], int64_t utc_us)
{
	int64_t second = utc_us / 1000000;
	int64_t us = utc_us % 1000000;
	int64_t days, rest;
	int year, month, day;

	if (us < 0) {
		us += 1000000;
		second--;
	}
	days = second / 86400;
	rest = second % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06d",
		 year, month, day, (int)(rest / 3600), (int)(rest / 60 % 60),
		 (int)(rest % 60), (int)us);
}

/* Read exactly `count` digits; moves `text` on. False when there are less. */
static bool read_digits(const char **text, int count, int *out)
{
	*out = 0;
	for (; count > 0; count--, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		*out = *out * 10 + (**text - '0');
	}
	return true;
}

static bool read_char(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

static bool read_fraction(const char **text, int64_t *us)
{
	int64_t unit = 100000;

	*us = 0;
	if (!read_char(text, '.'))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
		*us += (**text - '0') * unit;
	return true;
}

static bool is_date(int year, int month, int day)
{
	int y, m, d;

	if (year < 1 || month < 1 || month > 12 || day < 1)
		return false;
	/* A day that the month does not have comes back as another one. */
	date_from_days(days_from_date(year, month, day), &y, &m, &d);
	return y == year && m == month && d == day;
}

int clock_parse(const char *text, int64_t *utc_us)
{
	int year, month, day, hour, minute, second;
	int64_t seconds, us;

	if (!read_digits(&text, 4, &year) || !read_char(&text, '-') ||
	    !read_digits(&text, 2, &month) || !read_char(&text, '-') ||
	    !read_digits(&text, 2, &day) ||
	    (!read_char(&text, 'T') && !read_char(&text, ' ')) ||
	    !read_digits(&text, 2, &hour) || !read_char(&text, ':') ||
	    !read_digits(&text, 2, &minute) || !read_char(&text, ':') ||
	    !read_digits(&text, 2, &second) || !read_fraction(&text, &us) ||
	    *text)
		return -1;
	if (!is_date(year, month, day) || hour > 23 || minute > 59 ||
	    second > 59)
		return -1;
	seconds = days_from_date(year, month, day) * 86400 + hour * 3600 +
		  minute * 60 + second;
	*utc_us = seconds * 1000000 + us;
	return 0;
}

int clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int rc;

	rc = pthread_condattr_init(&attr);
	if (rc)
		return rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!rc)
		rc = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return rc;
}

void clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
		     int64_t deadline_ms)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ms / 1000),
		.tv_nsec = (long)(deadline_ms % 1000) * 1000000,
	};

	pthread_cond_timedwait(cond, lock, &ts);
}

#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>

/* Milliseconds that only grow; for durations and deadlines, any thread. */
int64_t clock_ms(void);

/* The same clock in microseconds, to tell which of two moments came first. */
int64_t clock_us(void);

/* Microseconds since 1970-01-01 UTC, from the system's clock. */
int64_t clock_utc_us(void);

/*
 * The moment when clock_us() was `us`, by the system's clock as it is set now;
 * and the reverse. A time that lies in the future counts as the present: the
 * clock was set back since.
 */
int64_t clock_to_utc(int64_t us);
int64_t clock_from_utc(int64_t utc_us);

#define CLOCK_TEXT_MAX 64

/*
 * `utc_us` as "2026-01-31T13:00:59.123456", which SQL Server converts to
 * DATETIME2 under every language setting and SQLite's date functions read.
 */
void clock_format(char out[CLOCK_TEXT_MAX], int64_t utc_us);

/* The reverse; also accepts a blank for the T. Returns -1 for other texts. */
int clock_parse(const char *text, int64_t *utc_us);

/* A condition variable whose timed waits follow clock_ms(). */
int clock_cond_init(pthread_cond_t *cond);

/* Wait until signalled or clock_ms() has reached `deadline_ms`. */
void clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
		     int64_t deadline_ms);

#endif

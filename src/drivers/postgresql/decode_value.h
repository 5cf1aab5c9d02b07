#ifndef DRIVERS_POSTGRESQL_DECODE_VALUE_H
#define DRIVERS_POSTGRESQL_DECODE_VALUE_H

#include "drivers/postgresql/decode.h"

/*
 * What decode.c and words.c share: values that were read go into the batch, in
 * the units of PostgreSQL's binary forms. What they return is in decode.h.
 */

/* From 0001-01-01 to 2000-01-01, where PostgreSQL counts from. */
#define PG_DAYS_TO_2000 INT64_C(730119)

int pg_decode_broken(const struct pg_column_plan *plan, struct error *err);

int pg_put_int(const struct pg_column_plan *plan, struct batch *batch,
	       int64_t value);
int pg_put_text(const struct pg_column_plan *plan, struct batch *batch,
		const unsigned char *data, size_t len, struct error *err);
int pg_put_decimal(const struct pg_column_plan *plan, struct batch *batch,
		   row_int128 value);
int pg_put_nan(const struct pg_column_plan *plan, struct batch *batch,
	       struct error *err);
/* Days since 2000-01-01; the ends of int32 are infinite. */
int pg_put_date(const struct pg_column_plan *plan, struct batch *batch,
		int64_t days, struct error *err);
/* Microseconds since midnight, and since 2000-01-01, where the ends of int64
 * are infinite. */
int pg_put_time(const struct pg_column_plan *plan, struct batch *batch,
		int64_t us, struct error *err);
int pg_put_timestamp(const struct pg_column_plan *plan, struct batch *batch,
		     int64_t us, struct error *err);

#endif

#ifndef TESTS_FUZZ_DBLIB_H
#define TESTS_FUZZ_DBLIB_H

#include "fuzz/fuzz.h"
#include "tds/connection.h"

/*
 * FreeTDS's db-lib without a network: the functions of it that src/ calls,
 * which take the place of those in libsybdb. Behind them is a server that
 * answers whatever the input says: errors, results of any shape, values of any
 * type, the end of the connection. Every value lies in memory of exactly its
 * size.
 */

/* Answer from `in`, until the next call. NULL: nothing to statements. */
void dblib_answer_from(struct input *in);

/* A connection to it, made once, for what needs no more than a handle. */
struct tds *dblib_connection(void);

/*
 * Let the connection stand on a row with one column of db-lib's type number
 * `type`; NULL data is a NULL.
 */
void dblib_show(struct tds *conn, int type, int precision, int scale,
		const void *data, size_t len);

/* What the bulk load was last given for its first column; NULL: a NULL. */
const void *dblib_bulk_value(struct tds *conn, size_t *len);

#endif

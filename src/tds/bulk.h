#ifndef TDS_BULK_H
#define TDS_BULK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tds/connection.h"

/*
 * Bulk load of one table over one connection, which does nothing else
 * meanwhile. After any error the connection is not usable any more: a bulk
 * load cannot be taken back half-way. Rows become visible at tds_bulk_flush()
 * and tds_bulk_end(), unless a transaction is open.
 */

/* How a value lies in memory; each is db-lib's host type for it. */
enum tds_host_type {
	TDS_HOST_BIT,
	TDS_HOST_INT1,
	TDS_HOST_INT2,
	TDS_HOST_INT4,
	TDS_HOST_INT8,
	TDS_HOST_REAL,
	TDS_HOST_FLOAT,
	TDS_HOST_NUMERIC,	/* DBNUMERIC */
	TDS_HOST_MONEY,		/* DBMONEY */
	TDS_HOST_SMALLMONEY,	/* DBMONEY4 */
	TDS_HOST_DATETIME,	/* DBDATETIME */
	TDS_HOST_SMALLDATETIME, /* DBDATETIME4 */
	TDS_HOST_DATE,		/* DBDATETIMEALL, as the next three */
	TDS_HOST_TIME,
	TDS_HOST_DATETIME2,
	TDS_HOST_DATETIMEOFFSET,
	TDS_HOST_GUID,
	TDS_HOST_CHAR,	 /* bytes of text in the column's own encoding */
	TDS_HOST_BINARY, /* bytes */
};

/*
 * Begin to load `table`, a quoted name. types[i] is for the table's column
 * number i + 1; all columns get a value in each row.
 */
int tds_bulk_begin(struct tds *conn, const char *table,
		   const enum tds_host_type *types, size_t count,
		   struct error *err) __attribute__((warn_unused_result));

/*
 * Set a column (from 0) of the next row. The data must stay until
 * tds_bulk_row(). A NULL into a column of fixed size that is NOT NULL must not
 * come here: FreeTDS ends the process over it.
 */
void tds_bulk_set(struct tds *conn, size_t col, const void *data, size_t len);
void tds_bulk_set_null(struct tds *conn, size_t col);

int tds_bulk_row(struct tds *conn, struct error *err)
	__attribute__((warn_unused_result));

/* Make the server take what was sent so far, and go on. */
int tds_bulk_flush(struct tds *conn, struct error *err)
	__attribute__((warn_unused_result));

int tds_bulk_end(struct tds *conn, struct error *err)
	__attribute__((warn_unused_result));

#endif

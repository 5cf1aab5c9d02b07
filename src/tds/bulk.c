#include "tds/bulk.h"

#include <string.h>

#include <sybfront.h>
#include <sybdb.h>

#ifndef SYBUNIQUE
#define SYBUNIQUE 36 /* uniqueidentifier; sybdb.h leaves it out */
#endif

/* An empty string is told from NULL by length -1 at a NUL byte. */
static BYTE empty[2];

static int host_type(enum tds_host_type type)
{
	switch (type) {
	case TDS_HOST_BIT:
		return SYBBIT;
	case TDS_HOST_INT1:
		return SYBINT1;
	case TDS_HOST_INT2:
		return SYBINT2;
	case TDS_HOST_INT4:
		return SYBINT4;
	case TDS_HOST_INT8:
		return SYBINT8;
	case TDS_HOST_REAL:
		return SYBREAL;
	case TDS_HOST_FLOAT:
		return SYBFLT8;
	case TDS_HOST_NUMERIC:
		return SYBNUMERIC;
	case TDS_HOST_MONEY:
		return SYBMONEY;
	case TDS_HOST_SMALLMONEY:
		return SYBMONEY4;
	case TDS_HOST_DATETIME:
		return SYBDATETIME;
	case TDS_HOST_SMALLDATETIME:
		return SYBDATETIME4;
	case TDS_HOST_DATE:
		return SYBMSDATE;
	case TDS_HOST_TIME:
		return SYBMSTIME;
	case TDS_HOST_DATETIME2:
		return SYBMSDATETIME2;
	case TDS_HOST_DATETIMEOFFSET:
		return SYBMSDATETIMEOFFSET;
	case TDS_HOST_GUID:
		return SYBUNIQUE;
	case TDS_HOST_CHAR:
		return SYBCHAR;
	case TDS_HOST_BINARY:
		return SYBBINARY;
	}
	return 0;
}

static int bulk_failed(struct tds *conn, struct error *err)
{
	tds_call_failed(conn, "a bulk load", err);
	tds_mark_unusable(conn);
	return -1;
}

/*
 * TABLOCK lets the server log the pages instead of the rows, and nobody else
 * uses the tables that are loaded.
 */
int tds_bulk_begin(struct tds *conn, const char *table,
		   const enum tds_host_type *types, size_t count,
		   struct error *err)
{
	DBPROCESS *db = tds_handle(conn);
	BYTE hint[] = "TABLOCK";

	tds_begin_call(conn);
	if (bcp_init(db, table, NULL, NULL, DB_IN) == FAIL ||
	    bcp_options(db, BCPHINTS, hint, sizeof(hint) - 1) == FAIL)
		return bulk_failed(conn, err);
	for (size_t i = 0; i < count; i++)
		if (bcp_bind(db, empty, 0, 0, NULL, 0, host_type(types[i]),
			     (int)i + 1) == FAIL)
			return bulk_failed(conn, err);
	return 0;
}

void tds_bulk_set(struct tds *conn, size_t col, const void *data, size_t len)
{
	DBPROCESS *db = tds_handle(conn);

	if (!len)
		data = empty;
	bcp_colptr(db, (BYTE *)(uintptr_t)data, (int)col + 1);
	bcp_collen(db, len ? (DBINT)len : -1, (int)col + 1);
}

void tds_bulk_set_null(struct tds *conn, size_t col)
{
	bcp_collen(tds_handle(conn), 0, (int)col + 1);
}

/* A packet that could not be sent is told, but no failure of bcp_sendrow(). */
int tds_bulk_row(struct tds *conn, struct error *err)
{
	tds_begin_call(conn);
	if (bcp_sendrow(tds_handle(conn)) == FAIL || tds_failed(conn))
		return bulk_failed(conn, err);
	return 0;
}

/*
 * bcp_batch() and bcp_done() return the rows that the server counted, which are
 * -1 under SET NOCOUNT ON, just like a failure. A failure is told as well.
 */
static int judge(struct tds *conn, struct error *err)
{
	if (tds_failed(conn) || !tds_usable(conn))
		return bulk_failed(conn, err);
	return 0;
}

int tds_bulk_flush(struct tds *conn, struct error *err)
{
	tds_begin_call(conn);
	bcp_batch(tds_handle(conn));
	return judge(conn, err);
}

int tds_bulk_end(struct tds *conn, struct error *err)
{
	tds_begin_call(conn);
	bcp_done(tds_handle(conn));
	return judge(conn, err);
}

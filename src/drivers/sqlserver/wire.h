#ifndef DRIVERS_SQLSERVER_WIRE_H
#define DRIVERS_SQLSERVER_WIRE_H

/* Facts about values in db-lib's buffers that reading and writing share. */

/* Days from 0001-01-01 to 1900-01-01, where SQL Server counts from. */
#define DAYS_TO_1900 693595

/* 9999-12-31, counted from 0001-01-01. */
#define LAST_DAY 3652058

/* The first three groups of a GUID are little-endian. */
static const unsigned char sqlserver_guid_order[16] = {
	3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15,
};

/*
 * Bytes that FreeTDS's numeric uses for a precision of 1 to 38: one for the
 * sign and those that 10^precision - 1 needs, at log2(10) = 3.322 bits a
 * digit.
 */
static inline int sqlserver_numeric_bytes(int precision)
{
	return 1 + (precision * 3322 / 1000 + 1 + 7) / 8;
}

#endif

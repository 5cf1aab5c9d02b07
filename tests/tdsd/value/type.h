#ifndef TDSD_TYPE_H
#define TDSD_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * T-SQL types, in the order of their precedence: when two kinds meet in an
 * expression, the one further down wins.
 */
enum type_kind {
	TY_NONE, /* no value at all; the type of a bare NULL is int, flagged */
	TY_BINARY,
	TY_VARBINARY,
	TY_CHAR,
	TY_VARCHAR,
	TY_NCHAR,
	TY_NVARCHAR,
	TY_GUID,
	TY_ROWVERSION,
	TY_IMAGE,
	TY_TEXT,
	TY_NTEXT,
	TY_BIT,
	TY_TINYINT,
	TY_SMALLINT,
	TY_INT,
	TY_BIGINT,
	TY_SMALLMONEY,
	TY_MONEY,
	TY_DECIMAL,
	TY_NUMERIC,
	TY_REAL,
	TY_FLOAT,
	TY_TIME,
	TY_DATE,
	TY_SMALLDATETIME,
	TY_DATETIME,
	TY_DATETIME2,
	TY_DATETIMEOFFSET,
	TY_XML,
	TY_VARIANT,
	TY_TABLE,
	TY_CURSOR,
	/* of columns alone, which can hold nothing but NULL */
	TY_HIERARCHYID,
	TY_GEOMETRY,
	TY_GEOGRAPHY,
	TY_COUNT
};

#define TYPE_MAX (-1) /* `len` of varchar(max) and its like */

struct type {
	uint8_t kind;
	uint8_t prec;  /* decimal: digits; others as sys.columns shows it */
	uint8_t scale; /* decimal, and fraction digits of time types */
	bool null;     /* the type of an untyped NULL literal */
	int32_t len;   /* bytes, as sys.columns.max_length */
	uint16_t coll; /* text: collation number */
	uint16_t user; /* user_type_id when it is an alias, else 0 */
};

/* One kind's facts. */
struct type_info {
	const char *name;
	uint8_t system_id; /* sys.types.system_type_id */
	uint8_t prec, scale;
	int16_t len; /* of fixed-size kinds */
};

const struct type_info *type_info(enum type_kind kind);

/* Make types. */
struct type type_of(enum type_kind kind); /* with the kind's default size */
struct type type_char(enum type_kind kind, int32_t len, int coll);
struct type type_decimal(int prec, int scale);
struct type type_scaled(enum type_kind kind, int scale); /* time(n), … */
struct type type_sysname(void);
struct type type_null(void);

/* TY_NONE when no system type has that name. Handles synonyms of one word. */
enum type_kind type_kind_find(const char *name);

/* Groups. */
bool type_is_text(struct type t);    /* char … ntext, xml */
bool type_is_unicode(struct type t); /* nchar, nvarchar, ntext, xml */
bool type_is_binary(struct type t);  /* binary, varbinary, image, rowversion */
bool type_is_integer(struct type t); /* bit … bigint */
bool type_is_money(struct type t);
bool type_is_decimal(struct type t);
bool type_is_float(struct type t);
bool type_is_number(struct type t); /* any of the four above */
bool type_is_temporal(struct type t);
bool type_is_clr(struct type t); /* hierarchyid, geometry, geography */
bool type_is_lob(struct type t); /* text, ntext, image, xml, (max) */
bool type_has_length(enum type_kind kind);

/*
 * How many characters a text type may hold (bytes for char and varchar);
 * INT32_MAX for (max).
 */
int32_t type_chars(struct type t);

/*
 * "int", "decimal(10,2)", "nvarchar(max)": as a script writes it. `buf` holds
 * it; returns `buf`.
 */
const char *type_text(struct type t, char *buf, size_t size);

/* The bare name: "numeric", "nvarchar". */
const char *type_name(struct type t);

/* A type in one number, for SQLite functions; and back. */
int64_t type_pack(struct type t);
struct type type_unpack(int64_t packed);

/*
 * The type of a value that may come from either: UNION, CASE, COALESCE.
 */
struct type type_common(struct type a, struct type b);

/* Result types of + - * / % on two numbers, after the server's rules. */
struct type type_arith(char op, struct type a, struct type b);

/* The decimal that holds every value of an integer, money or decimal type. */
struct type type_as_decimal(struct type t);

#endif

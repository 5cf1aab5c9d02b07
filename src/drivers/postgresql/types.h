#ifndef DRIVERS_POSTGRESQL_TYPES_H
#define DRIVERS_POSTGRESQL_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "row/schema.h"

/*
 * The form in which a value of a type comes from the server, by COPY or from
 * the log. Types whose binary form is their own affair, or means nothing to
 * others, come as their output function writes them: PG_FORM_WORDS.
 */
enum pg_form {
	PG_FORM_BOOL,
	PG_FORM_INT2,
	PG_FORM_INT4,
	PG_FORM_INT8,
	PG_FORM_OID,
	PG_FORM_FLOAT4,
	PG_FORM_FLOAT8,
	PG_FORM_NUMERIC, /* of at most 38 digits, all of them declared */
	PG_FORM_MONEY,
	PG_FORM_DATE,
	PG_FORM_TIME,
	PG_FORM_TIMESTAMP,
	PG_FORM_TIMESTAMPTZ,
	PG_FORM_UUID,
	PG_FORM_BYTEA,
	PG_FORM_TEXT,  /* and everything that is text inside: json, name */
	PG_FORM_JSONB, /* text behind one byte, the version */
	PG_FORM_WORDS,
};

/* A column's type as the catalog has it; that under a domain. */
struct pg_type {
	uint32_t oid;
	int typmod;    /* -1: none */
	char kind;     /* pg_type.typtype: b, e, c, r, m; p is none of ours */
	bool built_in; /* it is in pg_catalog */
	const char *name;  /* "numeric", without a schema */
	const char *words; /* "numeric(10,2)", "public.mood" */
	const char *plain; /* the same without typmod: "numeric", "bpchar" */
	int label_length;  /* of the longest label of an enum, in characters */
	int money_digits;  /* behind the point of a money value here */
};

enum pg_form pg_type_form(const struct pg_type *type);

/*
 * What a value is on its way, into type, length, precision, scale, fixed,
 * cuts, pads, extended and unsupported of `column`. With `native` the other end is a
 * PostgreSQL, too.
 */
void pg_type_describe(const struct pg_type *type, bool native,
		      struct column *column);

/*
 * The type of a column that is to hold the values of `column`, of any system's
 * table: "numeric(10,2)". `system` is that of its table, whose words are kept if
 * it is "postgresql"; NULL is none. A column of that type holds every value that
 * the column can have, and shows it as it was.
 */
void pg_type_definition(const struct column *column, const char *system,
			struct strbuf *sql);

/* The name of the system in struct table. */
#define PG_SYSTEM "postgresql"

#endif

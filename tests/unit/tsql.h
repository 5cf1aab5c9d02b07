#ifndef TESTS_UNIT_TSQL_H
#define TESTS_UNIT_TSQL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * As much of T-SQL as schema-dataflow.sql and the views are written in: enough
 * to find the tables, columns and rows they make, without a server.
 */

enum tsql_kind {
	TSQL_END,
	TSQL_WORD,   /* names, keywords, numbers, @variables */
	TSQL_STRING, /* '…' or N'…', without its quotes */
	TSQL_OTHER,  /* one character */
};

struct tsql {
	const char *at; /* what follows the token */
	enum tsql_kind kind;
	char text[4096]; /* the token */
};

void tsql_begin(struct tsql *t, const char *text);
void tsql_next(struct tsql *t);

/* Is the token this word, whatever its case, or this character? */
bool tsql_is(const struct tsql *t, const char *word);

/* Step over the token if it is that one. */
bool tsql_skip(struct tsql *t, const char *word);

/* It has to be there. */
void tsql_need(struct tsql *t, const char *word);

#define TSQL_TABLES_MAX	 32
#define TSQL_COLUMNS_MAX 40

/* One column of a CREATE TABLE or of an ALTER TABLE … ADD. */
struct tsql_column {
	char table[64];
	char name[64];
	char type[64]; /* in capitals, without blanks: "NVARCHAR(255)" */
	bool not_null;
	bool identity;
	bool primary_key;
	bool unique;
	char fallback[128];   /* the DEFAULT's text, "" if none */
	char references[128]; /* "table(column)", with " CASCADE" */
};

struct tsql_table {
	char name[64];
	struct tsql_column columns[TSQL_COLUMNS_MAX];
	size_t count;
};

struct tsql_schema {
	struct tsql_table tables[TSQL_TABLES_MAX];
	size_t table_count;
	struct tsql_column added[TSQL_COLUMNS_MAX]; /* by ALTER TABLE */
	size_t added_count;
	char indexes[TSQL_TABLES_MAX][256]; /* "name table(a,bDESC,included)" */
	size_t index_count;
};

/* Read a script; fails the test on what it does not understand. */
void tsql_read_schema(struct tsql_schema *schema, const char *script);

/* The names of the columns of a CREATE VIEW, a line each; to be freed. */
char *tsql_view_columns(const char *script, char name[64]);

#endif

#ifndef DRIVERS_SQLSERVER_CHOICE_H
#define DRIVERS_SQLSERVER_CHOICE_H

#include "drivers/sqlserver/source.h"

/*
 * Which rows a statement is about, as pieces of SQL around the table's alias
 * `t`. Keys and the ends of spans go to the server as rows of temporary
 * tables, typed as the table's own columns: it compares them under the
 * table's collations, nobody else does.
 */
struct choice_sql {
	struct strbuf declare; /* goes first */
	struct strbuf tables;  /* stand before the table in the FROM clause */
	struct strbuf where;   /* with the word WHERE, or "" */
	struct tds_param params[2];
	size_t param_count;
};

/* `choice` may be NULL; it is borrowed while the pieces are in use. */
int choice_build(struct sqlserver_source *source,
		 const struct row_choice *choice, struct choice_sql *out,
		 struct error *err) __attribute__((warn_unused_result));
void choice_release(struct choice_sql *sql); /* safe after a failure */

/*
 * Append the condition that a row of the alias `alias`, which has the key
 * columns, lies before the end of the span in the temporary table `h`.
 */
void choice_add_before(struct strbuf *sql,
		       const struct sqlserver_source *source,
		       const struct table *keys, size_t from,
		       const char *alias);

/* The key column number `k` of a table of key columns, in key order, as the
 * source spells it: the keys may be the other side's. */
const char *choice_key_name(const struct sqlserver_source *source,
			    const struct table *keys, size_t k);

#define CHOICE_LOW  "#dataflow_low"
#define CHOICE_HIGH "#dataflow_high"

/* Put keys into one of these tables, made anew. */
int choice_load_keys(struct sqlserver_source *source, const char *table,
		     const struct batch *keys, struct error *err)
	__attribute__((warn_unused_result));

#endif

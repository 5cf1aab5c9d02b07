#ifndef DRIVERS_POSTGRESQL_CHOICE_H
#define DRIVERS_POSTGRESQL_CHOICE_H

#include "drivers/postgresql/source.h"

/*
 * Which rows a statement is about, as pieces of SQL around the table's alias
 * `t`. COPY takes no parameters: so values of keys are handed over as settings
 * of the transaction, which the statement reads and casts to the types of the
 * table's own columns. The server compares them, nobody else does.
 */
struct choice_sql {
	struct strbuf from;  /* "FROM … AS t", with what is joined to it */
	struct strbuf where; /* with the word WHERE, or "" */
};

/*
 * Inside of a transaction, at whose end the values are forgotten. `choice` may
 * be NULL.
 */
int pg_choice_build(struct postgresql_source *source,
		    const struct row_choice *choice, struct choice_sql *out,
		    struct error *err) __attribute__((warn_unused_result));
void pg_choice_release(struct choice_sql *sql); /* safe after a failure */

/*
 * Append what a key column is compared and sorted by, of the alias t or, with
 * "", a bare name. Types that PostgreSQL itself brings have their own order.
 * Operators of others may be in any schema: they are taken as text, and so are
 * arrays.
 */
void pg_choice_add_key(struct strbuf *sql, const struct catalog_column *column);

/* "t.k1, t.k2", each with `suffix` behind it. */
int pg_choice_add_keys(struct strbuf *sql,
		       const struct postgresql_source *source,
		       const struct table *keys, const char *suffix,
		       struct error *err) __attribute__((warn_unused_result));

/* The type that it has then, without a length: "bigint". */
const char *pg_choice_key_type(const struct catalog_column *column);

/* Hand over a value as the setting `name` for the rest of the transaction. */
int pg_choice_set(struct postgresql_source *source, const char *name,
		  const char *value, struct error *err)
	__attribute__((warn_unused_result));

/* Refuse a person's condition that is not one expression, whole in itself. */
int pg_condition_check(const char *condition, struct error *err)
	__attribute__((warn_unused_result));

/* The condition of one of split()'s ranges, with AND or WHERE in front. */
int pg_split_condition(struct postgresql_source *source,
		       const struct key_range *range, struct strbuf *where,
		       struct error *err) __attribute__((warn_unused_result));

#endif

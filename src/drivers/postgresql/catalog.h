#ifndef DRIVERS_POSTGRESQL_CATALOG_H
#define DRIVERS_POSTGRESQL_CATALOG_H

#include "base/arena.h"
#include "drivers/postgresql/types.h"
#include "pg/connection.h"

struct catalog_column {
	int number; /* pg_attribute.attnum */
	const char *name;
	struct pg_type type;
	const char *output;    /* its type's output function, with its schema */
	bool domain;	       /* is it declared as a domain over that type? */
	const char *collation; /* NULL: not text */
	const char *sorting;   /* of a collation: see columns_sql */
	bool not_null;
	bool identity;
	bool always; /* an identity that nobody may update */
	bool computed;
	bool has_default;
	int key_ordinal; /* from 1; 0: not in the key */
	bool selectable; /* by this login */
};

/* A table as the system catalog describes it. Owns its strings. */
struct catalog_table {
	struct arena arena;
	uint32_t oid;
	char kind;	   /* pg_class.relkind: r, p, v, m, f */
	char identity;	   /* pg_class.relreplident: d, n, f, i */
	bool has_policies; /* row security applies to this login */
	struct catalog_column *columns;
	size_t column_count;
};

/*
 * Read the definition of a table of the connection's database. 1: found; 0:
 * there is none by that name. Release it only after 1.
 */
int pg_catalog_read(struct pg *conn, const char *schema, const char *table,
		    struct catalog_table *out, struct error *err)
	__attribute__((warn_unused_result));
void pg_catalog_release(struct catalog_table *table); /* safe when zeroed */

/* The column of that name as row/schema.h finds them; NULL if none. */
const struct catalog_column *pg_catalog_column(
	const struct catalog_table *table, const char *name);

/* The key's column number `k`, from 0; NULL after the last. */
const struct catalog_column *pg_catalog_key(const struct catalog_table *table,
					    size_t k);

/* The same in the words that all drivers share; `native` as in types.h. */
int pg_catalog_describe(const struct catalog_table *from, bool native,
			const struct table_name *name, struct table *out,
			struct error *err) __attribute__((warn_unused_result));

/* "table", "view", …: for messages. */
const char *pg_catalog_kind(const struct catalog_table *table);

/*
 * Of an index `i` (pg_index): does it tell all rows of its table apart, as soon
 * as a row is there? For use in statements.
 */
#define CATALOG_IS_UNIQUE                                    \
	"i.indisunique AND i.indisvalid AND i.indimmediate " \
	"AND i.indpred IS NULL AND i.indexprs IS NULL"

/* The table with the oid $1 and all its partitions, as "part". */
#define CATALOG_PARTS                                              \
	"WITH RECURSIVE part AS (SELECT $1::oid AS oid UNION ALL " \
	"SELECT h.inhrelid FROM pg_inherits AS h "                 \
	"INNER JOIN part AS p ON h.inhparent = p.oid) "

/* How many of its columns are its key: PostgreSQL 11 added others. */
#define CATALOG_KEY_COLUMNS \
	"COALESCE((to_jsonb(i) ->> 'indnkeyatts')::int, i.indnatts)"

#endif

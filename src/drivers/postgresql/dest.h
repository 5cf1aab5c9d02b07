#ifndef DRIVERS_POSTGRESQL_DEST_H
#define DRIVERS_POSTGRESQL_DEST_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "pg/connection.h"
#include "row/schema.h"

/*
 * A destination table as one who writes it has to know it, beside what
 * describe() tells everybody.
 */
struct pg_dest_column {
	const char *name;
	const char *type; /* as it stands in CREATE TABLE, with its schema */
	const char *base; /* the same, or the type under any domain */
	const char *collation; /* " COLLATE …" behind it, or "" */
	/*
	 * How a binary COPY reads it: the source of its type's receive
	 * function, "int4recv", under any domain. Types of extensions that
	 * are text inside have "textrecv" as well.
	 */
	const char *receive;
	/*
	 * The operator by which indexes of its type tell equal values: that of
	 * an extension's type is not in the search path.
	 */
	const char *equal;
	const char *sequence; /* whose numbers it has, quoted; or "" */
	int typmod;	      /* of the type under any domain; -1: none */
	bool not_null;
	bool identity;
	bool always;	/* an identity that nobody may set or update */
	bool generated; /* from other columns */
	bool built_in;	/* the type under any domain is the system's own */
	bool exact;	/* what its type takes for equal is the same */
	bool in_unique; /* of a unique index, or of one that excludes others */
};

struct pg_dest {
	struct arena arena;
	unsigned oid;
	char kind;		    /* pg_class.relkind */
	bool ours;		    /* we have the rights of its owner */
	bool unique_expressions;    /* such indexes look at more than columns */
	bool delete_reaches_others; /* ON DELETE CASCADE, SET NULL, … */
	bool refers_to_itself;	    /* by a foreign key */
	struct pg_dest_column *columns;
	size_t column_count;
};

/*
 * Read it. 1: found; 0: there is no such table. ERROR_SCHEMA for what cannot be
 * written as a table. Release only after 1.
 */
int pg_dest_read(struct pg *conn, const char *schema, const char *table,
		 struct pg_dest *out, struct error *err)
	__attribute__((warn_unused_result));
void pg_dest_release(struct pg_dest *dest); /* safe when zeroed */

/* Foreign keys ON DELETE CASCADE, SET NULL or SET DEFAULT that work. */
enum pg_dest_reach {
	PG_DEST_REACHES,   /* rows deleted here change other tables' */
	PG_DEST_REACHED,   /* rows deleted elsewhere change those here */
	PG_DEST_DELETED_BY /* and delete them: ON DELETE CASCADE */
};

/*
 * Those of a table and its partitions, in words, appended to `out`: "kid_fkey of
 * public.kid (ON DELETE CASCADE)". Nothing: there are none. Those within the
 * table, and those whose triggers are disabled, are none.
 */
int pg_dest_reach(struct pg *conn, const struct pg_dest *dest,
		  enum pg_dest_reach which, struct strbuf *out,
		  struct error *err) __attribute__((warn_unused_result));

/* As table_column() finds names; NULL if none. */
const struct pg_dest_column *pg_dest_column(const struct pg_dest *dest,
					    const char *name);

#endif

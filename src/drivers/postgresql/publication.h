#ifndef DRIVERS_POSTGRESQL_PUBLICATION_H
#define DRIVERS_POSTGRESQL_PUBLICATION_H

#include "drivers/postgresql/slot.h"

/*
 * The publication of a database says of which tables the log tells changes. To
 * make one takes CREATE on the database, to put a table into it the ownership of
 * both, in every version of the server. A login that has these rights makes it
 * and keeps it. For one that has not, a DBA makes it, under the name that `check`
 * tells; then he puts tables in and takes them out, and nobody else.
 */
enum publication_state {
	PUBLICATION_NONE,    /* there is none of that name */
	PUBLICATION_WITHOUT, /* it has not got the table */
	PUBLICATION_WITH,
	PUBLICATION_PARTLY, /* some changes would be left out: see `flaw` */
};

#define PUBLICATION_VERSION_MAX 48

struct publication {
	enum publication_state state;
	bool ours; /* the login may change it, or make it if there is none */
	bool owns_table;
	bool partitioned; /* the table */
	/* Is another one when it, or the table's place in it, was changed. */
	char version[PUBLICATION_VERSION_MAX];
	struct error flaw; /* ERROR_SCHEMA with what helps */
};

/* How it is with a table, which `oid` is. */
int publication_look(struct pg *conn, const struct slot_names *names,
		     uint32_t oid, struct publication *out, struct error *err)
	__attribute__((warn_unused_result));

/* The statement that puts a table into it, or makes it with that. */
void publication_add_sql(struct strbuf *sql, const struct pg *conn,
			 const struct slot_names *names,
			 const struct table_name *table, bool exists);

/*
 * Put the table into it, or make it with that: `found` is what there was. An
 * ERROR_PERMISSION has the statement for somebody who may. ERROR_SERVER, 55P03, if
 * somebody is in the middle of changing a table that is to be put in.
 */
int publication_add(struct pg *conn, const struct slot_names *names,
		    const struct table_name *table,
		    const struct publication *found, struct error *err)
	__attribute__((warn_unused_result));

/* Take out of it what is not among these tables, if it is ours. */
int publication_keep(struct pg *conn, const struct slot_names *names,
		     const struct table_name *const *tables, size_t count,
		     struct error *err) __attribute__((warn_unused_result));

/* Drop it, if it is there, and ours. */
int publication_drop(struct pg *conn, const struct slot_names *names,
		     struct error *err) __attribute__((warn_unused_result));

#endif

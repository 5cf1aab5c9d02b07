#ifndef DRIVERS_SQLSERVER_CATALOG_H
#define DRIVERS_SQLSERVER_CATALOG_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "row/schema.h"
#include "tds/connection.h"

/* How a value of the type is exchanged with FreeTDS; see types.c. */
enum wire_kind {
	WIRE_NONE, /* we cannot carry it */
	WIRE_BIT,
	WIRE_INT, /* tinyint to bigint, by max_length */
	WIRE_REAL,
	WIRE_FLOAT,
	WIRE_DECIMAL,
	WIRE_MONEY, /* money and smallmoney, by max_length */
	WIRE_DATE,
	WIRE_TIME,
	WIRE_DATETIME, /* 1/300 second */
	WIRE_SMALLDATETIME,
	WIRE_DATETIME2,
	WIRE_DATETIMEOFFSET,
	WIRE_CHAR,  /* one code page: char, varchar, text */
	WIRE_NCHAR, /* UTF-16LE: nchar, nvarchar, ntext, xml */
	WIRE_BINARY,
	WIRE_GUID,
};

struct catalog_column {
	int column_id;
	const char *name;
	const char *type; /* the system type under any alias: "nvarchar" */
	enum wire_kind wire;
	int max_length; /* bytes, -1 for (max) */
	int precision;
	int scale;
	const char *collation; /* NULL: not text */
	int code_page;
	bool nullable;
	bool identity;
	bool computed;	/* or a column set, made of the sparse columns */
	bool generated; /* rowversion, generated always */
	bool has_default;
	bool masked;	 /* the login is shown a mask instead of values */
	int key_ordinal; /* from 1; 0: not in the key */
};

/* A table as sys.columns and sys.indexes describe it. Owns its strings. */
struct catalog_table {
	struct arena arena;
	int object_id;
	int code_page;	       /* of the database's own collation */
	int64_t modified_ms;   /* when it was altered last, for comparison */
	bool key_is_clustered; /* the key's index is the clustered one */
	bool versioned;	       /* a system-versioned temporal table */
	bool is_history;       /* of such a one: nobody can write to it */
	bool in_memory;	       /* a memory-optimized table */
	bool refers_to_itself; /* by a foreign key that is enabled */
	struct catalog_column *columns;
	size_t column_count;
};

/*
 * Read the definition of a table of the connection's database. 1: found; 0:
 * there is none that this login can see. Release it only after 1.
 */
int catalog_read(struct tds *conn, const char *schema, const char *table,
		 struct catalog_table *out, struct error *err)
	__attribute__((warn_unused_result));
void catalog_release(struct catalog_table *table); /* safe when zeroed */

/* The column of that name as row/schema.h finds them; NULL if none. */
const struct catalog_column *catalog_column(const struct catalog_table *table,
					    const char *name);

/* The key's column number `k`, from 0; NULL after the last. */
const struct catalog_column *catalog_key(const struct catalog_table *table,
					 size_t k);

/* The same in the words that all drivers share. */
int catalog_describe(const struct catalog_table *from,
		     const struct table_name *name, struct table *out,
		     struct error *err) __attribute__((warn_unused_result));

/* How values of the system type `type` are exchanged. */
enum wire_kind catalog_wire(const char *type);

/* Its type as it stands in CREATE TABLE, without COLLATE: "decimal(10, 2)". */
void catalog_type(const struct catalog_column *column, struct strbuf *sb);

/* The iconv name of the code page that its text is kept in; NULL is UTF-8. */
const char *catalog_charset(const struct catalog_column *column);

#endif

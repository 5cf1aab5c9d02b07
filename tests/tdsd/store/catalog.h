#ifndef TDSD_CATALOG_H
#define TDSD_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "exec/session.h"
#include "sql/ast.h"
#include "value/type.h"

/*
 * Reading the catalog: names to objects, and tables with all that belongs to
 * them. Everything here runs inside the statement's SQLite transaction, so
 * what is read belongs to the same snapshot as the data.
 */

enum { GENERATED_START = 1, GENERATED_END = 2 };

/* As sys.tables has it. */
enum temporal_type {
	TEMPORAL_NONE,
	TEMPORAL_HISTORY,
	TEMPORAL_VERSIONED,
};

struct column {
	int id; /* column_id, 1 …; with gaps after DROP COLUMN */
	const char *name;
	struct type type;
	bool nullable, identity, rowguid, sparse, hidden, masked;
	bool column_set; /* computed: xml of all sparse columns */
	int generated;	 /* GENERATED_START, GENERATED_END */
	int64_t seed, increment;
	int phys;	/* the SQLite column is c<phys> */
	int default_id; /* 0: none */
	const char *default_name, *default_text;
	const char *computed; /* its expression, NULL for plain columns */
	bool persisted;
	bool stored; /* false: evaluated when read */
};

struct index_column {
	int column; /* place in table->columns */
	bool desc, included;
};

struct index {
	int id;
	const char *name;
	bool clustered, unique, primary, constraint, disabled, ignore_dup;
	int constraint_id;
	int compression;    /* as in sys.partitions */
	bool partitioned;   /* by name only: there are no partitions */
	const char *filter; /* NULL: all rows */
	const char *phys;   /* the SQLite index, "" when it has none */
	int count;	    /* key columns come first */
	int keys;
	struct index_column *columns;
};

struct check {
	int id;
	const char *name, *text;
	int column; /* column_id for a column constraint, else 0 */
	bool disabled, untrusted;
};

struct fkey {
	int id;
	const char *name;
	int parent, referenced; /* object ids: child and parent table */
	enum fk_action on_delete, on_update;
	bool disabled, untrusted;
	int count;
	int *parent_columns, *ref_columns; /* column ids */
};

struct trigger {
	int id;
	const char *name;
	bool on_insert, on_update, on_delete, disabled, instead;
};

struct table {
	int refs;
	struct arena pool;
	struct attached *home;
	struct database *db; /* NULL: temporary */
	int id, schema_id;
	const char *schema, *name;
	char type[4];	  /* "U", "V", "S", "IF" … */
	bool is_ms;	  /* system objects such as cdc tables */
	int64_t version;  /* of the catalog when it was loaded */
	int64_t tran_seq; /* loaded inside a transaction with DDL */
	int phys;
	int rowid_col; /* phys number of the column that is the rowid */
	int count;
	struct column *columns;
	int index_count;
	struct index *indexes;
	int check_count;
	struct check *checks;
	int out_count, in_count; /* foreign keys of ours, and onto us */
	struct fkey *out, *in;
	int trigger_count;
	struct trigger *triggers;
	int identity_column;	      /* place in columns, -1: none */
	int rowversion_column;	      /* likewise */
	int set_column;		      /* the column set; likewise */
	int start_column, end_column; /* of the SYSTEM_TIME period; likewise */
	bool in_memory;		      /* memory-optimized */
	enum temporal_type temporal;
	int history_id; /* of TEMPORAL_VERSIONED */
	bool tracked_by_cdc;
	bool change_tracking, ct_columns;
	int next_col;		  /* column_id, never one that was there */
	const char *text, *extra; /* views, functions */
	struct table_ops *ops;	  /* how to write it; see dml/ops.h */
	struct table *next;	  /* in the cache */
};

/* What a name stands for. */
struct object {
	int id, schema_id, parent_id;
	char type[4];
	char name[130 * 4];
	char schema[130 * 4];
	struct attached *home;
};

/*
 * Resolve the database part of a name: the file, and the schema name to look
 * in ("" when none was given). `name` may have one to four parts; names that
 * start with # live in the session's temp file. Returns NULL with `d` set
 * when the database does not exist or may not be entered.
 */
struct attached *catalog_home(struct session *s, const struct name *name,
			      const char **schema, struct diag *d);

/*
 * Find an object. 1 found, 0 not there, -1 with `d` set. The default schema
 * is the user's, then dbo.
 */
int catalog_find(struct session *s, const struct name *name, struct object *out,
		 struct diag *d);
int catalog_find_in(struct session *s, struct attached *home,
		    const char *schema, const char *name, struct object *out,
		    struct diag *d);
int catalog_find_id(struct session *s, struct attached *home, int id,
		    struct object *out, struct diag *d);

/* The id of a schema, 0 when there is none. */
int catalog_schema_id(struct session *s, struct attached *home,
		      const char *name);

/*
 * A table, view or table-valued function with its columns. The caller gives
 * it back with table_unref(). NULL with `d` set.
 */
struct table *catalog_table(struct session *s, struct attached *home, int id,
			    struct diag *d);
struct table *table_ref(struct table *t);
void table_unref(struct table *t);
void catalog_forget(struct session *s); /* empty the cache */
void catalog_cache_free(struct session *s);

/* The place of a column, -1 when there is none of that name. */
int table_column(const struct table *t, const char *name);
int table_column_by_id(const struct table *t, int id);
const struct index *table_primary_key(const struct table *t);

/* "db.dbo.t" and "dbo.t", for messages. */
const char *table_full_name(const struct table *t, struct arena *pool);
const char *table_two_part(const struct table *t, struct arena *pool);

/* The SQLite name: "d5.t12". */
const char *table_phys(const struct table *t, char *buf, size_t size);

/*
 * The catalog's version in this file as the current snapshot has it. -1 on
 * error.
 */
int64_t catalog_version(struct session *s, struct attached *home,
			struct diag *d);
/* Say that the catalog was changed in this transaction. */
int catalog_touch(struct session *s, struct attached *home, struct diag *d);

/* The next free object id. */
int catalog_new_id(struct session *s, struct attached *home, struct diag *d);

/*
 * A type by its name: system types and the aliases of a database. The column
 * or parameter number is for messages. 0, or -1 with `d` set.
 */
/* The type that kind, prec, scale, len and collation, from column `at` on,
 * make. */
struct type catalog_read_type(sqlite3_stmt *st, int at);
int catalog_type(struct session *s, const struct type_ref *ref, int ordinal,
		 const char *what, struct type *out, bool *not_null,
		 struct diag *d);

/* Run a query with one int result; `*out` stays when there is no row. */
int catalog_int(struct session *s, struct diag *d, int64_t *out,
		const char *fmt, ...);

/* Run SQLite SQL on the session's connection. */
int catalog_exec(struct session *s, struct diag *d, const char *fmt, ...);

/* Prepare; NULL with `d` set. */
sqlite3_stmt *catalog_prepare(struct session *s, struct diag *d,
			      const char *fmt, ...);

/* Milliseconds since 1970 as _objects.created keeps it (local time). */
int64_t catalog_now(void);

#endif

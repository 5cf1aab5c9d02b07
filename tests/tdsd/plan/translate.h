#ifndef TDSD_TRANSLATE_H
#define TDSD_TRANSLATE_H

#include <stdbool.h>

#include "exec/frame.h"
#include "exec/session.h"
#include "sql/ast.h"
#include "store/catalog.h"

/*
 * From T-SQL to SQLite: names are bound, every expression gets its exact
 * T-SQL type, and out comes SQL text that calls our functions wherever the
 * two differ. One `struct tr` serves one statement. Errors stick: the first
 * goes into `d` and sets `failed`, after which results mean nothing but are
 * safe to use.
 */

/* A parameter of an inline function and what stands for it. */
struct ex;
struct macro {
	const char *name;
	struct ex *value;
	struct macro *next;
};

/* Where the value of an SQLite parameter comes from. */
enum param_kind {
	PARAM_VAR,   /* variable slot */
	PARAM_ROW,   /* column `index` of the row that is being written */
	PARAM_OLD,   /* the same of the row as it was */
	PARAM_EXTRA, /* more outputs of the driving query */
	PARAM_OUTER, /* APPLY: argument number `index` */
};

struct param {
	enum param_kind kind;
	int index;
	struct type type;
};

/* A column of a result. */
struct out_column {
	const char *name; /* "" when it has none */
	struct type type;
	bool nullable, computed;
	const struct column *base; /* the table column it comes from, or NULL */
	struct table *base_table;
	bool identity; /* keeps its identity property in SELECT INTO */
	int64_t seed, increment; /* of IDENTITY() in SELECT INTO */
};

/* What a statement depends on and needs; lives as long as its plan. */
struct plan_home {
	struct attached *home;
	int64_t version; /* of the catalog when it was translated */
	bool written;
	int lock; /* enum lock_mode to take for reading, or -1 */
};

/* A table that is read and whose uncommitted changes are waited for. */
struct plan_read {
	struct attached *home;
	int object_id;
};

struct plan_needs {
	struct plan_home homes[12];
	int home_count;
	struct table **tables; /* we hold references */
	int table_count, table_room;
	struct plan_read *reads;
	int read_count, read_room;
	struct param *params;
	int param_count, param_room;
	struct apply **applies; /* sub-queries of APPLY; see plan/apply.h */
	int apply_count, apply_room;
	bool uses_temp; /* reads temporary tables or table variables */
};

void plan_needs_release(struct plan_needs *n);

/* An expression in SQLite's language. */
enum coll_label { COLL_NONE, COLL_DEFAULT, COLL_IMPLICIT, COLL_EXPLICIT };

struct ex {
	const char *sql;
	struct type type;
	bool nullable;
	bool literal; /* `value` holds it */
	struct val value;
	bool param; /* a bare variable */
	enum coll_label label;
	const struct column *column; /* a bare column */
	struct table *table;
	const struct out_column *derived; /* column of a derived table */
	const char *source_alias;	  /* SQLite alias of the bare column */
	const char *name;		  /* column's name, for result sets */
};

/* One column that a name can mean. */
struct source_column {
	const char *name;
	const char *sql; /* "a1.c3" */
	struct type type;
	bool nullable, hidden;
	const struct column *base;
	struct table *base_table;
	const struct out_column *derived;
	enum coll_label label;
};

struct source {
	const char *alias; /* exposed name; NULL for an inner, unnamed one */
	struct name full;  /* when it was named without alias */
	bool has_full;
	const char *sql_alias;
	struct table *table; /* a base table; its row id is "alias.rowid" */
	int count;
	struct source_column *columns;
	struct source *next;
	bool nullable;	      /* behind an outer join */
	struct table **bases; /* derived, with row ids "alias.r1" … */
	int base_count;
};

struct scope {
	struct source *first, **last;
	struct scope *outer;
	/* grouping */
	bool grouped;
	struct expr **groups;
	const char **group_sql;
	int group_count;
	int aggregate_depth; /* inside an aggregate's argument */
	int group_ok;	     /* inside an expression of GROUP BY */
	bool has_aggregates;
	bool allow_aggregates, allow_windows;
	const char *clause; /* for messages: "select list", "HAVING", … */
	struct select_item *items; /* of the query, for ORDER BY */
	const char *recursive;	   /* SQLite alias of the CTE we recurse into */
	bool lateral;		   /* the outer scope belongs to an APPLY */
	struct apply *apply;
};

/* A common table expression that is visible. */
struct cte_def {
	const char *name;
	const struct cte *ast;
	struct cte_def *outer;
	bool in_progress, done;
	const char *sql_name; /* recursive: its name in SQLite */
	struct out_column *columns;
	int count;
	struct rel *rel;
};

struct tr {
	struct session *s;
	struct frame *frame;
	struct arena *pool;
	struct diag *d;
	bool failed;
	int line;
	struct plan_needs *needs;
	struct scope *scope;
	struct cte_def *ctes;
	struct strbuf *with; /* WITH clauses that were collected, or NULL */
	int next_alias;
	int depth;
	int view_depth;
	int max_recursion;
	/* SELECT @x = …: variables whose newest value each row must see */
	const char **live_vars;
	int live_count;
	struct macro *macros; /* parameters of an inline function */
	/* OUTPUT, CHECK, computed columns: names that mean parameters */
	struct row_scope *row;
	/* OUTPUT: columns of FROM become more outputs of the driving query */
	struct extras *extras;
	struct attached *default_home; /* names in a view: its own database */
	const char *default_schema;
	const struct table_ref *written; /* target: SELECT is asked for later */
	bool want_rowids;   /* derived tables show their base row ids */
	bool deterministic; /* was nothing else used so far? */
	bool uses_columns;
	bool uses_subquery;
	bool uses_udf;
	bool in_check; /* no subqueries, variables, aggregates */
};

#define EXTRAS_MAX 256
struct extras {
	const char *sql[EXTRAS_MAX];
	struct type types[EXTRAS_MAX];
	int count;
};

/*
 * The row that INSERT, UPDATE or DELETE has in hand: its columns become
 * parameters. `prefix` names it in OUTPUT ("inserted", "deleted"); NULL takes
 * bare names.
 */
struct row_scope {
	const char *prefix;
	enum param_kind kind;
	const struct table *table;
	struct row_scope *next;
};

void tr_init(struct tr *t, struct session *s, struct arena *pool,
	     struct plan_needs *needs, struct diag *d);

/* Errors; they return an empty ex for convenience. */
struct ex tr_fail(struct tr *t, int number, ...);
struct ex tr_fail_text(struct tr *t, int number, int severity, const char *fmt,
		       ...) __attribute__((format(printf, 4, 5)));

/* Small makers. */
struct ex tr_nothing(void);
const char *tr_printf(struct tr *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct ex tr_ex(const char *sql, struct type type, bool nullable);
struct ex tr_literal(struct tr *t, const struct val *v, struct type type);
const char *tr_quote_val(struct tr *t, const struct val *v);
const char *tr_pack(struct tr *t, struct type type);
const char *tr_param(struct tr *t, enum param_kind kind, int index,
		     struct type type);
const char *tr_alias(struct tr *t); /* a new "a7" */

/* Expressions; none lies deeper than this in others. */
#define TR_DEPTH_MAX 900
struct ex tr_expr(struct tr *t, const struct expr *e);
const char *tr_cond(struct tr *t, const struct expr *e);
struct ex tr_column(struct tr *t, const struct name *name);
struct ex tr_call(struct tr *t, const struct expr *e);
struct ex tr_aggregate(struct tr *t, const struct expr *e, bool *is_one);
/* Readers of this table wait for writers, unless a hint says otherwise. */
void tr_use_rows(struct tr *t, const struct table *table, unsigned hints);
struct ex tr_user_function(struct tr *t, const struct expr *e);
struct ex tr_global(struct tr *t, const struct expr *e);
struct ex tr_binary(struct tr *t, int op, struct ex a, struct ex b);
struct ex tr_negate(struct tr *t, struct ex a);
const char *tr_compare(struct tr *t, int op, struct ex a, struct ex b,
		       const char *what);
const char *tr_window(struct tr *t, const struct window *w);

/* Types. */
struct ex tr_convert(struct tr *t, struct ex a, struct type to);
/* The same with the check whether it may happen without CAST. */
struct ex tr_implicit(struct tr *t, struct ex a, struct type to);
struct ex tr_cast(struct tr *t, struct ex a, struct type to, const char *style,
		  bool try_);
bool type_same_storage(struct type from, struct type to);
/* `x COLLATE name` for text, `x` for everything else. */
const char *tr_collated(struct tr *t, struct ex a);
/* The collation that two texts are compared with. */
int tr_collation(struct tr *t, struct ex a, struct ex b, const char *what,
		 enum coll_label *label);
int tr_type(struct tr *t, const struct type_ref *ref, struct type *out);

/* The SQL of a column that is computed when it is read. */
const char *tr_computed(struct tr *t, struct source *src,
			struct source_column *c);

/* Is there an aggregate in this expression (outside of sub-queries)? */
bool expr_has_aggregate(const struct expr *e);
bool expr_has_window(const struct expr *e);

/* A query with its columns, named x1, x2, … in SQLite. */
struct rel {
	const char *sql;
	struct out_column *columns;
	int count; /* what the user sees */
	/* want_rowids: the base tables whose row ids are there as r1, r2, … */
	struct table **bases;
	int base_count;
	bool simple;	 /* no set operation: may be a part of one as it is */
	bool single_row; /* at most one row for sure */
};

struct rel *tr_query(struct tr *t, const struct query *q);

/* The query of a statement: ORDER BY is allowed, OPTION is obeyed. */
struct rel *tr_top_query(struct tr *t, const struct query *q);

/* A subquery that gives one value. */
struct ex tr_scalar_query(struct tr *t, const struct query *q);

/* FROM: adds to the scope, returns the text behind FROM. */
const char *tr_from(struct tr *t, const struct table_ref *refs);

/* A source for a table: its columns as "alias.c<phys>". */
struct source *tr_table_source(struct tr *t, struct table *table,
			       const char *alias);
struct source *tr_rel_source(struct tr *t, struct rel *rel, const char *alias,
			     const struct name_list *names);
void tr_add_source(struct tr *t, struct source *src);
void tr_push_scope(struct tr *t, struct scope *scope);
void tr_pop_scope(struct tr *t);

/* Note that the plan uses a file, a table. */
void tr_use_home(struct tr *t, struct attached *home, unsigned hints);
void tr_use_table(struct tr *t, struct table *table);

/* Find what a table name means and load it; NULL: failed. */
struct table *tr_find_table(struct tr *t, const struct name *name);

/* Do two parts of names mean the same, as the default collation has it? */
bool name_same(const char *a, const char *b);

/* Which column of `src` a name means; NULL when none. */
struct source_column *source_find(struct source *src, const char *name);

/* Is the expression made of the same names and constants? */
bool expr_same(struct tr *t, const struct expr *a, const struct expr *b);

/* The name a select item shows; "" when none. */
const char *tr_item_name(const struct select_item *item);

/* CTEs: make them visible. */
void tr_push_ctes(struct tr *t, const struct cte *ctes);

#endif

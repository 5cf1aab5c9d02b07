#ifndef TDSD_AST_H
#define TDSD_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the parser makes of a batch. Plain data in the batch's arena, never
 * changed after parsing except for the `plan` that the executor hangs onto
 * statements and expressions. Lists are linked by `next`.
 */

struct expr;
struct query;
struct stmt;

/* A name of one to four parts; part[count - 1] is the object's own. */
struct name {
	int count;
	const char *part[4]; /* "" for an omitted middle part, as in db..t */
	int line;
};

/* A type as written; resolved later, since it may be an alias type. */
struct type_ref {
	struct name name;
	int args; /* how many of a, b are given */
	bool max; /* (max) */
	int a, b;
};

enum expr_kind {
	EX_LITERAL, /* token kind in `op`, text in `text` */
	EX_NULL,
	EX_DEFAULT,    /* the word DEFAULT in VALUES, SET and EXEC */
	EX_VAR,	       /* @name; `text` */
	EX_GLOBAL,     /* @@name; `text` */
	EX_COLUMN,     /* `name` */
	EX_PSEUDO,     /* $identity, $rowguid */
	EX_NEGATE,     /* -a */
	EX_PLUS,       /* +a */
	EX_BIT_NOT,    /* ~a */
	EX_BINARY,     /* a op b, op one of + - * / % & | ^ */
	EX_COMPARE,    /* a op b, op one of OP_* */
	EX_QUANTIFIED, /* a op ALL/ANY (query); `all` */
	EX_AND,
	EX_OR,
	EX_NOT,
	EX_IS_NULL,  /* a IS [NOT] NULL */
	EX_BETWEEN,  /* a [NOT] BETWEEN b AND c */
	EX_LIKE,     /* a [NOT] LIKE b [ESCAPE c] */
	EX_IN,	     /* a [NOT] IN (list) or (query) */
	EX_EXISTS,   /* (query) */
	EX_SUBQUERY, /* (query) as a value */
	EX_CASE,     /* CASE [a] WHEN … THEN … [ELSE b]; pairs in `args` */
	EX_CALL,     /* name(args) */
	EX_CAST,     /* CAST, CONVERT, PARSE; style in b */
	EX_COLLATE,  /* a COLLATE text */
	EX_AT_TIME_ZONE, /* a AT TIME ZONE b */
	EX_STAR,	 /* count(*) only */
	EX_CURSOR_NEXT,	 /* NEXT VALUE FOR name */
};

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

/* OVER (…) */
struct window {
	struct expr *partition; /* list */
	struct order_item *order;
	const char *frame; /* ROWS/RANGE clause as SQLite takes it, or NULL */
};

struct expr {
	enum expr_kind kind;
	int op;
	int line;
	bool negated;	   /* NOT IN, IS NOT NULL, … */
	bool distinct;	   /* count(DISTINCT a) */
	bool all;	   /* ALL rather than ANY */
	bool try_;	   /* TRY_CAST, TRY_CONVERT, TRY_PARSE */
	bool parse;	   /* PARSE */
	bool convert;	   /* CONVERT(): for messages */
	bool param_output; /* EXEC argument with OUTPUT */
	const char *text;  /* literal, variable, collation */
	size_t len;
	struct name name;
	struct expr *a, *b, *c;
	struct expr *args; /* list */
	int arg_count;
	struct query *query;
	struct type_ref *type;
	struct window *over;
	struct order_item *within; /* WITHIN GROUP (ORDER BY …) */
	struct expr *next;	   /* in a list */
	size_t start, end;	   /* source text */
};

struct order_item {
	struct expr *expr;
	bool desc;
	struct order_item *next;
};

/* One entry of a select list. */
struct select_item {
	struct expr *expr;  /* NULL for a star */
	struct name prefix; /* of "t.*"; count 0 for a bare star */
	const char *alias;  /* NULL when none was given */
	const char *var;    /* "@x" of "@x = expr" */
	char assign;	    /* '=', or the operator of += -= … */
	int line;
	struct select_item *next;
};

/* WITH (…) behind a table. */
enum hint {
	HINT_NOLOCK = 1,
	HINT_UPDLOCK = 2,
	HINT_HOLDLOCK = 4,
	HINT_TABLOCK = 8,
	HINT_TABLOCKX = 16,
	HINT_XLOCK = 32,
	HINT_READPAST = 64,
	HINT_NOWAIT = 128,
	HINT_KEEPIDENTITY = 256,
	HINT_SNAPSHOT = 512,
	HINT_REPEATABLE = 1024,
};

enum table_kind {
	TR_NAME,     /* a table, view, CTE, or function without arguments */
	TR_VAR,	     /* @t */
	TR_FUNCTION, /* f(args) */
	TR_DERIVED,  /* (query) */
	TR_VALUES,   /* (VALUES …): rows in `query` */
	TR_JOIN,
	TR_CHANGES, /* CHANGETABLE(CHANGES t, v) / (VERSION t, (…), (…)) */
};

enum join_kind {
	JOIN_INNER,
	JOIN_LEFT,
	JOIN_RIGHT,
	JOIN_FULL,
	JOIN_CROSS,
	JOIN_CROSS_APPLY,
	JOIN_OUTER_APPLY,
};

struct name_list {
	const char *name;
	int line;
	struct name_list *next;
};

struct table_ref {
	enum table_kind kind;
	int line;
	struct name name;
	const char *alias;
	struct name_list *columns; /* alias(c1, c2) */
	unsigned hints;
	struct expr *args;
	struct query *query;
	enum join_kind join;
	struct table_ref *left, *right;
	struct expr *on;
	bool changes_version; /* CHANGETABLE(VERSION …) */
	struct expr *args2;
	struct table_ref *next; /* comma list in FROM */
};

struct cte {
	const char *name;
	struct name_list *columns;
	struct query *query;
	int line;
	struct cte *next;
};

enum query_kind {
	Q_SELECT,
	Q_VALUES, /* rows of expressions: args of EX_CALL-less lists */
	Q_UNION,
	Q_UNION_ALL,
	Q_EXCEPT,
	Q_INTERSECT,
};

struct row_list {
	struct expr *values; /* list */
	int count;
	int line;
	struct row_list *next;
};

struct query {
	enum query_kind kind;
	int line;
	struct query *left, *right; /* set operations */
	struct row_list *rows;	    /* Q_VALUES */
	/* a query specification */
	bool distinct;
	struct expr *top;
	bool top_percent, top_ties;
	struct select_item *items;
	struct name into; /* count 0 when there is none */
	struct table_ref *from;
	struct expr *where;
	struct expr *group; /* list */
	bool grouped;	    /* GROUP BY was written */
	struct expr *having;
	/* of the whole */
	struct cte *ctes;
	struct order_item *order;
	struct expr *offset, *fetch;
	const char *for_clause; /* "XML", "JSON", NULL */
	int max_recursion;	/* -1: not given */
	size_t start, end;
};

/* --- statements --- */

enum stmt_kind {
	ST_SELECT,
	ST_INSERT,
	ST_UPDATE,
	ST_DELETE,
	ST_TRUNCATE,
	ST_INSERT_BULK,
	ST_DECLARE,
	ST_SET_VAR,
	ST_SET_OPTION,
	ST_SET_IDENTITY,
	ST_IF,
	ST_WHILE,
	ST_BLOCK,
	ST_TRY,
	ST_BREAK,
	ST_CONTINUE,
	ST_RETURN,
	ST_GOTO,
	ST_LABEL,
	ST_PRINT,
	ST_RAISERROR,
	ST_THROW,
	ST_WAITFOR,
	ST_EXEC,
	ST_TRAN,
	ST_USE,
	ST_CREATE_TABLE,
	ST_ALTER_TABLE,
	ST_DROP,
	ST_CREATE_INDEX,
	ST_ALTER_INDEX,
	ST_DROP_INDEX,
	ST_CREATE_MODULE,
	ST_CREATE_DATABASE,
	ST_ALTER_DATABASE,
	ST_CREATE_SCHEMA,
	ST_ALTER_SCHEMA,
	ST_CREATE_TYPE,
	ST_CREATE_SYNONYM,
	ST_TRIGGER_STATE,
	ST_SECURITY,
	ST_GRANT,
	ST_DBCC,
	ST_KILL,
	ST_EXECUTE_AS,
	ST_NOTHING,	/* understood, and nothing to do */
	ST_UNSUPPORTED, /* understood, and refused: error 40517 */
};

struct output_clause {
	struct select_item *items;
	struct name into;     /* count 0: to the client */
	const char *into_var; /* "@t" */
	struct name_list *into_columns;
};

struct set_clause {
	struct name column; /* count 0 when only a variable is set */
	const char *var;    /* "@x" */
	char assign;	    /* '=', or the operator */
	struct expr *value;
	int line;
	struct set_clause *next;
};

/* INSERT, UPDATE, DELETE */
struct dml {
	struct cte *ctes;
	struct name target;
	const char *target_var; /* "@t" */
	unsigned hints;
	struct expr *top;
	bool top_percent;
	struct name_list *columns;
	bool default_values;
	struct query *query; /* INSERT … SELECT, VALUES */
	struct stmt *exec;   /* INSERT … EXEC */
	struct set_clause *sets;
	struct table_ref *from;
	struct expr *where;
	struct output_clause *output;
	struct output_clause *output_into; /* the second one may go into */
	int max_recursion;
};

enum constraint_kind {
	CON_PRIMARY,
	CON_UNIQUE,
	CON_CHECK,
	CON_DEFAULT,
	CON_FOREIGN,
};

struct key_column {
	const char *name;
	bool desc;
	int line;
	struct key_column *next;
};

enum fk_action { FK_NO_ACTION, FK_CASCADE, FK_SET_NULL, FK_SET_DEFAULT };

struct constraint_def {
	enum constraint_kind kind;
	const char *name; /* NULL: the server makes one */
	int line;
	int clustered; /* 1, 0, -1 not said */
	bool ignore_dup_key;
	int compression; /* as in sys.partitions */
	bool partitioned;
	struct key_column *columns;
	struct expr *expr;	/* CHECK, DEFAULT */
	const char *text;	/* its source */
	const char *for_column; /* DEFAULT … FOR c */
	bool with_values;
	struct name ref_table;
	struct key_column *ref_columns;
	enum fk_action on_delete, on_update;
	bool not_for_replication;
	struct constraint_def *next;
};

struct index_def {
	const char *name;
	bool unique, clustered, columnstore;
	struct key_column *columns;
	struct name_list *include;
	struct expr *where;
	const char *where_text;
	bool ignore_dup_key;
	bool drop_existing;
	int compression; /* as in sys.partitions */
	bool partitioned;
	int line;
	struct index_def *next;
};

struct column_def {
	const char *name;
	int line;
	bool has_type;
	struct type_ref type;
	const char *collation;
	int nullable; /* 1, 0, -1 not said */
	bool identity;
	const char *seed, *increment;
	bool rowguid, sparse, hidden_, not_for_replication;
	int generated;	 /* 1 row start, 2 row end */
	bool column_set; /* FOR ALL_SPARSE_COLUMNS */
	bool masked;
	struct expr *computed;
	const char *computed_text;
	bool persisted;
	struct constraint_def *constraints;
	struct index_def *indexes;
	struct column_def *next;
};

/* PERIOD FOR SYSTEM_TIME (start, end) */
struct period_def {
	const char *start, *end;
	int line;
};

/* SYSTEM_VERSIONING = ON (HISTORY_TABLE = …) */
struct versioning {
	bool on;
	bool has_history;
	struct name history;
};

struct create_table {
	struct name name;
	struct column_def *columns;
	struct constraint_def *constraints;
	struct index_def *indexes;
	struct period_def *period;
	struct versioning *versioning;
	bool in_memory; /* MEMORY_OPTIMIZED = ON */
};

enum alter_kind {
	ALTER_ADD,
	ALTER_DROP,
	ALTER_COLUMN,
	ALTER_SWITCH,
	ALTER_CHECK,	/* CHECK / NOCHECK CONSTRAINT */
	ALTER_TRIGGER,	/* ENABLE / DISABLE TRIGGER */
	ALTER_TRACKING, /* ENABLE / DISABLE CHANGE_TRACKING */
	ALTER_REBUILD,
	ALTER_SET,
};

struct drop_item {
	bool column; /* else constraint */
	bool if_exists;
	const char *name;
	int line;
	struct drop_item *next;
};

struct alter_table {
	enum alter_kind kind;
	struct name name;
	struct column_def *columns;
	struct constraint_def *constraints;
	struct index_def *indexes;
	bool no_check;	 /* WITH NOCHECK */
	bool check_said; /* WITH CHECK or WITH NOCHECK was written */
	struct drop_item *drops;
	bool enable;
	bool all;
	struct name_list *names; /* constraints, triggers */
	bool columns_updated;	 /* TRACK_COLUMNS_UPDATED = ON */
	struct name target;	 /* SWITCH TO */
	int alter_flag; /* ADD/DROP PERSISTED, ROWGUIDCOL, SPARSE … */
	struct period_def *period;
	bool drop_period;
	struct versioning *versioning; /* SET */
};

/* CREATE PROCEDURE, VIEW, FUNCTION, TRIGGER */
struct param_def {
	const char *name; /* with its @ */
	struct type_ref type;
	bool output, readonly, has_default;
	struct expr *default_value;
	struct column_def *table; /* DECLARE @t TABLE (…) */
	struct constraint_def *table_constraints;
	struct index_def *table_indexes;
	bool is_table;
	int line;
	struct param_def *next;
};

struct create_module {
	char kind; /* 'P', 'V', 'F' scalar, 'I' inline, 'T' trigger */
	struct name name;
	bool alter, or_alter;
	struct param_def *params;
	struct name_list *columns; /* of a view */
	struct query *query;	   /* view, inline function */
	struct stmt *body;
	struct type_ref returns;
	struct name on; /* trigger's table */
	bool on_insert, on_update, on_delete, instead, on_database;
	bool schema_binding, recompile, check_option, encryption;
	const char *execute_as;
	size_t start, end;		/* of the whole text */
	size_t keyword_at, keyword_len; /* "CREATE OR ALTER" / "ALTER" */
};

struct option_item {
	const char *name;
	const char *value; /* NULL when none */
	struct option_item *sub;
	struct option_item *next;
};

struct create_database {
	const char *name;
	const char *collation;
	const char *rename;
	bool alter;
	struct option_item *options;
};

struct exec_arg {
	const char *name; /* "@p" or NULL */
	struct expr *value;
	bool output;
	struct exec_arg *next;
};

struct exec {
	struct name proc;
	const char *proc_var;	/* EXEC @name */
	const char *return_var; /* EXEC @r = p */
	struct exec_arg *args;
	struct expr *strings; /* EXEC (a + b): list */
	const char *at_server;
};

struct drop {
	const char *kind; /* "TABLE", "VIEW", … */
	bool if_exists;
	struct name_ref {
		struct name name;
		struct name_ref *next;
	} * names;
};

/* GRANT, DENY, REVOKE */
struct grant {
	char verb; /* 'G', 'D', 'R' */
	struct perm {
		const char *name;
		struct name_list *columns;
		struct perm *next;
	} * perms;
	const char *class_; /* "OBJECT", "SCHEMA", "DATABASE", … or NULL */
	struct name on;
	struct name_list *to;
	bool with_grant, grant_option_for, cascade;
};

/* CREATE/ALTER/DROP LOGIN, USER, ROLE, … */
struct security {
	const char *verb; /* "CREATE", "ALTER", "DROP" */
	const char *what; /* "LOGIN", "USER", "ROLE", "SERVER ROLE", … */
	const char *name;
	const char *password;
	const char *for_login; /* user: FOR LOGIN x */
	const char *default_schema, *default_database, *new_name;
	const char *add_member, *drop_member;
	const char *owner;
	int disabled; /* 1, 0, -1 not said */
	bool without_login, if_exists;
};

struct bulk_column {
	const char *name;
	struct type_ref type;
	const char *collation;
	struct bulk_column *next;
};

struct insert_bulk {
	struct name table;
	struct bulk_column *columns;
	struct option_item *options;
};

struct stmt {
	enum stmt_kind kind;
	int line;
	size_t start, end; /* source text */
	struct stmt *next; /* in a block */
	union {
		struct query *query;
		struct dml *dml;
		struct name *name; /* TRUNCATE, USE */
		struct param_def *declare;
		struct {
			const char *var;
			char assign;
			struct expr *value;
		} set;
		struct {
			const char *name; /* words joined by '_', upper case */
			const char *value;
			struct expr *expr;
			struct name *table;
		} option;
		struct {
			struct expr *cond;
			struct stmt *then, *otherwise; /* TRY: block, catch */
		} flow;
		struct stmt *block;
		const char *label;
		struct {
			struct expr *args; /* RAISERROR, THROW, PRINT, RETURN */
			int arg_count;
			bool nowait, log, seterror;
			bool is_time;
		} call;
		struct exec *exec;
		struct {
			char verb; /* 'B', 'C', 'R', 'S' */
			const char *name;
			const char *var;
		} tran;
		struct create_table *create_table;
		struct alter_table *alter_table;
		struct drop *drop;
		struct {
			struct name table;
			struct index_def *index;
		} create_index;
		struct {
			struct name table;
			const char *name; /* NULL: ALL */
			char verb;	  /* 'R'ebuild, 'D'isable, 'O'ther */
			int ignore_dup;	  /* 1, 0, -1 not said */
			bool if_exists;
		} alter_index;
		struct create_module *module;
		struct create_database *database;
		struct {
			const char *name, *owner;
			struct name object; /* ALTER SCHEMA … TRANSFER */
			struct stmt *elements;
		} schema;
		struct {
			struct name name, base_name;
			struct type_ref base;
			int nullable;
			struct column_def *table;
			struct constraint_def *constraints;
		} type;
		struct security *security;
		struct grant *grant;
		struct insert_bulk *bulk;
		struct {
			const char *name;
			struct expr *args;
		} dbcc;
		const char *text; /* ST_UNSUPPORTED: the feature */
	};
	void *plan; /* the executor's, with how to free it */
	void (*plan_free)(void *plan);
};

/* A parsed batch: everything in it lives in one arena. */
struct batch_ast {
	struct stmt *first;
	const char *text; /* the source, NUL-terminated */
	size_t len;
	struct stmt *all; /* unused */
};

#endif

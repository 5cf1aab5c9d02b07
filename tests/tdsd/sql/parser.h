#ifndef TDSD_PARSER_H
#define TDSD_PARSER_H

#include "sql/lex.h"
#include "sql/parse.h"

/*
 * The parser's inside, shared by the parse_*.c files. The first error sticks
 * in `failed`; from then on the parser sees only T_END, so every loop ends,
 * and functions return what they have, which nobody will use.
 */
struct parser {
	struct arena *pool;
	const char *sql;
	const struct token *tok; /* the current token */
	const struct token *prev;
	const struct token *first;
	bool failed;
	struct diag *d;
	int depth;
	int loops;	 /* WHILE around us */
	bool in_module;	 /* body of CREATE PROCEDURE and its like */
	bool first_stmt; /* nothing was parsed in this batch before */
};

#define PARSE_DEPTH_MAX 600

/* Errors. All return NULL for convenience. */
void *parse_fail(struct parser *p, int number, ...);
/* The error is in p->d already: read no further. */
void parse_stop(struct parser *p);
void *parse_syntax(struct parser *p); /* 102 or 156 at the current token */
void *parse_unsupported(struct parser *p, const char *what);

/* Tokens. */
void parse_advance(struct parser *p);
bool parse_is(const struct parser *p, enum keyword word);
bool parse_is_op(const struct parser *p, const char *op);
bool parse_is_word(const struct parser *p, const char *word); /* any case */
bool parse_is_next(const struct parser *p, int ahead, enum keyword word);
bool parse_is_next_word(const struct parser *p, int ahead, const char *word);
bool parse_is_next_op(const struct parser *p, int ahead, const char *op);
bool parse_accept(struct parser *p, enum keyword word);
bool parse_accept_op(struct parser *p, const char *op);
bool parse_accept_word(struct parser *p, const char *word);
void parse_expect(struct parser *p, enum keyword word);
void parse_expect_op(struct parser *p, const char *op);
void parse_expect_word(struct parser *p, const char *word);
bool parse_enter(struct parser *p); /* nesting: false when too deep */
void parse_leave(struct parser *p);

/* Names. */
bool parse_at_ident(const struct parser *p); /* a name may start here */
const char *parse_ident(struct parser *p);
void parse_object_name(struct parser *p, struct name *out);
struct name_list *parse_name_list(struct parser *p); /* "(a, b)" */
const char *parse_label(struct parser *p);	     /* name or string */
int parse_integer(struct parser *p);
const char *parse_source(struct parser *p, size_t start, size_t end);
void parse_type_ref(struct parser *p, struct type_ref *out);
struct option_item *parse_options(struct parser *p); /* "(a = b, c ON)" */
struct option_item *parse_option(struct parser *p);  /* one of them */
void parse_skip_parens(struct parser *p);

/* Expressions. */
struct expr *parse_expr(struct parser *p);
struct expr *parse_value(struct parser *p);  /* not a condition */
struct expr *parse_search(struct parser *p); /* a condition */
struct expr *parse_expr_list(struct parser *p, int *count);
struct order_item *parse_order(struct parser *p);
struct expr *parse_new_expr(struct parser *p, enum expr_kind kind);

/* Queries. */
struct query *parse_query(struct parser *p); /* with its ORDER BY */
struct query *parse_query_with(struct parser *p, struct cte *ctes);
struct cte *parse_ctes(struct parser *p);
struct table_ref *parse_from(struct parser *p);
struct table_ref *parse_table_source(struct parser *p);
unsigned parse_hints(struct parser *p);
void parse_query_options(struct parser *p, int *max_recursion);
struct row_list *parse_rows(struct parser *p);
struct select_item *parse_select_list(struct parser *p);

/* Statements. */
struct stmt *parse_stmt(struct parser *p);
struct stmt *parse_new_stmt(struct parser *p, enum stmt_kind kind);
struct stmt *parse_block_until_end(struct parser *p);
struct stmt *parse_select_stmt(struct parser *p, struct cte *ctes);
struct stmt *parse_insert(struct parser *p, struct cte *ctes);
struct stmt *parse_update(struct parser *p, struct cte *ctes);
struct stmt *parse_delete(struct parser *p, struct cte *ctes);
struct stmt *parse_exec(struct parser *p);
struct stmt *parse_create(struct parser *p);
struct stmt *parse_alter(struct parser *p);
struct stmt *parse_drop(struct parser *p);
struct stmt *parse_truncate(struct parser *p);
struct stmt *parse_declare(struct parser *p);
struct stmt *parse_set(struct parser *p);
struct stmt *parse_grant(struct parser *p);
struct stmt *parse_security(struct parser *p, const char *verb);
struct stmt *parse_misc(struct parser *p); /* NULL: not one of these */
struct stmt *parse_create_table(struct parser *p);
struct stmt *parse_alter_table(struct parser *p);
struct stmt *parse_create_index(struct parser *p);
struct stmt *parse_module(struct parser *p, size_t start, bool alter,
			  bool or_alter);
struct stmt *parse_database(struct parser *p, bool alter);
struct param_def *parse_param_list(struct parser *p, bool parens);
/* Temporal tables; sql/parse_temporal.c. */
bool parse_at_period(const struct parser *p); /* PERIOD FOR */
struct period_def *parse_period(struct parser *p);
void parse_period_words(struct parser *p); /* PERIOD FOR SYSTEM_TIME */
/* "(SYSTEM_VERSIONING = ON (…), …)"; NULL: it is not among them */
struct versioning *parse_table_options(struct parser *p, bool *in_memory);
void parse_table_body(struct parser *p, struct column_def **columns,
		      struct constraint_def **constraints,
		      struct index_def **indexes);

#endif

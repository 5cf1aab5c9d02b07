#ifndef TDSD_PARSE_H
#define TDSD_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"
#include "mem.h"
#include "sql/ast.h"

/*
 * Parse a batch of T-SQL. Everything made lives in `pool`; `sql` must live as
 * long. On -1 `d` holds the server's error with its line. Any thread may
 * parse, with its own pool.
 */
int parse_batch(struct arena *pool, const char *sql, size_t len,
		bool quoted_names, struct batch_ast *out, struct diag *d);

/* One expression, as in a default or a computed column. NULL on error. */
struct expr *parse_expression(struct arena *pool, const char *sql, size_t len,
			      struct diag *d);

/* One search condition, as in a check constraint or a filtered index. */
struct expr *parse_condition(struct arena *pool, const char *sql, size_t len,
			     struct diag *d);

/*
 * The parameter list of sp_executesql: "@a int, @b nvarchar(10) OUTPUT".
 * 0 with *out NULL for an empty text.
 */
int parse_params(struct arena *pool, const char *sql, size_t len,
		 struct param_def **out, struct diag *d);

/* A name as in OBJECT_ID('[a].b'). False when it is none. */
bool parse_name(struct arena *pool, const char *s, size_t len,
		struct name *out);

/* A type as in sp_executesql: "decimal(10,2)". */
int parse_type(struct arena *pool, const char *s, size_t len,
	       struct type_ref *out, struct diag *d);

/* Is this expression a condition rather than a value? */
bool expr_is_condition(const struct expr *e);

#endif

/*
 * Expressions, by precedence climbing. Conditions and values share one
 * grammar, because "(" may open either; expr_is_condition() tells them apart
 * afterwards, and whoever needs one of the two checks.
 */
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static struct expr *parse_or(struct parser *p);
static struct expr *parse_sum(struct parser *p);

bool expr_is_condition(const struct expr *e)
{
	switch (e->kind) {
	case EX_COMPARE:
	case EX_QUANTIFIED:
	case EX_AND:
	case EX_OR:
	case EX_NOT:
	case EX_IS_NULL:
	case EX_BETWEEN:
	case EX_LIKE:
	case EX_IN:
	case EX_EXISTS:
		return true;
	case EX_CALL:
		/* UPDATE(column) in a trigger */
		return e->name.count == 1 &&
		       !strcasecmp(e->name.part[0], "update");
	default:
		return false;
	}
}

struct expr *parse_new_expr(struct parser *p, enum expr_kind kind)
{
	struct expr *e = pool_alloc(p->pool, sizeof(*e));

	e->kind = kind;
	e->line = p->tok->line;
	e->start = p->tok->start;
	return e;
}

static struct expr *finish(struct parser *p, struct expr *e)
{
	if (p->prev)
		e->end = p->prev->end;
	return e;
}

static struct expr *binary(struct parser *p, enum expr_kind kind, int op,
			   struct expr *a, struct expr *b)
{
	struct expr *e = parse_new_expr(p, kind);

	e->op = op;
	e->a = a;
	e->b = b;
	e->line = a->line;
	e->start = a->start;
	return finish(p, e);
}

static struct expr *need_value(struct parser *p, struct expr *e)
{
	if (!p->failed && expr_is_condition(e))
		parse_syntax(p);
	return e;
}

static struct expr *need_condition(struct parser *p, struct expr *e)
{
	if (p->failed || expr_is_condition(e))
		return e;
	diag_free_text(p->d, 4145, 15, 1,
		       "An expression of non-boolean type specified in a "
		       "context where a condition is expected, near '%.128s'.",
		       p->tok->kind == T_END ? (p->prev ? p->prev->text : "")
					     : p->tok->text);
	p->d->line =
		p->tok->kind == T_END && p->prev ? p->prev->line : p->tok->line;
	parse_stop(p);
	return e;
}

/* --- primary expressions --- */

static struct expr *literal(struct parser *p)
{
	struct expr *e = parse_new_expr(p, EX_LITERAL);

	e->op = (int)p->tok->kind;
	e->text = p->tok->text;
	e->len = p->tok->len;
	parse_advance(p);
	return finish(p, e);
}

static struct expr *case_expr(struct parser *p)
{
	struct expr *e = parse_new_expr(p, EX_CASE), **link = &e->args;

	parse_expect(p, K_CASE);
	if (!parse_is(p, K_WHEN))
		e->a = parse_value(p);
	if (!parse_is(p, K_WHEN))
		parse_syntax(p);
	while (parse_accept(p, K_WHEN)) {
		*link = e->a ? parse_value(p) : parse_search(p);
		link = &(*link)->next;
		parse_expect(p, K_THEN);
		*link = parse_value(p);
		link = &(*link)->next;
		e->arg_count++;
	}
	if (parse_accept(p, K_ELSE))
		e->b = parse_value(p);
	parse_expect(p, K_END);
	return finish(p, e);
}

/* CAST(a AS type), TRY_CAST, PARSE(a AS type USING culture). */
static struct expr *cast_expr(struct parser *p, bool try_, bool parse)
{
	struct expr *e = parse_new_expr(p, EX_CAST);

	e->try_ = try_;
	e->parse = parse;
	parse_advance(p);
	parse_expect_op(p, "(");
	e->a = parse_value(p);
	parse_expect(p, K_AS);
	e->type = pool_alloc(p->pool, sizeof(*e->type));
	parse_type_ref(p, e->type);
	if (parse && parse_accept_word(p, "using"))
		e->b = parse_value(p);
	parse_expect_op(p, ")");
	return finish(p, e);
}

/* CONVERT(type, a [, style]) */
static struct expr *convert_expr(struct parser *p, bool try_)
{
	struct expr *e = parse_new_expr(p, EX_CAST);

	e->try_ = try_;
	e->convert = true;
	parse_advance(p);
	parse_expect_op(p, "(");
	e->type = pool_alloc(p->pool, sizeof(*e->type));
	parse_type_ref(p, e->type);
	parse_expect_op(p, ",");
	e->a = parse_value(p);
	if (parse_accept_op(p, ","))
		e->b = parse_value(p);
	parse_expect_op(p, ")");
	return finish(p, e);
}

/* ROWS or RANGE clause, in SQLite's words (which are the same). */
static const char *window_bound(struct parser *p)
{
	const char *n;

	if (parse_accept_word(p, "unbounded")) {
		if (parse_accept_word(p, "preceding"))
			return "UNBOUNDED PRECEDING";
		parse_expect_word(p, "following");
		return "UNBOUNDED FOLLOWING";
	}
	if (parse_accept(p, K_CURRENT)) {
		parse_expect_word(p, "row");
		return "CURRENT ROW";
	}
	n = p->tok->text;
	if (p->tok->kind != T_INT)
		return parse_syntax(p), "CURRENT ROW";
	parse_advance(p);
	if (parse_accept_word(p, "preceding"))
		return pool_printf(p->pool, "%s PRECEDING", n);
	parse_expect_word(p, "following");
	return pool_printf(p->pool, "%s FOLLOWING", n);
}

static const char *window_frame(struct parser *p)
{
	const char *unit, *from;

	if (parse_accept_word(p, "rows"))
		unit = "ROWS";
	else if (parse_accept_word(p, "range"))
		unit = "RANGE";
	else
		return NULL;
	if (parse_accept(p, K_BETWEEN)) {
		from = window_bound(p);
		parse_expect(p, K_AND);
		return pool_printf(p->pool, "%s BETWEEN %s AND %s", unit, from,
				   window_bound(p));
	}
	return pool_printf(p->pool, "%s BETWEEN %s AND CURRENT ROW", unit,
			   window_bound(p));
}

static struct window *over_clause(struct parser *p)
{
	struct window *w = pool_alloc(p->pool, sizeof(*w));
	int count;

	parse_expect(p, K_OVER);
	parse_expect_op(p, "(");
	if (parse_is_word(p, "partition")) {
		parse_advance(p);
		parse_expect(p, K_BY);
		w->partition = parse_expr_list(p, &count);
	}
	if (parse_is(p, K_ORDER))
		w->order = parse_order(p);
	w->frame = window_frame(p);
	parse_expect_op(p, ")");
	return w;
}

static void call_tail(struct parser *p, struct expr *e)
{
	if (parse_is_word(p, "within") && parse_is_next(p, 1, K_GROUP)) {
		parse_advance(p);
		parse_advance(p);
		parse_expect_op(p, "(");
		e->within = parse_order(p);
		parse_expect_op(p, ")");
	}
	if (parse_is_word(p, "ignore") || parse_is_word(p, "respect")) {
		parse_unsupported(p, "IGNORE NULLS");
		return;
	}
	if (parse_is(p, K_OVER))
		e->over = over_clause(p);
}

/* The part of name(args) from the bracket on. */
static struct expr *call(struct parser *p, struct expr *e)
{
	e->kind = EX_CALL;
	parse_expect_op(p, "(");
	if (parse_accept(p, K_DISTINCT))
		e->distinct = true;
	else
		parse_accept(p, K_ALL);
	if (parse_is_op(p, "*")) {
		parse_advance(p);
		e->args = parse_new_expr(p, EX_STAR);
		e->arg_count = 1;
	} else if (!parse_is_op(p, ")")) {
		e->args = parse_expr_list(p, &e->arg_count);
	}
	parse_expect_op(p, ")");
	call_tail(p, e);
	return finish(p, e);
}

/* Words that are functions without brackets, and reserved function names. */
static struct expr *keyword_value(struct parser *p)
{
	struct expr *e;

	switch (p->tok->word) {
	case K_NULL:
		e = parse_new_expr(p, EX_NULL);
		parse_advance(p);
		return finish(p, e);
	case K_DEFAULT:
		e = parse_new_expr(p, EX_DEFAULT);
		parse_advance(p);
		return finish(p, e);
	case K_CASE:
		return case_expr(p);
	case K_CONVERT:
		return convert_expr(p, false);
	case K_TRY_CONVERT:
		return convert_expr(p, true);
	case K_EXISTS:
		e = parse_new_expr(p, EX_EXISTS);
		parse_advance(p);
		parse_expect_op(p, "(");
		e->query = parse_query(p);
		parse_expect_op(p, ")");
		return finish(p, e);
	case K_CURRENT_TIMESTAMP:
	case K_CURRENT_USER:
	case K_SESSION_USER:
	case K_SYSTEM_USER:
	case K_USER:
		e = parse_new_expr(p, EX_CALL);
		e->name.count = 1;
		e->name.part[0] = p->tok->text;
		e->name.line = p->tok->line;
		parse_advance(p);
		return finish(p, e);
	case K_COALESCE:
	case K_NULLIF:
	case K_LEFT:
	case K_RIGHT:
	case K_IDENTITY:
	case K_UPDATE:
	case K_CONTAINS:
	case K_FREETEXT:
		if (!parse_is_next_op(p, 1, "("))
			return parse_syntax(p), parse_new_expr(p, EX_NULL);
		if (p->tok->word == K_CONTAINS || p->tok->word == K_FREETEXT)
			return parse_unsupported(p, p->tok->text),
			       parse_new_expr(p, EX_NULL);
		e = parse_new_expr(p, EX_CALL);
		e->name.count = 1;
		e->name.part[0] = p->tok->text;
		e->name.line = p->tok->line;
		parse_advance(p);
		if (!strcasecmp(e->name.part[0], "identity")) {
			/* SELECT IDENTITY(type, seed, increment) INTO */
			parse_expect_op(p, "(");
			e->type = pool_alloc(p->pool, sizeof(*e->type));
			parse_type_ref(p, e->type);
			if (parse_accept_op(p, ","))
				e->args = parse_expr_list(p, &e->arg_count);
			parse_expect_op(p, ")");
			return finish(p, e);
		}
		return call(p, e);
	default:
		parse_syntax(p);
		return parse_new_expr(p, EX_NULL);
	}
}

/* A name: a column, or a function when a bracket follows. */
static struct expr *name_value(struct parser *p)
{
	struct expr *e = parse_new_expr(p, EX_COLUMN);
	bool plain = p->tok->kind == T_WORD && parse_is_next_op(p, 1, "(");

	if (plain && (parse_is_word(p, "cast") || parse_is_word(p, "try_cast")))
		return cast_expr(p, parse_is_word(p, "try_cast"), false);
	if (plain &&
	    (parse_is_word(p, "parse") || parse_is_word(p, "try_parse")))
		return cast_expr(p, parse_is_word(p, "try_parse"), true);
	if (parse_is_word(p, "next") && parse_is_next_word(p, 1, "value") &&
	    parse_is_next(p, 2, K_FOR))
		return parse_unsupported(p, "NEXT VALUE FOR"), e;
	parse_object_name(p, &e->name);
	if (parse_is_op(p, "::")) { /* hierarchyid::GetRoot() */
		return parse_unsupported(p, e->name.part[0]), e;
	}
	if (parse_is_op(p, "("))
		return call(p, e);
	return finish(p, e);
}

static struct expr *paren_value(struct parser *p)
{
	struct expr *e;

	if (parse_is_next(p, 1, K_SELECT) || parse_is_next(p, 1, K_WITH)) {
		e = parse_new_expr(p, EX_SUBQUERY);
		parse_advance(p);
		e->query = parse_query(p);
		parse_expect_op(p, ")");
		return finish(p, e);
	}
	if (parse_is_next_op(p, 1, "(")) {
		/* "((SELECT …) UNION …)" or "((a + b) * c)": look further */
		int ahead = 1;

		while (parse_is_next_op(p, ahead, "("))
			ahead++;
		if (parse_is_next(p, ahead, K_SELECT)) {
			const struct token *save = p->tok;
			int depth = 0, i;

			/* where does the inner bracket close? */
			for (i = 1;; i++) {
				if (parse_is_next_op(p, i, "("))
					depth++;
				else if (parse_is_next_op(p, i, ")") &&
					 !--depth)
					break;
				if (save[i].kind == T_END)
					break;
			}
			if (parse_is_next(p, i + 1, K_UNION) ||
			    parse_is_next(p, i + 1, K_EXCEPT) ||
			    parse_is_next(p, i + 1, K_INTERSECT)) {
				e = parse_new_expr(p, EX_SUBQUERY);
				parse_advance(p);
				e->query = parse_query(p);
				parse_expect_op(p, ")");
				return finish(p, e);
			}
		}
	}
	parse_advance(p);
	e = parse_or(p);
	parse_expect_op(p, ")");
	return e;
}

static struct expr *variable(struct parser *p)
{
	bool global = p->tok->text[0] == '@' && p->tok->text[1] == '@';
	struct expr *e = parse_new_expr(p, global ? EX_GLOBAL : EX_VAR);

	e->text = p->tok->text;
	parse_advance(p);
	return finish(p, e);
}

static struct expr *primary(struct parser *p)
{
	struct expr *e;

	switch (p->tok->kind) {
	case T_STRING:
	case T_NSTRING:
	case T_INT:
	case T_DECIMAL:
	case T_FLOAT:
	case T_MONEY:
	case T_HEX:
		return literal(p);
	case T_VAR:
		return variable(p);
	case T_PSEUDO:
		e = parse_new_expr(p, EX_PSEUDO);
		e->text = p->tok->text;
		parse_advance(p);
		return finish(p, e);
	case T_QUOTED:
		return name_value(p);
	case T_WORD:
		if (p->tok->word)
			return keyword_value(p);
		return name_value(p);
	case T_OP:
		if (parse_is_op(p, "("))
			return paren_value(p);
		if (parse_is_op(p, ".") && !p->failed) {
			/* ".c" as in "..t": not an expression */
			return parse_syntax(p), parse_new_expr(p, EX_NULL);
		}
		/* fall through */
	default:
		parse_syntax(p);
		return parse_new_expr(p, EX_NULL);
	}
}

/* COLLATE and AT TIME ZONE bind tightest. */
static struct expr *postfix(struct parser *p)
{
	struct expr *e = primary(p);

	for (;;) {
		if (parse_is(p, K_COLLATE)) {
			struct expr *c = parse_new_expr(p, EX_COLLATE);

			parse_advance(p);
			c->a = need_value(p, e);
			c->start = e->start;
			c->text = p->tok->text;
			if (!parse_at_ident(p))
				parse_syntax(p);
			parse_advance(p);
			e = finish(p, c);
		} else if (parse_is_word(p, "at") &&
			   parse_is_next_word(p, 1, "time") &&
			   parse_is_next_word(p, 2, "zone")) {
			struct expr *z = parse_new_expr(p, EX_AT_TIME_ZONE);

			parse_advance(p);
			parse_advance(p);
			parse_advance(p);
			z->a = need_value(p, e);
			z->start = e->start;
			z->b = primary(p);
			e = finish(p, z);
		} else if (parse_is_op(p, ".") && e->kind != EX_COLUMN) {
			/* methods of xml and other types */
			return parse_unsupported(p, "method call"), e;
		} else {
			return e;
		}
	}
}

static struct expr *unary(struct parser *p)
{
	enum expr_kind kind;
	struct expr *e;

	if (parse_is_op(p, "-"))
		kind = EX_NEGATE;
	else if (parse_is_op(p, "+"))
		kind = EX_PLUS;
	else if (parse_is_op(p, "~"))
		kind = EX_BIT_NOT;
	else
		return postfix(p);
	e = parse_new_expr(p, kind);
	parse_advance(p);
	if (!parse_enter(p))
		return e->a = parse_new_expr(p, EX_NULL), e;
	e->a = need_value(p, unary(p));
	parse_leave(p);
	return finish(p, e);
}

static struct expr *product(struct parser *p)
{
	struct expr *e = unary(p);

	while (parse_is_op(p, "*") || parse_is_op(p, "/") ||
	       parse_is_op(p, "%")) {
		int op = p->tok->text[0];

		parse_advance(p);
		need_value(p, e);
		e = binary(p, EX_BINARY, op, e, need_value(p, unary(p)));
	}
	return e;
}

static struct expr *parse_sum(struct parser *p)
{
	struct expr *e = product(p);

	while (parse_is_op(p, "+") || parse_is_op(p, "-") ||
	       parse_is_op(p, "&") || parse_is_op(p, "|") ||
	       parse_is_op(p, "^")) {
		int op = p->tok->text[0];

		parse_advance(p);
		need_value(p, e);
		e = binary(p, EX_BINARY, op, e, need_value(p, product(p)));
	}
	return e;
}

/* --- conditions --- */

static bool compare_operator(struct parser *p, int *op)
{
	static const struct {
		const char *text;
		enum compare_op op;
	} ops[] = {{"=", OP_EQ}, {"<>", OP_NE}, {"!=", OP_NE},
		   {"<", OP_LT}, {"<=", OP_LE}, {"!>", OP_LE},
		   {">", OP_GT}, {">=", OP_GE}, {"!<", OP_GE}};
	size_t i;

	for (i = 0; i < LENGTH_OF(ops); i++) {
		if (!parse_is_op(p, ops[i].text))
			continue;
		*op = (int)ops[i].op;
		parse_advance(p);
		/* "> =" with a blank inside is the same as ">=" */
		if ((*op == OP_LT || *op == OP_GT) && parse_accept_op(p, "="))
			*op = *op == OP_LT ? OP_LE : OP_GE;
		else if (*op == OP_LT && parse_accept_op(p, ">"))
			*op = OP_NE;
		return true;
	}
	return false;
}

static struct expr *quantified(struct parser *p, struct expr *a, int op)
{
	struct expr *e = parse_new_expr(p, EX_QUANTIFIED);

	e->op = op;
	e->a = a;
	e->start = a->start;
	e->all = parse_is(p, K_ALL);
	parse_advance(p);
	parse_expect_op(p, "(");
	e->query = parse_query(p);
	parse_expect_op(p, ")");
	return finish(p, e);
}

static struct expr *in_list(struct parser *p, struct expr *a)
{
	struct expr *e = parse_new_expr(p, EX_IN);

	e->a = a;
	e->start = a->start;
	parse_expect_op(p, "(");
	if (parse_is(p, K_SELECT) || parse_is(p, K_WITH)) {
		e->query = parse_query(p);
	} else {
		e->args = parse_expr_list(p, &e->arg_count);
		if (e->arg_count == 1 && e->args->kind == EX_SUBQUERY)
			e->query = e->args->query;
	}
	parse_expect_op(p, ")");
	return finish(p, e);
}

/* What may follow a value to make a condition of it. */
static struct expr *predicate_tail(struct parser *p, struct expr *a)
{
	struct expr *e = NULL;
	bool negated = false;

	if (parse_is(p, K_NOT) &&
	    (parse_is_next(p, 1, K_LIKE) || parse_is_next(p, 1, K_IN) ||
	     parse_is_next(p, 1, K_BETWEEN))) {
		negated = true;
		parse_advance(p);
	}
	if (parse_accept(p, K_LIKE)) {
		e = parse_new_expr(p, EX_LIKE);
		e->a = a;
		e->b = need_value(p, parse_sum(p));
		if (parse_accept(p, K_ESCAPE))
			e->c = need_value(p, parse_sum(p));
	} else if (parse_accept(p, K_IN)) {
		e = in_list(p, a);
	} else if (parse_accept(p, K_BETWEEN)) {
		e = parse_new_expr(p, EX_BETWEEN);
		e->a = a;
		e->b = need_value(p, parse_sum(p));
		parse_expect(p, K_AND);
		e->c = need_value(p, parse_sum(p));
	} else if (parse_is(p, K_IS)) {
		parse_advance(p);
		e = parse_new_expr(p, EX_IS_NULL);
		e->a = a;
		negated = parse_accept(p, K_NOT);
		if (parse_accept(p, K_DISTINCT))
			return parse_unsupported(p, "IS DISTINCT FROM"), e;
		parse_expect(p, K_NULL);
	}
	if (!e)
		return NULL;
	e->negated = negated;
	e->line = a->line;
	e->start = a->start;
	return finish(p, e);
}

static struct expr *comparison(struct parser *p)
{
	struct expr *a = parse_sum(p), *e;
	int op;

	if (p->failed || expr_is_condition(a))
		return a;
	e = predicate_tail(p, a);
	if (e)
		return e;
	if (!compare_operator(p, &op))
		return a;
	if ((parse_is(p, K_ALL) || parse_is(p, K_ANY) || parse_is(p, K_SOME)) &&
	    parse_is_next_op(p, 1, "("))
		return quantified(p, a, op);
	return binary(p, EX_COMPARE, op, a, need_value(p, parse_sum(p)));
}

static struct expr *parse_not(struct parser *p)
{
	struct expr *e;

	if (!parse_is(p, K_NOT))
		return comparison(p);
	e = parse_new_expr(p, EX_NOT);
	parse_advance(p);
	if (!parse_enter(p))
		return e->a = parse_new_expr(p, EX_NULL), e;
	e->a = need_condition(p, parse_not(p));
	parse_leave(p);
	return finish(p, e);
}

static struct expr *parse_and(struct parser *p)
{
	struct expr *e = parse_not(p);

	while (parse_is(p, K_AND)) {
		need_condition(p, e);
		parse_advance(p);
		e = binary(p, EX_AND, 0, e, need_condition(p, parse_not(p)));
	}
	return e;
}

static struct expr *parse_or(struct parser *p)
{
	struct expr *e;

	if (!parse_enter(p))
		return parse_new_expr(p, EX_NULL);
	e = parse_and(p);
	while (parse_is(p, K_OR)) {
		need_condition(p, e);
		parse_advance(p);
		e = binary(p, EX_OR, 0, e, need_condition(p, parse_and(p)));
	}
	parse_leave(p);
	return e;
}

/* --- the three ways in --- */

struct expr *parse_expr(struct parser *p)
{
	return parse_or(p);
}

struct expr *parse_value(struct parser *p)
{
	struct expr *e;

	if (!parse_enter(p))
		return parse_new_expr(p, EX_NULL);
	e = need_value(p, parse_sum(p));
	parse_leave(p);
	return e;
}

struct expr *parse_search(struct parser *p)
{
	return need_condition(p, parse_or(p));
}

struct expr *parse_expr_list(struct parser *p, int *count)
{
	struct expr *first = NULL, **link = &first;

	*count = 0;
	do {
		/* IIF and the like take conditions */
		*link = parse_or(p);
		link = &(*link)->next;
		++*count;
	} while (parse_accept_op(p, ","));
	return first;
}

struct order_item *parse_order(struct parser *p)
{
	struct order_item *first = NULL, **link = &first;

	parse_expect(p, K_ORDER);
	parse_expect(p, K_BY);
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		(*link)->expr = parse_value(p);
		if (parse_accept(p, K_DESC))
			(*link)->desc = true;
		else
			parse_accept(p, K_ASC);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	return first;
}

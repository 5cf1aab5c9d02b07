#include <string.h>
#include <strings.h>

#include "sql/parser.h"

/* A target: name, @t, or an alias that FROM explains. */
static void target(struct parser *p, struct dml *d)
{
	if (p->tok->kind == T_VAR) {
		d->target_var = p->tok->text;
		parse_advance(p);
	} else if (parse_is(p, K_OPENROWSET) || parse_is(p, K_OPENQUERY)) {
		parse_unsupported(p, p->tok->text);
	} else {
		parse_object_name(p, &d->target);
	}
	d->hints |= parse_hints(p);
}

static void top(struct parser *p, struct dml *d)
{
	bool parens;

	if (!parse_accept(p, K_TOP))
		return;
	parens = parse_accept_op(p, "(");
	d->top = parse_value(p);
	if (parens)
		parse_expect_op(p, ")");
	d->top_percent = parse_accept(p, K_PERCENT);
}

static struct output_clause *output_clause(struct parser *p)
{
	struct output_clause *o;

	if (!parse_is_word(p, "output"))
		return NULL;
	parse_advance(p);
	o = pool_alloc(p->pool, sizeof(*o));
	o->items = parse_select_list(p);
	if (parse_accept(p, K_INTO)) {
		if (p->tok->kind == T_VAR) {
			o->into_var = p->tok->text;
			parse_advance(p);
		} else {
			parse_object_name(p, &o->into);
		}
		if (parse_is_op(p, "("))
			o->into_columns = parse_name_list(p);
	}
	return o;
}

/* One OUTPUT INTO and one OUTPUT may stand side by side. */
static void outputs(struct parser *p, struct output_clause **to_client,
		    struct output_clause **into)
{
	struct output_clause *o;

	while ((o = output_clause(p))) {
		if (o->into.count || o->into_var)
			*into = o;
		else
			*to_client = o;
	}
}

static struct stmt *new_dml(struct parser *p, enum stmt_kind kind,
			    struct cte *ctes)
{
	struct stmt *s = parse_new_stmt(p, kind);

	s->dml = pool_alloc(p->pool, sizeof(*s->dml));
	s->dml->ctes = ctes;
	s->dml->max_recursion = -1;
	return s;
}

struct stmt *parse_insert(struct parser *p, struct cte *ctes)
{
	struct stmt *s = new_dml(p, ST_INSERT, ctes);
	struct dml *d = s->dml;

	parse_expect(p, K_INSERT);
	top(p, d);
	parse_accept(p, K_INTO);
	target(p, d);
	if (parse_is_op(p, "(") && !parse_is_next(p, 1, K_SELECT) &&
	    !parse_is_next(p, 1, K_WITH) && !parse_is_next_op(p, 1, "("))
		d->columns = parse_name_list(p);
	outputs(p, &d->output, &d->output_into);
	if (parse_is(p, K_DEFAULT)) {
		parse_advance(p);
		parse_expect(p, K_VALUES);
		d->default_values = true;
	} else if (parse_is(p, K_VALUES)) {
		d->query = pool_alloc(p->pool, sizeof(*d->query));
		d->query->kind = Q_VALUES;
		d->query->line = p->tok->line;
		d->query->max_recursion = -1;
		d->query->rows = parse_rows(p);
	} else if (parse_is(p, K_EXEC) || parse_is(p, K_EXECUTE)) {
		d->exec = parse_exec(p);
	} else if (parse_is(p, K_SELECT) || parse_is(p, K_WITH) ||
		   parse_is_op(p, "(")) {
		d->query = parse_query(p);
	} else if (parse_is(p, K_MERGE)) {
		parse_unsupported(p, "MERGE");
	} else {
		parse_syntax(p);
	}
	parse_query_options(p, &d->max_recursion);
	return s;
}

static struct set_clause *set_clause(struct parser *p)
{
	static const char *const ops[] = {
		"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="};
	struct set_clause *c = pool_alloc(p->pool, sizeof(*c));
	size_t i;

	c->line = p->tok->line;
	if (p->tok->kind == T_VAR) {
		c->var = p->tok->text;
		parse_advance(p);
		/* "@x = column = value" */
		if (parse_is_op(p, "=") && p->tok[1].kind != T_END &&
		    (p->tok[1].kind == T_QUOTED ||
		     (p->tok[1].kind == T_WORD && !p->tok[1].word)) &&
		    parse_is_next_op(p, 2, "=")) {
			parse_advance(p);
			parse_object_name(p, &c->column);
		}
	} else {
		parse_object_name(p, &c->column);
		if (parse_is_op(p, "("))
			parse_unsupported(p, ".WRITE()");
	}
	for (i = 0; i < LENGTH_OF(ops); i++)
		if (parse_accept_op(p, ops[i])) {
			c->assign = ops[i][0];
			c->value = parse_value(p);
			return c;
		}
	parse_syntax(p);
	return c;
}

static struct set_clause *set_list(struct parser *p)
{
	struct set_clause *first = NULL, **link = &first;

	parse_expect(p, K_SET);
	do {
		*link = set_clause(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	return first;
}

static void where(struct parser *p, struct dml *d)
{
	if (!parse_accept(p, K_WHERE))
		return;
	if (parse_is(p, K_CURRENT) && parse_is_next(p, 1, K_OF)) {
		parse_unsupported(p, "CURRENT OF");
		return;
	}
	d->where = parse_search(p);
}

struct stmt *parse_update(struct parser *p, struct cte *ctes)
{
	struct stmt *s = new_dml(p, ST_UPDATE, ctes);
	struct dml *d = s->dml;

	parse_expect(p, K_UPDATE);
	top(p, d);
	target(p, d);
	d->sets = set_list(p);
	outputs(p, &d->output, &d->output_into);
	if (parse_accept(p, K_FROM))
		d->from = parse_from(p);
	where(p, d);
	parse_query_options(p, &d->max_recursion);
	return s;
}

struct stmt *parse_delete(struct parser *p, struct cte *ctes)
{
	struct stmt *s = new_dml(p, ST_DELETE, ctes);
	struct dml *d = s->dml;

	parse_expect(p, K_DELETE);
	top(p, d);
	parse_accept(p, K_FROM);
	target(p, d);
	outputs(p, &d->output, &d->output_into);
	if (parse_accept(p, K_FROM))
		d->from = parse_from(p);
	where(p, d);
	parse_query_options(p, &d->max_recursion);
	return s;
}

/* --- EXEC --- */

static struct exec_arg *exec_arg(struct parser *p)
{
	struct exec_arg *a = pool_alloc(p->pool, sizeof(*a));

	if (p->tok->kind == T_VAR && parse_is_next_op(p, 1, "=")) {
		a->name = p->tok->text;
		parse_advance(p);
		parse_advance(p);
	}
	if (p->tok->kind == T_WORD && !p->tok->word &&
	    !parse_is_next_op(p, 1, "(")) {
		/* a bare word is a string here */
		a->value = parse_new_expr(p, EX_LITERAL);
		a->value->op = (int)T_NSTRING;
		a->value->text = p->tok->text;
		a->value->len = p->tok->len;
		parse_advance(p);
	} else if (p->tok->kind == T_WORD &&
		   (p->tok->word == K_ON || p->tok->word == K_OFF)) {
		a->value = parse_new_expr(p, EX_LITERAL);
		a->value->op = (int)T_NSTRING;
		a->value->text = p->tok->text;
		a->value->len = p->tok->len;
		parse_advance(p);
	} else if (p->tok->kind == T_QUOTED) {
		a->value = parse_new_expr(p, EX_LITERAL);
		a->value->op = (int)T_NSTRING;
		a->value->text = p->tok->text;
		a->value->len = p->tok->len;
		parse_advance(p);
	} else if (parse_is_op(p, "-") || parse_is_op(p, "+") ||
		   p->tok->kind == T_VAR || p->tok->kind == T_STRING ||
		   p->tok->kind == T_NSTRING || p->tok->kind == T_INT ||
		   p->tok->kind == T_DECIMAL || p->tok->kind == T_FLOAT ||
		   p->tok->kind == T_MONEY || p->tok->kind == T_HEX ||
		   parse_is(p, K_NULL) || parse_is(p, K_DEFAULT)) {
		bool minus = parse_is_op(p, "-");
		struct expr *e = parse_new_expr(p, minus ? EX_NEGATE : EX_PLUS);

		if (parse_is_op(p, "-") || parse_is_op(p, "+")) {
			parse_advance(p);
			if (p->tok->kind < T_INT || p->tok->kind > T_MONEY)
				parse_syntax(p);
		}
		a->value = parse_new_expr(
			p,
			p->tok->kind == T_VAR
				? (p->tok->text[1] == '@' ? EX_GLOBAL : EX_VAR)
			: parse_is(p, K_NULL)	 ? EX_NULL
			: parse_is(p, K_DEFAULT) ? EX_DEFAULT
						 : EX_LITERAL);
		a->value->op = (int)p->tok->kind;
		a->value->text = p->tok->text;
		a->value->len = p->tok->len;
		parse_advance(p);
		if (minus) {
			e->a = a->value;
			a->value = e;
		}
	} else {
		parse_syntax(p);
	}
	if (parse_is_word(p, "output") || parse_is_word(p, "out")) {
		parse_advance(p);
		a->output = true;
	}
	parse_accept_word(p, "readonly");
	return a;
}

static void exec_options(struct parser *p)
{
	if (!parse_is(p, K_WITH))
		return;
	if (parse_is_next_word(p, 1, "recompile")) {
		parse_advance(p);
		parse_advance(p);
	} else if (parse_is_next_word(p, 1, "result")) {
		parse_unsupported(p, "WITH RESULT SETS");
	}
}

/* EXEC ('…' + @x): strings to be put together and run. */
static void exec_string(struct parser *p, struct exec *x)
{
	struct expr **link = &x->strings;

	parse_expect_op(p, "(");
	do {
		*link = parse_value(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
	parse_expect_op(p, ")");
	if (parse_is_word(p, "at")) {
		parse_advance(p);
		x->at_server = parse_ident(p);
	} else if (parse_accept(p, K_AS)) { /* AS USER = 'x' */
		parse_advance(p);
		parse_expect_op(p, "=");
		parse_label(p);
	}
}

struct stmt *parse_exec(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_EXEC);
	struct exec *x = pool_alloc(p->pool, sizeof(*x));
	struct exec_arg **link = &x->args;
	bool keyword = parse_accept(p, K_EXEC) || parse_accept(p, K_EXECUTE);

	s->exec = x;
	if (keyword && parse_is(p, K_AS)) {
		/* EXECUTE AS LOGIN = 'x' */
		s->kind = ST_EXECUTE_AS;
		parse_advance(p);
		s->option.name = p->tok->text;
		parse_advance(p);
		if (parse_accept_op(p, "="))
			s->option.value = parse_label(p);
		if (parse_accept(p, K_WITH)) {
			parse_advance(p);
			parse_accept(p, K_REVERT);
		}
		return s;
	}
	if (keyword && parse_is_op(p, "(")) {
		exec_string(p, x);
		return s;
	}
	if (p->tok->kind == T_VAR && parse_is_next_op(p, 1, "=")) {
		x->return_var = p->tok->text;
		parse_advance(p);
		parse_advance(p);
	}
	if (p->tok->kind == T_VAR) {
		x->proc_var = p->tok->text;
		parse_advance(p);
	} else {
		parse_object_name(p, &x->proc);
	}
	if (parse_is_op(p, ";") && p->tok[1].kind == T_INT)
		parse_advance(p), parse_advance(p); /* ;1 */
	if (p->tok->kind == T_VAR || p->tok->kind == T_STRING ||
	    p->tok->kind == T_NSTRING || p->tok->kind == T_INT ||
	    p->tok->kind == T_DECIMAL || p->tok->kind == T_FLOAT ||
	    p->tok->kind == T_MONEY || p->tok->kind == T_HEX ||
	    parse_is_op(p, "-") || parse_is_op(p, "+") || parse_is(p, K_NULL) ||
	    parse_is(p, K_DEFAULT) || p->tok->kind == T_QUOTED ||
	    parse_is(p, K_ON) ||
	    (p->tok->kind == T_WORD && !p->tok->word &&
	     p->tok->line == p->prev->line)) {
		do {
			*link = exec_arg(p);
			link = &(*link)->next;
		} while (parse_accept_op(p, ","));
	}
	exec_options(p);
	return s;
}

struct stmt *parse_truncate(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_TRUNCATE);

	parse_expect(p, K_TRUNCATE);
	parse_expect(p, K_TABLE);
	s->name = pool_alloc(p->pool, sizeof(*s->name));
	parse_object_name(p, s->name);
	if (parse_is(p, K_WITH) && parse_is_next_op(p, 1, "("))
		parse_unsupported(p, "TRUNCATE TABLE ... WITH (PARTITIONS)");
	return s;
}

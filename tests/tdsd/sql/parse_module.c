/*
 * CREATE VIEW, PROCEDURE, FUNCTION and TRIGGER: what is stored as text and
 * parsed again when it is used.
 */
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

static struct param_def *param(struct parser *p)
{
	struct param_def *v = pool_alloc(p->pool, sizeof(*v));

	v->line = p->tok->line;
	v->name = p->tok->text;
	if (p->tok->kind != T_VAR)
		parse_syntax(p);
	parse_advance(p);
	parse_accept(p, K_AS);
	parse_type_ref(p, &v->type);
	for (; !p->failed;) {
		if (parse_accept(p, K_VARYING)) {
			/* cursor varying */
		} else if (parse_accept(p, K_NULL)) {
			/* may be null: the default */
		} else if (parse_is(p, K_NOT) && parse_is_next(p, 1, K_NULL)) {
			parse_advance(p);
			parse_advance(p);
		} else if (parse_accept_op(p, "=")) {
			v->has_default = true;
			if (parse_at_ident(p)) { /* a bare word is a string */
				v->default_value =
					parse_new_expr(p, EX_LITERAL);
				v->default_value->op = (int)T_NSTRING;
				v->default_value->text = p->tok->text;
				v->default_value->len = p->tok->len;
				parse_advance(p);
			} else {
				v->default_value = parse_value(p);
			}
		} else if (parse_accept_word(p, "output") ||
			   parse_accept_word(p, "out")) {
			v->output = true;
		} else if (parse_accept_word(p, "readonly")) {
			v->readonly = true;
		} else {
			return v;
		}
	}
	return v;
}

struct param_def *parse_param_list(struct parser *p, bool parens)
{
	struct param_def *first = NULL, **link = &first;

	if (parens)
		parse_expect_op(p, "(");
	if (p->tok->kind == T_VAR)
		do {
			*link = param(p);
			link = &(*link)->next;
		} while (parse_accept_op(p, ","));
	if (parens)
		parse_expect_op(p, ")");
	return first;
}

/* WITH SCHEMABINDING, RECOMPILE, EXECUTE AS OWNER, … */
static void module_options(struct parser *p, struct create_module *m)
{
	if (!parse_accept(p, K_WITH))
		return;
	do {
		if (parse_accept_word(p, "schemabinding")) {
			m->schema_binding = true;
		} else if (parse_accept_word(p, "recompile")) {
			m->recompile = true;
		} else if (parse_accept_word(p, "encryption")) {
			m->encryption = true;
		} else if (parse_accept_word(p, "view_metadata")) {
			/* nothing to us */
		} else if (parse_is(p, K_EXEC) || parse_is(p, K_EXECUTE)) {
			parse_advance(p);
			parse_expect(p, K_AS);
			m->execute_as = p->tok->text;
			parse_advance(p);
		} else if (parse_accept_word(p, "returns")) {
			parse_expect(p, K_NULL);
			parse_expect(p, K_ON);
			parse_expect(p, K_NULL);
			parse_expect_word(p, "input");
		} else if (parse_accept_word(p, "called")) {
			parse_expect(p, K_ON);
			parse_expect(p, K_NULL);
			parse_expect_word(p, "input");
		} else if (parse_is_word(p, "native_compilation")) {
			parse_unsupported(p, "NATIVE_COMPILATION");
		} else if (parse_accept_word(p, "inline")) {
			parse_expect_op(p, "=");
			parse_advance(p);
		} else {
			parse_syntax(p);
		}
	} while (parse_accept_op(p, ","));
}

/* Everything up to the end of the batch. */
static struct stmt *rest_of_batch(struct parser *p)
{
	struct stmt *first = NULL, **link = &first;

	while (parse_accept_op(p, ";"))
		;
	while (!p->failed && p->tok->kind != T_END) {
		*link = parse_stmt(p);
		while (*link)
			link = &(*link)->next;
		while (parse_accept_op(p, ";"))
			;
	}
	return first;
}

static void view(struct parser *p, struct create_module *m)
{
	m->kind = 'V';
	parse_object_name(p, &m->name);
	if (parse_is_op(p, "("))
		m->columns = parse_name_list(p);
	module_options(p, m);
	parse_expect(p, K_AS);
	m->query = parse_query(p);
	if (parse_accept(p, K_WITH)) {
		parse_expect(p, K_CHECK);
		parse_expect(p, K_OPTION);
		m->check_option = true;
	}
}

static void procedure(struct parser *p, struct create_module *m)
{
	m->kind = 'P';
	parse_object_name(p, &m->name);
	m->params = parse_param_list(p, parse_is_op(p, "("));
	module_options(p, m);
	if (parse_accept(p, K_FOR))
		parse_expect(p, K_REPLICATION);
	parse_expect(p, K_AS);
	if (parse_is(p, K_EXTERNAL))
		parse_unsupported(p, "EXTERNAL NAME");
	m->body = rest_of_batch(p);
}

static void function(struct parser *p, struct create_module *m)
{
	parse_object_name(p, &m->name);
	m->params = parse_param_list(p, true);
	parse_expect_word(p, "returns");
	if (parse_accept(p, K_TABLE)) {
		m->kind = 'I';
		module_options(p, m);
		parse_accept(p, K_AS);
		parse_expect(p, K_RETURN);
		m->query = parse_query(p);
		return;
	}
	if (p->tok->kind == T_VAR) {
		parse_unsupported(p, "multi-statement table function");
		return;
	}
	m->kind = 'F';
	parse_type_ref(p, &m->returns);
	module_options(p, m);
	parse_accept(p, K_AS);
	if (parse_is(p, K_EXTERNAL))
		parse_unsupported(p, "EXTERNAL NAME");
	m->body = rest_of_batch(p);
}

static void trigger(struct parser *p, struct create_module *m)
{
	m->kind = 'T';
	parse_object_name(p, &m->name);
	parse_expect(p, K_ON);
	if (parse_is(p, K_DATABASE) ||
	    (parse_is(p, K_ALL) && parse_is_next_word(p, 1, "server"))) {
		parse_unsupported(p, "DDL trigger");
		return;
	}
	parse_object_name(p, &m->on);
	module_options(p, m);
	if (parse_accept_word(p, "instead")) {
		parse_expect(p, K_OF);
		m->instead = true;
	} else if (!parse_accept(p, K_FOR)) {
		parse_expect_word(p, "after");
	}
	do {
		if (parse_accept(p, K_INSERT))
			m->on_insert = true;
		else if (parse_accept(p, K_UPDATE))
			m->on_update = true;
		else
			parse_expect(p, K_DELETE), m->on_delete = true;
	} while (parse_accept_op(p, ","));
	if (parse_is(p, K_NOT)) {
		parse_advance(p);
		parse_expect(p, K_FOR);
		parse_expect(p, K_REPLICATION);
	}
	parse_expect(p, K_AS);
	m->body = rest_of_batch(p);
}

struct stmt *parse_module(struct parser *p, size_t start, bool alter,
			  bool or_alter)
{
	struct stmt *s = parse_new_stmt(p, ST_CREATE_MODULE);
	struct create_module *m = pool_alloc(p->pool, sizeof(*m));
	const struct token *what = p->tok;
	const char *verb = alter ? "ALTER" : "CREATE";
	const char *kind = keyword_name(what->word);
	int loops = p->loops;

	s->module = m;
	m->alter = alter;
	m->or_alter = or_alter;
	m->start = start;
	m->keyword_at = start;
	m->keyword_len = what->start - start;
	s->start = start;
	if (!p->first_stmt || p->depth > 1) {
		if (what->word == K_PROC)
			kind = "PROCEDURE";
		return parse_fail(p, 111,
				  pool_printf(p->pool, "%s %s", verb, kind),
				  NULL);
	}
	p->in_module = true;
	p->loops = 0;
	parse_advance(p);
	switch (what->word) {
	case K_VIEW:
		view(p, m);
		break;
	case K_PROC:
	case K_PROCEDURE:
		procedure(p, m);
		break;
	case K_FUNCTION:
		function(p, m);
		break;
	default:
		trigger(p, m);
		break;
	}
	p->loops = loops;
	p->in_module = false;
	if ((m->kind == 'V' || m->kind == 'I') && !p->failed) {
		parse_accept_op(p, ";");
		if (p->tok->kind != T_END)
			parse_syntax(p);
	}
	m->end = p->prev ? p->prev->end : start;
	return s;
}

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql/parser.h"

/* --- DECLARE --- */

static void declare_table(struct parser *p, struct param_def *v)
{
	parse_expect(p, K_TABLE);
	v->is_table = true;
	parse_table_body(p, &v->table, &v->table_constraints,
			 &v->table_indexes);
}

struct stmt *parse_declare(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_DECLARE);
	struct param_def **link = &s->declare;

	parse_expect(p, K_DECLARE);
	if (p->tok->kind != T_VAR) { /* DECLARE name CURSOR */
		return parse_unsupported(p, "CURSOR");
	}
	do {
		struct param_def *v = pool_alloc(p->pool, sizeof(*v));

		v->line = p->tok->line;
		v->name = p->tok->text;
		if (p->tok->kind != T_VAR || p->tok->text[1] == '@')
			parse_syntax(p);
		parse_advance(p);
		parse_accept(p, K_AS);
		if (parse_is(p, K_TABLE)) {
			declare_table(p, v);
		} else {
			parse_type_ref(p, &v->type);
			parse_accept(p, K_NULL);
			if (parse_accept(p, K_NOT))
				parse_expect(p, K_NULL);
			if (parse_accept_op(p, "=")) {
				v->has_default = true;
				v->default_value = parse_value(p);
			}
		}
		*link = v;
		link = &v->next;
	} while (parse_accept_op(p, ","));
	return s;
}

/* --- SET --- */

static struct stmt *set_variable(struct parser *p, struct stmt *s)
{
	static const char *const ops[] = {
		"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="};
	size_t i;

	s->kind = ST_SET_VAR;
	s->set.var = p->tok->text;
	parse_advance(p);
	if (parse_is_op(p, "."))
		return parse_unsupported(p, "modify()"), s;
	for (i = 0; i < LENGTH_OF(ops); i++) {
		if (!parse_accept_op(p, ops[i]))
			continue;
		s->set.assign = ops[i][0];
		s->set.value = parse_value(p);
		return s;
	}
	parse_syntax(p);
	return s;
}

/* SET TRANSACTION ISOLATION LEVEL … */
static void isolation_level(struct parser *p, struct stmt *s)
{
	parse_advance(p);
	parse_expect_word(p, "isolation");
	parse_expect_word(p, "level");
	s->option.name = "ISOLATION";
	if (parse_accept(p, K_READ)) {
		s->option.value = parse_is_word(p, "uncommitted")
					  ? "READ UNCOMMITTED"
					  : "READ COMMITTED";
		if (!parse_accept_word(p, "uncommitted"))
			parse_expect_word(p, "committed");
	} else if (parse_accept_word(p, "repeatable")) {
		parse_expect(p, K_READ);
		s->option.value = "REPEATABLE READ";
	} else if (parse_accept_word(p, "snapshot")) {
		s->option.value = "SNAPSHOT";
	} else {
		parse_expect_word(p, "serializable");
		s->option.value = "SERIALIZABLE";
	}
}

/* Options that take a value rather than ON or OFF. */
static bool takes_value(const char *name)
{
	static const char *const names[] = {
		"TEXTSIZE",   "ROWCOUNT",  "LOCK_TIMEOUT", "DEADLOCK_PRIORITY",
		"DATEFORMAT", "DATEFIRST", "LANGUAGE",	   "CONTEXT_INFO"};
	size_t i;

	for (i = 0; i < LENGTH_OF(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool known_switch(const char *name)
{
	static const char *const names[] = {"ANSI_NULLS",
					    "ANSI_NULL_DFLT_ON",
					    "ANSI_NULL_DFLT_OFF",
					    "ANSI_PADDING",
					    "ANSI_WARNINGS",
					    "ARITHABORT",
					    "CONCAT_NULL_YIELDS_NULL",
					    "CURSOR_CLOSE_ON_COMMIT",
					    "FMTONLY",
					    "IMPLICIT_TRANSACTIONS",
					    "NOCOUNT",
					    "NOEXEC",
					    "NUMERIC_ROUNDABORT",
					    "QUOTED_IDENTIFIER",
					    "XACT_ABORT"};
	size_t i;

	for (i = 0; i < LENGTH_OF(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static void option_value(struct parser *p, struct stmt *s)
{
	bool minus;

	if (p->tok->kind == T_VAR) {
		s->option.expr = parse_value(p);
		return;
	}
	minus = parse_accept_op(p, "-");
	if (p->tok->kind == T_HEX) {
		s->option.expr = parse_value(p);
		return;
	}
	if (p->tok->kind == T_END || p->tok->kind == T_OP) {
		parse_syntax(p);
		return;
	}
	s->option.value = minus ? pool_printf(p->pool, "-%s", p->tok->text)
				: p->tok->text;
	parse_advance(p);
}

/* SET a, b ON makes one statement for each. */
static struct stmt *set_switches(struct parser *p, struct stmt *s)
{
	struct stmt *first = s, *last = s;
	const char *value;

	for (;;) {
		last->kind = ST_SET_OPTION;
		last->option.name = p->tok->text;
		if (p->tok->kind == T_WORD && !known_switch(p->tok->text)) {
			parse_fail(p, 155, p->tok->text, "SET", NULL);
			return first;
		}
		if (p->tok->kind != T_WORD)
			parse_syntax(p);
		parse_advance(p);
		if (!parse_accept_op(p, ","))
			break;
		last->next = parse_new_stmt(p, ST_SET_OPTION);
		last = last->next;
	}
	value = parse_is(p, K_ON) ? "ON" : "OFF";
	if (!parse_accept(p, K_ON))
		parse_expect(p, K_OFF);
	for (s = first; s; s = s->next)
		s->option.value = value;
	return first;
}

struct stmt *parse_set(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_SET_OPTION);

	parse_expect(p, K_SET);
	if (p->tok->kind == T_VAR)
		return set_variable(p, s);
	if (parse_is(p, K_TRANSACTION) || parse_is(p, K_TRAN)) {
		isolation_level(p, s);
		return s;
	}
	if (parse_accept(p, K_IDENTITY_INSERT)) {
		s->kind = ST_SET_IDENTITY;
		s->option.table = pool_alloc(p->pool, sizeof(struct name));
		parse_object_name(p, s->option.table);
		s->option.value = parse_is(p, K_ON) ? "ON" : "OFF";
		if (!parse_accept(p, K_ON))
			parse_expect(p, K_OFF);
		return s;
	}
	if (p->tok->kind == T_WORD && takes_value(p->tok->text)) {
		s->option.name = p->tok->text;
		parse_advance(p);
		option_value(p, s);
		return s;
	}
	return set_switches(p, s);
}

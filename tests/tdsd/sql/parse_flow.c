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
		p->tok = p->prev;
		return parse_cursor_stmt(p);
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
			v->is_cursor = !strcasecmp(v->type.name.part[0]
							   ? v->type.name.part[0]
							   : "",
						   "cursor");
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
	static const char *const ops[] = {"=",	"+=", "-=", "*=", "/=",
					  "%=", "&=", "|=", "^="};
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
		if (parse_is(p, K_CURSOR)) {
			struct cursor_stmt *c = pool_alloc(p->pool, sizeof(*c));

			parse_advance(p);
			c->verb = 'D';
			c->name = s->set.var;
			c->is_var = true;
			c->query = parse_cursor_query(p, c);
			s->kind = ST_CURSOR;
			s->cursor = c;
			return s;
		}
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
		"TEXTSIZE", "ROWCOUNT", "LOCK_TIMEOUT", "DEADLOCK_PRIORITY",
		"DATEFORMAT", "DATEFIRST", "LANGUAGE", "CONTEXT_INFO",
		"QUERY_GOVERNOR_COST_LIMIT", "FIPS_FLAGGER"};
	size_t i;

	for (i = 0; i < LENGTH_OF(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool known_switch(const char *name)
{
	static const char *const names[] = {
		"ANSI_DEFAULTS", "ANSI_NULLS", "ANSI_NULL_DFLT_ON",
		"ANSI_NULL_DFLT_OFF", "ANSI_PADDING", "ANSI_WARNINGS",
		"ARITHABORT", "ARITHIGNORE", "CONCAT_NULL_YIELDS_NULL",
		"CURSOR_CLOSE_ON_COMMIT", "FMTONLY", "FORCEPLAN",
		"IMPLICIT_TRANSACTIONS", "NOCOUNT", "NOEXEC",
		"NUMERIC_ROUNDABORT", "PARSEONLY", "QUOTED_IDENTIFIER",
		"REMOTE_PROC_TRANSACTIONS", "SHOWPLAN_ALL", "SHOWPLAN_TEXT",
		"SHOWPLAN_XML", "XACT_ABORT", "NO_BROWSETABLE",
		"DISABLE_DEF_CNST_CHK", "RESULT_SET_CACHING", "OFFSETS"};
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

static struct stmt *set_statistics(struct parser *p, struct stmt *s)
{
	parse_advance(p);
	do {
		parse_advance(p); /* IO, TIME, XML, PROFILE */
	} while (parse_accept_op(p, ","));
	if (!parse_accept(p, K_ON))
		parse_expect(p, K_OFF);
	s->kind = ST_NOTHING;
	return s;
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
	if (parse_is(p, K_STATISTICS))
		return set_statistics(p, s);
	if (p->tok->kind == T_WORD && takes_value(p->tok->text)) {
		s->option.name = p->tok->text;
		parse_advance(p);
		option_value(p, s);
		return s;
	}
	return set_switches(p, s);
}

/* --- cursors --- */

/* "[SCROLL …] FOR SELECT … [FOR UPDATE …]" */
struct query *parse_cursor_query(struct parser *p, struct cursor_stmt *c)
{
	struct query *q;

	while (p->tok->kind == T_WORD && !parse_is(p, K_FOR)) {
		if (parse_is_word(p, "scroll") || parse_is_word(p, "static") ||
		    parse_is_word(p, "keyset") || parse_is_word(p, "dynamic"))
			c->scroll = !parse_is_word(p, "dynamic") || c->scroll;
		if (parse_is_word(p, "global"))
			c->global = true;
		parse_advance(p);
	}
	parse_expect(p, K_FOR);
	q = parse_query(p);
	if (parse_accept(p, K_FOR)) {
		if (parse_accept(p, K_UPDATE)) {
			if (parse_accept(p, K_OF))
				do {
					struct name column;

					parse_object_name(p, &column);
				} while (parse_accept_op(p, ","));
		} else {
			parse_expect(p, K_READ);
			parse_expect_word(p, "only");
		}
	}
	return q;
}

static const char *cursor_name(struct parser *p, struct cursor_stmt *c)
{
	const char *name = p->tok->text;

	parse_accept_word(p, "global");
	if (p->tok->kind == T_VAR) {
		name = p->tok->text;
		c->is_var = true;
		parse_advance(p);
		return name;
	}
	return parse_ident(p);
}

static void fetch(struct parser *p, struct cursor_stmt *c)
{
	static const struct {
		const char *word;
		char direction;
	} words[] = {{"next", 'N'},  {"prior", 'P'},	{"first", 'F'},
		     {"last", 'L'},  {"absolute", 'A'}, {"relative", 'R'}};
	struct name_list **link = &c->into;
	size_t i;

	c->direction = 'N';
	for (i = 0; i < LENGTH_OF(words); i++)
		if (parse_accept_word(p, words[i].word)) {
			c->direction = words[i].direction;
			if (i >= 4)
				c->position = parse_value(p);
			break;
		}
	parse_accept(p, K_FROM);
	c->name = cursor_name(p, c);
	if (!parse_accept(p, K_INTO))
		return;
	do {
		*link = pool_alloc(p->pool, sizeof(**link));
		(*link)->name = p->tok->text;
		(*link)->line = p->tok->line;
		if (p->tok->kind != T_VAR)
			parse_syntax(p);
		parse_advance(p);
		link = &(*link)->next;
	} while (parse_accept_op(p, ","));
}

struct stmt *parse_cursor_stmt(struct parser *p)
{
	struct stmt *s = parse_new_stmt(p, ST_CURSOR);
	struct cursor_stmt *c = pool_alloc(p->pool, sizeof(*c));

	s->cursor = c;
	if (parse_accept(p, K_DECLARE)) {
		c->verb = 'D';
		c->name = parse_ident(p);
		while (parse_is_word(p, "insensitive") ||
		       parse_is_word(p, "scroll")) {
			c->scroll |= parse_is_word(p, "scroll");
			parse_advance(p);
		}
		parse_expect(p, K_CURSOR);
		c->query = parse_cursor_query(p, c);
	} else if (parse_accept(p, K_OPEN)) {
		c->verb = 'O';
		c->name = cursor_name(p, c);
	} else if (parse_accept(p, K_FETCH)) {
		c->verb = 'F';
		fetch(p, c);
	} else if (parse_accept(p, K_CLOSE)) {
		c->verb = 'C';
		c->name = cursor_name(p, c);
	} else {
		parse_expect(p, K_DEALLOCATE);
		c->verb = 'X';
		c->name = cursor_name(p, c);
	}
	return s;
}
